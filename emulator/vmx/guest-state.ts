/**
 * Loading and saving guest state: SDM volume 3, "Loading Guest State", "Saving Guest State". Moves bytes between the VMCS region and the
 * vCPU's state table; decides nothing.
 */
import type { Cpu } from '../cpu/cpu';
import { Flag, SEGMENT_STRIDE, Seg, SegmentState, State } from '../spec/vcpu-state';
import { Ar } from '../spec/descriptors';
import { Field, type VmcsField } from '../spec/vmcs-fields';
import { EntryControl, ExitControl } from '../spec/vmx-controls';
import { VIRTUAL_8086_CHANGED } from './changes';
import type { Vmcs } from './vmcs';
import { GUEST_SEGMENTS } from './segment-fields';

/** CR0 bits that VM entry and VM exit never modify: ET, 15:6, 17, 28:19, NW and CD. */
export const CR0_KEPT = 0x7ffa_ffd0;
const EFER_LMA = 0x400;
const EFER_LME = 0x100;

/** Copies a 64-bit field to a state slot. */
export function loadSlot(cpu: Cpu, slot: number, vmcs: Vmcs, field: VmcsField): void {
  cpu.u32[slot >> 2] = vmcs.u32(field);
  cpu.u32[(slot >> 2) + 1] = vmcs.high32(field);
}
/** Copies a state slot to a field; returns the field's change bit if it changed. */
export function saveSlot(cpu: Cpu, slot: number, vmcs: Vmcs, field: VmcsField): number {
  return vmcs.saveHalves(field, cpu.u32[slot >> 2], cpu.u32[(slot >> 2) + 1]);
}
/** Sets LMA, and LME with it, as “IA-32e mode guest” or “host address-space size” has them. */
export function setLongMode(cpu: Cpu, on: boolean, pagingOn: boolean): void {
  let efer = cpu.u32[State.efer >> 2] & ~EFER_LMA;
  if (pagingOn) efer = (efer & ~EFER_LME) | (on ? EFER_LME : 0);
  cpu.u32[State.efer >> 2] = efer | (on ? EFER_LMA : 0);
}
/** DR7 as it can be: bits 15, 14 and 12 clear, bit 10 set. */
function legalDr7(value: number): number {
  return ((value & ~0xd000) | 0x400) >>> 0;
}

