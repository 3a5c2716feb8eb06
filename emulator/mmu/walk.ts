/**
 * The one page walker: guest paging and EPT by their entry formats, for TLB fills, hovers and tree views alike (SDM volume 3, "Paging" and
 * "The Extended Page Table Mechanism"). Addresses to be translated are two unsigned 32-bit halves; physical addresses are numbers.
 */
import type { PagingFacts, PagingFormat } from '../spec/paging';
import { Right } from '../spec/paging';

/** Where tables lie: guest-physical memory (through EPT) or host-physical memory. */
export interface TableMemory {
  /** Host-physical address of an entry that is about to be read (or, with `write`, updated), -1: refused, the reason is recorded. */
  locate(address: number, write: boolean): number;
  read32(hpa: number): number;
  write32(hpa: number, value: number): void;
}

/** One look at one entry; what hovers and translation views show. */
export interface WalkStep {
  readonly format: PagingFormat;
  readonly level: number;
  readonly index: number;
  /** Address of the entry in the tables' own space, and in host-physical memory. */
  readonly entryAddress: number;
  readonly entryHpa: number;
  readonly lo: number;
  readonly hi: number;
  readonly present: boolean;
  readonly leaf: boolean;
  readonly reserved: boolean;
}
export type WalkSink = (step: WalkStep) => void;

export const WalkResult = { ok: 0, notPresent: 1, reserved: 2, refused: 3 } as const;

/** Walks tables of one format. Reused: the outcome of the last walk stands in its fields. */
export class Walker {
  /** Address of the first byte of the page that holds the address. */
  page = 0;
  /** log2 of the page size of the leaf. */
  shift = 12;
  rights = 0;
  /** Halves of the leaf entry. */
  leafLo = 0;
  leafHi = 0;
  /** High half of the entry at which the walk ended. */
  entryHi = 0;
  /** Level at which the walk ended. */
  level = 0;
  private readonly entries = new Float64Array(5);
  private readonly values = new Int32Array(5);

  /** @param root physical address of the root table. */
  walk(format: PagingFormat, root: number, lo: number, hi: number, facts: PagingFacts, memory: TableMemory, sink?: WalkSink): number {
    let table = root;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    for (let level = 0; ; level++) {
      this.level = level;
      const index = indexOf(lo, hi, format.levels[level].shift, format.indexBits);
      const entryAddress = table + index * format.entryBytes;
      const hpa = memory.locate(entryAddress, false);
      if (hpa < 0) return WalkResult.refused;
      const elo = memory.read32(hpa) | 0;
      const ehi = format.entryBytes === 8 ? memory.read32(hpa + 4) | 0 : 0;
      this.entries[level] = entryAddress;
      this.values[level] = elo;
      this.entryHi = ehi;
      const present = format.present(elo, ehi);
      const leaf = present && format.isLeaf(level, elo);
      const reserved = present && format.reserved(level, elo, ehi, leaf, facts);
      sink?.({ format, level, index, entryAddress, entryHpa: hpa, lo: elo, hi: ehi, present, leaf, reserved });
      if (!present) return WalkResult.notPresent;
      if (reserved) return WalkResult.reserved;
      rights &= format.rights(elo, ehi, facts);
      let address = (ehi & 0xfffff) * 0x1_0000_0000 + ((elo & 0xfffff000) >>> 0);
      if (!leaf) {
        table = address;
        continue;
      }
      const { shift } = format.levels[level];
      if (shift > 12) {
        // A large page: index bits below its size come from the address (bits 31:12 suffice up to 1 GiB).
        if (format.entryBytes === 4) address = ((elo >>> 13) & 0xff) * 0x1_0000_0000 + ((elo & 0xffc00000) >>> 0);
        const size = 2 ** shift;
        address = address - (address % size) + ((lo % size) - (lo & 0xfff));
      }
      this.page = address;
      this.shift = shift;
      this.rights = rights;
      this.leafLo = elo;
      this.leafHi = ehi;
      return WalkResult.ok;
    }
  }

  /**
   * Sets the accessed flag in every entry of the last walk and, for a write, the dirty flag in its leaf. False: a table could not be
   * written (refused by the tables' memory; nothing more was changed).
   */
  markUsed(format: PagingFormat, write: boolean, memory: TableMemory): boolean {
    for (let level = 0; level <= this.level; level++) {
      const bits = format.accessedBit | (write && level === this.level ? format.dirtyBit : 0);
      if ((this.values[level] & bits) === bits) continue;
      const hpa = memory.locate(this.entries[level], true);
      if (hpa < 0) return false;
      const value = memory.read32(hpa) | bits;
      memory.write32(hpa, value);
      this.values[level] = value;
      if (level === this.level) this.leafLo = value;
    }
    return true;
  }

  /** Every entry of the last walk has its accessed flag set. */
  allAccessed(format: PagingFormat): boolean {
    for (let level = 0; level <= this.level; level++) if ((this.values[level] & format.accessedBit) === 0) return false;
    return true;
  }
}

/** Index into a table: bits shift+bits-1 … shift of the address. */
function indexOf(lo: number, hi: number, shift: number, bits: number): number {
  const mask = (1 << bits) - 1;
  if (shift >= 32) return (hi >>> (shift - 32)) & mask;
  if (shift + bits <= 32) return (lo >>> shift) & mask;
  return ((lo >>> shift) | (hi << (32 - shift))) & mask;
}
