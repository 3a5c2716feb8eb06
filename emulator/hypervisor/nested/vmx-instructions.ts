/**
 * VMX for L1: its VMX instructions, each of which exits to L0 (SDM volume 3, chapter "VMX Instruction Reference"). Where hardware has already made the
 * checks for #UD of the mode, L0 makes the rest in the manual's order. VM entries are in nested-entry.
 */
import { ExitReason } from '../../spec/exit-reasons';
import { Cr0, Cr4, Vector } from '../../spec/registers';
import { Flag, State } from '../../spec/vcpu-state';
import { VmError } from '../../spec/vm-instruction-errors';
import { Field, VMCS_REVISION } from '../../spec/vmcs-fields';
import { FeatureControl } from '../../spec/vmx-capabilities';
import { ALL_CHANGED, VIRTUAL_8086_CHANGED, changeBit } from '../../vmx/changes';
import { eptpValid } from '../../vmx/checks/control-checks';
import { LaunchState, Vmcs } from '../../vmx/vmcs';
import { component, isHigh, revisionAccepted } from '../../vmx/vmcs-access';
import { type L0Context, vmcs12Of } from '../l0-context';
import type { ExitInformation } from '../vcpu-state';
import { L1Linear } from './l1-linear';
import { beginNestedEntry } from './nested-entry';
import { collectVmcs12, exposeVmcs12, hideVmcs12 } from './shadow-vmcs';

const NONE = -1;

/** CR0 bits that are L0's in L1's register: NE always; PE and PG while L1 is in VMX operation, which keeps software from clearing them. */
export const cr0OwnedBits = (vmxOn: boolean): bigint => (vmxOn ? Cr0.NE | Cr0.PE | Cr0.PG : Cr0.NE);

export class L1VmxInstructions {
  private readonly linear: L1Linear;
  constructor(private readonly l0: L0Context) {
    this.linear = new L1Linear(l0.cpu, l0.l1, l0.guest);
  }

  /** Carries out the instruction that exited. False: it was none. */
  execute(exit: ExitInformation): boolean {
    const name = NAMES[exit.reason];
    if (name === undefined) return false;
    const { l1, state } = this.l0;
    const root = name === 'VMXON' ? (l1.vmcs.u64(Field.cr4ReadShadow) & Cr4.VMXE) !== 0n : state.vmxOn;
    // VMCALL looks at the mode only in VMX operation.
    if (!root || (name === 'VMCALL' && this.wrongMode())) l1.fault(Vector.UD);
    else if (l1.cpl !== 0) l1.fault(Vector.GP, 0);
    else this[name](exit);
    return true;
  }
  private wrongMode(): boolean {
    const { l1 } = this.l0;
    const protectedMode = (l1.vmcs.u64(Field.guestCr0) & Cr0.PE) !== 0n;
    return !protectedMode || (l1.vmcs.u32(Field.guestRflags) & Flag.VM) !== 0 || (l1.longMode && !l1.code64);
  }

  // Results: SDM "Conventions" ---------------------------------------------------------------------------------------------

  private succeed(exit: ExitInformation): void {
    this.l0.l1.setArithmeticFlags(0);
    this.l0.l1.skip(exit.length);
  }
  /** VMfailValid with a current VMCS, else VMfailInvalid. */
  private fail(exit: ExitInformation, error: number): void {
    const { l0 } = this;
    const valid = l0.state.vmcs12 >= 0 && error !== 0;
    if (valid) {
      const vmcs12 = vmcs12Of(l0);
      vmcs12.setU32(Field.vmInstructionError, error);
      vmcs12.noteWritten();
      if (l0.shadowing) new Vmcs(l0.cpu.memory, l0.pages.shadow).setU32(Field.vmInstructionError, error);
    }
    l0.l1.setArithmeticFlags(valid ? Flag.ZF : Flag.CF);
    l0.l1.skip(exit.length);
    l0.observer.instructionFailed?.(l0.cpu, NAMES[exit.reason] ?? '', valid ? error : 0);
  }

  // Operands ---------------------------------------------------------------------------------------------------------------

  private readOperand(exit: ExitInformation, bytes: number): bigint | undefined {
    const linear = this.linear.operand(exit, bytes, false);
    return linear === undefined ? undefined : this.linear.read(linear, bytes);
  }
  /** 4-KByte aligned and within the physical-address width. */
  private pointer(address: bigint): number | undefined {
    return (address & 0xfffn) !== 0n || address >> BigInt(this.l0.cpu.model.maxPhyAddr) !== 0n ? undefined : Number(address);
  }

  // Instructions -----------------------------------------------------------------------------------------------------------

