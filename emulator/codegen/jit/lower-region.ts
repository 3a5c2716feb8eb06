/**
 * Lowers a region to one WebAssembly function (vcpu, pc) → code: registers and lazy flags in locals, spilled only where the region is left;
 * budget checked at the entry and at loop headers; faults leave at the start of their instruction with exact state.
 */
import { type Expr, type RegisterRef, type Size, type Statement, maskOf } from '../../isa/ir';
import { BASE_RIP } from '../../isa/instruction';
import { SEGMENT_STRIDE, Seg, SegmentState, State } from '../../spec/vcpu-state';
import { Exit } from '../record';
import { type Functions, type LeafExpr, type SpecialStatement, StatementLowering } from '../statement-lowering';
import { FunctionBody, I32, I64, Op } from '../wasm';
import { blockLabels, forwardEnds, loopEnds } from './labels';
import { RegionFlags } from './region-flags';
import type { Region, RegionBlock, RegionInstruction } from './region';

/** Returned to the interpreter: 0 go on at State.rip, else an Exit code with everything in State. */
const LEAVE = 0;
/** What slowAccess answers when the interpreter must carry the access out (MMIO, watched and code pages). */
export const REFUSED = -2;

const VCPU = 0;

export function lowerRegion(region: Region, functions: Functions, code64: boolean): FunctionBody {
  return new RegionLowering(region, functions, code64).function();
}

class RegionLowering extends StatementLowering {
  private readonly gprs: number[];
  private readonly written = new Set<number>();
  private readonly used = new Set<number>();
  private readonly pageIp = this.f.local(I64);
  private readonly ip = this.f.local(I64);
  private readonly budget = this.f.local(I32);
  private readonly leaveOffset = this.f.local(I32);
  private readonly leaveSteps = this.f.local(I32);
  private readonly leaveRecord = this.f.local(I32);
  private readonly leaveCode = this.f.local(I32);
  private readonly flags: RegionFlags;
  // Of the instruction being lowered:
  private block!: RegionBlock;
  private position = 0;
  private now!: RegionInstruction;
  private left = 0;

  constructor(
    private readonly region: Region,
    functions: Functions,
    private readonly code64: boolean,
  ) {
    const f = new FunctionBody(2);
    super(f, VCPU, f.local(I64), functions, { i32: [], i64: [] });
    this.gprs = Array.from({ length: 16 }, () => this.f.local(I64));
    this.flags = new RegionFlags(this.f, VCPU, functions.arithmeticFlags, (e) => this.expr(e));
  }

  function(): FunctionBody {
    const { f, region } = this;
    // Which registers a region uses is known only when it is lowered: the body is made first, in a function of its own, then put behind the loads.
    f.block('LEAVE').block('EXIT');
    const openAt = blockLabels(region);
    const enter = (position: number): void => {
      // Labels that begin here, outermost first: loops and forward targets by where they end.
      for (const label of openAt[position]) {
        if (label.kind === 'loop') f.loop(`loop${label.position}`);
        else f.block(`to${label.position}`);
      }
    };
    region.blocks.forEach((block, position) => {
      // Forward labels that end here.
      for (let n = forwardEnds(openAt, position).length; n > 0; n--) f.end();
      enter(position);
      this.lowerBlock(block, position);
      for (let n = loopEnds(openAt, position).length; n > 0; n--) f.end();
    });
    f.op(Op.unreachable);
    f.end(); // EXIT: a fault, or the interpreter's turn, at the start of an instruction
    this.spill();
    f.get(VCPU).get(this.budget).get(this.leaveSteps).op(Op.i32_add).mem(Op.i32_store, State.budget);
    f.get(VCPU).get(this.pageIp).get(this.leaveOffset).op(Op.i64_extend_i32_u).op(Op.i64_add).mem(Op.i64_store, State.rip);
    f.get(VCPU).get(this.leaveRecord).mem(Op.i32_store, State.exitRecord);
    f.get(this.leaveCode).op(Op.return);
    f.end(); // LEAVE: to the IP in `ip`
    this.spill();
    f.get(VCPU).get(this.budget).mem(Op.i32_store, State.budget);
    f.get(VCPU).get(this.ip).mem(Op.i64_store, State.rip);
    f.i32(LEAVE).op(Op.return);
    f.op(Op.unreachable);

    const whole = new FunctionBody(2);
    for (const type of f.localTypes) whole.local(type);
    whole.get(VCPU).mem(Op.i64_load, State.contextData).set(this.context);
    whole.get(VCPU).mem(Op.i64_load, State.pageIp).set(this.pageIp);
    whole.get(VCPU).mem(Op.i32_load, State.budget).set(this.budget);
    this.flags.load(whole);
    for (const n of this.used)
      whole
        .get(VCPU)
        .mem(Op.i64_load, State.gpr + n * 8)
        .set(this.gprs[n]);
    for (const byte of f.bytes) whole.bytes.push(byte);
    return whole;
  }

