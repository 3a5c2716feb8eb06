/** Memory types (SDM volume 3, "Memory Cache Control"): encodings of PAT, MTRRs and EPT entries, the type that the MTRRs give to a physical address, and how it combines with the PAT's. */
import { FIXED_MTRRS, VARIABLE_MTRRS } from './msr';

export const MemoryType = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6, UCminus: 7 } as const;
const NAMES: Readonly<Record<number, string>> = { 0: 'UC', 1: 'WC', 4: 'WT', 5: 'WP', 6: 'WB', 7: 'UC-' };
export const memoryTypeName = (type: number): string => NAMES[type] ?? 'reserved';

const VALID = 1n << 11n; // of IA32_MTRR_PHYSMASKn
const ENABLED = 1n << 11n; // of IA32_MTRR_DEF_TYPE
const FIXED_ENABLED = 1n << 10n;
const BELOW_1M = 0x100000;
const ADDRESS = 0xf_ffff_ffff_f000n;

/** The MTRRs by position: what a CPU, or a test, holds. */
export interface Mtrrs {
  readonly defType: bigint;
  base(n: number): bigint;
  mask(n: number): bigint;
  /** By position in FIXED_MTRRS. */
  fixed(n: number): bigint;
}

/** "MTRR Precedences": fixed ranges first, then the variable ones (UC wins, WT wins over WB; other overlaps are undefined: UC here), then the default. */
export function mtrrType(mtrrs: Mtrrs, address: number): number {
  const { defType } = mtrrs;
  if ((defType & ENABLED) === 0n) return MemoryType.UC;
  if (address < BELOW_1M && defType & FIXED_ENABLED) {
    const n = FIXED_MTRRS.findIndex(([, , from, bytes]) => address >= from && address < from + 8 * bytes);
    const [, , from, bytes] = FIXED_MTRRS[n];
    return Number((mtrrs.fixed(n) >> BigInt(8 * Math.floor((address - from) / bytes))) & 0xffn);
  }
  const found = new Set<number>();
  for (let n = 0; n < VARIABLE_MTRRS; n++) {
    const mask = mtrrs.mask(n);
    if (mask & VALID && (BigInt(address) & mask & ADDRESS) === (mtrrs.base(n) & mask & ADDRESS)) found.add(Number(mtrrs.base(n) & 0xffn));
  }
  if (found.size === 0) return Number(defType & 0xffn);
  if (found.size === 1) return [...found][0];
  return found.size === 2 && found.has(MemoryType.WT) && found.has(MemoryType.WB) ? MemoryType.WT : MemoryType.UC;
}

/** "Effective Page-Level Memory Types": MTRR type by row, PAT type by column. */
export function combinedType(mtrr: number, pat: number): number {
  const { UC, WC, WT, WP, UCminus } = MemoryType;
  if (pat === UC || pat === WC) return pat;
  if (pat === UCminus) return mtrr === WC || mtrr === WP ? WC : UC;
  if (pat === WT || pat === WP) return mtrr === UC || mtrr === WC ? UC : pat;
  return mtrr; // WB
}
