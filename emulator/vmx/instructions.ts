/**
 * The VMX instructions: SDM volume 3, chapter "VMX Instruction Reference" (operation sections, in their order of checks). Not modelled:
 * SMX operation, so that the checks that name it never fail.
 */
import type { Cpu } from '../cpu/cpu';
import { segmentLinear } from '../cpu/operands';
import { Outcome } from '../cpu/outcome';
import type { VmxInstruction } from '../cpu/ports';
import { BASE_RIP } from '../isa/instruction';
import { Cr4, Vector } from '../spec/registers';
import { Flag, State } from '../spec/vcpu-state';
import { VmError } from '../spec/vm-instruction-errors';
import { VMCS_REVISION } from '../spec/vmcs-fields';
import { FeatureControl } from '../spec/vmx-capabilities';
import { addressLine20Masked } from '../mmu/address-line-20';
import { ALL_CHANGED } from './changes';
import { eptpValid } from './checks/control-checks';
import { enterGuest } from './entry';
import { commitExit } from './exit';
import { intercepts } from './intercepts';
import { LaunchState } from './vmcs';
import { accessVmcs, revisionAccepted, shadowed } from './vmcs-access';
import { vmfunc } from './vm-functions';
import { vmFail, vmFailInvalid, vmSucceed } from './vm-flags';
import { currentPointer, currentVmcs, type VmxContext } from './vmx-context';
import { VmxMode, VmxState } from './vmx-state';

const invalidOpcode = (cpu: Cpu): Outcome => cpu.raise(Vector.UD);
const generalProtection = (cpu: Cpu): Outcome => cpu.raise(Vector.GP, 0);

/** CR0.PE = 0, RFLAGS.VM = 1, or IA-32e mode with CS.L = 0. */
function wrongMode(cpu: Cpu): boolean {
  return !(cpu.u32[State.cr0 >> 2] & 1) || (cpu.get32(State.systemFlags) & Flag.VM) !== 0 || (cpu.longMode && !cpu.code64);
}

export function executeVmx(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  if (insn.name === 'VMXON') return vmxon(vmx, cpu, insn);
  const mode = cpu.get32(State.vmxMode);
  const memoryOnly = insn.name !== 'VMREAD' && insn.name !== 'VMWRITE' && hasOperand(insn);
  if (mode === VmxMode.outside || (memoryOnly && insn.rm >= 0)) return invalidOpcode(cpu);
  if (insn.name === 'VMFUNC') return mode === VmxMode.nonRoot ? vmfunc(vmx, cpu, insn) : invalidOpcode(cpu);
  // VMCALL exits before the mode and privilege are looked at.
  if (insn.name !== 'VMCALL' && wrongMode(cpu)) return invalidOpcode(cpu);
  if ((insn.name === 'INVEPT' || insn.name === 'INVVPID') && !invInstructionSupported(vmx, insn.name)) return invalidOpcode(cpu);
  const withShadow = mode === VmxMode.nonRoot && (insn.name === 'VMREAD' || insn.name === 'VMWRITE') && shadowed(vmx, cpu, insn);
  if (mode === VmxMode.nonRoot && !withShadow) return exitFor(vmx, cpu, insn);
  if (insn.name === 'VMCALL' && wrongMode(cpu)) return invalidOpcode(cpu);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  switch (insn.name) {
    case 'VMCALL':
      return failed(vmx, cpu, insn, VmError.vmcallInRoot);
    case 'VMXOFF':
      return vmxoff(cpu);
    case 'VMCLEAR':
      return vmclear(vmx, cpu, insn);
    case 'VMPTRLD':
      return vmptrld(vmx, cpu, insn);
    case 'VMPTRST':
      return vmptrst(cpu, insn);
    case 'VMREAD':
    case 'VMWRITE':
      return accessVmcs(vmx, cpu, insn);
    case 'VMLAUNCH':
    case 'VMRESUME':
      return enterGuest(vmx, cpu, insn.name);
    case 'INVEPT':
      return invept(vmx, cpu, insn);
    case 'INVVPID':
      return invvpid(vmx, cpu, insn);
  }
}

const WITHOUT_OPERAND: ReadonlySet<string> = new Set(['VMXOFF', 'VMLAUNCH', 'VMRESUME', 'VMCALL', 'VMFUNC']);
function hasOperand(insn: VmxInstruction): boolean {
  return !WITHOUT_OPERAND.has(insn.name);
}
function invInstructionSupported(vmx: VmxContext, name: 'INVEPT' | 'INVVPID'): boolean {
  return (vmx.capabilities.eptVpidCap & (name === 'INVEPT' ? 1n << 20n : 1n << 32n)) !== 0n;
}

