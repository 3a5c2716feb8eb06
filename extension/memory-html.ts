/** A page of memory as an HTML table: addresses, bytes that can be edited, characters; what changed since the last stop is marked. */
import { escapeHtml } from './translation-html';

export const bytesPerRow = 16;

export interface MemoryPage {
  /** As the adapter reads it: l2:gva:0x…, hpa:0x…. */
  readonly reference: string;
  readonly start: bigint;
  /** Bytes past the last one that could be read are missing. */
  readonly bytes: Uint8Array;
  /** The same page at the stop before; undefined when it was not shown then. */
  readonly before: Uint8Array | undefined;
}

/** Splits a memory reference: { space: 'l2:gva', address }. Undefined when it is none. */
export function splitReference(reference: string): { readonly space: string; readonly address: bigint } | undefined {
  const found = /^(l[12]:g[vp]a|hpa):(0x[0-9a-f]+)$/i.exec(reference);
  return found ? { space: found[1]!.toLowerCase(), address: BigInt(found[2]!) } : undefined;
}

const hex = (value: number | bigint, digits: number): string => value.toString(16).padStart(digits, '0');

function rowHtml({ start, bytes, before }: MemoryPage, offset: number): string {
  const cells: string[] = [];
  let text = '';
  for (let column = 0; column < bytesPerRow; column++) {
    const at = offset + column;
    const byte = bytes[at];
    if (byte === undefined) {
      cells.push('<td class="none">··</td>');
      text += ' ';
      continue;
    }
    const changed = before !== undefined && before[at] !== byte;
    const was = changed && before[at] !== undefined ? ` title="was ${hex(before[at], 2)} at the last stop"` : '';
    cells.push(
      `<td role="gridcell" tabindex="${at === 0 ? 0 : -1}" data-offset="${at}"${changed ? ' class="changed"' : ''}${was}>${hex(byte, 2)}</td>`,
    );
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  return `<tr><th scope="row">${hex(start + BigInt(offset), 16)}</th>${cells.join('')}<td class="text">${escapeHtml(text)}</td></tr>`;
}

/** The rows of a page; a sentence where nothing can be read. */
export function memoryRows(page: MemoryPage): string {
  if (page.bytes.length === 0) return `<tr><td class="none">Nothing is mapped at ${escapeHtml(page.reference)}.</td></tr>`;
  const rows: string[] = [];
  for (let offset = 0; offset < page.bytes.length; offset += bytesPerRow) rows.push(rowHtml(page, offset));
  return rows.join('');
}

const columnHeads = `<tr><td></td>${Array.from({ length: bytesPerRow }, (_, column) => `<th scope="col">${column.toString(16)}</th>`).join('')}<th scope="col" class="text">characters</th></tr>`;

const spaces = [
  ['l2:gva', 'L2 guest-virtual'],
  ['l2:gpa', 'L2 guest-physical'],
  ['l1:gva', 'L1 virtual'],
  ['l1:gpa', 'L1 physical'],
  ['hpa', 'host-physical'],
] as const;

const style = `
  body { font-family: var(--vscode-font-family); color: var(--vscode-foreground); padding: 0 12px; }
  form { display: flex; gap: 6px; margin: 8px 0; align-items: center; }
  select, input, button { font: inherit; color: var(--vscode-input-foreground); background: var(--vscode-input-background); border: 1px solid var(--vscode-input-border, transparent); padding: 2px 6px; }
  button { color: var(--vscode-button-foreground); background: var(--vscode-button-background); cursor: pointer; }
  table { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); border-collapse: collapse; }
  form { flex-wrap: wrap; } 
  th { font-weight: 400; color: var(--vscode-editorLineNumber-foreground); padding-right: 12px; text-align: right; }
  thead th { text-align: center; padding: 0 3px; } thead th.text { text-align: left; padding-left: 12px; }
  td { padding: 0 3px; } td:nth-child(9), thead th:nth-child(9) { padding-right: 12px; }
  td.text { white-space: pre; padding-left: 12px; color: var(--vscode-descriptionForeground); }
  td.none { color: var(--vscode-disabledForeground); }
  td.changed { color: var(--vscode-gitDecoration-modifiedResourceForeground); font-weight: 600; }
  td[tabindex]:focus { outline: 1px solid var(--vscode-focusBorder); }
  #message { color: var(--vscode-errorForeground); min-height: 1.3em; }
`;

/** The frame around the rows. `script` and `source` are what the webview allows. */
export function memoryFrame(script: string, source: string): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src ${source}`;
  const options = spaces.map(([value, label]) => `<option value="${value}">${label}</option>`).join('');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>Memory</title><style>${style}</style></head><body>
    <form><select aria-label="Address space">${options}</select><input aria-label="Address or expression" size="30"><button>Go</button><button type="button" id="back" aria-label="Earlier addresses">▲</button><button type="button" id="on" aria-label="Later addresses">▼</button></form>
    <div id="message" role="status"></div><table role="grid" aria-label="Bytes: two hexadecimal digits write one, Enter follows a pointer, W breaks when the byte changes"><thead>${columnHeads}</thead><tbody></tbody></table><script src="${script}"></script></body></html>`;
}
