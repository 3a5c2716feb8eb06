/**
 * The list of VM-entry checks in the manual's order and the function that runs it: SDM volume 3, "VM Entries". It returns the first row
 * that fails; the refusal that the guest sees and the sentence that the user reads come from that row.
 */
import { VMX_MSR_NAMES } from '../../spec/vmx-capabilities';
import type { FailedCheck } from '../observer';
import type { CheckContext, CheckRow } from './check-row';
import { CONTROL_CHECKS } from './control-checks';
import { GUEST_NON_REGISTER_CHECKS, GUEST_PDPTE_CHECKS } from './guest-non-register-checks';
import { GUEST_CONTROL_REGISTER_CHECKS, GUEST_DESCRIPTOR_TABLE_CHECKS, GUEST_RIP_RFLAGS_CHECKS } from './guest-register-checks';
import { GUEST_SEGMENT_CHECKS } from './guest-segment-checks';
import { HOST_CHECKS } from './host-checks';

export const GUEST_CHECKS: readonly CheckRow[] = [
  ...GUEST_CONTROL_REGISTER_CHECKS,
  ...GUEST_SEGMENT_CHECKS,
  ...GUEST_DESCRIPTOR_TABLE_CHECKS,
  ...GUEST_RIP_RFLAGS_CHECKS,
  ...GUEST_NON_REGISTER_CHECKS,
  ...GUEST_PDPTE_CHECKS,
];

/** Every check row, in the order in which VM entry makes them. */
export const ENTRY_CHECKS: readonly CheckRow[] = [...CONTROL_CHECKS, ...HOST_CHECKS, ...GUEST_CHECKS];

export function firstFailure(rows: readonly CheckRow[], context: CheckContext): CheckRow | undefined {
  for (let n = 0; n < rows.length; n++) if (!rows[n].holds(context)) return rows[n];
  return undefined;
}

/** A failed row with the values that failed it. */
export function describeFailure(row: CheckRow, context: CheckContext): FailedCheck {
  const values = row.fields.map((field) => ({ name: field.name, value: context.u64(field) }));
  const limits = row.msrs.map((msr) => ({ name: VMX_MSR_NAMES[msr], value: context.capabilities.msrs.get(msr) ?? 0n }));
  return { name: row.name, section: row.section, sentence: row.sentence, fields: [...values, ...limits] };
}