function failed(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction, error: number): Outcome {
  vmFail(vmx, cpu, insn.name, error);
  return Outcome.next;
}
function succeeded(cpu: Cpu): Outcome {
  vmSucceed(cpu);
  return Outcome.next;
}

/** Instruction information and qualification: SDM "Information for VM Exits Due to Instruction Execution". */
function exitFor(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  currentVmcs(vmx, cpu);
  const decision = intercepts(vmx.controls, {
    kind: 'vmx',
    name: insn.name,
    length: insn.length,
    qualification: hasOperand(insn) && insn.rm < 0 ? displacementOf(insn) : 0n,
    information: hasOperand(insn) ? instructionInformation(insn) : 0,
  });
  if (decision) commitExit(vmx, cpu, decision);
  return Outcome.exited;
}

function displacementOf(insn: VmxInstruction): bigint {
  if (insn.baseRegister === BASE_RIP) return insn.effectiveAddress;
  return BigInt.asUintN(64, insn.displacement);
}

function instructionInformation(insn: VmxInstruction): number {
  const reg2 = insn.name === 'VMREAD' || insn.name === 'VMWRITE' || insn.name === 'INVEPT' || insn.name === 'INVVPID' ? insn.reg << 28 : 0;
  if (insn.rm >= 0) return (reg2 | (1 << 10) | (insn.rm << 3)) >>> 0;
  const addressSize = insn.addressSize === 8 ? 2 : insn.addressSize === 4 ? 1 : 0;
  const index = insn.indexRegister >= 0 ? insn.scaleLog2 | (insn.indexRegister << 18) : 1 << 22;
  const base = insn.baseRegister >= 0 && insn.baseRegister !== BASE_RIP ? insn.baseRegister << 23 : 1 << 27;
  return (reg2 | index | base | (addressSize << 7) | (insn.segment << 15)) >>> 0;
}

/** Linear address of the memory operand, checked. Undefined: a fault is pending. */
function operand(cpu: Cpu, insn: VmxInstruction, size: number, write: boolean): bigint | undefined {
  return segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, write);
}
/** Reads the operand. Undefined: a fault is pending. */
function readOperand(cpu: Cpu, insn: VmxInstruction, size: number): bigint | undefined {
  const linear = operand(cpu, insn, size, false);
  return linear === undefined ? undefined : cpu.loadLinear(linear, size);
}

/** A physical address that VMXON, VMCLEAR and VMPTRLD accept: 4-KByte aligned and within the physical-address width. */
function physicalPointer(cpu: Cpu, address: bigint): number | undefined {
  return (address & 0xfffn) !== 0n || address >> BigInt(cpu.model.maxPhyAddr) !== 0n ? undefined : Number(address);
}

function vmxon(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  if (insn.rm >= 0 || !(cpu.cr4 & Cr4.VMXE) || wrongMode(cpu)) return invalidOpcode(cpu);
  const mode = cpu.get32(State.vmxMode);
  if (mode === VmxMode.nonRoot) return exitFor(vmx, cpu, insn);
  if (cpu.cpl !== 0) return generalProtection(cpu);
  if (mode === VmxMode.root) return failed(vmx, cpu, insn, VmError.vmxonInRoot);
  const { cr0Fixed0, cr0Fixed1, cr4Fixed0, cr4Fixed1 } = vmx.capabilities;
  const unsupported = (value: bigint, fixed0: bigint, fixed1: bigint): boolean => (value & fixed0) !== fixed0 || (value & ~fixed1) !== 0n;
  if (addressLine20Masked(cpu)) return generalProtection(cpu);
  if (unsupported(cpu.cr0, cr0Fixed0, cr0Fixed1) || unsupported(cpu.cr4, cr4Fixed0, cr4Fixed1)) return generalProtection(cpu);
  const needed = FeatureControl.lock | FeatureControl.vmxOutsideSmx;
  if ((cpu.get64(State.featureControl) & needed) !== needed) return generalProtection(cpu);
  const address = readOperand(cpu, insn, 8);
  if (address === undefined) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === undefined || vmx.memory.read32(pointer) !== VMCS_REVISION) {
    vmFailInvalid(cpu);
    vmx.observer.instructionFailed?.(cpu, insn.name, 0);
    return Outcome.next;
  }
  cpu.setF64(State.currentVmcs, -1);
  cpu.setF64(State.vmxonPointer, pointer);
  cpu.set32(State.vmxMode, VmxMode.root);
  return succeeded(cpu);
}

