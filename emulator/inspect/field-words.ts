/** The value of a VMCS field in words, by the format that its row names. */
import { decodeBits, summarizeBits, type BitLayout, type DecodedBits } from '../spec/named-bits';
import { Cr0, Cr4, Efer } from '../spec/registers';
import { Flag } from '../spec/vcpu-state';
import {
  ACCESS_RIGHTS_LAYOUT, ACTIVITY_WORDS, EVENT_INJECTION_LAYOUT, EXCEPTION_BITMAP_LAYOUT, EXCEPTION_NAMES, EXIT_INTERRUPTION_LAYOUT, EXIT_REASON_LAYOUT, IDT_VECTORING_LAYOUT,
  INTERRUPTIBILITY_LAYOUT, PAGE_FAULT_CODE_LAYOUT, PAT_LAYOUT, PENDING_DEBUG_LAYOUT,
} from '../spec/vmcs-formats'; // prettier-ignore
import { EPTP_LAYOUT } from '../spec/ept';
import { decodeQualification, explainQualification, instructionInformationLayout } from '../spec/exit-qualification';
import { exitReasonName, exitReasonRow } from '../spec/exit-reasons';
import { vmInstructionErrorSentence } from '../spec/vm-instruction-errors';
import type { VmcsField } from '../spec/vmcs-fields';
import { controlLayout, type ControlWordId } from '../spec/vmx-controls';

/** Other values of the VMCS that a description needs. */
export interface FieldSurroundings {
  readonly basicReason: number;
  readonly vector: number;
}

/** A layout from masks by name. */
function layoutOf(masks: Readonly<Record<string, bigint | number>>): BitLayout {
  return Object.entries(masks).map(([name, mask]) => ({ low: bitLow(mask), high: BigInt(mask).toString(2).length - 1, name }));
}
function bitLow(mask: bigint | number): number {
  let low = 0;
  for (let m = BigInt(mask); m !== 0n && (m & 1n) === 0n; m >>= 1n) low++;
  return low;
}

const CR0_LAYOUT = layoutOf(Cr0);
const CR4_LAYOUT = layoutOf(Cr4);
const EFER_LAYOUT = layoutOf(Efer);
const RFLAGS_LAYOUT = layoutOf(Flag);
const DEBUGCTL_LAYOUT: BitLayout = [
  { low: 0, high: 0, name: 'LBR' },
  { low: 1, high: 1, name: 'BTF' },
];
const DR7_LAYOUT: BitLayout = [
  ...[0, 1, 2, 3].flatMap((n) => [{ low: n * 2, high: n * 2, name: `L${n}` }, { low: n * 2 + 1, high: n * 2 + 1, name: `G${n}` }]),
  { low: 8, high: 8, name: 'LE' }, { low: 9, high: 9, name: 'GE' }, { low: 11, high: 11, name: 'RTM' }, { low: 13, high: 13, name: 'GD' },
  ...[0, 1, 2, 3].flatMap((n) => [{ low: 16 + n * 4, high: 17 + n * 4, name: `R/W${n}` }, { low: 18 + n * 4, high: 19 + n * 4, name: `LEN${n}` }]),
]; // prettier-ignore
const PDPTE_LAYOUT: BitLayout = [
  { low: 0, high: 0, name: 'present' },
  { low: 12, high: 51, name: 'page frame' },
];
const VM_FUNCTIONS_LAYOUT: BitLayout = [{ low: 0, high: 0, name: 'EPTP switching' }];

const LAYOUTS: Readonly<Record<string, BitLayout>> = {
  'access-rights': ACCESS_RIGHTS_LAYOUT,
  'event-injection': EVENT_INJECTION_LAYOUT,
  'exit-interruption': EXIT_INTERRUPTION_LAYOUT,
  'idt-vectoring': IDT_VECTORING_LAYOUT,
  'exit-reason': EXIT_REASON_LAYOUT,
  interruptibility: INTERRUPTIBILITY_LAYOUT,
  'pending-debug': PENDING_DEBUG_LAYOUT,
  'page-fault-code': PAGE_FAULT_CODE_LAYOUT,
  'exception-bitmap': EXCEPTION_BITMAP_LAYOUT,
  pat: PAT_LAYOUT,
  eptp: EPTP_LAYOUT,
  cr0: CR0_LAYOUT,
  cr4: CR4_LAYOUT,
  efer: EFER_LAYOUT,
  rflags: RFLAGS_LAYOUT,
  debugctl: DEBUGCTL_LAYOUT,
  dr7: DR7_LAYOUT,
  pdpte: PDPTE_LAYOUT,
  'vm-functions': VM_FUNCTIONS_LAYOUT,
};
/** Formats whose other bits mean nothing while bit 31 is 0. */
const VALID_BIT_FORMATS: readonly string[] = ['event-injection', 'exit-interruption', 'idt-vectoring'];

