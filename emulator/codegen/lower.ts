/**
 * Lowers the semantics of one instruction shape to WebAssembly for the interpreter: operands come from the record at `pc`, state from the
 * vCPU base, and the six arithmetic flags stay lazy.
 */
import { type Expr, FlagKind, OPERAND_SEGMENT, type Program, type RegisterRef, type Size, type Statement, type Temp } from '../isa/ir';
import { Ar } from '../spec/descriptors';
import { SEGMENT_STRIDE, SegmentState, State, TlbEntry, VCPU_STRIDE } from '../spec/vcpu-state';
import { type FunctionBody, I32, I64, Op } from './wasm';
import { Exit, Rec } from './record';

/** How control leaves a handler; the hot loop and the cold functions differ. */
export interface Continuation {
  /** Go on with the record after this one. */
  next(): void;
  /** The same record again. */
  again(): void;
  /** To the IP on top of the stack (i64). */
  jump(): void;
  /** To the record's page-relative branch target. */
  branch(): void;
  /** Leave; the instruction did not happen. */
  exit(code: number): void;
}

/** Imported and internal functions, by index. */
export interface Functions {
  readonly slowAccess: number;
  readonly segmentedAccess: number;
  readonly commitStore: number;
  readonly compute: number;
  readonly arithmeticFlags: number;
}

export interface LowerContext {
  readonly f: FunctionBody;
  readonly vcpu: number;
  readonly pc: number;
  /** Local that holds the TLB context id of data accesses. */
  readonly context: number;
  readonly functions: Functions;
  readonly to: Continuation;
  /** Pools of scratch locals, shared by all handlers of one function. */
  readonly pool: { readonly i32: number[]; readonly i64: number[] };
}

export const loadOp: Record<Size, number> = { 1: Op.i64_load8_u, 2: Op.i64_load16_u, 4: Op.i64_load32_u, 8: Op.i64_load };
export const storeOp: Record<Size, number> = { 1: Op.i64_store8, 2: Op.i64_store16, 4: Op.i64_store32, 8: Op.i64_store };
/** Offset of the computation's operands in State.scratch. */
export const COMPUTE_SLOT = State.scratch + 192;
export const ACCESS_SLOT_BYTES = 64;

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

export class Lowering {
  private readonly temps = new Map<number, number>();
  private readonly pointers = new Map<number, number>();
  private used32 = 0;
  private used64 = 0;

  constructor(private readonly c: LowerContext) {}

  private local(type: 'i32' | 'i64'): number {
    const pool = this.c.pool[type];
    const at = type === 'i32' ? this.used32++ : this.used64++;
    if (at === pool.length) pool.push(this.c.f.local(type === 'i32' ? I32 : I64));
    return pool[at];
  }
  private tempLocal(t: Temp): number {
    let at = this.temps.get(t.id);
    if (at === undefined) {
      at = this.local(t.type);
      this.temps.set(t.id, at);
    }
    return at;
  }

