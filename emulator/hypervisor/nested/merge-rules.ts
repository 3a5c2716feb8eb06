/**
 * How each field of VMCS02 comes about: one row a field, with its origin and the rule in words, from which VMCS02 is written and from which views
 * tell why a field is what it is. Host state is L0's own and does not change; guest state is VMCS12's unless L1 left it as it was.
 */
import { type VmcsField, Field, VMCS_FIELDS } from '../../spec/vmcs-fields';
import { EntryControl, Pin, Primary, Secondary } from '../../spec/vmx-controls';
import type { VmcsReader } from '../../vmx/vmcs';
import { secondaryControls } from '../../vmx/intercepts';
import { CLASS_MASKS, mergeControls } from './merge-classes';

export type Origin = 'from 12' | 'from 01' | 'forced by L0' | 'merged';

/** What the rules look at. */
export interface MergeInput {
  readonly vmcs12: VmcsReader;
  readonly vmcs01: VmcsReader;
  /** Host-physical address of an address of L1. */
  toHpa(gpa: number): number;
  /** EPTP that stands for L1's. */
  eptPointer(): number;
  /** VPID that stands for L1's. */
  vpid(): number;
  /** PDPTEs of a guest that L1 runs without EPT: they are in its memory. Undefined: the fields of VMCS12 count. */
  pdpte(n: number): bigint | undefined;
  /** Areas that L0 has copied into its own memory, with their counts. */
  readonly entryMsrs: { readonly hpa: number; readonly count: number };
  readonly exitStoreMsrs: { readonly hpa: number; readonly count: number };
}

export interface MergeRule {
  readonly field: VmcsField;
  readonly origin: (i: MergeInput) => Origin;
  /** The rule in words. */
  readonly rule: string;
  readonly value: (i: MergeInput) => bigint;
  /** The value is the field of VMCS12, whatever else there is. */
  readonly copies: boolean;
}

const always = (origin: Origin) => (): Origin => origin;
const from12 = (field: VmcsField, rule = 'as in VMCS12'): MergeRule => ({
  field,
  origin: always('from 12'),
  rule,
  value: (i) => i.vmcs12.u64(field),
  copies: true,
});
const forced = (field: VmcsField, rule: string, value: (i: MergeInput) => bigint): MergeRule => ({
  field,
  origin: always('forced by L0'),
  rule,
  value,
  copies: false,
});
const merged = (field: VmcsField, rule: string, value: (i: MergeInput) => bigint): MergeRule => ({
  field,
  origin: always('merged'),
  rule,
  value,
  copies: false,
});

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const EFER_LMA = 0x400n;
const EFER_LME = 0x100n;
const PAGING = 0x8000_0000;
const loads = (i: MergeInput, control: number): boolean => (i.vmcs12.u32(Field.vmEntryControls) & control) !== 0;
const secondaryHas = (i: MergeInput, control: number): boolean => (secondaryControls(i.vmcs12) & control) !== 0;
const usesTimer = (i: MergeInput): boolean => (i.vmcs12.u32(Field.pinBasedVmExecutionControls) & Pin.activateVmxPreemptionTimer) !== 0;

/** An address of L1 that hardware is to use: translated by EPT01 when the control that needs it is 1. */
function address(field: VmcsField, used: (i: MergeInput) => boolean): MergeRule {
  const rule = 'the guest-physical address of VMCS12 translated by EPT01; 0 while nothing uses it';
  return merged(field, rule, (i) => (used(i) ? BigInt(i.toHpa(i.vmcs12.address(field))) : 0n));
}
const primaryHas =
  (control: number) =>
  (i: MergeInput): boolean =>
    (i.vmcs12.u32(Field.primaryProcessorBasedVmExecutionControls) & control) !== 0;
const bySecondary =
  (control: number) =>
  (i: MergeInput): boolean =>
    secondaryHas(i, control);

/** Guest state that VM entry loads only if a control says so: else L2 has what L1 had. */
function loaded(field: VmcsField, control: number, name: string): MergeRule {
  return {
    field,
    origin: (i) => (loads(i, control) ? 'from 12' : 'from 01'),
    rule: `VMCS12's with “${name}”; else what L1 had, which a VM entry leaves as it is`,
    value: (i) => (loads(i, control) ? i.vmcs12.u64(field) : i.vmcs01.u64(field)),
    copies: false,
  };
}

/** Without “load IA32_EFER”, LMA and (with paging) LME follow “IA-32e mode guest”. */
function efer(i: MergeInput): bigint {
  if (loads(i, EntryControl.loadIa32Efer)) return i.vmcs12.u64(Field.guestIa32Efer);
  const ia32e = loads(i, EntryControl.ia32eModeGuest);
  let value = i.vmcs01.u64(Field.guestIa32Efer) & ~EFER_LMA;
  if (i.vmcs12.u32(Field.guestCr0) & PAGING) value = (value & ~EFER_LME) | (ia32e ? EFER_LME : 0n);
  return ia32e ? value | EFER_LMA : value;
}

const word = (field: VmcsField, masks: keyof typeof CLASS_MASKS): MergeRule =>
  merged(field, 'bit by bit by the merge class of each control', (i) => {
    const word12 = masks === 'secondary' ? secondaryControls(i.vmcs12) : i.vmcs12.u32(field);
    const word01 = masks === 'secondary' ? secondaryControls(i.vmcs01) : i.vmcs01.u32(field);
    return BigInt(mergeControls(CLASS_MASKS[masks], word12, word01, usesTimer(i)));
  });

const pdptes = [Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3];

