/**
 * The lazy flags: what the generated function makes of a triple (kind, a, b), against the manual's flag rules written down plainly, on random
 * operands of every kind and size. Conditions are compared through the instruction rows elsewhere; here all six flags at once.
 */
import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { createCallbacks } from '../../../emulator/cpu/callbacks';
import { instantiateInterpreter } from '../../../emulator/cpu/interpreter-instance';
import { FlagKind } from '../../../emulator/isa/ir';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Mmu } from '../../../emulator/mmu/mmu';
import { ARITHMETIC_FLAGS, Flag, State } from '../../../emulator/spec/vcpu-state';

const SIZES = [1, 2, 4, 8] as const;
type Name = Exclude<keyof typeof FlagKind, 'explicit'>;
const names = (Object.keys(FlagKind) as (keyof typeof FlagKind)[]).filter((n): n is Name => n !== 'explicit');

/** Operands with a taste for edges. */
const operand = fc.oneof(
  fc.bigInt(0n, (1n << 64n) - 1n),
  fc.constantFrom(
    0n,
    1n,
    0x7fn,
    0x80n,
    0xffn,
    0x7fffn,
    0x8000n,
    0xffffn,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    (1n << 63n) - 1n,
    1n << 63n,
    (1n << 64n) - 1n,
  ),
  fc.bigInt(0n, 31n),
);

interface Flags {
  readonly value: number;
  /** Flags that the manual leaves undefined. */
  readonly undef: number;
}
const pick = (cf: boolean, af: boolean, of: boolean): number => (cf ? Flag.CF : 0) | (af ? Flag.AF : 0) | (of ? Flag.OF : 0);

/** @param x, y operands as unsigned values of `bits` bits (y: count, or the carry that INC and DEC keep). */
function model(kind: Name, bits: number, x: bigint, y: bigint): Flags {
  const unsigned = (v: bigint): bigint => BigInt.asUintN(bits, v);
  const signed = (v: bigint): bigint => BigInt.asIntN(bits, v);
  const fits = (v: bigint): boolean => signed(v) === v;
  const result = (r: bigint): number => {
    const v = unsigned(r);
    let ones = 0;
    for (let i = 0n; i < 8n; i++) ones += Number((v >> i) & 1n);
    return (signed(v) < 0n ? Flag.SF : 0) | (v === 0n ? Flag.ZF : 0) | (ones % 2 === 0 ? Flag.PF : 0);
  };
  const low = (v: bigint): bigint => v & 15n;
  switch (kind) {
    case 'logic':
      return { value: result(x), undef: Flag.AF };
    case 'inc':
      return { value: result(x + 1n) | pick(y !== 0n, low(x) === 15n, !fits(signed(x) + 1n)), undef: 0 };
    case 'dec':
      return { value: result(x - 1n) | pick(y !== 0n, low(x) === 0n, !fits(signed(x) - 1n)), undef: 0 };
    case 'add':
    case 'adc': {
      const c = kind === 'adc' ? 1n : 0n;
      const of = !fits(signed(x) + signed(y) + c);
      return { value: result(x + y + c) | pick((x + y + c) >> BigInt(bits) !== 0n, low(x) + low(y) + c > 15n, of), undef: 0 };
    }
    case 'sub':
    case 'sbb': {
      const c = kind === 'sbb' ? 1n : 0n;
      return { value: result(x - y - c) | pick(x < y + c, low(x) < low(y) + c, !fits(signed(x) - signed(y) - c)), undef: 0 };
    }
    case 'shl': {
      const cf = ((x << y) >> BigInt(bits)) & 1n;
      const r = x << y;
      const of = unsigned(r) >> BigInt(bits - 1) !== cf;
      return { value: result(r) | pick(cf === 1n, false, of), undef: Flag.AF | (y > 1n ? Flag.OF : 0) | (y > BigInt(bits) ? Flag.CF : 0) };
    }
    case 'shr':
      return {
        value: result(x >> y) | pick(((x >> (y - 1n)) & 1n) === 1n, false, signed(x) < 0n),
        undef: Flag.AF | (y > 1n ? Flag.OF : 0) | (y > BigInt(bits) ? Flag.CF : 0),
      };
    case 'sar':
      return {
        value: result(signed(x) >> y) | pick(((signed(x) >> (y - 1n)) & 1n) === 1n, false, false),
        undef: Flag.AF | (y > 1n ? Flag.OF : 0),
      };
  }
}

describe('lazy flags', function () {
  this.timeout(60_000);
  const memory = new PhysicalMemory(1 << 20);
  const base = memory.vcpuBase(0);
  let arithmeticFlags: (base: number) => number;
  before(async () => {
    const nowhere = (): never => {
      throw new Error('no instruction runs here');
    };
    const callbacks = createCallbacks(new Mmu(memory), nowhere, { handler: undefined });
    arithmeticFlags = (await instantiateInterpreter(memory, callbacks)).exports.arithmeticFlags;
  });
  /** What the triple gives. Operands are stored sign-extended, as semantics store them; INC and DEC store their result. */
  function flagsOf(kind: Name, size: (typeof SIZES)[number], x: bigint, y: bigint): number {
    const bits = size * 8;
    const step = kind === 'inc' ? 1n : kind === 'dec' ? -1n : 0n;
    const binary = kind === 'add' || kind === 'sub' || kind === 'adc' || kind === 'sbb';
    memory.i32[(base + State.flagKind) >> 2] = FlagKind[kind] * 4 + Math.log2(size);
    memory.u64[(base + State.flagA) >> 3] = BigInt.asUintN(64, BigInt.asIntN(bits, x + step));
    memory.u64[(base + State.flagB) >> 3] = BigInt.asUintN(64, binary ? BigInt.asIntN(bits, y) : y);
    return arithmeticFlags(base);
  }

  for (const kind of names)
    it(`${kind}: six flags in 8, 16, 32 and 64 bits`, () => {
      const shift = kind === 'shl' || kind === 'shr' || kind === 'sar';
      fc.assert(
        fc.property(fc.constantFrom(...SIZES), operand, operand, (size, a, b) => {
          const bits = size * 8;
          const x = BigInt.asUintN(bits, a);
          // Counts are masked to 5 or 6 bits, and 0 stores no triple.
          const y = shift ? b & (size === 8 ? 63n : 31n) || 1n : kind === 'inc' || kind === 'dec' ? b & 1n : BigInt.asUintN(bits, b);
          const { value, undef } = model(kind, bits, x, y);
          const got = flagsOf(kind, size, x, y);
          assert.equal(got & ~ARITHMETIC_FLAGS, 0);
          assert.equal((got & ~undef).toString(16), (value & ~undef).toString(16), `${x.toString(16)}, ${y.toString(16)}, ${bits} bits`);
        }),
        { numRuns: 20_000, seed: 5 },
      );
    });

  it('explicit flags are themselves', () => {
    memory.i32[(base + State.flagKind) >> 2] = FlagKind.explicit;
    for (const flags of [0, ARITHMETIC_FLAGS, Flag.CF | Flag.OF]) {
      memory.u64[(base + State.flagA) >> 3] = BigInt(flags);
      assert.equal(arithmeticFlags(base), flags);
    }
  });
});
