/**
 * VMREAD and VMWRITE: SDM volume 3, "VMREAD—Read Field from Virtual-Machine Control Structure", "VMWRITE…", in VMX root operation and, with
 * “VMCS shadowing”, in VMX non-root operation on the shadow VMCS that the link pointer names ("VMCS Shadowing").
 */
import type { Cpu } from '../cpu/cpu';
import { segmentLinear } from '../cpu/operands';
import { Outcome } from '../cpu/outcome';
import type { VmxInstruction } from '../cpu/ports';
import type { Instruction } from '../isa/instruction';
import { State } from '../spec/vcpu-state';
import { VmError } from '../spec/vm-instruction-errors';
import { Field, SHADOW_INDICATOR, VMCS_REVISION, type VmcsField } from '../spec/vmcs-fields';
import { Secondary } from '../spec/vmx-controls';
import { noteFieldWrite } from './changes';
import { secondaryControls } from './intercepts';
import { Vmcs } from './vmcs';
import { vmFailInvalid, vmFailValidIn, vmSucceed } from './vm-flags';
import { currentPointer, currentVmcs, type VmxContext } from './vmx-context';
import { VmxMode } from './vmx-state';

/** Field encodings that the bitmaps have bits for. */
const BITMAP_ENCODINGS = 0x8000n;

/** “VMCS shadowing” is 1 and the bitmap lets this access of the guest through. */
export function shadowed(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): boolean {
  const vmcs = currentVmcs(vmx, cpu);
  if (!(secondaryControls(vmcs) & Secondary.vmcsShadowing)) return false;
  const encoding = cpu.gprSized(insn.reg, cpu.code64 ? 8 : 4);
  if (encoding >= BITMAP_ENCODINGS) return false;
  const bitmap = vmcs.address(insn.name === 'VMREAD' ? Field.vmreadBitmapAddress : Field.vmwriteBitmapAddress);
  const bit = Number(encoding);
  return ((vmx.memory.read8(bitmap + (bit >> 3)) >> (bit & 7)) & 1) === 0;
}

/** The VMCS that the instruction works on; undefined: there is none. In non-root operation the one that the link pointer names. */
function subject(vmx: VmxContext, cpu: Cpu): Vmcs | undefined {
  if (!cpu.vmxNonRoot) return currentPointer(cpu) < 0 ? undefined : currentVmcs(vmx, cpu);
  const vmcs = currentVmcs(vmx, cpu);
  const valid = vmcs.u32(Field.vmcsLinkPointer) !== 0xffff_ffff || vmcs.high32(Field.vmcsLinkPointer) !== 0xffff_ffff;
  return valid ? new Vmcs(vmx.memory, vmcs.address(Field.vmcsLinkPointer)) : undefined;
}

/** The encoding in a register, -1: more than 32 bits, which no encoding has. */
function encodingIn(cpu: Cpu, register: number, size: 4 | 8): number {
  return size === 8 && cpu.u32[register * 2 + 1] !== 0 ? -1 : cpu.u32[register * 2];
}
/** Bit 0 of an encoding: the access type, full or high. */
export const isHigh = (encoding: number): boolean => (encoding & 1) !== 0;
/** The field of an encoding. Undefined: unsupported. */
export function component(vmx: Pick<VmxContext, 'capabilities'>, encoding: number): VmcsField | undefined {
  if (encoding < 0) return undefined;
  const field = vmx.capabilities.fields.get((encoding & ~1) >>> 0);
  // Only 64-bit fields have a high part.
  return field !== undefined && isHigh(encoding) && field.width !== 64 ? undefined : field;
}

/** After the checks for #UD, VM exits and #GP. */
export function accessVmcs(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const size = cpu.code64 ? 8 : 4;
  const vmcs = subject(vmx, cpu);
  if (vmcs === undefined) {
    vmFailInvalid(cpu);
    vmx.observer.instructionFailed?.(cpu, insn.name, 0);
    return Outcome.next;
  }
  return insn.name === 'VMREAD' ? vmread(vmx, cpu, insn, vmcs, size) : vmwrite(vmx, cpu, insn, vmcs, size);
}

function fail(vmx: VmxContext, cpu: Cpu, name: string, vmcs: Vmcs, error: number): Outcome {
  vmFailValidIn(cpu, vmcs, error);
  vmx.observer.instructionFailed?.(cpu, name, error);
  return Outcome.next;
}