  private spill(): void {
    const { f } = this;
    for (const n of this.written)
      f.get(VCPU)
        .get(this.gprs[n])
        .mem(Op.i64_store, State.gpr + n * 8);
    this.flags.spill();
  }

  // Blocks ------------------------------------------------------------------------------------------------------------

  private lowerBlock(block: RegionBlock, position: number): void {
    const { f, region } = this;
    this.block = block;
    this.position = position;
    const length = block.instructions.length;
    this.flags.kind = undefined;
    if (position === 0 || region.loopEnds.has(position)) {
      // Enough steps for the longest way to the next check, or out.
      f.get(this.budget).i32(region.longestFrom(position)).op(Op.i32_lt_s).if();
      this.leaveTo(block.offset);
      f.end();
    }
    f.get(this.budget).i32(length).op(Op.i32_sub).set(this.budget);
    block.instructions.forEach((insn, i) => {
      this.left = length - i;
      this.instruction(insn);
    });
    const last = block.instructions[length - 1];
    const ends = last.program.controlFlow;
    if (!ends && block.next !== undefined) this.go(position, block.next);
  }

  /** To a page offset: inside the region if control can, else out. */
  private go(from: number, offset: number): void {
    const { f, region } = this;
    this.flags.settle();
    const to = region.positionOf(offset);
    if (to !== undefined && region.canBranch(from, to)) {
      if (to === from + 1 && !region.loopEnds.has(to)) {
        f.br(`to${to}`);
        return;
      }
      f.br(to <= from ? `loop${to}` : `to${to}`);
      return;
    }
    this.leaveTo(offset);
  }
  /** A taken relative branch: within the page its target is as canonical as it is itself. */
  private branch(s: Statement & { k: 'branch' }, from: number, offset: number): void {
    if (s.canonical && (offset < 0 || offset > 4095)) {
      this.flags.settle();
      this.f.get(this.pageIp).i64(BigInt(offset)).op(Op.i64_add).set(this.ip);
      this.refuseNonCanonical(this.ip);
    }
    this.go(from, offset);
  }
  private leaveTo(offset: number): void {
    const { f } = this;
    this.flags.settle();
    f.get(this.pageIp).i64(BigInt(offset)).op(Op.i64_add).set(this.ip).br('LEAVE');
  }
  // Instructions ------------------------------------------------------------------------------------------------------

  private instruction(insn: RegionInstruction): void {
    this.now = insn;
    this.beginInstruction();
    for (const s of insn.program.statements) this.statement(s);
  }
  private gpr(n: number): number {
    this.used.add(n);
    return this.gprs[n];
  }

  protected leaf(e: LeafExpr): void {
    const { f } = this;
    const { instruction } = this.now.decoded;
    switch (e.op) {
      case 'imm':
        f.i64(instruction.immediate);
        return;
      case 'nextIp':
        f.get(this.pageIp)
          .i64(BigInt(this.now.offset + instruction.length))
          .op(Op.i64_add);
        return;
      case 'branchTarget':
        f.get(this.pageIp)
          .i64(BigInt(this.now.offset + instruction.length) + instruction.immediate)
          .op(Op.i64_add);
        return;
      case 'ea':
        this.effectiveAddress();
        return;
    }
  }

