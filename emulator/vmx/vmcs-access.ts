/**
 * VMREAD and VMWRITE: SDM volume 3, "VMREAD—Read Field from Virtual-Machine Control Structure", "VMWRITE…", in VMX root operation and, with
 * “VMCS shadowing”, in VMX non-root operation on the shadow VMCS that the link pointer names ("VMCS Shadowing").
 */
import type { Cpu } from '../cpu/cpu';
import { segmentLinear } from '../cpu/operands';
import { Outcome } from '../cpu/outcome';
import type { VmxInstruction } from '../cpu/ports';
import { State } from '../spec/vcpu-state';
import { VmError } from '../spec/vm-instruction-errors';
import { Field, SHADOW_INDICATOR, VMCS_REVISION, type VmcsField } from '../spec/vmcs-fields';
import { Secondary } from '../spec/vmx-controls';
import { noteFieldWrite } from './changes';
import { secondaryControls } from './intercepts';
import { Vmcs } from './vmcs';
import { vmFailInvalid, vmFailValidIn, vmSucceed } from './vm-flags';
import { currentPointer, currentVmcs, type VmxContext } from './vmx-context';

type Access = 'VMREAD' | 'VMWRITE';
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

/** The field of an encoding, with the access type. Undefined: unsupported. */
function component(vmx: VmxContext, encoding: bigint): { readonly field: VmcsField; readonly high: boolean } | undefined {
  if (encoding > 0xffff_ffffn) return undefined;
  const high = (encoding & 1n) !== 0n;
  const field = vmx.capabilities.fields.get(Number(encoding) & ~1);
  // Only 64-bit fields have a high part.
  return field === undefined || (high && field.width !== 64) ? undefined : { field, high };
}

/** After the checks for #UD, VM exits and #GP. */
export function accessVmcs(vmx: VmxContext, cpu: Cpu, insn: VmxInstruction): Outcome {
  const name = insn.name as Access;
  const size = cpu.code64 ? 8 : 4;
  const vmcs = subject(vmx, cpu);
  if (vmcs === undefined) {
    vmFailInvalid(cpu);
    vmx.observer.instructionFailed?.(cpu, name, 0);
    return Outcome.next;
  }
  const fail = (error: number): Outcome => {
    vmFailValidIn(cpu, vmcs, error);
    vmx.observer.instructionFailed?.(cpu, name, error);
    return Outcome.next;
  };
  if (name === 'VMREAD') {
    const found = component(vmx, cpu.gprSized(insn.reg, size));
    if (found === undefined) return fail(VmError.unsupportedComponent);
    const value = BigInt.asUintN(size * 8, found.high ? BigInt(vmcs.high32(found.field)) : vmcs.u64(found.field));
    if (insn.rm >= 0) cpu.setGprSized(insn.rm, size, value);
    else {
      const linear = segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, true);
      if (linear === undefined || !cpu.storeLinear(linear, size, value)) return Outcome.pending;
    }
  } else {
    const value = insn.rm >= 0 ? cpu.gprSized(insn.rm, size) : source(cpu, insn, size);
    if (value === undefined) return Outcome.pending;
    const found = component(vmx, cpu.gprSized(insn.reg, size));
    if (found === undefined) return fail(VmError.unsupportedComponent);
    if (found.field.type === 'read-only' && !vmx.capabilities.writesAnyField) return fail(VmError.readOnlyComponent);
    if (found.high) vmcs.setHalves(found.field, vmcs.u32(found.field), Number(value & 0xffff_ffffn));
    // Outside 64-bit mode the upper half of natural-width and 64-bit fields is cleared.
    else vmcs.setMasked(found.field, value);
    vmcs.noteWritten();
    if (vmcs.pointer === cpu.getF64(State.currentVmcs)) noteFieldWrite(cpu, found.field);
  }
  vmSucceed(cpu);
  return Outcome.next;
}

function source(cpu: Cpu, insn: VmxInstruction, size: number): bigint | undefined {
  const linear = segmentLinear(cpu, insn.segment, insn.effectiveAddress, size, false);
  return linear === undefined ? undefined : cpu.loadLinear(linear, size);
}

/** Whether a region's first word makes it a VMCS that VMPTRLD accepts; bit 31 says that it is a shadow VMCS. */
export function revisionAccepted(vmx: VmxContext, word: number): boolean {
  return word === VMCS_REVISION || (vmx.capabilities.shadowing && word === (VMCS_REVISION | SHADOW_INDICATOR) >>> 0);
}
