/**
 * Named access to the state table of spec/vcpu-state for one virtual CPU. It holds no state of its own that is not in that table (only
 * views), so that saving the table saves the CPU.
 */
import { ARITHMETIC_FLAGS, Flag, SEGMENT_STRIDE, SegmentState, State } from '../spec/vcpu-state';
import type { CpuModel } from '../spec/cpu-model';
import type { PhysicalMemory } from '../memory/physical-memory';

/** Why the machine stops in the middle of a slice for a reason that is no guest outcome. */
export interface CpuStop {
  readonly kind: 'not-modelled' | 'internal-error';
  readonly sentence: string;
}

export class VcpuRegisters {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
  /** Set when the machine must stop; cleared by the run loop. Not machine state: the step that set it did not happen. */
  stop: CpuStop | undefined;

  constructor(
    readonly index: number,
    readonly base: number,
    readonly memory: PhysicalMemory,
    readonly model: CpuModel,
    /** The six arithmetic flags out of the lazy triple; generated code (codegen/flags). */
    private readonly arithmeticFlags: (base: number) => number,
  ) {
    const b = memory.memory.buffer;
    this.u8 = new Uint8Array(b, base, 0x20000);
    this.i32 = new Int32Array(b, base, 0x20000 / 4);
    this.u32 = new Uint32Array(b, base, 0x20000 / 4);
    this.i64 = new BigInt64Array(b, base, 0x20000 / 8);
    this.u64 = new BigUint64Array(b, base, 0x20000 / 8);
    this.f64 = new Float64Array(b, base, 0x20000 / 8);
  }

  /** Any 64-bit state slot, unsigned (`State.cr0` and so on). */
  get64(offset: number): bigint {
    return this.u64[offset >> 3];
  }
  set64(offset: number, value: bigint): void {
    this.u64[offset >> 3] = value;
  }
  get32(offset: number): number {
    return this.u32[offset >> 2];
  }
  set32(offset: number, value: number): void {
    this.i32[offset >> 2] = value;
  }
  getF64(offset: number): number {
    return this.f64[offset >> 3];
  }
  setF64(offset: number, value: number): void {
    this.f64[offset >> 3] = value;
  }

  gpr(n: number): bigint {
    return this.u64[n];
  }
  /** Low 32 bits, unsigned. */
  gpr32(n: number): number {
    return this.u32[n * 2];
  }
  setGpr(n: number, value: bigint): void {
    this.u64[n] = value;
  }
  /** Writes as a 32-bit destination does: upper half zeroed. */
  setGpr32(n: number, value: number): void {
    this.i32[n * 2] = value;
    this.i32[n * 2 + 1] = 0;
  }
  /** Reads the low `size` bytes (1, 2, 4, 8; size 1 is never AH..BH here). */
  gprSized(n: number, size: number): bigint {
    return BigInt.asUintN(size * 8, this.u64[n]);
  }
  /** Writes `size` bytes with the manual's rules (8/16-bit keep the rest, 32-bit zeroes the upper half). */
  setGprSized(n: number, size: number, value: bigint): void {
    if (size === 8) this.u64[n] = value;
    else if (size === 4) this.u64[n] = BigInt.asUintN(32, value);
    else {
      const mask = (1n << BigInt(size * 8)) - 1n;
      this.u64[n] = (this.u64[n] & ~mask) | (value & mask);
    }
  }

  get rip(): bigint {
    return this.get64(State.rip);
  }
  set rip(value: bigint) {
    this.set64(State.rip, value);
  }

  /** Moves RIP behind an instruction, wrapped to the width of the code. */
  advanceRip(length: number): void {
    const at = State.rip >> 2;
    const low = this.u32[at] + length;
    this.u32[at] = low;
    this.u32[at + 1] = (this.u32[at + 1] + (low > 0xffff_ffff ? 1 : 0)) & this.u32[(State.ipMask >> 2) + 1];
  }

