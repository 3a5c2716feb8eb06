/**
 * Which groups of VMCS fields have changed since the last VM entry whose checks all held, one bit a group, so that VM entry repeats only
 * the checks whose inputs changed. The word lies in the vCPU state; VMPTRLD sets every bit.
 */
import type { Cpu } from '../cpu/cpu';
import { Field, VMCS_FIELDS, type VmcsField } from '../spec/vmcs-fields';
import { VmxState } from './vmx-state';

/** Everything may have changed. */
export const ALL_CHANGED = 0xffff_ffff;

/** The VM flag of GUEST_RFLAGS has a bit of its own: many segment checks ask for it, and it hardly ever changes. */
export const VIRTUAL_8086_CHANGED = 1 << 2;

/** Groups in the order of their bits. A field in no group is read by no check. */
const GROUPS: readonly (readonly VmcsField[] | ((f: VmcsField) => boolean))[] = [
  [Field.guestRip],
  [Field.guestRflags],
  [], // VIRTUAL_8086_CHANGED
  [Field.guestCr0],
  [Field.guestCr3],
  [Field.guestCr4],
  [Field.guestCsSelector, Field.guestCsBase, Field.guestCsLimit, Field.guestCsAccessRights],
  [Field.guestSsSelector, Field.guestSsBase, Field.guestSsLimit, Field.guestSsAccessRights],
  (f) => /^GUEST_(DS|ES)_/.test(f.name),
  (f) => /^GUEST_(FS|GS)_/.test(f.name),
  (f) => /^GUEST_(TR|LDTR)_/.test(f.name),
  (f) => f.subgroup === 'descriptor-tables' && f.type === 'guest',
  (f) => (f.subgroup === 'msrs' && f.type === 'guest') || f === Field.guestDr7,
  [Field.guestInterruptibilityState],
  [Field.guestActivityState],
  [Field.guestPendingDebugExceptions],
  [Field.vmcsLinkPointer],
  (f) => f.format === 'pdpte',
  [Field.vmEntryControls],
  (f) => f.group === 'entry' && f.subgroup === 'event',
  [Field.primaryVmExitControls],
  [Field.pinBasedVmExecutionControls],
  [Field.primaryProcessorBasedVmExecutionControls, Field.secondaryProcessorBasedVmExecutionControls],
  (f) => f.group === 'execution' && f.subgroup !== 'controls',
  (f) => (f.group === 'exit' || f.group === 'entry') && f.subgroup === 'msrs',
  (f) => f.group === 'host',
];

const BITS: readonly number[] = VMCS_FIELDS.map((field) => {
  const bit = GROUPS.findIndex((group) => (typeof group === 'function' ? group(field) : group.includes(field)));
  return bit < 0 ? 0 : 1 << bit;
});

/** The change bit of a field; 0 when no check reads it. */
export function changeBit(field: VmcsField): number {
  return BITS[field.index];
}
/** Notes that software has written a field (VMWRITE, a user). */
export function noteFieldWrite(cpu: Cpu, field: VmcsField): void {
  cpu.u32[VmxState.changed >> 2] |= BITS[field.index] | (field === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0);
}
/** To be called when the region was written in another way (a user's edit): the next VM entry makes every check. */
export function forgetChecks(cpu: Cpu): void {
  cpu.set32(VmxState.changed, ALL_CHANGED);
}