/** Loads all guest registers. The caller has checked them, and makes the mode, the TLB context and the activity fit afterwards. */
export function loadGuestRegisters(cpu: Cpu, vmcs: Vmcs): void {
  const entry = vmcs.u32(Field.vmEntryControls);
  const cr0 = (vmcs.u32(Field.guestCr0) & ~CR0_KEPT) | (cpu.u32[State.cr0 >> 2] & CR0_KEPT);
  cpu.u32[State.cr0 >> 2] = cr0;
  cpu.u32[(State.cr0 >> 2) + 1] = 0;
  loadSlot(cpu, State.cr3, vmcs, Field.guestCr3);
  loadSlot(cpu, State.cr4, vmcs, Field.guestCr4);
  if (entry & EntryControl.loadDebugControls) {
    cpu.u32[(State.dr + 56) >> 2] = legalDr7(vmcs.u32(Field.guestDr7));
    cpu.u32[(State.dr + 60) >> 2] = 0;
    loadSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  loadSlot(cpu, State.sysenterCs, vmcs, Field.guestIa32SysenterCs);
  loadSlot(cpu, State.sysenterEsp, vmcs, Field.guestIa32SysenterEsp);
  loadSlot(cpu, State.sysenterEip, vmcs, Field.guestIa32SysenterEip);
  if (entry & EntryControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  else setLongMode(cpu, (entry & EntryControl.ia32eModeGuest) !== 0, (cr0 & 0x8000_0000) !== 0);
  if (entry & EntryControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  for (const s of GUEST_SEGMENTS) {
    const slot = (State.segment + s.segment * SEGMENT_STRIDE) >> 2;
    cpu.u32[slot + (SegmentState.base >> 2)] = vmcs.u32(s.base);
    cpu.u32[slot + (SegmentState.base >> 2) + 1] = vmcs.high32(s.base);
    cpu.u32[slot + (SegmentState.limit >> 2)] = vmcs.u32(s.limit);
    // CS is used whatever its bit 16 says.
    cpu.u32[slot + (SegmentState.access >> 2)] = vmcs.u32(s.access) & (s.segment === Seg.cs ? 0xf0ff : 0x1f0ff);
    cpu.u32[slot + (SegmentState.selector >> 2)] = vmcs.u32(s.selector);
  }
  loadSlot(cpu, State.gdtrBase, vmcs, Field.guestGdtrBase);
  cpu.u32[State.gdtrLimit >> 2] = vmcs.u32(Field.guestGdtrLimit);
  loadSlot(cpu, State.idtrBase, vmcs, Field.guestIdtrBase);
  cpu.u32[State.idtrLimit >> 2] = vmcs.u32(Field.guestIdtrLimit);
  loadSlot(cpu, State.rip, vmcs, Field.guestRip);
  loadSlot(cpu, State.gpr + 4 * 8, vmcs, Field.guestRsp);
  cpu.flags = vmcs.u32(Field.guestRflags);
  // CPL is the DPL of SS.
  cpu.setCpl((vmcs.u32(Field.guestSsAccessRights) & Ar.dpl) >> 5);
}

/**
 * Saves all guest registers. `rflags` is the image to be saved (RF as the exit has it). Returns the change bits of the fields whose values
 * are new.
 */
export function saveGuestRegisters(cpu: Cpu, vmcs: Vmcs, rflags: number): number {
  const exit = vmcs.u32(Field.primaryVmExitControls);
  const { u32 } = cpu;
  let changed = saveSlot(cpu, State.cr0, vmcs, Field.guestCr0);
  changed |= saveSlot(cpu, State.cr3, vmcs, Field.guestCr3);
  changed |= saveSlot(cpu, State.cr4, vmcs, Field.guestCr4);
  if (exit & ExitControl.saveDebugControls) {
    changed |= saveSlot(cpu, State.dr + 56, vmcs, Field.guestDr7);
    changed |= saveSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  changed |= vmcs.saveHalves(Field.guestIa32SysenterCs, u32[State.sysenterCs >> 2], 0);
  changed |= saveSlot(cpu, State.sysenterEsp, vmcs, Field.guestIa32SysenterEsp);
  changed |= saveSlot(cpu, State.sysenterEip, vmcs, Field.guestIa32SysenterEip);
  if (exit & ExitControl.saveIa32Pat) changed |= saveSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  if (exit & ExitControl.saveIa32Efer) changed |= saveSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  // IA32_VMX_MISC bit 5: VM exits store IA32_EFER.LMA into “IA-32e mode guest”.
  const entry = vmcs.u32(Field.vmEntryControls) & ~EntryControl.ia32eModeGuest;
  changed |= vmcs.saveHalves(Field.vmEntryControls, entry | (cpu.longMode ? EntryControl.ia32eModeGuest : 0), 0);
  for (const s of GUEST_SEGMENTS) {
    const slot = (State.segment + s.segment * SEGMENT_STRIDE) >> 2;
    changed |= vmcs.saveHalves(s.base, u32[slot + (SegmentState.base >> 2)], u32[slot + (SegmentState.base >> 2) + 1]);
    changed |= vmcs.saveHalves(s.limit, u32[slot + (SegmentState.limit >> 2)], 0);
    changed |= vmcs.saveHalves(s.access, u32[slot + (SegmentState.access >> 2)], 0);
    changed |= vmcs.saveHalves(s.selector, u32[slot + (SegmentState.selector >> 2)], 0);
  }
  changed |= saveSlot(cpu, State.gdtrBase, vmcs, Field.guestGdtrBase);
  changed |= vmcs.saveHalves(Field.guestGdtrLimit, u32[State.gdtrLimit >> 2], 0);
  changed |= saveSlot(cpu, State.idtrBase, vmcs, Field.guestIdtrBase);
  changed |= vmcs.saveHalves(Field.guestIdtrLimit, u32[State.idtrLimit >> 2], 0);
  changed |= saveSlot(cpu, State.rip, vmcs, Field.guestRip);
  changed |= saveSlot(cpu, State.gpr + 4 * 8, vmcs, Field.guestRsp);
  if ((vmcs.u32(Field.guestRflags) ^ rflags) & Flag.VM) changed |= VIRTUAL_8086_CHANGED;
  return changed | vmcs.saveHalves(Field.guestRflags, rflags, 0);
}
