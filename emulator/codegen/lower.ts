/**
 * Lowers the semantics of one instruction shape to WebAssembly for the interpreter: operands come from the record at `pc`, state from the
 * vCPU base, and the six arithmetic flags stay lazy.
 */
import { FlagKind, OPERAND_SEGMENT, type Program, type RegisterRef, type Statement } from '../isa/ir';
import { Ar } from '../spec/descriptors';
import { SEGMENT_STRIDE, SegmentState, State } from '../spec/vcpu-state';
import { Exit, Rec } from './record';
import {
  type Functions,
  type LeafExpr,
  type LocalPool,
  type SpecialStatement,
  StatementLowering,
  loadOp,
  packAccess,
  storeOp,
} from './statement-lowering';
import { type FunctionBody, Op } from './wasm';

/** How control leaves a handler; the hot loop and the cold functions differ. */
export interface Continuation {
  /** Go on with the record after this one. */
  next(): void;
  /** The same record again. */
  again(): void;
  /** To the IP on top of the stack (i64). */
  jump(): void;
  /** To the record's page-relative branch target; `refuse` has code that leaves when the target (its local) may not be branched to. */
  branch(refuse: (ip: number) => void): void;
  /** Leave; the instruction did not happen. */
  exit(code: number): void;
}

/** The interpreter's functions: those of every lowering, and the one for accesses at offsets of segments. */
export interface InterpreterFunctions extends Functions {
  readonly segmentedAccess: number;
}

export interface LowerContext {
  readonly f: FunctionBody;
  readonly vcpu: number;
  readonly pc: number;
  /** Local that holds the TLB context id of data accesses. */
  readonly context: number;
  readonly functions: InterpreterFunctions;
  readonly to: Continuation;
  /** Pools of scratch locals, shared by all handlers of one function. */
  readonly pool: LocalPool;
}

export class Lowering extends StatementLowering {
  private readonly pc: number;
  private readonly to: Continuation;
  private readonly segmented: number;

  constructor({ f, vcpu, pc, context, functions, to, pool }: LowerContext) {
    super(f, vcpu, context, functions, pool);
    this.pc = pc;
    this.to = to;
    this.segmented = functions.segmentedAccess;
  }

  program(program: Program): void {
    for (const s of program.statements) this.statement(s);
    if (!program.controlFlow) this.to.next();
    else if (program.statements[program.statements.length - 1].k === 'again') this.to.next();
  }

  protected leaf(e: LeafExpr): void {
    const { f, vcpu, pc } = this;
    switch (e.op) {
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
    }
  }

  /** Pushes the wasm address base (i32) of a register operand and returns the constant offset to add. */
  private registerAddress(ref: RegisterRef): number {
    const { f, vcpu, pc } = this;
    f.get(vcpu);
    if ('fixed' in ref) return State.gpr + ref.fixed * 8;
    f.get(pc)
      .mem(Op.i32_load16_u, Rec.operand + 2 * ref.operand)
      .op(Op.i32_add);
    return 0;
  }

  protected special(s: SpecialStatement): void {
    const { f, vcpu, to } = this;
    switch (s.k) {
      case 'readRegister': {
        const offset = this.registerAddress(s.ref);
        f.mem(loadOp[s.size], offset).set(this.tempLocal(s.temp));
        return;
      }
      case 'writeRegister': {
        const offset = this.registerAddress(s.ref);
        this.expr(s.value);
        // A 32-bit destination zeroes the upper half; values are already zero-extended.
        f.mem(storeOp[s.size === 4 ? 8 : s.size], offset);
        return;
      }
      case 'condition':
        this.condition(s.code);
        f.set(this.tempLocal(s.temp));
        return;
      case 'readFlags':
        f.get(vcpu).call(this.functions.arithmeticFlags).set(this.tempLocal(s.temp));
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
      case 'retireIf':
        this.expr(s.condition);
        f.if();
        to.next();
        f.end();
        return;
      case 'branch':
        if (s.condition === undefined) return to.branch((ip) => s.canonical && this.refuseNonCanonical(ip));
        this.expr(s.condition);
        f.if();
        to.branch((ip) => s.canonical && this.refuseNonCanonical(ip));
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

  protected exit(code: number): void {
    this.to.exit(code);
  }
  protected leaveUnlessPointer(p: number): void {
    this.f.get(p).i32(-1).op(Op.i32_eq).if();
    this.exit(Exit.pending);
    this.f.end();
  }

  protected override access(s: Statement & { k: 'access' }, p: number): void {
    if (s.segment === undefined) return super.access(s, p);
    const offset = this.local('i64');
    const entry = this.local('i32');
    this.expr(s.address);
    this.f.set(offset);
    this.segmentedAccess(s.location, s.segment, offset, entry, p);
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
    const { f, vcpu, pc, to } = this;
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
    f.op(Op.i32_or).call(this.segmented).tee(p).i32(-1).op(Op.i32_eq).if();
    to.exit(Exit.pending);
    f.end().end();
  }

  /** Condition code on the lazy flags: fast for the triples that compares and logic leave, else from the flags themselves. */
  private condition(code: number): void {
    const { f, vcpu, functions } = this;
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