  /** RFLAGS as the guest would push it (low 32 bits). */
  get flags(): number {
    return this.i32[State.systemFlags >> 2] | this.arithmeticFlags(this.base) | 2;
  }
  set flags(value: number) {
    this.i32[State.systemFlags >> 2] = (value & ~ARITHMETIC_FLAGS & 0x3f7fd7) | 2;
    this.setArithmeticFlags(value & ARITHMETIC_FLAGS);
    this.updateBoundary();
  }
  /** Sets the six arithmetic flags and leaves the others. */
  setArithmeticFlags(value: number): void {
    this.i32[State.flagKind >> 2] = 0;
    this.i32[State.flagA >> 2] = value;
    this.i32[(State.flagA >> 2) + 1] = 0;
  }
  flag(bit: number): boolean {
    return (this.flags & bit) !== 0;
  }
  setFlag(bit: number, on: boolean): void {
    this.flags = on ? this.flags | bit : this.flags & ~bit;
  }

  get cpl(): number {
    return this.i32[State.cpl >> 2];
  }
  get cr0(): bigint {
    return this.get64(State.cr0);
  }
  get cr3(): bigint {
    return this.get64(State.cr3);
  }
  get cr4(): bigint {
    return this.get64(State.cr4);
  }
  get efer(): bigint {
    return this.get64(State.efer);
  }
  /** IA-32e mode (EFER.LMA). */
  get longMode(): boolean {
    return (this.u32[State.efer >> 2] & 0x400) !== 0;
  }
  /** 64-bit code (IA-32e mode and CS.L). */
  get code64(): boolean {
    return (this.i32[State.mode >> 2] & 1) !== 0;
  }
  get vmxNonRoot(): boolean {
    return this.i32[State.vmxMode >> 2] === 2;
  }
  get vmxRoot(): boolean {
    return this.i32[State.vmxMode >> 2] === 1;
  }

  private segmentOffset(n: number): number {
    return State.segment + n * SEGMENT_STRIDE;
  }
  segmentBase(n: number): bigint {
    return this.get64(this.segmentOffset(n) + SegmentState.base);
  }
  segmentLimit(n: number): number {
    return this.get32(this.segmentOffset(n) + SegmentState.limit);
  }
  /** VMCS access-rights format: bits 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G, 16 unusable. */
  segmentAccess(n: number): number {
    return this.get32(this.segmentOffset(n) + SegmentState.access);
  }
  segmentSelector(n: number): number {
    return this.get32(this.segmentOffset(n) + SegmentState.selector);
  }
  /** Loads the hidden part and selector without any check. Call `modeChanged()` after the last of several. */
  setSegment(n: number, selector: number, base: bigint, limit: number, access: number): void {
    const o = this.segmentOffset(n);
    this.u64[(o + SegmentState.base) >> 3] = base;
    this.set32(o + SegmentState.limit, limit);
    this.set32(o + SegmentState.access, access);
    this.set32(o + SegmentState.selector, selector);
  }

  setCpl(cpl: number): void {
    this.set32(State.cpl, cpl);
  }
  /** Recomputes the TF bit of the boundary word. */
  updateBoundary(): void {
    const tf = (this.i32[State.systemFlags >> 2] & Flag.TF) !== 0;
    this.i32[State.boundary >> 2] = (this.i32[State.boundary >> 2] & ~1) | (tf ? 1 : 0);
  }

  /** Leaves an exception pending; returns Outcome.pending. Without an error code: `errorCode` undefined. */
  raise(vector: number, errorCode?: number): 2 {
    this.set32(State.pendingKind, 1);
    this.set32(State.pendingVector, vector);
    this.set32(State.pendingErrorCode, errorCode ?? -1);
    return 2;
  }
  /** Stops the machine with a `Not modelled:` sentence; returns Outcome.stopped. The step does not happen. */
  notModelled(what: string): 4 {
    this.stop ??= { kind: 'not-modelled', sentence: what };
    return 4;
  }
}
