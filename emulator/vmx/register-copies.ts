/**
 * Copies between slots of the vCPU's state and fields of a VMCS region, as flat tables: an entry or exit moves some sixty of them, and each
 * one's place is known beforehand.
 */
import type { VmcsField } from '../spec/vmcs-fields';
import { changeBit } from './changes';

/** A state slot (byte offset) and the field that it goes to or comes from; `wide`: 64 bits of it, else 32. */
export interface RegisterCopy {
  readonly slot: number;
  readonly field: VmcsField;
  readonly wide: boolean;
}
export const wide = (slot: number, field: VmcsField): RegisterCopy => ({ slot, field, wide: true });
export const narrow = (slot: number, field: VmcsField): RegisterCopy => ({ slot, field, wide: false });

/** Words of one copy in a table: index of the state word, of the region's word, whether 64 bits, change bit. */
const COLUMNS = 4;

export type CopyTable = Int32Array;

export function copyTable(rows: readonly RegisterCopy[]): CopyTable {
  return Int32Array.from(rows.flatMap(({ slot, field, wide: both }) => [slot >> 2, field.offset >> 2, both ? 1 : 0, changeBit(field)]));
}

/** @param region word index of the VMCS region in `words`. */
export function loadCopies(state: Uint32Array, words: Uint32Array, region: number, table: CopyTable): void {
  for (let n = 0; n < table.length; n += COLUMNS) {
    const to = table[n];
    const from = region + table[n + 1];
    state[to] = words[from];
    if (table[n + 2] !== 0) state[to + 1] = words[from + 1];
  }
}

/** Returns the change bits of the fields whose values are new; the upper half of a narrow one becomes 0. */
export function saveCopies(state: Uint32Array, words: Uint32Array, region: number, table: CopyTable): number {
  let changed = 0;
  for (let n = 0; n < table.length; n += COLUMNS) {
    const from = table[n];
    const to = region + table[n + 1];
    const low = state[from];
    const high = table[n + 2] !== 0 ? state[from + 1] : 0;
    if (words[to] === low && words[to + 1] === high) continue;
    words[to] = low;
    words[to + 1] = high;
    changed |= table[n + 3];
  }
  return changed;
}
