/**
 * The shape of a VM-entry check: one row of a list that hardware, the nested hypervisor and the views share. The rows are in the files
 * beside this one, in the order of the SDM chapter "VM Entries".
 */
import type { VmxCapabilities } from '../../spec/vmx-capabilities';
import { EntryControl, ExitControl, Primary, Secondary } from '../../spec/vmx-controls';
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import type { VmcsReader } from '../vmcs';

/** What a check may look at. */
export interface CheckContext extends VmcsReader {
  readonly capabilities: VmxCapabilities;
  /** IA32_EFER.LMA at the time of VM entry. */
  readonly ia32eMode: boolean;
  /** The current-VMCS pointer. */
  readonly pointer: number;
  read32(physical: number): number;
  read64(physical: number): bigint;
}

/** How a failed check ends the VM entry. */
export type CheckOutcome =
  /** VMfailValid(7): VM entry with invalid control field(s). */
  | 'control'
  /** VMfailValid(8): VM entry with invalid host-state field(s). */
  | 'host'
  /** VM exit with basic exit reason 33. */
  | 'guest';

export interface CheckRow {
  /** Unique; says what is checked. */
  readonly name: string;
  /** Title of the SDM section that demands it. */
  readonly section: string;
  /** What the manual demands. */
  readonly sentence: string;
  readonly outcome: CheckOutcome;
  /** Exit qualification of a guest-state failure: SDM "VM-Entry Failures During or After Loading Guest State". */
  readonly qualification: number;
  /** Fields that are shown with a failure. */
  readonly fields: readonly VmcsField[];
  /** Fields that the condition reads besides; of GUEST_RFLAGS here only the VM flag. Nothing else of the VMCS may be read. */
  readonly conditions: readonly VmcsField[];
  /** Capability MSRs that are shown with a failure. */
  readonly msrs: readonly number[];
  /** The condition looks at processor state or at memory outside the VMCS too. */
  readonly looksOutside: boolean;
  holds(c: CheckContext): boolean;
}

export interface CheckRowInit {
  readonly name: string;
  readonly sentence: string;
  readonly fields: readonly VmcsField[];
  readonly conditions?: readonly VmcsField[];
  readonly msrs?: readonly number[];
  readonly qualification?: number;
  readonly looksOutside?: boolean;
  holds(c: CheckContext): boolean;
}
/** Makes the rows of one section. */
export function section(title: string, outcome: CheckOutcome, rows: readonly CheckRowInit[]): CheckRow[] {
  return rows.map((row) => ({
    name: row.name,
    section: title,
    sentence: row.sentence,
    outcome,
    qualification: row.qualification ?? 0,
    fields: row.fields,
    conditions: row.conditions ?? [],
    msrs: row.msrs ?? [],
    looksOutside: row.looksOutside ?? false,
    holds: row.holds,
  }));
}

/** Fields behind `secondary()`. */
export const SECONDARY_FIELDS = [Field.primaryProcessorBasedVmExecutionControls, Field.secondaryProcessorBasedVmExecutionControls] as const;

export function primary(c: VmcsReader): number {
  return c.u32(Field.primaryProcessorBasedVmExecutionControls);
}
/** The secondary controls as they count: all 0 unless activated. */
export function secondary(c: VmcsReader): number {
  return primary(c) & Primary.activateSecondaryControls ? c.u32(Field.secondaryProcessorBasedVmExecutionControls) : 0;
}
export function unrestrictedGuest(c: VmcsReader): boolean {
  return (secondary(c) & Secondary.unrestrictedGuest) !== 0;
}
export function eptEnabled(c: VmcsReader): boolean {
  return (secondary(c) & Secondary.enableEpt) !== 0;
}
export function ia32eModeGuest(c: VmcsReader): boolean {
  return (c.u32(Field.vmEntryControls) & EntryControl.ia32eModeGuest) !== 0;
}
export function entryControl(c: VmcsReader, mask: number): boolean {
  return (c.u32(Field.vmEntryControls) & mask) !== 0;
}
export function host64(c: VmcsReader): boolean {
  return (c.u32(Field.primaryVmExitControls) & ExitControl.hostAddressSpaceSize) !== 0;
}
export function exitControl(c: VmcsReader, mask: number): boolean {
  return (c.u32(Field.primaryVmExitControls) & mask) !== 0;
}

/** Bits 63:47 (63:56 with 57 linear-address bits) are identical. */
export function canonical(c: CheckContext, field: VmcsField): boolean {
  const top = (c.high32(field) | 0) >> (c.capabilities.model.linearBits - 33);
  return top === 0 || top === -1;
}
/** No bit beyond the processor's physical-address width. */
export function withinPhysicalWidth(c: CheckContext, field: VmcsField): boolean {
  return c.high32(field) >>> (c.capabilities.model.maxPhyAddr - 32) === 0;
}
export function pageAligned(c: VmcsReader, field: VmcsField): boolean {
  return (c.u32(field) & 0xfff) === 0;
}
/** Each byte is a memory type that IA32_PAT may hold: 0 (UC), 1 (WC), 4 (WT), 5 (WP), 6 (WB) or 7 (UC-). */
export function patValid(c: VmcsReader, field: VmcsField): boolean {
  for (const word of [c.u32(field), c.high32(field)]) {
    for (let shift = 0; shift < 32; shift += 8) {
      const type = (word >>> shift) & 0xff;
      if (type > 7 || type === 2 || type === 3) return false;
    }
  }
  return true;
}
/** Bits of IA32_EFER that are not reserved here: SCE, LME, LMA and NXE. */
export function eferReservedClear(c: CheckContext, field: VmcsField): boolean {
  const defined = c.capabilities.model.features.has('nx') ? 0xd01 : 0x501;
  return (c.u32(field) & ~defined) === 0 && c.high32(field) === 0;
}
/** Every bit of the low half is 1 where `fixed0` is, and 0 where `fixed1` is; the high half is 0. */
export function fixedBits(c: VmcsReader, field: VmcsField, fixed0: bigint, fixed1: bigint, unchecked = 0): boolean {
  const value = c.u32(field);
  const must1 = Number(fixed0) & ~unchecked;
  const may1 = Number(fixed1) | unchecked;
  return (value & must1) === must1 && (value & ~may1) === 0 && c.high32(field) === 0;
}

export const secondaryIs = (c: VmcsReader, control: number): boolean => (secondary(c) & control) !== 0;

/** Two rows for a page whose address is used when `used` holds. */
export function pageAddress(
  field: VmcsField,
  control: string,
  conditions: readonly VmcsField[],
  used: (c: CheckContext) => boolean,
): CheckRowInit[] {
  return [
    {
      name: `${field.name}: alignment`,
      sentence: `If “${control}” is 1, bits 11:0 of ${field.name} must be 0.`,
      fields: [field],
      conditions,
      holds: (c) => !used(c) || pageAligned(c, field),
    },
    {
      name: `${field.name}: physical-address width`,
      sentence: `If “${control}” is 1, ${field.name} must not set any bit beyond the processor's physical-address width.`,
      fields: [field],
      conditions,
      holds: (c) => !used(c) || withinPhysicalWidth(c, field),
    },
  ];
}