function vmread(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction, vmcs: Vmcs, size: 4 | 8): Outcome {
  const encoding = encodingIn(cpu, insn.reg, size);
  const field = component(vmx, encoding);
  if (field === undefined) return fail(vmx, cpu, insn.name, vmcs, VmError.unsupportedComponent);
  const low = isHigh(encoding) ? vmcs.high32(field) : vmcs.u32(field);
  const high = isHigh(encoding) || size === 4 ? 0 : vmcs.high32(field);
  if (insn.rm >= 0) {
    cpu.u32[insn.rm * 2] = low;
    cpu.u32[insn.rm * 2 + 1] = high;
  } else {
    const linear = segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, true);
    if (linear === undefined || !cpu.storeLinear(linear, size, (BigInt(high) << 32n) | BigInt(low))) return Outcome.pending;
  }
  vmSucceed(cpu);
  return Outcome.next;
}

function vmwrite(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction, vmcs: Vmcs, size: 4 | 8): Outcome {
  let low: number;
  // Outside 64-bit mode the upper half of natural-width and 64-bit fields is cleared.
  let high: number;
  if (insn.rm >= 0) {
    low = cpu.u32[insn.rm * 2];
    high = size === 8 ? cpu.u32[insn.rm * 2 + 1] : 0;
  } else {
    const value = source(cpu, insn, size);
    if (value === undefined) return Outcome.pending;
    low = Number(value & 0xffff_ffffn);
    high = Number(value >> 32n);
  }
  const encoding = encodingIn(cpu, insn.reg, size);
  const field = component(vmx, encoding);
  if (field === undefined) return fail(vmx, cpu, insn.name, vmcs, VmError.unsupportedComponent);
  if (field.type === 'read-only' && !vmx.capabilities.writesAnyField) return fail(vmx, cpu, insn.name, vmcs, VmError.readOnlyComponent);
  if (isHigh(encoding)) vmcs.setHalves(field, vmcs.u32(field), low);
  else vmcs.setMasked(field, low, high);
  vmcs.noteWritten();
  if (vmcs.pointer === cpu.getF64(State.currentVmcs)) noteFieldWrite(cpu, field);
  vmSucceed(cpu);
  return Outcome.next;
}

/**
 * VMREAD and VMWRITE between registers in 64-bit code in VMX root operation, as generated code asks in passing; they are most of what a
 * hypervisor's exit handler is made of. False: nothing has happened, and the instruction goes the long way (all that fails or faults does).
 */
export function accessInPassing(vmx: VmxContext, cpu: Cpu, insn: Instruction): boolean {
  const { opcode, reg, rm } = insn;
  const write = opcode === VMWRITE;
  if ((!write && opcode !== VMREAD) || insn.mod !== 3 || insn.system !== 'VMX') return false;
  if (cpu.get32(State.vmxMode) !== VmxMode.root || cpu.cpl !== 0 || !cpu.code64 || currentPointer(cpu) < 0) return false;
  const encoding = encodingIn(cpu, reg, 8);
  if (encoding < 0 || isHigh(encoding)) return false;
  const field = vmx.capabilities.fields.get(encoding);
  if (field === undefined) return false;
  const vmcs = currentVmcs(vmx, cpu);
  if (write) {
    if (field.type === 'read-only') return false;
    vmcs.setMasked(field, cpu.u32[rm * 2], cpu.u32[rm * 2 + 1]);
    vmcs.noteWritten();
    noteFieldWrite(cpu, field);
  } else {
    cpu.u32[rm * 2] = vmcs.u32(field);
    cpu.u32[rm * 2 + 1] = vmcs.high32(field);
  }
  vmSucceed(cpu);
  return true;
}
const VMREAD = 0x0f78;
const VMWRITE = 0x0f79;

function source(cpu: Cpu, insn: VmxInstruction, size: number): bigint | undefined {
  const linear = segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, false);
  return linear === undefined ? undefined : cpu.loadLinear(linear, size);
}

/** Whether a region's first word makes it a VMCS that VMPTRLD accepts; bit 31 says that it is a shadow VMCS. */
export function revisionAccepted(vmx: VmxContext, word: number): boolean {
  return word === VMCS_REVISION || (vmx.capabilities.shadowing && word === (VMCS_REVISION | SHADOW_INDICATOR) >>> 0);
}