  VMXON(exit: ExitInformation): void {
    const { l0 } = this;
    const { l1, state } = l0;
    if (state.vmxOn) return this.fail(exit, VmError.vmxonInRoot);
    const { cr0Fixed0, cr4Fixed0 } = l0.vmx.capabilities;
    const shown = (field: typeof Field.guestCr0, shadow: typeof Field.cr0ReadShadow, owned: bigint): bigint =>
      (l1.vmcs.u64(field) & ~owned) | (l1.vmcs.u64(shadow) & owned);
    const cr0 = shown(Field.guestCr0, Field.cr0ReadShadow, cr0OwnedBits(false));
    const cr4 = shown(Field.guestCr4, Field.cr4ReadShadow, Cr4.VMXE);
    const needed = FeatureControl.lock | FeatureControl.vmxOutsideSmx;
    const locked = (l0.cpu.get64(State.featureControl) & needed) === needed;
    if ((cr0 & cr0Fixed0) !== cr0Fixed0 || (cr4 & cr4Fixed0) !== cr4Fixed0 || !locked || l0.guest.address20IsMasked)
      return l1.fault(Vector.GP, 0);
    const address = this.readOperand(exit, 8);
    if (address === undefined) return;
    const pointer = this.pointer(address);
    if (pointer === undefined || l0.guest.read32(pointer) !== VMCS_REVISION) {
      l1.setArithmeticFlags(Flag.CF);
      l1.skip(exit.length);
      l0.observer.instructionFailed?.(l0.cpu, 'VMXON', 0);
      return;
    }
    state.vmxOn = true;
    l0.guest.heedAddress20(false);
    state.vmxonPointer = pointer;
    state.vmcs12 = NONE;
    l1.set(Field.cr0GuestHostMask, cr0OwnedBits(true));
    l1.set(Field.cr0ReadShadow, cr0OwnedBits(true));
    this.succeed(exit);
  }

  VMXOFF(exit: ExitInformation): void {
    const { l0 } = this;
    collectVmcs12(l0);
    hideVmcs12(l0);
    l0.state.vmxOn = false;
    if (l0.guest.heedAddress20(true)) l0.cpu.mmu.flushAll(l0.cpu);
    l0.state.vmxonPointer = NONE;
    l0.state.vmcs12 = NONE;
    l0.l1.set(Field.cr0GuestHostMask, cr0OwnedBits(false));
    this.succeed(exit);
  }

  VMCLEAR(exit: ExitInformation): void {
    const { l0 } = this;
    const address = this.readOperand(exit, 8);
    if (address === undefined) return;
    const pointer = this.pointer(address);
    if (pointer === undefined) return this.fail(exit, VmError.vmclearInvalidAddress);
    if (pointer === l0.state.vmxonPointer) return this.fail(exit, VmError.vmclearVmxonPointer);
    const current = pointer === l0.state.vmcs12;
    if (current) collectVmcs12(l0);
    if (l0.guest.isRam(pointer, 4096)) {
      const vmcs = new Vmcs(l0.cpu.memory, l0.guest.toHpa(pointer));
      vmcs.launchState = LaunchState.clear;
      vmcs.noteWritten();
    }
    if (current) {
      l0.state.vmcs12 = NONE;
      hideVmcs12(l0);
    }
    this.succeed(exit);
  }

  VMPTRLD(exit: ExitInformation): void {
    const { l0 } = this;
    const address = this.readOperand(exit, 8);
    if (address === undefined) return;
    const pointer = this.pointer(address);
    if (pointer === undefined) return this.fail(exit, VmError.vmptrldInvalidAddress);
    if (pointer === l0.state.vmxonPointer) return this.fail(exit, VmError.vmptrldVmxonPointer);
    if (!revisionAccepted(l0.vmx, l0.guest.read32(pointer))) return this.fail(exit, VmError.vmptrldIncorrectRevision);
    if (pointer !== l0.state.vmcs12) {
      collectVmcs12(l0);
      l0.state.vmcs12 = pointer;
      l0.state.changed12 = ALL_CHANGED;
      exposeVmcs12(l0);
    }
    this.succeed(exit);
  }

  VMPTRST(exit: ExitInformation): void {
    const { vmcs12 } = this.l0.state;
    const linear = this.linear.operand(exit, 8, true);
    if (linear === undefined || !this.linear.write(linear, 8, vmcs12 < 0 ? 0xffff_ffff_ffff_ffffn : BigInt(vmcs12))) return;
    this.succeed(exit);
  }

  VMREAD(exit: ExitInformation): void {
    const { l0 } = this;
    const { l1 } = l0;
    if (l0.state.vmcs12 < 0) return this.fail(exit, 0);
    const bytes = l1.operandBytes;
    const encoding = encodingOf(l1.gprSized(L1Linear.secondRegister(exit)));
    const field = component(l0.vmx, encoding);
    if (field === undefined) return this.fail(exit, VmError.unsupportedComponent);
    const vmcs12 = vmcs12Of(l0);
    const value = BigInt.asUintN(bytes * 8, isHigh(encoding) ? BigInt(vmcs12.high32(field)) : vmcs12.u64(field));
    const register = L1Linear.register(exit);
    if (register >= 0) l1.setGprSized(register, value);
    else {
      const linear = this.linear.operand(exit, bytes, true);
      if (linear === undefined || !this.linear.write(linear, bytes, value)) return;
    }
    this.succeed(exit);
  }

