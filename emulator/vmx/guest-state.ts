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
import { copyTable, narrow, wide } from './register-copies';
import { GUEST_SEGMENTS } from './segment-fields';

const segmentSlot = (segment: number): number => State.segment + segment * SEGMENT_STRIDE;
/** What every entry loads and every exit saves as it is. */
const PLAIN = [
  wide(State.cr3, Field.guestCr3),
  wide(State.cr4, Field.guestCr4),
  wide(State.sysenterEsp, Field.guestIa32SysenterEsp),
  wide(State.sysenterEip, Field.guestIa32SysenterEip),
  ...GUEST_SEGMENTS.flatMap((s) => [
    wide(segmentSlot(s.segment) + SegmentState.base, s.base),
    narrow(segmentSlot(s.segment) + SegmentState.limit, s.limit),
    narrow(segmentSlot(s.segment) + SegmentState.access, s.access),
    narrow(segmentSlot(s.segment) + SegmentState.selector, s.selector),
  ]),
  wide(State.gdtrBase, Field.guestGdtrBase),
  narrow(State.gdtrLimit, Field.guestGdtrLimit),
  wide(State.idtrBase, Field.guestIdtrBase),
  narrow(State.idtrLimit, Field.guestIdtrLimit),
  wide(State.rip, Field.guestRip),
  wide(State.gpr + 4 * 8, Field.guestRsp),
];
export const GUEST_LOADED = copyTable(0, 'load', [...PLAIN, wide(State.sysenterCs, Field.guestIa32SysenterCs)]);
export const GUEST_SAVED = copyTable(1, 'save', [
  ...PLAIN,
  wide(State.cr0, Field.guestCr0),
  narrow(State.sysenterCs, Field.guestIa32SysenterCs),
]);

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
  vmcs.load(cpu, GUEST_LOADED);
  if (entry & EntryControl.loadDebugControls) {
    cpu.u32[(State.dr + 56) >> 2] = legalDr7(vmcs.u32(Field.guestDr7));
    cpu.u32[(State.dr + 60) >> 2] = 0;
    loadSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  if (entry & EntryControl.loadIa32Efer) loadSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  else setLongMode(cpu, (entry & EntryControl.ia32eModeGuest) !== 0, (cr0 & 0x8000_0000) !== 0);
  if (entry & EntryControl.loadIa32Pat) loadSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  for (let segment = 0; segment < GUEST_SEGMENTS.length; segment++)
    // CS is used whatever its bit 16 says.
    cpu.u32[(segmentSlot(segment) + SegmentState.access) >> 2] &= segment === Seg.cs ? 0xf0ff : 0x1f0ff;
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
  let changed = vmcs.save(cpu, GUEST_SAVED);
  if (exit & ExitControl.saveDebugControls) {
    changed |= saveSlot(cpu, State.dr + 56, vmcs, Field.guestDr7);
    changed |= saveSlot(cpu, State.debugctl, vmcs, Field.guestIa32Debugctl);
  }
  if (exit & ExitControl.saveIa32Pat) changed |= saveSlot(cpu, State.pat, vmcs, Field.guestIa32Pat);
  if (exit & ExitControl.saveIa32Efer) changed |= saveSlot(cpu, State.efer, vmcs, Field.guestIa32Efer);
  // IA32_VMX_MISC bit 5: VM exits store IA32_EFER.LMA into “IA-32e mode guest”.
  const entry = vmcs.u32(Field.vmEntryControls) & ~EntryControl.ia32eModeGuest;
  changed |= vmcs.saveHalves(Field.vmEntryControls, entry | (cpu.longMode ? EntryControl.ia32eModeGuest : 0), 0);
  if ((vmcs.u32(Field.guestRflags) ^ rflags) & Flag.VM) changed |= VIRTUAL_8086_CHANGED;
  return changed | vmcs.saveHalves(Field.guestRflags, rflags, 0);
}