  expr(e: Expr): void {
    const { f, vcpu, pc } = this.c;
    switch (e.op) {
      case 'temp':
        f.get(this.tempLocal(e));
        return;
      case 'const':
        if (e.type === 'i32') f.i32(Number(BigInt.asIntN(32, e.value)));
        else f.i64(e.value);
        return;
      case 'imm':
        f.get(pc).mem(Op.i64_load, Rec.immediate);
        return;
      case 'branchTarget':
        f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load, Rec.immediate).op(Op.i64_add);
        return;
      case 'nextIp':
        f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.nextOffset).op(Op.i64_add);
        return;
      case 'ea':
        f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.base).op(Op.i32_add).mem(Op.i64_load, 0);
        f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.index).op(Op.i32_add).mem(Op.i64_load, 0);
        f.get(pc).mem(Op.i64_load8_u, Rec.scale).op(Op.i64_shl).op(Op.i64_add);
        f.get(pc).mem(Op.i64_load, Rec.displacement).op(Op.i64_add);
        return;
      case 'select':
        this.expr(e.a);
        this.expr(e.b);
        this.expr(e.c);
        f.op(Op.select);
        return;
      default:
        if ('b' in e) {
          this.expr(e.a);
          this.expr(e.b);
          f.op(binaryCode[e.op][e.a.type === 'i32' ? 0 : 1]);
        } else {
          this.expr(e.a);
          f.op(unaryCode[e.op][e.a.type === 'i32' ? 0 : 1]);
        }
    }
  }

  /** Pushes the wasm address base (i32) of a register operand and returns the constant offset to add. */
  private registerAddress(ref: RegisterRef): number {
    const { f, vcpu, pc } = this.c;
    f.get(vcpu);
    if ('fixed' in ref) return State.gpr + ref.fixed * 8;
    f.get(pc)
      .mem(Op.i32_load16_u, Rec.operand + 2 * ref.operand)
      .op(Op.i32_add);
    return 0;
  }

  program(program: Program): void {
    for (const s of program.statements) this.statement(s);
    if (!program.controlFlow) this.c.to.next();
    else if (program.statements[program.statements.length - 1].k === 'again') this.c.to.next();
  }

  private statement(s: Statement): void {
    const { f, vcpu, to } = this.c;
    switch (s.k) {
      case 'let':
        this.expr(s.value);
        f.set(this.tempLocal(s.temp));
        return;
      case 'readRegister': {
        const offset = this.registerAddress(s.ref);
        f.mem(loadOp[s.size], offset).set(this.tempLocal(s.temp));
        return;
      }
      case 'readState':
        f.get(vcpu).mem(Op.i32_load, s.offset).set(this.tempLocal(s.temp));
        return;
      case 'access':
        this.access(s);
        return;
      case 'load':
        f.get(this.pointer(s.location.id)).mem(loadOp[s.size], s.offset).set(this.tempLocal(s.temp));
        return;
      case 'condition':
        this.condition(s.code);
        f.set(this.tempLocal(s.temp));
        return;
      case 'readFlags':
        f.get(vcpu).call(this.c.functions.arithmeticFlags).set(this.tempLocal(s.temp));
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
      case 'retireIf':
        this.expr(s.condition);
        f.if();
        to.next();
        f.end();
        return;
      case 'writeRegister': {
        const offset = this.registerAddress(s.ref);
        this.expr(s.value);
        // A 32-bit destination zeroes the upper half; values are already zero-extended.
        f.mem(storeOp[s.size === 4 ? 8 : s.size], offset);
        return;
      }
      case 'store':
        f.get(this.pointer(s.location.id));
        this.expr(s.value);
        f.mem(storeOp[s.size], s.offset);
        return;
      case 'storesDone':
        f.get(this.pointer(s.location.id)).get(vcpu).op(Op.i32_sub).i32(VCPU_STRIDE).op(Op.i32_lt_u).if();
        f.get(vcpu).i32(s.location.id).call(this.c.functions.commitStore).end();
        return;
      case 'setFlags':
        if (s.when) {
          this.expr(s.when);
          f.if();
        }
        f.get(vcpu);
        this.expr(s.kind);
        f.mem(Op.i32_store, State.flagKind).get(vcpu);
        this.expr(s.a);
        f.mem(Op.i64_store, State.flagA);
        if (!(s.b.op === 'const' && s.b.value === 0n)) {
          f.get(vcpu);
          this.expr(s.b);
          f.mem(Op.i64_store, State.flagB);
        }
        if (s.when) f.end();
        return;
      case 'writeState':
        f.get(vcpu);
        this.expr(s.value);
        f.mem(Op.i32_store, s.offset);
        return;
      case 'branch':
        if (s.condition === undefined) return to.branch();
        this.expr(s.condition);
        f.if();
        to.branch();
        f.end();
        to.next();
        return;
      case 'jump':
        this.expr(s.target);
        to.jump();
        return;
      case 'again':
        this.expr(s.condition);
        f.if();
        to.again();
        f.end();
        return;
    }
  }

  private raise(vector: number, errorCode: number): void {
    const { f, vcpu, to } = this.c;
    f.get(vcpu).i32(1).mem(Op.i32_store, State.pendingKind);
    f.get(vcpu).i32(vector).mem(Op.i32_store, State.pendingVector);
    f.get(vcpu).i32(errorCode).mem(Op.i32_store, State.pendingErrorCode);
    to.exit(Exit.pending);
  }

  private pointer(id: number): number {
    const at = this.pointers.get(id);
    if (at === undefined) throw new Error('location used before its access');
    return at;
  }

  /** TLB look-up; on a miss (or a page that is watched, holds code or is not RAM) TypeScript gives a pointer, or -1 and a pending fault. */
  private access(s: Statement & { k: 'access' }): void {
    const { f, vcpu, functions, to } = this.c;
    const { bytes, access, id } = s.location;
    const linear = this.local('i64');
    const entry = this.local('i32');
    const p = this.local('i32');
    this.pointers.set(id, p);
    this.expr(s.address);
    if (s.segment !== undefined) {
      f.set(linear);
      this.segmentedAccess(s.location, s.segment, linear, entry, p);
      return;
    }
    f.tee(linear);
    this.tlbHit(s.location, linear, entry);
    f.if();
    this.hostAddress(linear, entry, p);
    f.else();
    f.get(vcpu).get(linear).mem(Op.i64_store, State.accessLo);
    f.get(vcpu)
      .i32(packAccess(bytes, access, id))
      .call(functions.slowAccess)
      .tee(p)
      .i32(-1)
      .op(Op.i32_eq)
      .if();
    to.exit(Exit.pending);
    f.end().end();
  }

  /** From the linear address on the stack: i32 whether the TLB allows the access; `entry` is the entry's address less State.tlb. */
  private tlbHit({ bytes, access }: { bytes: number; access: string }, linear: number, entry: number): void {
    const { f, vcpu, context } = this.c;
    f.op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(vcpu).op(Op.i32_add).tee(entry); // prettier-ignore
    f.mem(Op.i64_load, State.tlb + (access === 'r' ? TlbEntry.read : TlbEntry.write));
    f.get(linear);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.i64(-4096n).op(Op.i64_and).get(context).op(Op.i64_or).op(Op.i64_eq);
  }
  private hostAddress(linear: number, entry: number, p: number): void {
    const { f } = this.c;
    f.get(linear)
      .op(Op.i32_wrap_i64)
      .get(entry)
      .mem(Op.i32_load, State.tlb + TlbEntry.addend)
      .op(Op.i32_add)
      .set(p);
  }

  /**
   * An access at an offset of a segment. Inline: a usable expand-up data segment (writable for a write) whose limit holds the operand, and
   * a TLB hit; everything else (code segments, expand-down ones, faults) is TypeScript's.
   */
  private segmentedAccess(
    location: { id: number; bytes: number; access: 'r' | 'w' | 'rw' },
    segment: number,
    offset: number,
    entry: number,
    p: number,
  ): void {
    // prettier-ignore
    const { f, vcpu, pc, functions, to } = this.c;
    const { id, bytes, access } = location;
    const linear = this.local('i64');
    const slot = this.local('i32');
    const operandSegment = segment === OPERAND_SEGMENT;
    f.get(vcpu);
    if (operandSegment) f.get(pc).mem(Op.i32_load8_u, Rec.segment).i32(SEGMENT_STRIDE).op(Op.i32_mul).op(Op.i32_add);
    f.set(slot);
    const at = (field: number): number => State.segment + (operandSegment ? 0 : segment * SEGMENT_STRIDE) + field;
    f.i32(-1).set(p);
    const [mask, value] = access === 'r' ? [Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.expandDown, Ar.present | Ar.notSystem] : [Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.expandDown | Ar.writable, Ar.present | Ar.notSystem | Ar.writable]; // prettier-ignore
    f.get(slot).mem(Op.i32_load, at(SegmentState.access)).i32(mask).op(Op.i32_and).i32(value).op(Op.i32_eq);
    f.get(offset);
    if (bytes > 1) f.i64(BigInt(bytes - 1)).op(Op.i64_add);
    f.get(slot).mem(Op.i64_load32_u, at(SegmentState.limit)).op(Op.i64_le_u).op(Op.i32_and).if();
    f.get(slot).mem(Op.i64_load, at(SegmentState.base)).get(offset).op(Op.i64_add).i64(0xffffffffn).op(Op.i64_and).tee(linear);
    this.tlbHit(location, linear, entry);
    f.if();
    this.hostAddress(linear, entry, p);
    f.end().end();
    f.get(p).i32(-1).op(Op.i32_eq).if();
    f.get(vcpu).get(offset).mem(Op.i64_store, State.accessLo);
    f.get(vcpu).i32(packAccess(bytes, access, id));
    if (operandSegment) f.get(pc).mem(Op.i32_load8_u, Rec.segment).i32(24).op(Op.i32_shl);
    else f.i32(segment << 24);
    f.op(Op.i32_or).call(functions.segmentedAccess).tee(p).i32(-1).op(Op.i32_eq).if();
    to.exit(Exit.pending);
    f.end().end();
  }

  private compute(s: Statement & { k: 'compute' }): void {
    const { f, vcpu, functions } = this.c;
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
    f.get(vcpu).i32(s.name).call(functions.compute).op(Op.i32_eqz).if();
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

  /** Condition code on the lazy flags: fast for the triples that compares and logic leave, else from the flags themselves. */
  private condition(code: number): void {
    const { f, vcpu, functions } = this.c;
    const result = this.local('i32');
    const kind = this.local('i32');
    const a = (): FunctionBody => f.get(vcpu).mem(Op.i64_load, State.flagA);
    const b = (): FunctionBody => f.get(vcpu).mem(Op.i64_load, State.flagB);
    const subOp: Record<number, number> = { 2: Op.i64_lt_u, 4: Op.i64_eq, 6: Op.i64_le_u, 12: Op.i64_lt_s, 14: Op.i64_le_s };
    const even = code & ~1;
    f.get(vcpu).mem(Op.i32_load, State.flagKind).i32(2).op(Op.i32_shr_u).set(kind);
    let nested = 0;
    if (even in subOp) {
      f.get(kind).i32(FlagKind.sub).op(Op.i32_eq).if();
      a();
      b().op(subOp[even]).set(result).else();
      nested++;
    }
    if (even !== 0 && even !== 10) {
      // After logic CF = OF = 0, and the triple's first value is the result.
      f.get(kind).i32(FlagKind.logic).op(Op.i32_eq).if();
      if (even === 2) f.i32(0);
      else if (even === 4 || even === 6) a().op(Op.i64_eqz);
      else if (even === 8 || even === 12) a().i64(0n).op(Op.i64_lt_s);
      else a().i64(0n).op(Op.i64_le_s);
      f.set(result).else();
      nested++;
    }
    f.get(vcpu).call(functions.arithmeticFlags).set(kind);
    const bit = (n: number): FunctionBody => f.get(kind).i32(n).op(Op.i32_shr_u).i32(1).op(Op.i32_and);
    if (even === 0) bit(11);
    else if (even === 2) bit(0);
    else if (even === 4) bit(6);
    else if (even === 6) {
      bit(0);
      bit(6).op(Op.i32_or);
    } else if (even === 8) bit(7);
    else if (even === 10) bit(2);
    else {
      bit(7);
      bit(11).op(Op.i32_xor);
      if (even === 14) bit(6).op(Op.i32_or);
    }
    f.set(result);
    for (; nested > 0; nested--) f.end();
    f.get(result);
    if (code & 1) f.op(Op.i32_eqz);
  }
}

/** Argument of the slow path: bytes, write bit, read-modify-write bit, number of the access in its instruction; segmented ones add the segment at bit 24. */
export function packAccess(bytes: number, access: 'r' | 'w' | 'rw', slot: number): number {
  return bytes | (access === 'r' ? 0 : 0x100) | (access === 'rw' ? 0x200 : 0) | (slot << 16);
}
