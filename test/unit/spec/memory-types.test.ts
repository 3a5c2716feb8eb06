/** Effective memory types: MTRR precedence and the table that combines MTRR and PAT types. */
import { strict as assert } from 'node:assert';
import { MemoryType, combinedType, mtrrType } from '../../../emulator/spec/memory-types';
import { FIXED_MTRRS } from '../../../emulator/spec/msr';

const { UC, WC, WT, WP, WB, UCminus } = MemoryType;
const VALID = 0x800n;

function mtrrs(variable: readonly (readonly [base: bigint, mask: bigint])[], defType = 0xc06n): Parameters<typeof mtrrType>[0] {
  return {
    defType,
    base: (n) => variable[n]?.[0] ?? 0n,
    mask: (n) => variable[n]?.[1] ?? 0n,
    // Type of range i of register n: write-protected where i is odd.
    fixed: () => 0x05_06_05_06_05_06_05_06n,
  };
}

describe('memory types', () => {
  it('fixed ranges cover the first megabyte without holes and win below it', () => {
    let next = 0;
    for (const [, , from, bytes] of FIXED_MTRRS) {
      assert.equal(from, next);
      next = from + 8 * bytes;
    }
    assert.equal(next, 0x100000);
    const all = mtrrs([[0n, VALID]]);
    assert.deepEqual(
      [0, 0x1ffff, 0x80000, 0xa4000, 0xc1000, 0xfffff].map((a) => mtrrType(all, a)),
      [WB, WP, WB, WP, WP, WP],
    );
    assert.equal(mtrrType(all, 0x100000), UC);
    assert.equal(mtrrType({ ...all, defType: 0x806n }, 0x10000), UC, 'fixed ranges off: the variable one counts');
  });
  it('variable ranges: UC wins, WT wins over WB, none gives the default, disabled MTRRs give UC', () => {
    const gib = ~(2n ** 30n - 1n) & 0x3f_ffff_f000n;
    const m = mtrrs([
      [0x4000_0000n | 6n, gib | VALID],
      [0x4000_0000n | 4n, gib | VALID],
      [0x8000_0000n | 1n, gib | VALID],
      [0x8000_0000n | 0n, gib | VALID],
      [0xc000_0000n | 1n, gib],
    ]);
    assert.deepEqual(
      [0x4000_0000, 0x8000_0000, 0xc000_0000].map((a) => mtrrType(m, a)),
      [WT, UC, WB],
    );
    assert.equal(mtrrType({ ...m, defType: 6n }, 0x4000_0000), UC);
  });
  it('combines as the manual tabulates', () => {
    const table = [UC, WC, WT, WP, WB].map((mtrr) => [UC, UCminus, WC, WT, WB, WP].map((pat) => combinedType(mtrr, pat)));
    assert.deepEqual(table, [
      [UC, UC, WC, UC, UC, UC],
      [UC, WC, WC, UC, WC, UC],
      [UC, UC, WC, WT, WT, WP],
      [UC, WC, WC, WT, WP, WP],
      [UC, UC, WC, WT, WB, WP],
    ]);
  });
});