function layoutFor(field: VmcsField, around: FieldSurroundings): BitLayout | undefined {
  if (field.format.startsWith('controls:')) return controlLayout(field.format.slice('controls:'.length) as ControlWordId);
  if (field.format === 'instruction-information') return instructionInformationLayout(around.basicReason);
  return LAYOUTS[field.format];
}

/** The named bits of a field; empty when it has none. */
export function fieldBits(field: VmcsField, value: bigint, around: FieldSurroundings): readonly DecodedBits[] {
  if (field.format === 'exit-qualification') return decodeQualification(around.basicReason, value, around.vector);
  const layout = layoutFor(field, around);
  return layout === undefined ? [] : decodeBits(layout, value);
}

/** An interruption-information value in words: '#PF (hardware exception, vector 14)'. */
export function explainInterruption(info: number): string {
  if (!(info >>> 31)) return 'not valid';
  const vector = info & 0xff;
  const type = (info >>> 8) & 7;
  const typeWord = EXIT_INTERRUPTION_LAYOUT[1].words?.[type] ?? '';
  if (type === 7) return vector === 0 ? 'pending MTF VM exit' : `other event ${vector}`;
  const name = type === 3 || type === 5 || type === 6 ? EXCEPTION_NAMES[vector] : undefined;
  return `${name === undefined ? '' : `${name}, `}${typeWord}, vector ${vector}${info & 0x800 ? ', with error code' : ''}`;
}

/** One line of words for a field; empty where the raw value says it all. */
export function describeField(field: VmcsField, value: bigint, around: FieldSurroundings): string {
  switch (field.format) {
    case 'exit-reason': {
      const reason = Number(value & 0xffffn);
      const failure = value & 0x8000_0000n ? ' (VM-entry failure)' : '';
      return `${exitReasonName(reason)}${failure}: ${exitReasonRow(reason)?.sentence ?? 'no such exit reason'}`;
    }
    case 'exit-qualification':
      return explainQualification(around.basicReason, value, around.vector);
    case 'instruction-error':
      return value === 0n ? '' : vmInstructionErrorSentence(Number(value));
    case 'activity':
      return ACTIVITY_WORDS[Number(value)] ?? 'reserved value';
    case 'link-pointer':
      return value === 0xffff_ffff_ffff_ffffn ? 'not used' : '';
    case 'selector':
      return value === 0n ? 'null' : `index ${value >> 3n}, ${value & 4n ? 'LDT' : 'GDT'}, RPL ${value & 3n}`;
    case 'number':
      return value < 10n ? '' : String(value);
    case 'access-rights':
      return describeAccessRights(Number(value));
  }
  if (VALID_BIT_FORMATS.includes(field.format)) return explainInterruption(Number(value));
  const layout = layoutFor(field, around);
  return layout === undefined ? '' : summarizeBits(layout, value);
}

function describeAccessRights(access: number): string {
  if (access & 0x10000) return 'unusable';
  const type = access & 0xf;
  let words: string;
  if (!(access & 0x10)) words = { 2: 'LDT', 3: 'busy 16-bit TSS', 9: 'available TSS', 11: 'busy TSS' }[type] ?? `system type ${type}`;
  else if (type & 8) words = `code${type & 4 ? ', conforming' : ''}${type & 2 ? ', readable' : ''}`;
  else words = `data${type & 4 ? ', expand-down' : ''}${type & 2 ? ', writable' : ''}`;
  const size = access & 0x2000 ? ', 64-bit' : access & 0x10 ? (access & 0x4000 ? ', 32-bit' : ', 16-bit') : '';
  return `${words}${size}, DPL ${(access >> 5) & 3}${access & 0x80 ? '' : ', not present'}`;
}
