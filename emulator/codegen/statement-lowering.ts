/**
 * What the two lowerings of a program share (codegen/lower for the interpreter, jit/lower-region for regions): expressions, temps, checked
 * memory access through the TLB, computations and faults. They differ in where operands, flags and control flow are.
 */
import type { Expr, Size, Statement, Temp } from '../isa/ir';
import { State, TlbEntry, VCPU_STRIDE } from '../spec/vcpu-state';
import { Exit } from './record';
import { type FunctionBody, I32, I64, Op } from './wasm';

/** Imported and internal functions, by index. */
export interface Functions {
  readonly slowAccess: number;
  readonly commitStore: number;
  readonly compute: number;
  readonly arithmeticFlags: number;
}
/** Scratch locals, shared by all that is lowered into one function. */
export interface LocalPool {
  readonly i32: number[];
  readonly i64: number[];
}

const GENERAL_PROTECTION = 13;

export const loadOp: Record<Size, number> = { 1: Op.i64_load8_u, 2: Op.i64_load16_u, 4: Op.i64_load32_u, 8: Op.i64_load };
export const storeOp: Record<Size, number> = { 1: Op.i64_store8, 2: Op.i64_store16, 4: Op.i64_store32, 8: Op.i64_store };
/** Offset of the computation's operands in State.scratch. */
export const COMPUTE_SLOT = State.scratch + 192;

export const binaryCode: Record<string, readonly [number, number]> = {
  add: [Op.i32_add, Op.i64_add], sub: [Op.i32_sub, Op.i64_sub], mul: [Op.i32_mul, Op.i64_mul], and: [Op.i32_and, Op.i64_and], or: [Op.i32_or, Op.i64_or], xor: [Op.i32_xor, Op.i64_xor],
  shl: [Op.i32_shl, Op.i64_shl], shr_s: [Op.i32_shr_s, Op.i64_shr_s], shr_u: [Op.i32_shr_u, Op.i64_shr_u],
  eq: [Op.i32_eq, Op.i64_eq], ne: [Op.i32_ne, Op.i64_ne], lt_s: [Op.i32_lt_s, Op.i64_lt_s], lt_u: [Op.i32_lt_u, Op.i64_lt_u], gt_s: [Op.i32_gt_s, Op.i64_gt_s], gt_u: [Op.i32_gt_u, Op.i64_gt_u],
  le_s: [Op.i32_le_s, Op.i64_le_s], le_u: [Op.i32_le_u, Op.i64_le_u], ge_s: [Op.i32_ge_s, Op.i64_ge_s], ge_u: [Op.i32_ge_u, Op.i64_ge_u],
  div_s: [-1, Op.i64_div_s], div_u: [-1, Op.i64_div_u], rem_s: [-1, Op.i64_rem_s], rem_u: [-1, Op.i64_rem_u], rotl: [-1, Op.i64_rotl], rotr: [-1, Op.i64_rotr],
}; // prettier-ignore
export const unaryCode: Record<string, readonly [number, number]> = {
  clz: [Op.i32_clz, Op.i64_clz], ctz: [Op.i32_ctz, Op.i64_ctz], popcnt: [Op.i32_popcnt, Op.i64_popcnt], eqz: [Op.i32_eqz, Op.i64_eqz], wrap: [-1, Op.i32_wrap_i64],
  extend_u: [Op.i64_extend_i32_u, -1], extend_s: [Op.i64_extend_i32_s, -1], sx8: [-1, Op.i64_extend8_s], sx16: [-1, Op.i64_extend16_s], sx32: [-1, Op.i64_extend32_s],
}; // prettier-ignore

/** Expressions that name an operand or an address of the instruction. */
export type LeafExpr = Expr & { readonly op: 'imm' | 'branchTarget' | 'nextIp' | 'ea' };
/** Statements whose meaning depends on where registers, flags and control flow are kept. */
export type SpecialStatement = Statement & {
  readonly k: 'readRegister' | 'writeRegister' | 'condition' | 'readFlags' | 'setFlags' | 'branch' | 'jump' | 'again' | 'retireIf';
};

