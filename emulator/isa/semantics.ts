/**
 * The language in which an instruction's semantics are written: a body is a function over `Semantics`, traced once for each shape of its
 * operands. The three phases (translate every access → compute → commit) are enforced: an access or a fault after the first commit is an error.
 */
import {
  type Expr, type FastCompute, FlagKind, type Location, OPERAND_SEGMENT, type Program, type RegisterRef, type Size, type Statement, type Temp, type Type, bin, c32, c64, select, sx, un, zx,
} from './ir'; // prettier-ignore
import { State } from '../spec/vcpu-state';

const GENERAL_PROTECTION = 13;

/** What an operand is in one shape of a form: register, memory or immediate. */
export type OperandShape = 'r' | 'm' | 'i';

/** Everything that distinguishes one generated program of a body from another. */
export interface Shape {
  /** Operand size in bytes. */
  readonly size: Size;
  readonly operands: readonly OperandShape[];
  /** Sizes of the operands where they differ from `size` (MOVZX, shifts by CL …). */
  readonly operandSizes: readonly Size[];
  /** Stack width: 8 in 64-bit code, 4 with a 32-bit stack, 2 with a 16-bit one. */
  readonly stack: 8 | 4 | 2;
  /** Address size of string instructions and LOOP. */
  readonly address: 8 | 4 | 2;
  /** 64-bit code: near branches are 64-bit. */
  readonly code64: boolean;
  /** Segments are not flat: accesses name their segment, and near branches check the limit of CS. */
  readonly segmented: boolean;
  readonly rep: 0 | 0xf2 | 0xf3;
  /** Condition code or another small parameter of the form. */
  readonly parameter: number;
}

export class Semantics {
  readonly statements: Statement[] = [];
  private temps = 0;
  private accesses = 0;
  private committed = false;
  private ends = false;

  constructor(readonly shape: Shape) {}

  get size(): Size {
    return this.shape.size;
  }
  get bits(): number {
    return this.shape.size * 8;
  }

  // Phase 1 and 2: accesses, reads, computation ------------------------------------------------------------------

  private temp(type: Type): Temp {
    return { op: 'temp', type, id: this.temps++ };
  }
  private early(what: string): void {
    if (this.committed) throw new Error(`${what} after the first commit: the instruction would not be restartable`);
  }

  /** Names a value so that it is computed once. */
  let(value: Expr): Temp {
    const temp = this.temp(value.type);
    this.statements.push({ k: 'let', temp, value });
    return temp;
  }

  operandSize(i: number): Size {
    return this.shape.operandSizes[i] ?? this.shape.size;
  }

  /** Operand i as a checked location. An immediate has none. */
  location(i: number, access: 'r' | 'w' | 'rw', bytes: number = this.operandSize(i)): Location {
    const kind = this.shape.operands[i];
    if (kind === 'r') return { kind: 'register', ref: { operand: i }, size: this.operandSize(i) };
    if (kind === 'm') return this.access({ op: 'ea', type: 'i64' }, bytes, access);
    throw new Error(`operand ${i} has no location`);
  }

  /**
   * One checked memory access: after it neither reading nor (for w, rw) writing can fault.
   * @param segment what the address is an offset of in segmented shapes.
   */
  access(address: Expr, bytes: number, access: 'r' | 'w' | 'rw', segment: number = OPERAND_SEGMENT): Location & { kind: 'memory' } {
    this.early('access');
    const location = { kind: 'memory', id: this.accesses++, access, bytes } as const;
    this.statements.push({ k: 'access', location, address, segment: this.shape.segmented ? segment : undefined });
    return location;
  }

  /** Value of a location, zero-extended to 64 bits. */
  read(location: Location, size: Size = location.kind === 'register' ? location.size : (location.bytes as Size), offset = 0): Temp {
    if (location.kind === 'register') return this.register(location.ref, size);
    const temp = this.temp('i64');
    this.statements.push({ k: 'load', temp, location, size, offset });
    return temp;
  }

  /** Value of operand i (register, memory or immediate), zero-extended to 64 bits from its size. */
  value(i: number, size: Size = this.operandSize(i)): Expr {
    if (this.shape.operands[i] === 'i') return this.let(zx(size, { op: 'imm', type: 'i64' }));
    return this.read(this.location(i, 'r'), size);
  }