const SPECIAL: readonly MergeRule[] = [
  word(Field.pinBasedVmExecutionControls, 'pin'),
  word(Field.primaryProcessorBasedVmExecutionControls, 'primary'),
  word(Field.secondaryProcessorBasedVmExecutionControls, 'secondary'),
  word(Field.primaryVmExitControls, 'exit'),
  word(Field.vmEntryControls, 'entry'),
  merged(Field.exceptionBitmap, 'exits that either wants: VMCS12 or VMCS01', (i) =>
    BigInt((i.vmcs12.u32(Field.exceptionBitmap) | i.vmcs01.u32(Field.exceptionBitmap)) >>> 0),
  ),
  merged(Field.tscOffset, 'offset01 + offset12 (L0 does not scale), each while its “use TSC offsetting” is 1', (i) => {
    const part = (vmcs: VmcsReader): bigint =>
      vmcs.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.useTscOffsetting ? vmcs.u64(Field.tscOffset) : 0n;
    return BigInt.asUintN(64, part(i.vmcs01) + part(i.vmcs12));
  }),
  address(Field.ioBitmapA, primaryHas(Primary.useIoBitmaps)),
  address(Field.ioBitmapB, primaryHas(Primary.useIoBitmaps)),
  address(Field.msrBitmaps, primaryHas(Primary.useMsrBitmaps)),
  address(Field.virtualApicAddress, primaryHas(Primary.useTprShadow)),
  address(Field.apicAccessAddress, bySecondary(Secondary.virtualizeApicAccesses)),
  address(
    Field.postedInterruptDescriptorAddress,
    (i) => (i.vmcs12.u32(Field.pinBasedVmExecutionControls) & Pin.processPostedInterrupts) !== 0,
  ),
  address(Field.vmreadBitmapAddress, bySecondary(Secondary.vmcsShadowing)),
  address(Field.vmwriteBitmapAddress, bySecondary(Secondary.vmcsShadowing)),
  {
    field: Field.vmcsLinkPointer,
    origin: (i) => (i.vmcs12.u64(Field.vmcsLinkPointer) === ALL_ONES ? 'from 12' : 'merged'),
    rule: 'the shadow VMCS of VMCS12 translated by EPT01, or none',
    value: (i) => (i.vmcs12.u64(Field.vmcsLinkPointer) === ALL_ONES ? ALL_ONES : BigInt(i.toHpa(i.vmcs12.address(Field.vmcsLinkPointer)))),
    copies: false,
  },
  merged(Field.eptPointer, 'EPT02: EPT12 over EPT01; EPT01 itself when L1 uses no EPT', (i) => BigInt(i.eptPointer())),
  forced(Field.virtualProcessorIdentifier, "an identifier of L0's that stands for L1's, so that no two meet", (i) => BigInt(i.vpid())),
  forced(Field.pmlAddress, 'L0 logs for L1 when it fills EPT02', () => 0n),
  forced(Field.vmFunctionControls, 'off: each VMFUNC exits, and L0 switches EPT02', () => 0n),
  forced(Field.eptpListAddress, 'off with the function', () => 0n),
  forced(Field.virtualizationExceptionInformationAddress, 'L0 makes virtualization exceptions itself', () => 0n),
  forced(Field.vmEntryMsrLoadAddress, "a copy of L1's area in host memory", (i) => BigInt(i.entryMsrs.hpa)),
  forced(Field.vmEntryMsrLoadCount, 'as many as VMCS12 says, at a VM entry that L1 asked for; 0 at others', (i) =>
    BigInt(i.entryMsrs.count),
  ),
  forced(Field.vmExitMsrStoreAddress, "a copy of L1's area in host memory", (i) => BigInt(i.exitStoreMsrs.hpa)),
  forced(Field.vmExitMsrStoreCount, "as many of VMCS12's as can be stored", (i) => BigInt(i.exitStoreMsrs.count)),
  forced(Field.vmExitMsrLoadAddress, 'L0 loads nothing', () => 0n),
  forced(Field.vmExitMsrLoadCount, "L1's host values are loaded by the VM entry to L1", () => 0n),
  loaded(Field.guestDr7, EntryControl.loadDebugControls, 'load debug controls'),
  loaded(Field.guestIa32Debugctl, EntryControl.loadDebugControls, 'load debug controls'),
  loaded(Field.guestIa32Pat, EntryControl.loadIa32Pat, 'load IA32_PAT'),
  {
    field: Field.guestIa32Efer,
    origin: (i) => (loads(i, EntryControl.loadIa32Efer) ? 'from 12' : 'merged'),
    rule: "VMCS12's with “load IA32_EFER”; else L1's, with LMA and LME as “IA-32e mode guest” has them",
    value: efer,
    copies: false,
  },
  ...pdptes.map((field, n): MergeRule => ({
    field,
    origin: (i) => (i.pdpte(n) === undefined ? 'from 12' : 'merged'),
    rule: 'as in VMCS12; without EPT12, from the table that CR3 names',
    value: (i) => i.pdpte(n) ?? i.vmcs12.u64(field),
    copies: false,
  })),
];

/** Every field of VMCS02 but VM-exit information and host state. */
export const MERGE_RULES: readonly MergeRule[] = VMCS_FIELDS.filter((f) => f.type === 'control' || f.type === 'guest').map(
  (field) => SPECIAL.find((rule) => rule.field === field) ?? from12(field),
);

export interface MergedField {
  readonly field: VmcsField;
  readonly origin: Origin;
  readonly rule: string;
}
/** Why a field of VMCS02 is what it is. */
export function explainField(field: VmcsField, input: MergeInput): MergedField | undefined {
  if (field.type === 'host') return { field, origin: 'forced by L0', rule: 'the VM exit goes to L0' };
  const rule = MERGE_RULES.find((r) => r.field === field);
  return rule && { field, origin: rule.origin(input), rule: rule.rule };
}