  /** The linear address of the memory operand, as the record's address would give it. */
  private effectiveAddress(): void {
    const { f } = this;
    const { row, memory, instruction } = this.now.decoded;
    const segmented = (instruction.segment === Seg.fs || instruction.segment === Seg.gs) && row.addressOnly !== true;
    const base = (): void => {
      f.get(VCPU).mem(Op.i64_load, State.segment + instruction.segment * SEGMENT_STRIDE + SegmentState.base);
    };
    if (row.string !== undefined || !memory) {
      if (segmented) base();
      else f.i64(0n);
      return;
    }
    let displacement = instruction.displacement;
    if (row.body?.name === 'POP' && instruction.base === 4) displacement += BigInt(instruction.operandSize);
    if (instruction.base === BASE_RIP) {
      displacement += BigInt(this.now.offset + instruction.length);
      f.get(this.pageIp).i64(displacement).op(Op.i64_add);
    } else if (instruction.base >= 0) {
      f.get(this.gpr(instruction.base));
      if (displacement !== 0n) f.i64(displacement).op(Op.i64_add);
    } else f.i64(displacement);
    if (instruction.index >= 0) {
      f.get(this.gpr(instruction.index));
      if (instruction.scaleLog2 > 0) f.i64(BigInt(instruction.scaleLog2)).op(Op.i64_shl);
      f.op(Op.i64_add);
    }
    if (instruction.addressSize !== 8) f.i64((1n << BigInt(instruction.addressSize * 8)) - 1n).op(Op.i64_and);
    if (segmented) {
      base();
      f.op(Op.i64_add);
      if (!this.code64) f.i64(0xffffffffn).op(Op.i64_and);
    }
  }

  private register(ref: RegisterRef): { n: number; high: boolean } {
    if ('fixed' in ref) return { n: ref.fixed, high: false };
    const o = this.now.decoded.operands[ref.operand];
    return { n: o.register, high: o.high };
  }

  protected special(s: SpecialStatement): void {
    const { f, block, position } = this;
    switch (s.k) {
      case 'readRegister': {
        const { n, high } = this.register(s.ref);
        f.get(this.gpr(n));
        if (high) f.i64(8n).op(Op.i64_shr_u);
        if (s.size !== 8) f.i64(maskOf(s.size)).op(Op.i64_and);
        f.set(this.tempLocal(s.temp));
        return;
      }
      case 'writeRegister':
        this.writeRegister(s.ref, s.size, s.value);
        return;
      case 'condition':
        this.flags.condition(s.code);
        f.set(this.tempLocal(s.temp));
        return;
      case 'readFlags':
        this.flags.all();
        f.set(this.tempLocal(s.temp));
        return;
      case 'setFlags':
        this.flags.set(s);
        return;
      case 'branch':
        if (s.condition !== undefined) {
          this.expr(s.condition);
          this.flags.settle();
          f.if();
          this.flags.kind = undefined;
          this.branch(s, position, block.taken as number);
          f.end();
          this.go(position, block.next as number);
        } else this.branch(s, position, block.taken as number);
        return;
      case 'jump':
        this.flags.settle();
        this.expr(s.target);
        f.set(this.ip);
        this.flags.kind = undefined;
        for (const site of block.returns) {
          const to = this.region.positionOf(site);
          if (to === undefined || !this.region.canBranch(position, to)) continue;
          f.get(this.ip).get(this.pageIp).i64(BigInt(site)).op(Op.i64_add).op(Op.i64_eq).if();
          this.go(position, site);
          f.end();
        }
        f.br('LEAVE');
        return;
      case 'retireIf':
      case 'again':
        throw new Error('REP is not compiled');
    }
  }

  private writeRegister(ref: RegisterRef, size: Size, value: Expr): void {
    const { f } = this;
    const { n, high } = this.register(ref);
    const local = this.gpr(n);
    this.written.add(n);
    if (size >= 4) {
      this.expr(value);
      f.set(local);
      return;
    }
    const shift = high ? 8n : 0n;
    f.get(local)
      .i64(~(maskOf(size) << shift))
      .op(Op.i64_and);
    this.expr(value);
    f.i64(maskOf(size)).op(Op.i64_and);
    if (high) f.i64(8n).op(Op.i64_shl);
    f.op(Op.i64_or).set(local);
  }

  /** Leaves at the start of this instruction. */
  protected exit(code: number): void {
    const { f } = this;
    this.flags.settle();
    f.i32(this.now.offset).set(this.leaveOffset);
    f.i32(this.left).set(this.leaveSteps);
    f.i32(this.now.record).set(this.leaveRecord);
    f.i32(code).set(this.leaveCode).br('EXIT');
  }

  protected leaveUnlessPointer(p: number): void {
    const { f } = this;
    f.get(p).i32(REFUSED).op(Op.i32_ge_u).if();
    f.get(p).i32(REFUSED).op(Op.i32_eq).if();
    this.exit(Exit.redo);
    f.end();
    this.exit(Exit.pending);
    f.end();
  }
}