  register(ref: RegisterRef, size: Size): Temp {
    const temp = this.temp('i64');
    this.statements.push({ k: 'readRegister', temp, ref, size });
    return temp;
  }
  gpr(n: number, size: Size = 8): Temp {
    return this.register({ fixed: n }, size);
  }
  /** A 32-bit state slot. */
  state(offset: number): Temp {
    const temp = this.temp('i32');
    this.statements.push({ k: 'readState', temp, offset });
    return temp;
  }
  /** Condition code (0..15 as in Jcc) as i32 0 or 1. */
  condition(code: number): Temp {
    const temp = this.temp('i32');
    this.statements.push({ k: 'condition', temp, code });
    return temp;
  }
  /** The six arithmetic flags in their RFLAGS positions, i32. */
  arithmeticFlags(): Temp {
    const temp = this.temp('i32');
    this.statements.push({ k: 'readFlags', temp });
    return temp;
  }
  /** CF as i64 0 or 1. */
  carry(): Expr {
    return un('extend_u', this.condition(2));
  }
  nextIp(): Expr {
    return { op: 'nextIp', type: 'i64' };
  }
  immediate(): Expr {
    return { op: 'imm', type: 'i64' };
  }
  compute(name: number, ins: readonly Expr[], outCount: number, vector: number, fast?: FastCompute): Temp[] {
    this.early('compute');
    const outs = Array.from({ length: outCount }, () => this.temp('i64'));
    this.statements.push({ k: 'compute', name, ins, outs, vector, fast });
    return outs;
  }
  /** Raises `vector` when the condition (i32) holds; nothing has happened then. errorCode -1: none. */
  fault(condition: Expr, vector: number, errorCode = -1): void {
    this.early('fault');
    this.statements.push({ k: 'fault', condition, vector, errorCode });
  }
  retireIf(condition: Expr): void {
    this.early('retireIf');
    this.statements.push({ k: 'retireIf', condition });
  }

  // Phase 3: commits ---------------------------------------------------------------------------------------------

  /** Writes a location: registers by the manual's rules for the size, memory through the checked access. */
  write(location: Location, value: Expr, size: Size = location.kind === 'register' ? location.size : (location.bytes as Size)): void {
    if (location.kind === 'register') this.setRegister(location.ref, size, value);
    else {
      this.store(location, value, size, 0);
      this.storesDone(location);
    }
  }
  store(location: Location & { kind: 'memory' }, value: Expr, size: Size, offset: number): void {
    if (location.access === 'r') throw new Error('store to a location that was only checked for reading');
    this.committed = true;
    this.statements.push({ k: 'store', location, size, offset, value });
  }
  storesDone(location: Location & { kind: 'memory' }): void {
    this.statements.push({ k: 'storesDone', location });
  }
  setRegister(ref: RegisterRef, size: Size, value: Expr): void {
    this.committed = true;
    this.statements.push({ k: 'writeRegister', ref, size, value });
  }
  setGpr(n: number, value: Expr, size: Size = 8): void {
    this.setRegister({ fixed: n }, size, value);
  }
  writeState(offset: number, value: Expr): void {
    this.committed = true;
    this.statements.push({ k: 'writeState', offset, value });
  }

  /** The lazy triple for a result of this size; operands are stored sign-extended. */
  flags(kind: number, a: Expr, b: Expr = c64(0), size: Size = this.size, when?: Expr): void {
    this.committed = true;
    const log2 = size === 8 ? 3 : size >> 1;
    this.statements.push({ k: 'setFlags', kind: c32(kind * 4 + log2), a: sx(size, a), b: kind === FlagKind.sub || kind === FlagKind.add || kind === FlagKind.adc || kind === FlagKind.sbb ? sx(size, b) : b, when }); // prettier-ignore
  }
  logicFlags(result: Expr, size: Size = this.size): void {
    this.flags(FlagKind.logic, result, c64(0), size);
  }
  /** ADC and SBB: with carry-in 0 they are ADD and SUB. */
  carryFlags(withCarry: number, without: number, carryIn: Expr, a: Expr, b: Expr): void {
    this.committed = true;
    const log2 = this.size === 8 ? 3 : this.size >> 1;
    const kind = select(un('wrap', carryIn), c32(withCarry * 4 + log2), c32(without * 4 + log2));
    this.statements.push({ k: 'setFlags', kind, a: sx(this.size, a), b: sx(this.size, b) });
  }
  /** All six flags explicitly, i32 in their RFLAGS positions. */
  explicitFlags(flags: Expr, when?: Expr): void {
    this.committed = true;
    this.statements.push({ k: 'setFlags', kind: c32(FlagKind.explicit), a: un('extend_u', flags), b: c64(0), when });
  }

