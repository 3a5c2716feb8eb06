/**
 * A guest as L0 finds it after a VM exit: registers in its VMCS and in the processor, instructions to be skipped, events to be injected (SDM
 * volume 3, "Saving Guest State", "Event Injection").
 */
import type { Cpu } from '../cpu/cpu';
import { Ar } from '../spec/descriptors';
import { EventType, Interruptibility, Vector } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, State } from '../spec/vcpu-state';
import { Field, type VmcsField } from '../spec/vmcs-fields';
import type { Vmcs } from '../vmx/vmcs';

const RSP = 4;
const VALID = 0x8000_0000;
const HAS_ERROR_CODE = 1 << 11;
const BS = 0x4000;
const EFER_LMA = 0x400;

/** Told which groups of fields have changed. */
export type NoteChange = (bits: number) => void;

export class GuestRegisters {
  constructor(
    private readonly cpu: Cpu,
    /** VMCS01 or VMCS02. */
    readonly vmcs: Vmcs,
    private readonly noteChange: NoteChange,
  ) {}

  set(field: VmcsField, value: bigint): void {
    this.noteChange(this.vmcs.saveHalves(field, Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn)));
  }
  get code64(): boolean {
    return this.longMode && (this.vmcs.u32(Field.guestCsAccessRights) & Ar.long) !== 0;
  }
  get longMode(): boolean {
    return (this.vmcs.u32(Field.guestIa32Efer) & EFER_LMA) !== 0;
  }
  get cpl(): number {
    return (this.vmcs.u32(Field.guestSsAccessRights) & Ar.dpl) >> 5;
  }
  get rip(): bigint {
    return this.vmcs.u64(Field.guestRip);
  }
  /** Operand size of VMX instructions. */
  get operandBytes(): 4 | 8 {
    return this.code64 ? 8 : 4;
  }

  gpr(n: number): bigint {
    return n === RSP ? this.vmcs.u64(Field.guestRsp) : this.cpu.gpr(n);
  }
  gprSized(n: number): bigint {
    return BigInt.asUintN(this.operandBytes * 8, this.gpr(n));
  }
  setGprSized(n: number, value: bigint): void {
    // A 32-bit destination outside 64-bit mode is all there is of the register.
    const all = BigInt.asUintN(this.operandBytes * 8, value);
    if (n === RSP) this.set(Field.guestRsp, all);
    else this.cpu.setGpr(n, all);
  }

  setArithmeticFlags(set: number): void {
    const flags = (this.vmcs.u32(Field.guestRflags) & ~ARITHMETIC_FLAGS) | set;
    this.set(Field.guestRflags, BigInt(flags >>> 0));
  }

  /** The instruction that exited has been carried out. */
  skip(length: number): void {
    const next = this.rip + BigInt(length);
    this.set(Field.guestRip, this.code64 ? BigInt.asUintN(64, next) : BigInt.asUintN(32, next));
    const interruptibility = this.vmcs.u32(Field.guestInterruptibilityState);
    const shadow = Interruptibility.blockingBySti | Interruptibility.blockingByMovSs;
    this.set(Field.guestInterruptibilityState, BigInt(interruptibility & ~shadow));
    const flags = this.vmcs.u32(Field.guestRflags);
    if (flags & Flag.TF) this.set(Field.guestPendingDebugExceptions, this.vmcs.u64(Field.guestPendingDebugExceptions) | BigInt(BS));
    if (flags & Flag.RF) this.set(Field.guestRflags, BigInt((flags & ~Flag.RF) >>> 0));
  }

  /** A fault of the instruction that exited. */
  fault(vector: number, errorCode?: number): void {
    this.inject(
      (VALID | (EventType.hardwareException << 8) | vector | (errorCode === undefined ? 0 : HAS_ERROR_CODE)) >>> 0,
      errorCode ?? 0,
      0,
    );
    this.set(Field.guestRflags, BigInt((this.vmcs.u32(Field.guestRflags) | Flag.RF) >>> 0));
  }
  pageFault(linear: bigint, errorCode: number): void {
    this.cpu.set64(State.cr2, linear);
    this.fault(Vector.PF, errorCode);
  }
  inject(info: number, errorCode: number, length: number): void {
    this.set(Field.vmEntryInterruptionInformation, BigInt(info));
    this.set(Field.vmEntryExceptionErrorCode, BigInt(errorCode));
    this.set(Field.vmEntryInstructionLength, BigInt(length));
  }
}