export abstract class StatementLowering {
  private temps = new Map<number, number>();
  private pointers = new Map<number, number>();
  private taken = { i32: 0, i64: 0 };

  constructor(
    protected readonly f: FunctionBody,
    protected readonly vcpu: number,
    /** Local that holds the TLB context id of data accesses. */
    protected readonly context: number,
    protected readonly functions: Functions,
    private readonly pool: LocalPool,
  ) {}

  protected abstract leaf(e: LeafExpr): void;
  protected abstract special(s: SpecialStatement): void;
  /** Leaves at the start of the instruction. */
  protected abstract exit(code: number): void;
  /** After a call of slowAccess whose answer stands in local `p`: leaves where it is no pointer. */
  protected abstract leaveUnlessPointer(p: number): void;

  /** The next instruction's temps and accesses are new ones. */
  protected beginInstruction(): void {
    this.temps = new Map();
    this.pointers = new Map();
    this.taken = { i32: 0, i64: 0 };
  }
  protected local(type: 'i32' | 'i64'): number {
    const pool = this.pool[type];
    const at = this.taken[type]++;
    if (at === pool.length) pool.push(this.f.local(type === 'i32' ? I32 : I64));
    return pool[at];
  }
  protected tempLocal(t: Temp): number {
    let at = this.temps.get(t.id);
    if (at === undefined) this.temps.set(t.id, (at = this.local(t.type)));
    return at;
  }
  private pointer(id: number): number {
    const at = this.pointers.get(id);
    if (at === undefined) throw new Error('location used before its access');
    return at;
  }

  expr(e: Expr): void {
    const { f } = this;
    switch (e.op) {
      case 'temp':
        f.get(this.tempLocal(e));
        return;
      case 'const':
        if (e.type === 'i32') f.i32(Number(BigInt.asIntN(32, e.value)));
        else f.i64(e.value);
        return;
      case 'imm':
      case 'branchTarget':
      case 'nextIp':
      case 'ea':
        this.leaf(e as LeafExpr);
        return;
      case 'select':
        this.expr(e.a);
        this.expr(e.b);
        this.expr(e.c);
        f.op(Op.select);
        return;
      default:
        this.expr(e.a);
        if ('b' in e) {
          this.expr(e.b);
          f.op(binaryCode[e.op][e.a.type === 'i32' ? 0 : 1]);
        } else f.op(unaryCode[e.op][e.a.type === 'i32' ? 0 : 1]);
    }
  }

  protected statement(s: Statement): void {
    const { f, vcpu } = this;
    switch (s.k) {
      case 'let':
        this.expr(s.value);
        f.set(this.tempLocal(s.temp));
        return;
      case 'readState':
        f.get(vcpu).mem(Op.i32_load, s.offset).set(this.tempLocal(s.temp));
        return;
      case 'writeState':
        f.get(vcpu);
        this.expr(s.value);
        f.mem(Op.i32_store, s.offset);
        return;
      case 'access': {
        const p = this.local('i32');
        this.pointers.set(s.location.id, p);
        this.access(s, p);
        return;
      }
      case 'load':
        f.get(this.pointer(s.location.id)).mem(loadOp[s.size], s.offset).set(this.tempLocal(s.temp));
        return;
      case 'store':
        f.get(this.pointer(s.location.id));
        this.expr(s.value);
        f.mem(storeOp[s.size], s.offset);
        return;
      case 'storesDone':
        f.get(this.pointer(s.location.id)).get(vcpu).op(Op.i32_sub).i32(VCPU_STRIDE).op(Op.i32_lt_u).if();
        f.get(vcpu).i32(s.location.id).call(this.functions.commitStore).end();
        return;
      case 'compute':
        this.compute(s);
        return;
      case 'fault':
        this.expr(s.condition);
        f.if();
        this.raise(s.vector, s.errorCode);
        f.end();
        return;
      default:
        this.special(s);
    }
  }