  VMWRITE(exit: ExitInformation): void {
    const { l0 } = this;
    const { l1 } = l0;
    if (l0.state.vmcs12 < 0) return this.fail(exit, 0);
    const register = L1Linear.register(exit);
    const value = register >= 0 ? l1.gprSized(register) : this.readOperand(exit, l1.operandBytes);
    if (value === undefined) return;
    const encoding = encodingOf(l1.gprSized(L1Linear.secondRegister(exit)));
    const field = component(l0.vmx, encoding);
    if (field === undefined) return this.fail(exit, VmError.unsupportedComponent);
    if (field.type === 'read-only' && !l0.vmx.capabilities.writesAnyField) return this.fail(exit, VmError.readOnlyComponent);
    const vmcs12 = vmcs12Of(l0);
    const low = Number(value & 0xffff_ffffn);
    if (isHigh(encoding)) vmcs12.setHalves(field, vmcs12.u32(field), low);
    else vmcs12.setMasked(field, low, Number((value >> 32n) & 0xffff_ffffn));
    vmcs12.noteWritten();
    l0.state.changed12 |= changeBit(field) | (field === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0);
    this.succeed(exit);
  }

  VMCALL(exit: ExitInformation): void {
    this.fail(exit, VmError.vmcallInRoot);
  }
  VMLAUNCH(exit: ExitInformation): void {
    beginNestedEntry(this.l0, 'VMLAUNCH', (error) => this.fail(exit, error));
  }
  VMRESUME(exit: ExitInformation): void {
    beginNestedEntry(this.l0, 'VMRESUME', (error) => this.fail(exit, error));
  }

  private descriptor(exit: ExitInformation): readonly [bigint, bigint] | undefined {
    const linear = this.linear.operand(exit, 16, false);
    if (linear === undefined) return undefined;
    const value = this.linear.read(linear, 16);
    return value === undefined ? undefined : [value & 0xffff_ffff_ffff_ffffn, value >> 64n];
  }

  INVEPT(exit: ExitInformation): void {
    const { l0 } = this;
    const { eptVpidCap } = l0.vmx.capabilities;
    const type = l0.l1.gprSized(L1Linear.secondRegister(exit));
    const supported = (type === 1n && eptVpidCap & (1n << 25n)) || (type === 2n && eptVpidCap & (1n << 26n));
    if (!supported) return this.fail(exit, VmError.invalidInvOperand);
    const descriptor = this.descriptor(exit);
    if (descriptor === undefined) return;
    if (type === 1n && !eptpValid(eptVpidCap, l0.cpu.model.maxPhyAddr, descriptor[0])) return this.fail(exit, VmError.invalidInvOperand);
    l0.ept02.invalidate(type === 1n ? Number(descriptor[0]) : undefined);
    l0.cpu.mmu.flushAll(l0.cpu);
    this.succeed(exit);
  }

  INVVPID(exit: ExitInformation): void {
    const { l0 } = this;
    const type = l0.l1.gprSized(L1Linear.secondRegister(exit));
    const { eptVpidCap } = l0.vmx.capabilities;
    if (type > 3n || !(eptVpidCap & (1n << (40n + type)))) return this.fail(exit, VmError.invalidInvOperand);
    const descriptor = this.descriptor(exit);
    if (descriptor === undefined) return;
    const [low, linear] = descriptor;
    const canonical = BigInt.asUintN(64, BigInt.asIntN(l0.cpu.model.linearBits, linear)) === linear;
    const wrong = low >> 16n !== 0n || (type !== 2n && (low & 0xffffn) === 0n) || (type === 0n && !canonical);
    if (wrong) return this.fail(exit, VmError.invalidInvOperand);
    // More than L1 asks for, as the manual allows.
    l0.cpu.mmu.flushAll(l0.cpu);
    this.succeed(exit);
  }
}

/** An encoding as a number, -1: more than 32 bits, which no encoding has. */
const encodingOf = (register: bigint): number => (register > 0xffff_ffffn ? -1 : Number(register));

type InstructionName = 'VMXON' | 'VMXOFF' | 'VMCLEAR' | 'VMPTRLD' | 'VMPTRST' | 'VMREAD' | 'VMWRITE' | 'VMLAUNCH' | 'VMRESUME' | 'VMCALL' | 'INVEPT' | 'INVVPID'; // prettier-ignore
const NAMES: Readonly<Record<number, InstructionName | undefined>> = {
  [ExitReason.VMXON]: 'VMXON',
  [ExitReason.VMXOFF]: 'VMXOFF',
  [ExitReason.VMCLEAR]: 'VMCLEAR',
  [ExitReason.VMPTRLD]: 'VMPTRLD',
  [ExitReason.VMPTRST]: 'VMPTRST',
  [ExitReason.VMREAD]: 'VMREAD',
  [ExitReason.VMWRITE]: 'VMWRITE',
  [ExitReason.VMLAUNCH]: 'VMLAUNCH',
  [ExitReason.VMRESUME]: 'VMRESUME',
  [ExitReason.VMCALL]: 'VMCALL',
  [ExitReason.INVEPT]: 'INVEPT',
  [ExitReason.INVVPID]: 'INVVPID',
};
