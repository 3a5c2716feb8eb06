/** The picture of an address translation: which steps stand in which column, and that nothing of the guest becomes markup. */
import { strict as assert } from 'node:assert';
import type { ResolvedStep, ResolveResult } from '../../../debug-adapter/protocol';
import { columnsOf, translationHtml } from '../../../extension/translation-html';

const step = (table: string, more: Partial<ResolvedStep> = {}): ResolvedStep => ({
  table,
  stage: table.startsWith('EPT') ? 'ept' : 'guest',
  level: 1,
  index: 0,
  entryAddress: '0x1000',
  entry: '0x2003',
  present: true,
  largePage: false,
  permissions: 'rwx',
  ...more,
});
const result = (steps: readonly ResolvedStep[], more: Partial<ResolveResult> = {}): ResolveResult => ({
  space: 'gva',
  level: 2,
  address: '0x40020000',
  steps,
  summary: 'GVA 0x40020000 → GPA 0x20000',
  ...more,
});

describe('the picture of a translation', () => {
  it('puts the EPT walk that found a guest table below that table, and the last one below the page', () => {
    const columns = columnsOf([step('EPT PML4'), step('guest PML4'), step('EPT PT'), step('guest PDPT'), step('EPT PD')]);
    assert.deepEqual(
      columns.map(({ guest, ept }) => [guest?.table, ept.map(({ table }) => table)]),
      [
        ['guest PML4', ['EPT PML4']],
        ['guest PDPT', ['EPT PT']],
        [undefined, ['EPT PD']],
      ],
    );
  });

  it('has no column for a page that a walk without EPT ends in', () => {
    assert.equal(columnsOf([step('guest PML4'), step('guest PDPT')]).length, 2);
  });

  it('marks the entry that stops the walk, and says why', () => {
    const html = translationHtml(
      '0x40020000',
      result([step('guest PML4'), step('EPT PT', { present: false, stops: 'the entry is not present' })], { failure: 'EPT violation' }),
    );
    assert.match(html, /class="step ept stops"/);
    assert.match(html, /The walk stops here: the entry is not present/);
    assert.match(html, /role="alert">EPT violation/);
  });

  it('is a list of entries that the keyboard reaches and a screen reader names', () => {
    const html = translationHtml('x', result([step('PML4'), step('EPT PT', { present: false, stops: 'entry not present' })]));
    assert.match(html, /<ol class="walk" role="list" aria-label=/);
    assert.match(html, /tabindex="0" role="group" aria-label="PML4 entry 0"/);
    assert.match(html, /aria-label="EPT PT entry 0, the walk stops here"/);
    assert.equal(html.match(/<section/g)!.length, html.match(/<section[^>]*tabindex="0"[^>]*aria-label="[^"]+"/g)!.length);
  });

  it('escapes what the user typed and what the machine said', () => {
    const html = translationHtml('<img src=x>', result([step('<b>')], { summary: '"<script>"' }));
    assert.ok(!/<img|<b>|<script/.test(html), html);
  });

  it('names page sizes', () => {
    assert.match(translationHtml('x', result([], { pageBytes: 2 << 20 })), /2 MiB page/);
    assert.match(translationHtml('x', result([], { pageBytes: 1 << 30 })), /1 GiB page/);
    assert.match(translationHtml('x', result([], { pageBytes: 4096 })), /4 KiB page/);
  });
});
