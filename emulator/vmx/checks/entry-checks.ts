/**
 * The list of VM-entry checks in the manual's order and the functions that run it: SDM volume 3, "VM Entries". They return the first row
 * that fails; the refusal that the guest sees and the sentence that the user reads come from that row.
 */
import { Field } from '../../spec/vmcs-fields';
import { VMX_MSR_NAMES } from '../../spec/vmx-capabilities';
import { changeBit, VIRTUAL_8086_CHANGED } from '../changes';
import type { FailedCheck } from '../observer';
import type { CheckContext, CheckRow } from './check-row';
import { CONTROL_CHECKS } from './control-checks';
import { GUEST_NON_REGISTER_CHECKS, GUEST_PDPTE_CHECKS } from './guest-non-register-checks';
import { GUEST_CONTROL_REGISTER_CHECKS, GUEST_DESCRIPTOR_TABLE_CHECKS, GUEST_RIP_RFLAGS_CHECKS } from './guest-register-checks';
import { GUEST_SEGMENT_CHECKS } from './guest-segment-checks';
import { HOST_CHECKS } from './host-checks';

/** Change bits of everything that a row reads; all of them when it looks outside the VMCS. */
function inputsOf(row: CheckRow): number {
  if (row.looksOutside) return -1;
  const fields = row.fields.reduce((bits, f) => bits | changeBit(f) | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0), 0);
  return row.conditions.reduce((bits, f) => bits | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : changeBit(f)), fields);
}
const GUEST_PARTS: readonly (readonly CheckRow[])[] = [
  GUEST_CONTROL_REGISTER_CHECKS,
  GUEST_SEGMENT_CHECKS,
  GUEST_DESCRIPTOR_TABLE_CHECKS,
  GUEST_RIP_RFLAGS_CHECKS,
  GUEST_NON_REGISTER_CHECKS,
  GUEST_PDPTE_CHECKS,
];
export const GUEST_CHECKS: readonly CheckRow[] = GUEST_PARTS.flat();

/** Every check row, in the order in which VM entry makes them. */
export const ENTRY_CHECKS: readonly CheckRow[] = [...CONTROL_CHECKS, ...HOST_CHECKS, ...GUEST_CHECKS];

export function firstFailure(rows: readonly CheckRow[], context: CheckContext): CheckRow | undefined {
  return rows.find((row) => !row.holds(context));
}

/** The rows whose inputs are in a set of change bits or outside the VMCS, in order. */
interface Selected {
  readonly controlsAndHost: readonly CheckRow[];
  readonly guest: readonly CheckRow[];
}

/** Selections are few, as exit handlers write the same fields again and again; when there are more, they are made anew. */
const MOST_SELECTIONS = 64;

/** Which rows a VM entry has to ask, by what has changed since the last one. Remembers its answers; holds no machine state. */
export class CheckSelection {
  private readonly known = new Map<number, Selected>();

  /** First failing row on controls and host state. */
  controlOrHostFailure(context: CheckContext, changed: number): CheckRow | undefined {
    return failureIn(this.select(changed).controlsAndHost, context);
  }
  /** First failing row on guest state, likewise. */
  guestFailure(context: CheckContext, changed: number): CheckRow | undefined {
    return failureIn(this.select(changed).guest, context);
  }

  private select(changed: number): Selected {
    let selected = this.known.get(changed);
    if (selected !== undefined) return selected;
    if (this.known.size >= MOST_SELECTIONS) this.known.clear();
    const rows = (from: number, to: number): CheckRow[] =>
      ENTRY_CHECKS.slice(from, to).filter((_, n) => INPUTS[from + n] === -1 || (INPUTS[from + n] & changed) !== 0);
    const firstGuest = ENTRY_CHECKS.length - GUEST_CHECKS.length;
    selected = { controlsAndHost: rows(0, firstGuest), guest: rows(firstGuest, ENTRY_CHECKS.length) };
    this.known.set(changed, selected);
    return selected;
  }
}
const INPUTS: readonly number[] = ENTRY_CHECKS.map(inputsOf);

function failureIn(rows: readonly CheckRow[], context: CheckContext): CheckRow | undefined {
  for (const row of rows) if (!row.holds(context)) return row;
  return undefined;
}

/** A failed row with the values that failed it. */
export function describeFailure(row: CheckRow, context: CheckContext): FailedCheck {
  const values = row.fields.map((field) => ({ name: field.name, value: context.u64(field) }));
  const limits = row.msrs.map((msr) => ({ name: VMX_MSR_NAMES[msr], value: context.capabilities.msrs.get(msr) ?? 0n }));
  return { name: row.name, section: row.section, sentence: row.sentence, fields: [...values, ...limits] };
}
