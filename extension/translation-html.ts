/** The picture of an address translation: a column for each guest table with the EPT walk of its address below it, as HTML without scripts. */
import type { ResolvedStep, ResolveResult } from '../debug-adapter/protocol';

interface Column {
  readonly guest: ResolvedStep | undefined;
  readonly ept: readonly ResolvedStep[];
}

/** A guest entry is fetched from a guest-physical address: the EPT steps before it found that one; those after the last found the page. */
export function columnsOf(steps: readonly ResolvedStep[]): readonly Column[] {
  const columns: Column[] = [];
  let ept: ResolvedStep[] = [];
  for (const step of steps) {
    if (step.stage === 'ept') {
      ept.push(step);
      continue;
    }
    columns.push({ guest: step, ept });
    ept = [];
  }
  if (ept.length > 0 || columns.length === 0) columns.push({ guest: undefined, ept });
  return columns;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function stepHtml(step: ResolvedStep): string {
  const state = step.stops !== undefined ? 'stops' : step.present ? '' : 'absent';
  const facts = [
    `<dt>entry</dt><dd>${escapeHtml(step.entry)}</dd>`,
    `<dt>at</dt><dd>${escapeHtml(step.entryAddress)}${step.entryHpa !== undefined && step.entryHpa !== step.entryAddress ? ` = HPA ${escapeHtml(step.entryHpa)}` : ''}</dd>`,
    `<dt>allows</dt><dd>${escapeHtml(step.permissions)}${step.largePage ? ', large page' : ''}</dd>`,
  ];
  const stop = step.stops === undefined ? '' : `<p class="why">The walk stops here: ${escapeHtml(step.stops)}</p>`;
  const name = `${step.table} entry ${step.index}${step.stops !== undefined ? ', the walk stops here' : ''}`;
  return `<section class="step ${step.stage} ${state}" tabindex="0" role="group" aria-label="${escapeHtml(name)}"><h3>${escapeHtml(step.table)}<span>[${step.index}]</span></h3><dl>${facts.join('')}</dl>${stop}</section>`;
}

function columnHtml(column: Column): string {
  const head = column.guest
    ? stepHtml(column.guest)
    : '<section class="step page" tabindex="0" role="group" aria-label="the page itself"><h3>the page itself</h3></section>';
  const below =
    column.ept.length > 0
      ? `<ol class="below" role="list" aria-label="EPT walk">${column.ept.map((step) => `<li>${stepHtml(step)}</li>`).join('')}</ol>`
      : '';
  return `<li>${head}${below}</li>`;
}

const style = `
  body { font-family: var(--vscode-font-family); color: var(--vscode-foreground); padding: 0 16px 16px; }
  .summary { font-family: var(--vscode-editor-font-family); font-size: 1.1em; }
  .failure { color: var(--vscode-errorForeground); }
  ol { list-style: none; padding: 0; margin: 0; }
  ol.walk { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
  ol.walk > li { max-width: 100%; }
  ol.walk > li + li { position: relative; }
  ol.walk > li + li::before { content: '→' / ''; position: absolute; left: -14px; top: 10px; color: var(--vscode-descriptionForeground); }
  .step { border: 1px solid var(--vscode-panel-border); border-left: 4px solid var(--vscode-charts-blue); border-radius: 4px; padding: 4px 10px; margin-bottom: 8px; box-sizing: border-box; min-width: 170px; max-width: min(260px, 100%); }
  .step:focus { outline: 1px solid var(--vscode-focusBorder); outline-offset: 1px; }
  .step.ept { border-left-color: var(--vscode-charts-purple); font-size: 0.9em; }
  .step.page { border-left-color: var(--vscode-charts-green); }
  .step.stops, .step.absent { border-color: var(--vscode-errorForeground); border-left-color: var(--vscode-errorForeground); }
  ol.below { margin-left: 14px; }
  h1 { font-size: 1.2em; font-weight: 600; } h3 { margin: 2px 0; font-size: 1em; } h3 span { font-weight: 400; color: var(--vscode-descriptionForeground); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 8px; margin: 4px 0; font-family: var(--vscode-editor-font-family); overflow-wrap: anywhere; }
  dt { color: var(--vscode-descriptionForeground); } dd { margin: 0; }
  .why { color: var(--vscode-errorForeground); margin: 4px 0; }
`;

export function translationHtml(expression: string, result: ResolveResult): string {
  const facts = [
    result.permissions,
    result.memoryType,
    result.pageBytes === undefined ? undefined : `${pageSize(result.pageBytes)} page`,
  ].filter(Boolean);
  const failure = result.failure === undefined ? '' : `<p class="failure" role="alert">${escapeHtml(result.failure)}</p>`;
  const walk =
    result.steps.length === 0
      ? '<p>No table is walked: paging is off, or the address is host-physical.</p>'
      : `<ol class="walk" role="list" aria-label="Entries of the walk, in order">${columnsOf(result.steps).map(columnHtml).join('')}</ol>`;
  return page(`<h1>${escapeHtml(expression)}, L${result.level}</h1>
    <p class="summary">${escapeHtml(result.summary)}</p>${facts.length > 0 ? `<p>${escapeHtml(facts.join(', '))}</p>` : ''}${failure}${walk}`);
}

export function messageHtml(message: string): string {
  return page(`<p>${escapeHtml(message)}</p>`);
}

function page(body: string): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>Address translation</title><style>${style}</style></head><body>${body}</body></html>`;
}

function pageSize(bytes: number): string {
  if (bytes >= 1 << 30) return `${bytes / (1 << 30)} GiB`;
  return bytes >= 1 << 20 ? `${bytes / (1 << 20)} MiB` : `${bytes / 1024} KiB`;
}
