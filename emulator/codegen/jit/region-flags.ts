/**
 * The lazy flags of a region: the triple in locals, its kind known at compile time wherever one instruction after another sets it, so that most
 * conditions become one comparison.
 */
import { type Expr, FlagKind, type Statement } from '../../isa/ir';
import { State } from '../../spec/vcpu-state';
import { type FunctionBody, I32, I64, Op } from '../wasm';

export class RegionFlags {
  /** Kind of the triple (FlagKind × 4 + log2 size) as far as it is known while code is made; undefined: it stands in the local. */
  kind: number | undefined;
  private readonly fk: number;
  private readonly fa: number;
  private readonly fb: number;
  private readonly scratch: number;

  constructor(
    private readonly f: FunctionBody,
    private readonly vcpu: number,
    private readonly arithmeticFlags: number,
    private readonly pushExpr: (e: Expr) => void,
  ) {
    this.fk = f.local(I32);
    this.fa = f.local(I64);
    this.fb = f.local(I64);
    this.scratch = f.local(I32);
  }

  /** Loads the triple from the state at a function's beginning. */
  load(to: FunctionBody): void {
    to.get(this.vcpu).mem(Op.i32_load, State.flagKind).set(this.fk);
    to.get(this.vcpu).mem(Op.i64_load, State.flagA).set(this.fa);
    to.get(this.vcpu).mem(Op.i64_load, State.flagB).set(this.fb);
  }
  /** Writes it back (the kind must have been settled). */
  spill(): void {
    this.f.get(this.vcpu).get(this.fk).mem(Op.i32_store, State.flagKind);
    this.f.get(this.vcpu).get(this.fa).mem(Op.i64_store, State.flagA);
    this.f.get(this.vcpu).get(this.fb).mem(Op.i64_store, State.flagB);
  }
  /** Puts the kind into its local, for places that may be reached from elsewhere. */
  settle(): void {
    if (this.kind !== undefined) this.f.i32(this.kind).set(this.fk);
  }

  /** Takes over the statement's triple. */
  set(s: Statement & { k: 'setFlags' }): void {
    const { f } = this;
    const constant = s.kind.op === 'const' ? Number(s.kind.value) : undefined;
    if (s.when) {
      this.settle();
      this.pushExpr(s.when);
      f.if();
      this.pushExpr(s.kind);
      f.set(this.fk);
    } else if (constant === undefined) {
      this.pushExpr(s.kind);
      f.set(this.fk);
    }
    this.pushExpr(s.a);
    f.set(this.fa);
    this.pushExpr(s.b);
    f.set(this.fb);
    if (s.when) f.end();
    this.kind = s.when ? undefined : constant;
  }

  /** Pushes the six arithmetic flags in their RFLAGS positions (i32). */
  all(): void {
    const { f } = this;
    this.settle();
    if (this.kind === FlagKind.explicit * 4) {
      f.get(this.fa).op(Op.i32_wrap_i64);
      return;
    }
    f.get(this.vcpu).get(this.fk).mem(Op.i32_store, State.flagKind);
    f.get(this.vcpu).get(this.fa).mem(Op.i64_store, State.flagA);
    f.get(this.vcpu).get(this.fb).mem(Op.i64_store, State.flagB);
    f.get(this.vcpu).call(this.arithmeticFlags);
  }

  /** Pushes a condition code's value (i32 0 or 1). */
  condition(code: number): void {
    const { f } = this;
    const even = code & ~1;
    const negate = (code & 1) !== 0;
    const kind = this.kind === undefined ? -1 : this.kind >> 2;
    const size = this.kind === undefined ? 8 : 1 << (this.kind & 3);
    const extend: Record<number, number | undefined> = { 1: Op.i64_extend8_s, 2: Op.i64_extend16_s, 4: Op.i64_extend32_s };
    const sign = (): void => {
      const op = extend[size];
      if (op !== undefined) f.op(op);
    };
    const compare: Record<number, number> = { 2: Op.i64_lt_u, 4: Op.i64_eq, 6: Op.i64_le_u, 12: Op.i64_lt_s, 14: Op.i64_le_s };
    const result = (op: number): void => {
      f.get(this.fa).i64(0n).op(op);
    };
    if (kind === FlagKind.sub && even in compare) f.get(this.fa).get(this.fb).op(compare[even]);
    else if (kind === FlagKind.sub && even === 8) {
      f.get(this.fa).get(this.fb).op(Op.i64_sub);
      sign();
      f.i64(0n).op(Op.i64_lt_s);
    } else if (kind === FlagKind.logic && (even === 0 || even === 2)) f.i32(0);
    else if (kind === FlagKind.logic && (even === 4 || even === 6)) result(Op.i64_eq);
    else if (kind === FlagKind.logic && (even === 8 || even === 12)) result(Op.i64_lt_s);
    else if (kind === FlagKind.logic && even === 14) result(Op.i64_le_s);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 4) result(Op.i64_eq);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 8) result(Op.i64_lt_s);
    else if ((kind === FlagKind.inc || kind === FlagKind.dec) && even === 2) f.get(this.fb).op(Op.i32_wrap_i64);
    else if (kind === FlagKind.add && (even === 4 || even === 8 || even === 2)) {
      f.get(this.fa).get(this.fb).op(Op.i64_add);
      sign();
      if (even === 2) f.get(this.fa).op(Op.i64_lt_u);
      else f.i64(0n).op(even === 4 ? Op.i64_eq : Op.i64_lt_s);
    } else {
      this.fromFlags(even);
    }
    if (negate) f.op(Op.i32_eqz);
  }

  private fromFlags(even: number): void {
    const { f } = this;
    this.all();
    f.set(this.scratch);
    const bit = (n: number): void => {
      f.get(this.scratch).i32(n).op(Op.i32_shr_u).i32(1).op(Op.i32_and);
    };
    if (even === 0) bit(11);
    else if (even === 2) bit(0);
    else if (even === 4) bit(6);
    else if (even === 6) {
      bit(0);
      bit(6);
      f.op(Op.i32_or);
    } else if (even === 8) bit(7);
    else if (even === 10) bit(2);
    else {
      bit(7);
      bit(11);
      f.op(Op.i32_xor);
      if (even === 14) {
        bit(6);
        f.op(Op.i32_or);
      }
    }
  }
}