  /** Outside 64-bit code a near target beyond the limit of CS is #GP(0) at the branch. To be called before the first commit. */
  checkBranch(condition?: Expr): void {
    if (this.shape.segmented) this.checkCodeLimit(this.branchTargetIp(), condition);
  }
  /** What commits something before it branches asks by itself for the target to be canonical. To be called before the first commit. */
  checkCanonicalBranch(condition?: Expr): void {
    if (this.size !== 8) return;
    const outside = this.isNotCanonical(this.let(this.branchTargetIp()));
    this.fault(condition === undefined ? outside : bin('and', condition, outside), GENERAL_PROTECTION, 0);
  }
  /** 64-bit code: i32 whether an address lies outside the linear-address width in force. */
  isNotCanonical(address: Temp): Expr {
    const shift = this.let(un('extend_u', this.state(State.canonicalShift)));
    return bin('ne', bin('shr_s', bin('shl', address, shift), shift), address);
  }
  checkCodeLimit(target: Expr, condition?: Expr): void {
    const beyond = bin('gt_u', target, un('extend_u', this.state(State.csLimit)));
    this.fault(condition === undefined ? beyond : bin('and', condition, beyond), GENERAL_PROTECTION, 0);
  }
  private branchTargetIp(): Expr {
    return zx(this.size, { op: 'branchTarget', type: 'i64' });
  }
  branch(condition?: Expr): void {
    this.ends = true;
    if (this.size === 2) {
      // A 16-bit operand size clears the upper half of EIP.
      const target = this.branchTargetIp();
      this.statements.push({ k: 'jump', target: condition === undefined ? target : select(condition, target, this.nextIp()) });
      return;
    }
    this.statements.push({ k: 'branch', condition, canonical: this.size === 8 && !this.committed });
  }
  jump(target: Expr): void {
    this.ends = true;
    this.statements.push({ k: 'jump', target });
  }
  again(condition: Expr): void {
    this.ends = true;
    this.statements.push({ k: 'again', condition });
  }

  program(): Program {
    return { statements: this.statements, controlFlow: this.ends };
  }

  // Arithmetic that several instructions share ---------------------------------------------------------------------

  /** Bit `n` (constant or expression) of a value as i32 0/1. */
  bit(value: Expr, n: number | Expr): Expr {
    const shift = typeof n === 'number' ? c64(n) : n;
    return un('wrap', bin('and', bin('shr_u', value, shift), c64(1)));
  }
  /** i32 0/1 moved to flag position `position`. */
  at(flag: Expr, position: number): Expr {
    return position === 0 ? flag : bin('shl', flag, c32(position));
  }
  /** SF, ZF and PF of a result, i32 in place. */
  resultFlags(result: Expr, size: Size = this.size): Expr {
    const r = sx(size, result);
    const sf = this.at(bin('lt_s', r, c64(0)), 7);
    const zf = this.at(un('eqz', zx(size, result)), 6);
    const parity = bin('xor', bin('and', un('popcnt', bin('and', un('wrap', result), c32(0xff))), c32(1)), c32(1));
    return bin('or', bin('or', sf, zf), this.at(parity, 2));
  }
  /** High 64 bits of the unsigned product. */
  mulHighUnsigned(a: Expr, b: Expr): Temp {
    const lo = (e: Expr): Expr => bin('and', e, c64(0xffffffff));
    const hi = (e: Expr): Expr => bin('shr_u', e, c64(32));
    const p0 = this.let(bin('mul', lo(a), lo(b)));
    const p1 = this.let(bin('add', bin('mul', hi(a), lo(b)), hi(p0)));
    const p2 = this.let(bin('add', bin('mul', lo(a), hi(b)), lo(p1)));
    return this.let(bin('add', bin('add', bin('mul', hi(a), hi(b)), hi(p1)), hi(p2)));
  }
  /** High 64 bits of the signed product. */
  mulHighSigned(a: Expr, b: Expr): Temp {
    const u = this.mulHighUnsigned(a, b);
    const fixA = bin('and', bin('shr_s', a, c64(63)), b);
    const fixB = bin('and', bin('shr_s', b, c64(63)), a);
    return this.let(bin('sub', bin('sub', u, fixA), fixB));
  }
}