  protected raise(vector: number, errorCode: number): void {
    const { f, vcpu } = this;
    f.get(vcpu).i32(1).mem(Op.i32_store, State.pendingKind);
    f.get(vcpu).i32(vector).mem(Op.i32_store, State.pendingVector);
    f.get(vcpu).i32(errorCode).mem(Op.i32_store, State.pendingErrorCode);
    this.exit(Exit.pending);
  }

  /** #GP(0) when the IP in a local is not canonical. */
  protected refuseNonCanonical(ip: number): void {
    const { f, vcpu } = this;
    f.get(ip);
    for (const op of [Op.i64_shl, Op.i64_shr_s]) f.get(vcpu).mem(Op.i64_load, State.canonicalShift).op(op);
    f.get(ip).op(Op.i64_ne).if();
    this.raise(GENERAL_PROTECTION, 0);
    f.end();
  }

  /** TLB look-up; on a miss (or a page that is watched, holds code or is not RAM) TypeScript gives a pointer, or says that there is none. */
  protected access(s: Statement & { k: 'access' }, p: number): void {
    const { f, vcpu } = this;
    const { bytes, access, id } = s.location;
    const linear = this.local('i64');
    const entry = this.local('i32');
    this.expr(s.address);
    f.tee(linear);
    this.tlbHit(s.location, linear, entry);
    f.if();
    this.hostAddress(linear, entry, p);
    f.else();
    f.get(vcpu).get(linear).mem(Op.i64_store, State.accessLo);
    f.get(vcpu)
      .i32(packAccess(bytes, access, id))
      .call(this.functions.slowAccess)
      .set(p);
    this.leaveUnlessPointer(p);
    f.end();
  }
  /** From the linear address on the stack: i32 whether the TLB allows the access; `entry` is the entry's address less State.tlb. */
  protected tlbHit({ bytes, access }: { bytes: number; access: string }, linear: number, entry: number): void {
    const { f, vcpu, context } = this;
    f.op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(vcpu).op(Op.i32_add).tee(entry); // prettier-ignore
    f.mem(Op.i64_load, State.tlb + (access === 'r' ? TlbEntry.read : TlbEntry.write));
    f.get(linear);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.i64(-4096n).op(Op.i64_and).get(context).op(Op.i64_or).op(Op.i64_eq);
  }
  protected hostAddress(linear: number, entry: number, p: number): void {
    this.f.get(linear).op(Op.i32_wrap_i64).get(entry);
    this.f
      .mem(Op.i32_load, State.tlb + TlbEntry.addend)
      .op(Op.i32_add)
      .set(p);
  }

  private compute(s: Statement & { k: 'compute' }): void {
    const { f, vcpu } = this;
    const { fast } = s;
    if (fast) {
      this.expr(fast.condition);
      f.if();
      s.outs.forEach((out, i) => {
        this.expr(fast.values[i]);
        f.set(this.tempLocal(out));
      });
      f.else();
    }
    s.ins.forEach((e, i) => {
      f.get(vcpu);
      this.expr(e);
      f.mem(Op.i64_store, COMPUTE_SLOT + i * 8);
    });
    f.get(vcpu).i32(s.name).call(this.functions.compute).op(Op.i32_eqz).if();
    this.raise(s.vector, -1);
    f.end();
    s.outs.forEach((out, i) =>
      f
        .get(vcpu)
        .mem(Op.i64_load, COMPUTE_SLOT + i * 8)
        .set(this.tempLocal(out)),
    );
    if (fast) f.end();
  }
}

/** Argument of the slow path: bytes, write bit, read-modify-write bit, number of the access in its instruction; segmented ones add the segment at bit 24. */
export function packAccess(bytes: number, access: 'r' | 'w' | 'rw', slot: number): number {
  return bytes | (access === 'r' ? 0 : 0x100) | (access === 'rw' ? 0x200 : 0) | (slot << 16);
}
