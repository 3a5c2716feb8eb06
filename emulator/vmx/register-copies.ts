/**
 * Copies between slots of the vCPU's state and fields of a VMCS region, as tables: an entry or exit moves some sixty of them, and each one's
 * place is known beforehand. Generated code carries them out where there is some (codegen/copy-functions), else the loops below.
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

export interface CopyTable {
  /** Place in the list of generated functions. */
  readonly id: number;
  readonly direction: 'load' | 'save';
  readonly rows: readonly { readonly slot: number; readonly at: number; readonly wide: boolean; readonly bit: number }[];
}
/** By the ids of the tables: copies between the state at one wasm address and the region at another. */
export type GeneratedCopies = readonly ((state: number, region: number) => number)[];

export function copyTable(id: number, direction: CopyTable['direction'], rows: readonly RegisterCopy[]): CopyTable {
  return {
    id,
    direction,
    rows: rows.map(({ slot, field, wide: both }) => ({ slot, at: field.offset, wide: both, bit: changeBit(field) })),
  };
}

/** @param region word index of the VMCS region in `words`. */
export function loadCopies(state: Uint32Array, words: Uint32Array, region: number, { rows }: CopyTable): void {
  for (const { slot, at, wide: both } of rows) {
    state[slot >> 2] = words[region + (at >> 2)];
    if (both) state[(slot >> 2) + 1] = words[region + (at >> 2) + 1];
  }
}

/** Returns the change bits of the fields whose values are new; the upper half of a narrow one becomes 0. */
export function saveCopies(state: Uint32Array, words: Uint32Array, region: number, { rows }: CopyTable): number {
  let changed = 0;
  for (const { slot, at, wide: both, bit } of rows) {
    const to = region + (at >> 2);
    const low = state[slot >> 2];
    const high = both ? state[(slot >> 2) + 1] : 0;
    if (words[to] === low && words[to + 1] === high) continue;
    words[to] = low;
    words[to + 1] = high;
    changed |= bit;
  }
  return changed;
}
