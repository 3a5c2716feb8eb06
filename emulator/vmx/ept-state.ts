/**
 * EPT and VPID as VM entry puts them into use, and what a VM exit saves of them: SDM volume 3, "The Extended Page Table Mechanism (EPT)",
 * "Page-Modification Logging", "Virtual-Processor Identifiers (VPIDs)".
 */
import type { Cpu } from '../cpu/cpu';
import { EptMode } from '../spec/ept';
import { State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { Secondary } from '../spec/vmx-controls';
import type { Vmcs } from './vmcs';

/** Bit 6 of an EPTP. */
const ACCESSED_DIRTY = 0x40;

export function loadEptState(cpu: Cpu, vmcs: Vmcs, secondary: number): void {
  const usesEpt = (secondary & Secondary.enableEpt) !== 0;
  setEptPointer(cpu, usesEpt ? vmcs.address(Field.eptPointer) : 0);
  if (usesEpt && secondary & Secondary.modeBasedExecuteControl) cpu.i32[State.eptMode >> 2] |= EptMode.modeBased;
  if (usesEpt && secondary & Secondary.enablePml) {
    cpu.i32[State.eptMode >> 2] |= EptMode.logging;
    cpu.setF64(State.pmlAddress, vmcs.address(Field.pmlAddress));
    cpu.set32(State.pmlIndex, vmcs.u32(Field.pmlIndex));
  }
  cpu.set32(State.vpid, secondary & Secondary.enableVpid ? vmcs.u32(Field.virtualProcessorIdentifier) : 0);
}

/** Puts an EPTP into use; the other bits of the EPT mode stay. 0: none. */
export function setEptPointer(cpu: Cpu, eptp: number): void {
  cpu.setF64(State.eptPointer, eptp);
  const others = eptp === 0 ? 0 : cpu.get32(State.eptMode) & ~EptMode.accessedDirty;
  cpu.set32(State.eptMode, others | ((eptp % 4096) & ACCESSED_DIRTY ? EptMode.accessedDirty : 0));
}

/** Translations without VMX: VMX root operation. */
export function clearEptState(cpu: Cpu): void {
  cpu.setF64(State.eptPointer, 0);
  cpu.set32(State.eptMode, 0);
  cpu.set32(State.vpid, 0);
}

/** The index into the page-modification log goes back to the VMCS. Nothing checks it. */
export function saveEptState(cpu: Cpu, vmcs: Vmcs): void {
  if (cpu.get32(State.eptMode) & EptMode.logging) vmcs.setU32(Field.pmlIndex, cpu.get32(State.pmlIndex));
}
