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

/** A part of the list with what its rows read, so that it is passed over as a whole while nothing of that has changed. */
interface CheckBlock {
  readonly rows: readonly CheckRow[];
  /** Change bits of each row's inputs. */
  readonly inputs: readonly number[];
  readonly anyInput: number;
}

/** Change bits of everything that a row reads; all of them when it looks outside the VMCS. */
function inputsOf(row: CheckRow): number {
  if (row.looksOutside) return -1;
  const fields = row.fields.reduce((bits, f) => bits | changeBit(f) | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : 0), 0);
  return row.conditions.reduce((bits, f) => bits | (f === Field.guestRflags ? VIRTUAL_8086_CHANGED : changeBit(f)), fields);
}
function block(rows: readonly CheckRow[]): CheckBlock {
  const inputs = rows.map(inputsOf);
  return { rows, inputs, anyInput: inputs.reduce((a, b) => a | b, 0) };
}
/** Rows that look outside the VMCS stand in blocks of their own, so that they alone are asked each time. */
function blocks(rows: readonly CheckRow[]): CheckBlock[] {
  const found: CheckBlock[] = [];
  let run: CheckRow[] = [];
  for (const row of rows) {
    if (run.length > 0 && run[run.length - 1].looksOutside !== row.looksOutside) {
      found.push(block(run));
      run = [];
    }
    run.push(row);
  }
  if (run.length > 0) found.push(block(run));
  return found;
}

const GUEST_PARTS: readonly (readonly CheckRow[])[] = [
  GUEST_CONTROL_REGISTER_CHECKS,
  GUEST_SEGMENT_CHECKS,
  GUEST_DESCRIPTOR_TABLE_CHECKS,
  GUEST_RIP_RFLAGS_CHECKS,
  GUEST_NON_REGISTER_CHECKS,
  GUEST_PDPTE_CHECKS,
];
const CONTROL_BLOCKS = blocks(CONTROL_CHECKS);
const HOST_BLOCKS = blocks(HOST_CHECKS);
const GUEST_BLOCKS = GUEST_PARTS.flatMap(blocks);

export const GUEST_CHECKS: readonly CheckRow[] = GUEST_PARTS.flat();

/** Every check row, in the order in which VM entry makes them. */
export const ENTRY_CHECKS: readonly CheckRow[] = [...CONTROL_CHECKS, ...HOST_CHECKS, ...GUEST_CHECKS];

export function firstFailure(rows: readonly CheckRow[], context: CheckContext): CheckRow | undefined {
  return rows.find((row) => !row.holds(context));
}

function failureIn(list: readonly CheckBlock[], context: CheckContext, changed: number): CheckRow | undefined {
  for (const { rows, inputs, anyInput } of list) {
    if ((anyInput & changed) === 0 && anyInput !== -1) continue;
    for (let n = 0; n < rows.length; n++) {
      if (((inputs[n] & changed) !== 0 || inputs[n] === -1) && !rows[n].holds(context)) return rows[n];
    }
  }
  return undefined;
}

/** First failing row on controls and host state, of those whose inputs are in `changed` or outside the VMCS. */
export function controlOrHostFailure(context: CheckContext, changed: number): CheckRow | undefined {
  return failureIn(CONTROL_BLOCKS, context, changed) ?? failureIn(HOST_BLOCKS, context, changed);
}
/** First failing row on guest state, likewise. */
export function guestFailure(context: CheckContext, changed: number): CheckRow | undefined {
  return failureIn(GUEST_BLOCKS, context, changed);
}

/** A failed row with the values that failed it. */
export function describeFailure(row: CheckRow, context: CheckContext): FailedCheck {
  const values = row.fields.map((field) => ({ name: field.name, value: context.u64(field) }));
  const limits = row.msrs.map((msr) => ({ name: VMX_MSR_NAMES[msr], value: context.capabilities.msrs.get(msr) ?? 0n }));
  return { name: row.name, section: row.section, sentence: row.sentence, fields: [...values, ...limits] };
}
