/** The function that turns the lazy triple (kind, a, b) into the six arithmetic flags in their RFLAGS positions. */
import { FlagKind } from '../isa/ir';
import { State } from '../spec/vcpu-state';
import { FunctionBody, I32, I64, Op } from './wasm';

/**
 * (vcpu: i32) → i32. Operands are sign-extended from the operand size; shifted to the top of 64 bits, carries and signs of every size are
 * those of 64-bit arithmetic. Kinds are FlagKind × 4 + log2(size).
 */
export function arithmeticFlagsFunction(): FunctionBody {
  const f = new FunctionBody(1);
  const [kind, cf, of, af] = [0, 1, 2, 3].map(() => f.local(I32));
  const [shift, a, b, A, B, R, one] = [0, 1, 2, 3, 4, 5, 6].map(() => f.local(I64));
  const load = (offset: number): FunctionBody => f.get(0).mem(Op.i64_load, offset);
  f.get(0).mem(Op.i32_load, State.flagKind).tee(kind).op(Op.i32_eqz).if();
  f.get(0).mem(Op.i32_load, State.flagA).op(Op.return).end();
  // shift = 64 - 8·size
  f.i64(64n).i64(8n).get(kind).i32(3).op(Op.i32_and).op(Op.i64_extend_i32_u).op(Op.i64_shl).op(Op.i64_sub).set(shift);
  load(State.flagA).tee(a).get(shift).op(Op.i64_shl).set(A);
  load(State.flagB).tee(b).get(shift).op(Op.i64_shl).set(B);
  f.i64(1n).get(shift).op(Op.i64_shl).set(one);
  f.get(kind).i32(2).op(Op.i32_shr_u).set(kind);

  const top = (): FunctionBody => f.i64(63n).op(Op.i64_shr_u).op(Op.i32_wrap_i64);
  const cases: [number, () => void][] = [
    [FlagKind.logic, () => f.get(A).set(R)],
    [
      FlagKind.inc,
      () => {
        f.get(A).set(R);
        f.get(b).op(Op.i32_wrap_i64).set(cf);
        f.get(A)
          .i64(-(1n << 63n))
          .op(Op.i64_eq)
          .set(of);
        f.get(a).i64(15n).op(Op.i64_and).op(Op.i64_eqz).set(af);
      },
    ],
    [
      FlagKind.dec,
      () => {
        f.get(A).set(R);
        f.get(b).op(Op.i32_wrap_i64).set(cf);
        f.get(A)
          .i64((1n << 63n) - 1n)
          .get(shift)
          .op(Op.i64_shr_u)
          .get(shift)
          .op(Op.i64_shl)
          .op(Op.i64_eq)
          .set(of);
        f.get(a).i64(15n).op(Op.i64_and).i64(15n).op(Op.i64_eq).set(af);
      },
    ],
    ...([FlagKind.sub, FlagKind.sbb] as const).map((k): [number, () => void] => [
      k,
      () => {
        f.get(A).get(B).op(Op.i64_sub);
        if (k === FlagKind.sbb) f.get(one).op(Op.i64_sub);
        f.set(R);
        f.get(A)
          .get(B)
          .op(k === FlagKind.sub ? Op.i64_lt_u : Op.i64_le_u)
          .set(cf);
        f.get(A).get(B).op(Op.i64_xor).get(A).get(R).op(Op.i64_xor).op(Op.i64_and);
        top().set(of);
        halfCarry();
      },
    ]),
    ...([FlagKind.add, FlagKind.adc] as const).map((k): [number, () => void] => [
      k,
      () => {
        f.get(A).get(B).op(Op.i64_add);
        if (k === FlagKind.adc) f.get(one).op(Op.i64_add);
        f.set(R);
        f.get(R)
          .get(A)
          .op(k === FlagKind.add ? Op.i64_lt_u : Op.i64_le_u)
          .set(cf);
        f.get(A).get(R).op(Op.i64_xor).get(B).get(R).op(Op.i64_xor).op(Op.i64_and);
        top().set(of);
        halfCarry();
      },
    ]),
    [
      FlagKind.shl,
      () => {
        f.get(A).get(b).op(Op.i64_shl).set(R);
        f.get(A).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shl);
        top().set(cf);
        f.get(R);
        top().get(cf).op(Op.i32_xor).set(of);
      },
    ],
    [
      FlagKind.shr,
      () => {
        // The operand's value is A shifted back down without its sign.
        f.get(A).get(shift).op(Op.i64_shr_u).set(a);
        f.get(a).get(b).op(Op.i64_shr_u).get(shift).op(Op.i64_shl).set(R);
        f.get(a).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(cf);
        f.get(A);
        top().set(of);
      },
    ],
    [
      FlagKind.sar,
      () => {
        f.get(a).get(b).op(Op.i64_shr_s).get(shift).op(Op.i64_shl).set(R);
        f.get(a).get(b).i64(1n).op(Op.i64_sub).op(Op.i64_shr_s).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(cf);
      },
    ],
  ];
  /** AF is the carry out of bit 3: bit 4 of a ^ b ^ result. */
  function halfCarry(): void {
    f.get(a).get(b).op(Op.i64_xor).get(R).get(shift).op(Op.i64_shr_u).op(Op.i64_xor);
    f.i64(4n).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(1).op(Op.i32_and).set(af);
  }
  for (const [k, emit] of cases) {
    f.get(kind).i32(k).op(Op.i32_eq).if();
    emit();
    f.end();
  }
  f.get(cf);
  f.get(af).i32(4).op(Op.i32_shl).op(Op.i32_or);
  f.get(of).i32(11).op(Op.i32_shl).op(Op.i32_or);
  f.get(R).op(Op.i64_eqz).i32(6).op(Op.i32_shl).op(Op.i32_or);
  f.get(R).i64(0n).op(Op.i64_lt_s).i32(7).op(Op.i32_shl).op(Op.i32_or);
  f.get(R).get(shift).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(0xff).op(Op.i32_and).op(Op.i32_popcnt).i32(1).op(Op.i32_and).i32(1).op(Op.i32_xor).i32(2).op(Op.i32_shl).op(Op.i32_or); // prettier-ignore
  return f;
}