function vmxoff(cpu: Cpu): Outcome {
  cpu.set32(State.vmxMode, VmxMode.outside);
  cpu.setF64(State.currentVmcs, -1);
  cpu.setF64(State.vmxonPointer, -1);
  // "Unblocks A20M": what was cached was translated without it.
  if (addressLine20Masked(cpu)) cpu.mmu.flushAll(cpu);
  return succeeded(cpu);
}

function vmclear(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const address = readOperand(cpu, insn, 8);
  if (address === undefined) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === undefined) return failed(vmx, cpu, insn, VmError.vmclearInvalidAddress);
  if (pointer === cpu.getF64(State.vmxonPointer)) return failed(vmx, cpu, insn, VmError.vmclearVmxonPointer);
  if (vmx.memory.isRam(pointer, 4096)) {
    const vmcs = vmx.vmcs.select(pointer);
    vmcs.launchState = LaunchState.clear;
    vmcs.noteWritten();
  }
  if (pointer === currentPointer(cpu)) cpu.setF64(State.currentVmcs, -1);
  return succeeded(cpu);
}

function vmptrld(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const address = readOperand(cpu, insn, 8);
  if (address === undefined) return Outcome.pending;
  const pointer = physicalPointer(cpu, address);
  if (pointer === undefined) return failed(vmx, cpu, insn, VmError.vmptrldInvalidAddress);
  if (pointer === cpu.getF64(State.vmxonPointer)) return failed(vmx, cpu, insn, VmError.vmptrldVmxonPointer);
  // Memory that is not RAM reads as all ones, which is no revision identifier.
  if (!revisionAccepted(vmx, vmx.memory.read32(pointer))) return failed(vmx, cpu, insn, VmError.vmptrldIncorrectRevision);
  cpu.setF64(State.currentVmcs, pointer);
  cpu.set32(VmxState.changed, ALL_CHANGED);
  return succeeded(cpu);
}

function vmptrst(cpu: Cpu, insn: VmxInstruction): Outcome {
  const linear = operand(cpu, insn, 8, true);
  const pointer = currentPointer(cpu);
  const value = pointer < 0 ? 0xffff_ffff_ffff_ffffn : BigInt(pointer);
  if (linear === undefined || !cpu.storeLinear(linear, 8, value)) return Outcome.pending;
  return succeeded(cpu);
}

/** Reads the 128-bit descriptor of INVEPT and INVVPID. Undefined: a fault is pending. */
function readDescriptor(cpu: Cpu, insn: VmxInstruction): readonly [bigint, bigint] | undefined {
  const linear = operand(cpu, insn, 16, false);
  if (linear === undefined) return undefined;
  const low = cpu.loadLinear(linear, 8);
  const high = low === undefined ? undefined : cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + 8n), 8);
  return low === undefined || high === undefined ? undefined : [low, high];
}

/** More than the manual asks for is invalidated: every context, as it allows ("Operations that may Invalidate Cached Mappings"). */
function invept(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const type = cpu.gprSized(insn.reg, cpu.code64 ? 8 : 4);
  const supported =
    (type === 1n && vmx.capabilities.eptVpidCap & (1n << 25n)) || (type === 2n && vmx.capabilities.eptVpidCap & (1n << 26n));
  if (!supported) return failed(vmx, cpu, insn, VmError.invalidInvOperand);
  const descriptor = readDescriptor(cpu, insn);
  if (descriptor === undefined) return Outcome.pending;
  if (type === 1n && !eptpValid(vmx.capabilities.eptVpidCap, cpu.model.maxPhyAddr, descriptor[0])) {
    return failed(vmx, cpu, insn, VmError.invalidInvOperand);
  }
  cpu.mmu.flushAll(cpu);
  return succeeded(cpu);
}

function invvpid(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const type = cpu.gprSized(insn.reg, cpu.code64 ? 8 : 4);
  if (type > 3n || !(vmx.capabilities.eptVpidCap & (1n << (40n + type)))) return failed(vmx, cpu, insn, VmError.invalidInvOperand);
  const descriptor = readDescriptor(cpu, insn);
  if (descriptor === undefined) return Outcome.pending;
  const [low, linear] = descriptor;
  const canonical = BigInt.asUintN(64, BigInt.asIntN(cpu.model.linearBits, linear)) === linear;
  const allContexts = type === 2n;
  const wrong = low >> 16n !== 0n || (!allContexts && (low & 0xffffn) === 0n) || (type === 0n && !canonical);
  if (wrong) return failed(vmx, cpu, insn, VmError.invalidInvOperand);
  cpu.mmu.flushAll(cpu);
  return succeeded(cpu);
}
