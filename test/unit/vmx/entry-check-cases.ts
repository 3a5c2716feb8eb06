/**
 * For each VM-entry check: how the manual says it ends (7, 8: VM-instruction error; 33: VM exit), a legal VMCS next to the border and the
 * VMCS that crosses it. Written from the manual's text, not from the rows.
 */
import type { CpuModel } from '../../../emulator/spec/cpu-model';
import { FULL_MODEL, OTHER_VMCS, VMCS_REGION, type Bench, type Values } from './vmx-bench';

export interface CheckCase {
  /** Name of the row. */
  readonly row: string;
  readonly ends: 7 | 8 | 33;
  readonly qualification?: number;
  /** What both states share. */
  readonly common?: Values;
  readonly legal: Values;
  readonly broken: Values;
  /** Other rows that this one cannot be broken without. */
  readonly also?: readonly string[];
  readonly model?: CpuModel;
  /** EPT_VPID_CAP bits that the processor is to lack. */
  readonly without?: bigint;
  prepare?(bench: Bench): void;
}

const PRIMARY = 0x8400_6172;
const EXIT = 0x3_6dfb;
const ENTRY = 0x11fb;
const SECONDARY = { ept: 2, vpid: 0x20, unrestricted: 0x80 };
const NON_CANONICAL = 0x8000_0000_0000n;
const CANONICAL = 0x7fff_ffff_ffffn;
const CANONICAL_HIGH = 0xffff_8000_0000_0000n;
const BEYOND = 1n << 46n;
const VALID = 0x8000_0000;
const pcidModel: CpuModel = { ...FULL_MODEL, features: new Set([...FULL_MODEL.features, 'pcid']) };

const cases: CheckCase[] = [];
const add = (ends: 7 | 8 | 33, row: string, legal: Values, broken: Values, more: Partial<CheckCase> = {}): void => {
  cases.push({ row, ends, legal, broken, ...more });
};

// VM-execution control fields ------------------------------------------------------------------------------------------
add(7, 'pin-based VM-execution controls: reserved bits', { pinBasedVmExecutionControls: 0x1f }, { pinBasedVmExecutionControls: 0x1d });
add(
  7,
  'primary processor-based VM-execution controls: reserved bits',
  { primaryProcessorBasedVmExecutionControls: PRIMARY | 0x80 },
  { primaryProcessorBasedVmExecutionControls: PRIMARY | 0x2_0000 },
);
add(
  7,
  'secondary processor-based VM-execution controls: reserved bits',
  { secondaryProcessorBasedVmExecutionControls: 0x4e },
  { secondaryProcessorBasedVmExecutionControls: 0x8000_004e },
);
add(7, 'CR3_TARGET_COUNT', { cr3TargetCount: 4 }, { cr3TargetCount: 5 });
for (const [id, name] of [
  ['ioBitmapA', 'IO_BITMAP_A'],
  ['ioBitmapB', 'IO_BITMAP_B'],
] as const) {
  const common = { primaryProcessorBasedVmExecutionControls: PRIMARY | (1 << 25) };
  add(7, `${name}: alignment`, { [id]: 0x7000 }, { [id]: 0x7010 }, { common });
  add(7, `${name}: physical-address width`, { [id]: (1n << 46n) - 4096n }, { [id]: BEYOND }, { common });
}
add(
  7,
  'MSR_BITMAPS: alignment',
  { msrBitmaps: 0x7000 },
  { msrBitmaps: 0x7800 },
  { common: { primaryProcessorBasedVmExecutionControls: PRIMARY | (1 << 28) } },
);
add(
  7,
  'MSR_BITMAPS: physical-address width',
  { msrBitmaps: (1n << 46n) - 4096n },
  { msrBitmaps: BEYOND },
  { common: { primaryProcessorBasedVmExecutionControls: PRIMARY | (1 << 28) } },
);
add(
  7,
  'VIRTUAL_PROCESSOR_IDENTIFIER',
  { virtualProcessorIdentifier: 1 },
  { virtualProcessorIdentifier: 0 },
  { common: { secondaryProcessorBasedVmExecutionControls: SECONDARY.ept | SECONDARY.vpid } },
);
add(7, 'EPT_POINTER: memory type', { eptPointer: 0x3_0018 }, { eptPointer: 0x3_0019 });
add(7, 'EPT_POINTER: page-walk length', { eptPointer: 0x3_001e }, { eptPointer: 0x3_0026 });
add(7, 'EPT_POINTER: accessed and dirty flags', { eptPointer: 0x3_001e }, { eptPointer: 0x3_005e }, { without: 1n << 21n });
add(7, 'EPT_POINTER: reserved bits', { eptPointer: 0x3fff_ffff_f01en }, { eptPointer: 0x4000_0003_001en });
add(
  7,
  '“unrestricted guest” needs “enable EPT”',
  { secondaryProcessorBasedVmExecutionControls: SECONDARY.unrestricted | SECONDARY.ept },
  { secondaryProcessorBasedVmExecutionControls: SECONDARY.unrestricted },
);

const SECONDARY_FIELD = 'secondaryProcessorBasedVmExecutionControls';
/** A page whose address counts while some controls are 1. */
const page = (id: keyof Values & string, name: string, common: Values): void => {
  add(7, `${name}: alignment`, { [id]: 0x7000 }, { [id]: 0x7800 }, { common });
  add(7, `${name}: physical-address width`, { [id]: (1n << 46n) - 4096n }, { [id]: BEYOND }, { common });
};
const needsEpt = (row: string, control: number, common: Values = {}): void =>
  add(7, row, { [SECONDARY_FIELD]: control | SECONDARY.ept }, { [SECONDARY_FIELD]: control }, { common });
const PML = 1 << 17;
needsEpt('“enable PML” needs “enable EPT”', PML, { pmlAddress: 0x7000 });
page('pmlAddress', 'PML_ADDRESS', { [SECONDARY_FIELD]: PML | SECONDARY.ept });
needsEpt('“mode-based execute control for EPT” needs “enable EPT”', 1 << 22);
const VM_FUNCTIONS = 1 << 13;
add(
  7,
  'VM_FUNCTION_CONTROLS: reserved bits',
  { vmFunctionControls: 1 },
  { vmFunctionControls: 3 },
  { common: { [SECONDARY_FIELD]: VM_FUNCTIONS | SECONDARY.ept } },
);
needsEpt('“EPTP switching” needs “enable EPT”', VM_FUNCTIONS, { vmFunctionControls: 1 });
page('eptpListAddress', 'EPTP_LIST_ADDRESS', { [SECONDARY_FIELD]: VM_FUNCTIONS | SECONDARY.ept, vmFunctionControls: 1 });
page('vmreadBitmapAddress', 'VMREAD_BITMAP_ADDRESS', { [SECONDARY_FIELD]: (1 << 14) | SECONDARY.ept });
page('vmwriteBitmapAddress', 'VMWRITE_BITMAP_ADDRESS', { [SECONDARY_FIELD]: (1 << 14) | SECONDARY.ept });
page('virtualizationExceptionInformationAddress', 'VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS', {
  [SECONDARY_FIELD]: (1 << 18) | SECONDARY.ept,
});

// The virtual APIC, NMIs, posted interrupts
const PRIMARY_FIELD = 'primaryProcessorBasedVmExecutionControls';
const PIN_FIELD = 'pinBasedVmExecutionControls';
const TPR_SHADOW: Values = { [PRIMARY_FIELD]: PRIMARY | (1 << 21), virtualApicAddress: 0x7000 };
const APIC = { accesses: 1, x2apic: 0x10, registers: 0x100, delivery: 0x200 };
page('virtualApicAddress', 'VIRTUAL_APIC_ADDRESS', TPR_SHADOW);
add(
  7,
  'TPR_THRESHOLD: bits 31:4',
  { tprThreshold: 0xf },
  { tprThreshold: 0x10 },
  { common: { ...TPR_SHADOW, [SECONDARY_FIELD]: APIC.accesses | SECONDARY.ept, apicAccessAddress: 0x8000 } },
);
add(
  7,
  'TPR_THRESHOLD: not above the virtual TPR',
  { tprThreshold: 5 },
  { tprThreshold: 6 },
  { common: TPR_SHADOW, prepare: (b) => b.memory.write32(0x7080, 0x5f) },
);
add(7, '“virtual NMIs” needs “NMI exiting”', { [PIN_FIELD]: 0x16 | 0x28 }, { [PIN_FIELD]: 0x16 | 0x20 });
add(
  7,
  '“NMI-window exiting” needs “virtual NMIs”',
  { [PIN_FIELD]: 0x16 | 0x28 },
  { [PIN_FIELD]: 0x16 | 8 },
  { common: { [PRIMARY_FIELD]: PRIMARY | (1 << 22) } },
);
page('apicAccessAddress', 'APIC_ACCESS_ADDRESS', { [SECONDARY_FIELD]: APIC.accesses | SECONDARY.ept });
for (const [name, control] of [
  ['virtualize x2APIC mode', APIC.x2apic],
  ['APIC-register virtualization', APIC.registers],
  ['virtual-interrupt delivery', APIC.delivery],
] as const)
  add(
    7,
    `“${name}” needs “use TPR shadow”`,
    { [PRIMARY_FIELD]: PRIMARY | (1 << 21) },
    { [PRIMARY_FIELD]: PRIMARY },
    { common: { virtualApicAddress: 0x7000, [SECONDARY_FIELD]: control | SECONDARY.ept, [PIN_FIELD]: 0x17 } },
  );
add(
  7,
  '“virtualize x2APIC mode” excludes “virtualize APIC accesses”',
  { [SECONDARY_FIELD]: APIC.x2apic | SECONDARY.ept },
  { [SECONDARY_FIELD]: APIC.x2apic | APIC.accesses | SECONDARY.ept },
  { common: { ...TPR_SHADOW, apicAccessAddress: 0x8000 } },
);
const DELIVERY: Values = { ...TPR_SHADOW, [SECONDARY_FIELD]: APIC.delivery | SECONDARY.ept };
add(
  7,
  '“virtual-interrupt delivery” needs “external-interrupt exiting”',
  { [PIN_FIELD]: 0x17 },
  { [PIN_FIELD]: 0x16 },
  { common: DELIVERY },
);
const POSTED: Values = { ...DELIVERY, [PIN_FIELD]: 0x97, primaryVmExitControls: EXIT | 0x8200, postedInterruptDescriptorAddress: 0x9000 };
add(
  7,
  '“process posted interrupts” needs “virtual-interrupt delivery”',
  { [SECONDARY_FIELD]: APIC.delivery | SECONDARY.ept },
  { [SECONDARY_FIELD]: SECONDARY.ept },
  { common: POSTED },
);
add(
  7,
  '“process posted interrupts” needs “acknowledge interrupt on exit”',
  { primaryVmExitControls: EXIT | 0x8200 },
  { primaryVmExitControls: EXIT | 0x200 },
  { common: POSTED },
);
add(
  7,
  'POSTED_INTERRUPT_NOTIFICATION_VECTOR',
  { postedInterruptNotificationVector: 255 },
  { postedInterruptNotificationVector: 256 },
  { common: POSTED },
);
add(
  7,
  'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: alignment',
  { postedInterruptDescriptorAddress: 0x9040 },
  { postedInterruptDescriptorAddress: 0x9020 },
  { common: POSTED },
);
add(
  7,
  'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: physical-address width',
  { postedInterruptDescriptorAddress: (1n << 46n) - 64n },
  { postedInterruptDescriptorAddress: BEYOND },
  { common: POSTED },
);

// VM-exit control fields -----------------------------------------------------------------------------------------------
add(
  7,
  'primary VM-exit controls: reserved bits',
  { primaryVmExitControls: EXIT | 0x8200 },
  { primaryVmExitControls: (EXIT | 0x8200) & ~1 },
);
for (const [area, count, name] of [
  ['vmExitMsrStoreAddress', 'vmExitMsrStoreCount', 'VM_EXIT_MSR_STORE_ADDRESS'],
  ['vmExitMsrLoadAddress', 'vmExitMsrLoadCount', 'VM_EXIT_MSR_LOAD_ADDRESS'],
  ['vmEntryMsrLoadAddress', 'vmEntryMsrLoadCount', 'VM_ENTRY_MSR_LOAD_ADDRESS'],
] as const) {
  const prepare = (bench: Bench): void => {
    // An entry that loads.
    bench.msrs.set(0x10, 0n);
    bench.memory.write32(0x7000, 0x10);
    bench.memory.write32(0x7004, 0);
  };
  add(7, `${name}: alignment`, { [area]: 0x7000, [count]: 1 }, { [area]: 0x7008, [count]: 1 }, { prepare });
  add(7, `${name}: physical-address width`, { [area]: 0x7000, [count]: 1 }, { [area]: (1n << 46n) - 16n, [count]: 2 }, { prepare });
}

add(
  7,
  '“save VMX-preemption timer value” needs the timer',
  { pinBasedVmExecutionControls: 0x56 },
  { pinBasedVmExecutionControls: 0x16 },
  { common: { primaryVmExitControls: EXIT | 0x40_0200 } },
);

// VM-entry control fields ----------------------------------------------------------------------------------------------
add(7, 'VM-entry controls: reserved bits', { vmEntryControls: ENTRY | 0x204 }, { vmEntryControls: ENTRY | 0x600 });
const INFO = 'vmEntryInterruptionInformation';
add(7, 'event injection: interruption type', { [INFO]: VALID | 0x202 }, { [INFO]: VALID | 0x102 });
add(7, 'event injection: vector', { [INFO]: VALID | 0x300 | 31 }, { [INFO]: VALID | 0x300 | 32 });
add(7, 'event injection: error code only with a hardware exception', { [INFO]: VALID | 0x202 }, { [INFO]: VALID | 0xa02 });
add(
  7,
  'event injection: error code in real-address mode',
  { [INFO]: VALID | 0x300 | 13 },
  { [INFO]: VALID | 0xb00 | 13 },
  {
    common: {
      secondaryProcessorBasedVmExecutionControls: SECONDARY.unrestricted | SECONDARY.ept,
      guestCr0: 0x30,
      vmEntryControls: ENTRY,
      guestCsAccessRights: 0xc09b,
    },
  },
);
add(7, 'event injection: error code of the vector', { [INFO]: VALID | 0xb00 | 13 }, { [INFO]: VALID | 0x300 | 13 });
add(7, 'event injection: reserved bits', { [INFO]: VALID | 0x300 | 6 }, { [INFO]: VALID | 0x1300 | 6 });
add(
  7,
  'VM_ENTRY_EXCEPTION_ERROR_CODE',
  { vmEntryExceptionErrorCode: 0xffff },
  { vmEntryExceptionErrorCode: 0x1_0000 },
  { common: { [INFO]: VALID | 0xb00 | 14 } },
);
add(
  7,
  'VM_ENTRY_INSTRUCTION_LENGTH',
  { vmEntryInstructionLength: 15 },
  { vmEntryInstructionLength: 16 },
  { common: { [INFO]: VALID | 0x400 | 0x80 } },
);

// Host-state area ------------------------------------------------------------------------------------------------------
add(8, 'HOST_CR0', { hostCr0: 0x8001_0033 }, { hostCr0: 0x8000_0011 });
add(8, 'HOST_CR4', { hostCr4: 0x20a8 }, { hostCr4: 0x80_2020 });
add(8, 'HOST_CR3', { hostCr3: 0x3fff_ffff_f000n }, { hostCr3: BEYOND });
add(8, 'HOST_IA32_SYSENTER_ESP: canonical', { hostIa32SysenterEsp: CANONICAL }, { hostIa32SysenterEsp: NON_CANONICAL });
add(8, 'HOST_IA32_SYSENTER_EIP: canonical', { hostIa32SysenterEip: CANONICAL_HIGH }, { hostIa32SysenterEip: NON_CANONICAL });
add(
  8,
  'HOST_IA32_PAT',
  { hostIa32Pat: 0x0007_0605_0401_0006n },
  { hostIa32Pat: 0x0002_0000_0000_0000n },
  { common: { primaryVmExitControls: EXIT | 0x8_0200 } },
);
add(
  8,
  'HOST_IA32_EFER: reserved bits',
  { hostIa32Efer: 0xd01 },
  { hostIa32Efer: 0x1500 },
  { common: { primaryVmExitControls: EXIT | 0x20_0200 } },
);
add(
  8,
  'HOST_IA32_EFER: LMA and LME',
  { hostIa32Efer: 0x500 },
  { hostIa32Efer: 0x100 },
  { common: { primaryVmExitControls: EXIT | 0x20_0200 } },
);
for (const s of ['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'TR']) {
  const id = `host${s[0]}${s[1].toLowerCase()}Selector`;
  add(8, `HOST_${s}_SELECTOR: RPL and TI`, { [id]: 0x28 }, { [id]: 0x2c });
}
add(8, 'HOST_CS_SELECTOR: not null', { hostCsSelector: 8 }, { hostCsSelector: 0 });
add(8, 'HOST_TR_SELECTOR: not null', { hostTrSelector: 8 }, { hostTrSelector: 0 });
/** A 32-bit hypervisor with a 32-bit guest. */
const HOST32: Values = {
  primaryVmExitControls: EXIT,
  vmEntryControls: ENTRY,
  hostCr4: 0x2000,
  guestCr4: 0x2000,
  guestCsAccessRights: 0xc09b,
};
const outsideIa32e = (bench: Bench): void => bench.cpu.set64(0x288, 0n);
add(8, 'HOST_SS_SELECTOR: not null', { hostSsSelector: 0x10 }, { hostSsSelector: 0 }, { common: HOST32, prepare: outsideIa32e });
for (const [row, id] of [
  ['FS', 'hostFsBase'],
  ['GS', 'hostGsBase'],
  ['GDTR', 'hostGdtrBase'],
  ['IDTR', 'hostIdtrBase'],
  ['TR', 'hostTrBase'],
] as const) {
  add(8, `HOST_${row}_BASE: canonical`, { [id]: CANONICAL_HIGH }, { [id]: NON_CANONICAL });
}
add(
  8,
  '“IA-32e mode guest” outside IA-32e mode',
  { vmEntryControls: ENTRY },
  { vmEntryControls: ENTRY | 0x200 },
  {
    common: HOST32,
    prepare: outsideIa32e,
    also: ['“IA-32e mode guest” with a 32-bit host', 'IA-32e mode guest: CR0.PG and CR4.PAE'],
  },
);
add(
  8,
  '“host address-space size” outside IA-32e mode',
  { primaryVmExitControls: EXIT },
  { primaryVmExitControls: EXIT | 0x200 },
  { common: { ...HOST32, hostCr4: 0x2020 }, prepare: outsideIa32e },
);
add(
  8,
  '“host address-space size” in IA-32e mode',
  { primaryVmExitControls: EXIT | 0x200 },
  { primaryVmExitControls: EXIT },
  { common: { ...HOST32, hostCr4: 0x2020 } },
);
add(
  8,
  '“IA-32e mode guest” with a 32-bit host',
  { primaryVmExitControls: EXIT | 0x200 },
  { primaryVmExitControls: EXIT },
  { also: ['“host address-space size” in IA-32e mode'] },
);
add(
  8,
  'HOST_CR4.PCIDE with a 32-bit host',
  { hostCr4: 0x2000 },
  { hostCr4: 0x2_2000 },
  { common: HOST32, prepare: outsideIa32e, model: pcidModel },
);
add(8, 'HOST_RIP with a 32-bit host', { hostRip: 0xffff_ffff }, { hostRip: 0x1_0000_0000 }, { common: HOST32, prepare: outsideIa32e });
add(8, 'HOST_CR4.PAE with a 64-bit host', { hostCr4: 0x2020 }, { hostCr4: 0x2000 });
add(8, 'HOST_RIP: canonical', { hostRip: CANONICAL }, { hostRip: NON_CANONICAL });

// Guest control registers, debug registers, MSRs -----------------------------------------------------------------------
add(33, 'GUEST_CR0', { guestCr0: 0xe001_0033 }, { guestCr0: 0x8000_0011 });
add(
  33,
  'GUEST_CR0: PG needs PE',
  { guestCr0: 0x31 },
  { guestCr0: 0x8000_0030 },
  {
    common: {
      secondaryProcessorBasedVmExecutionControls: SECONDARY.unrestricted | SECONDARY.ept,
      vmEntryControls: ENTRY,
      guestCr4: 0x2000,
      guestCsAccessRights: 0xc09b,
    },
  },
);
add(33, 'GUEST_CR4', { guestCr4: 0x20b8 }, { guestCr4: 0x20 });
add(33, 'GUEST_IA32_DEBUGCTL', { guestIa32Debugctl: 0 }, { guestIa32Debugctl: 4 }, { common: { vmEntryControls: ENTRY | 0x204 } });
add(33, 'IA-32e mode guest: CR0.PG and CR4.PAE', { guestCr4: 0x2020 }, { guestCr4: 0x2000 });
add(
  33,
  'CR4.PCIDE outside IA-32e mode',
  { guestCr4: 0x2000 },
  { guestCr4: 0x2_2000 },
  { common: { vmEntryControls: ENTRY, guestCsAccessRights: 0xc09b }, model: pcidModel },
);
add(33, 'GUEST_CR3', { guestCr3: 0x3fff_ffff_f000n }, { guestCr3: BEYOND });
add(33, 'GUEST_DR7', { guestDr7: 0x400 }, { guestDr7: 0x1_0000_0400n }, { common: { vmEntryControls: ENTRY | 0x204 } });
add(33, 'GUEST_IA32_SYSENTER_ESP: canonical', { guestIa32SysenterEsp: CANONICAL_HIGH }, { guestIa32SysenterEsp: CANONICAL_HIGH - 1n });
add(33, 'GUEST_IA32_SYSENTER_EIP: canonical', { guestIa32SysenterEip: CANONICAL }, { guestIa32SysenterEip: NON_CANONICAL });
add(
  33,
  'GUEST_IA32_PAT',
  { guestIa32Pat: 0x0007_0406_0007_0406n },
  { guestIa32Pat: 0x0008_0406_0007_0406n },
  { common: { vmEntryControls: ENTRY | 0x4200 } },
);
add(
  33,
  'GUEST_IA32_EFER: reserved bits',
  { guestIa32Efer: 0xd01 },
  { guestIa32Efer: 0xd03 },
  { common: { vmEntryControls: ENTRY | 0x8200 } },
);
add(33, 'GUEST_IA32_EFER: LMA', { guestIa32Efer: 0x500 }, { guestIa32Efer: 0 }, { common: { vmEntryControls: ENTRY | 0x8200 } });
add(
  33,
  'GUEST_IA32_EFER: LMA and LME',
  { guestIa32Efer: 0x500 },
  { guestIa32Efer: 0x400 },
  { common: { vmEntryControls: ENTRY | 0x8200 } },
);

// Guest segment registers ----------------------------------------------------------------------------------------------
const UNRESTRICTED: Values = { secondaryProcessorBasedVmExecutionControls: SECONDARY.unrestricted | SECONDARY.ept };
add(33, 'GUEST_TR_SELECTOR: TI', { guestTrSelector: 0x1b }, { guestTrSelector: 0x1c });
add(
  33,
  'GUEST_LDTR_SELECTOR: TI',
  { guestLdtrSelector: 0x28 },
  { guestLdtrSelector: 0x2c },
  { common: { guestLdtrAccessRights: 0x82, guestLdtrLimit: 0xff } },
);
add(33, 'GUEST_SS_SELECTOR: RPL', { guestCsSelector: 0x08 }, { guestCsSelector: 0x0b });
/** A virtual-8086 guest. */
const V86: Values = { vmEntryControls: ENTRY, guestCr4: 0x2000, guestRflags: 0x2_0002 };
for (const s of ['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs']) {
  Object.assign(V86, {
    [`guest${s}Selector`]: 0x1000,
    [`guest${s}Base`]: 0x10000,
    [`guest${s}Limit`]: 0xffff,
    [`guest${s}AccessRights`]: 0xf3,
  });
}
for (const s of ['CS', 'SS', 'DS', 'ES', 'FS', 'GS']) {
  const id = `guest${s[0]}${s[1].toLowerCase()}`;
  add(33, `GUEST_${s}_BASE: virtual-8086`, { [`${id}Base`]: 0x10000 }, { [`${id}Base`]: 0x10010 }, { common: V86 });
  add(33, `GUEST_${s}_LIMIT: virtual-8086`, { [`${id}Limit`]: 0xffff }, { [`${id}Limit`]: 0xfffe }, { common: V86 });
  add(33, `GUEST_${s}_ACCESS_RIGHTS: virtual-8086`, { [`${id}AccessRights`]: 0xf3 }, { [`${id}AccessRights`]: 0xf7 }, { common: V86 });
}
for (const [s, id] of [
  ['TR', 'guestTrBase'],
  ['FS', 'guestFsBase'],
  ['GS', 'guestGsBase'],
] as const) {
  add(33, `GUEST_${s}_BASE: canonical`, { [id]: CANONICAL_HIGH }, { [id]: NON_CANONICAL });
}
add(
  33,
  'GUEST_LDTR_BASE: canonical',
  { guestLdtrBase: CANONICAL },
  { guestLdtrBase: NON_CANONICAL },
  { common: { guestLdtrAccessRights: 0x82 } },
);
for (const [s, id] of [
  ['CS', 'guestCsBase'],
  ['SS', 'guestSsBase'],
  ['DS', 'guestDsBase'],
  ['ES', 'guestEsBase'],
] as const) {
  add(33, `GUEST_${s}_BASE: bits 63:32`, { [id]: 0xffff_ffff }, { [id]: 0x1_0000_0000n });
}
add(33, 'GUEST_CS_ACCESS_RIGHTS: type', { guestCsAccessRights: 0xa099 }, { guestCsAccessRights: 0xa09a });
add(33, 'GUEST_SS_ACCESS_RIGHTS: type', { guestSsAccessRights: 0xc097 }, { guestSsAccessRights: 0xc091 });
for (const s of ['DS', 'ES', 'FS', 'GS']) {
  const id = `guest${s[0]}${s[1].toLowerCase()}AccessRights`;
  add(33, `GUEST_${s}_ACCESS_RIGHTS: type`, { [id]: 0xc09b }, { [id]: 0xc099 });
  add(
    33,
    `GUEST_${s}_ACCESS_RIGHTS: DPL and RPL`,
    { [id]: 0xc0f3, [`guest${s[0]}${s[1].toLowerCase()}Selector`]: 0x13 },
    { [id]: 0xc0d3, [`guest${s[0]}${s[1].toLowerCase()}Selector`]: 0x13 },
  );
}
for (const [s, access] of [
  ['CS', 0xa09b],
  ['SS', 0xc093],
  ['DS', 0xc093],
  ['ES', 0xc093],
  ['FS', 0xc093],
  ['GS', 0xc093],
] as const) {
  const id = `guest${s[0]}${s[1].toLowerCase()}`;
  const rights = `${id}AccessRights`;
  add(33, `GUEST_${s}_ACCESS_RIGHTS: S`, { [rights]: access }, { [rights]: access & ~0x10 });
  add(33, `GUEST_${s}_ACCESS_RIGHTS: P`, { [rights]: access }, { [rights]: access & ~0x80 });
  add(33, `GUEST_${s}_ACCESS_RIGHTS: bits 11:8`, { [rights]: access | 0x1000 }, { [rights]: access | 0x100 });
  add(33, `GUEST_${s}_ACCESS_RIGHTS: bits 31:17`, { [rights]: access }, { [rights]: access | 0x20000 });
  add(33, `GUEST_${s}_ACCESS_RIGHTS: G`, { [`${id}Limit`]: 0xffff_ffff }, { [`${id}Limit`]: 0xffff_f000 });
}
add(
  33,
  'GUEST_CS_ACCESS_RIGHTS: DPL of a data segment',
  { guestCsAccessRights: 0xc093 },
  { guestCsAccessRights: 0xc0f3 },
  { common: { ...UNRESTRICTED, vmEntryControls: ENTRY, guestCr4: 0x2000 } },
);
add(33, 'GUEST_CS_ACCESS_RIGHTS: DPL of a non-conforming segment', { guestCsAccessRights: 0xa09b }, { guestCsAccessRights: 0xa0fb });
add(33, 'GUEST_CS_ACCESS_RIGHTS: DPL of a conforming segment', { guestCsAccessRights: 0xa09f }, { guestCsAccessRights: 0xa0bf });
add(
  33,
  'GUEST_SS_ACCESS_RIGHTS: DPL and RPL',
  { guestSsSelector: 0x13, guestSsAccessRights: 0xc0f3 },
  { guestSsSelector: 0x13, guestSsAccessRights: 0xc0b3 },
  {
    common: { guestCsSelector: 0x0b, guestCsAccessRights: 0xa09f },
  },
);
add(
  33,
  'GUEST_SS_ACCESS_RIGHTS: DPL in real-address mode',
  { guestSsAccessRights: 0xc093 },
  { guestSsAccessRights: 0xc0f3 },
  { common: { ...UNRESTRICTED, vmEntryControls: ENTRY, guestCr4: 0x2000, guestCsAccessRights: 0xc093 } },
);
add(33, 'GUEST_CS_ACCESS_RIGHTS: D/B and L', { guestCsAccessRights: 0xc09b }, { guestCsAccessRights: 0xe09b });
add(
  33,
  'GUEST_TR_ACCESS_RIGHTS: type',
  { guestTrAccessRights: 0x83 },
  { guestTrAccessRights: 0x89 },
  { common: { vmEntryControls: ENTRY, guestCr4: 0x2000, guestCsAccessRights: 0xc09b } },
);
add(33, 'GUEST_TR_ACCESS_RIGHTS: S', { guestTrAccessRights: 0x8b }, { guestTrAccessRights: 0x9b });
add(33, 'GUEST_TR_ACCESS_RIGHTS: P', { guestTrAccessRights: 0x8b }, { guestTrAccessRights: 0x0b });
add(33, 'GUEST_TR_ACCESS_RIGHTS: bits 11:8', { guestTrAccessRights: 0x8b }, { guestTrAccessRights: 0x88b });
add(33, 'GUEST_TR_ACCESS_RIGHTS: G', { guestTrLimit: 0xf_ffff }, { guestTrLimit: 0x10_0067 });
add(33, 'GUEST_TR_ACCESS_RIGHTS: unusable', { guestTrAccessRights: 0x8b }, { guestTrAccessRights: 0x1_008b });
add(33, 'GUEST_TR_ACCESS_RIGHTS: bits 31:17', { guestTrAccessRights: 0x8b }, { guestTrAccessRights: 0x4_008b });
const LDT: Values = { guestLdtrSelector: 0x28, guestLdtrLimit: 0xff };
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: type', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x83 }, { common: LDT });
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: S', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x92 }, { common: LDT });
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: P', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x02 }, { common: LDT });
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: bits 11:8', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x482 }, { common: LDT });
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: G', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x8082 }, { common: LDT });
add(33, 'GUEST_LDTR_ACCESS_RIGHTS: bits 31:17', { guestLdtrAccessRights: 0x82 }, { guestLdtrAccessRights: 0x8000_0082 }, { common: LDT });

// Descriptor tables, RIP, RFLAGS ---------------------------------------------------------------------------------------
add(33, 'GUEST_GDTR_BASE: canonical', { guestGdtrBase: CANONICAL_HIGH }, { guestGdtrBase: NON_CANONICAL });
add(33, 'GUEST_IDTR_BASE: canonical', { guestIdtrBase: CANONICAL }, { guestIdtrBase: NON_CANONICAL });
add(33, 'GUEST_GDTR_LIMIT: bits 31:16', { guestGdtrLimit: 0xffff }, { guestGdtrLimit: 0x1_0000 });
add(33, 'GUEST_IDTR_LIMIT: bits 31:16', { guestIdtrLimit: 0xffff }, { guestIdtrLimit: 0x1_0000 });
add(33, 'GUEST_RIP: bits 63:32', { guestRip: 0xffff_ffff }, { guestRip: 0x1_0000_0000 }, { common: { guestCsAccessRights: 0xc09b } });
// Bit 47 may differ from bits 63:48: the address need not be canonical.
add(33, 'GUEST_RIP: linear-address width', { guestRip: 0x8000_0000_0000n }, { guestRip: 0x1_0000_0000_0000n });
add(33, 'GUEST_RFLAGS: reserved bits', { guestRflags: 0x24_4fd7 }, { guestRflags: 0 });
add(
  33,
  'GUEST_RFLAGS: VM',
  { vmEntryControls: ENTRY, guestCr4: 0x2000 },
  { vmEntryControls: ENTRY | 0x200, guestCr4: 0x2020 },
  { common: V86 },
);
add(
  33,
  'GUEST_RFLAGS: IF with an injected external interrupt',
  { guestRflags: 0x202 },
  { guestRflags: 2 },
  { common: { [INFO]: VALID | 0x20 } },
);

// Non-register state ---------------------------------------------------------------------------------------------------
add(33, 'GUEST_ACTIVITY_STATE', { guestActivityState: 3 }, { guestActivityState: 4 });
add(
  33,
  'GUEST_ACTIVITY_STATE: HLT needs privilege level 0',
  { guestActivityState: 0 },
  { guestActivityState: 1 },
  {
    common: { guestSsSelector: 0x13, guestSsAccessRights: 0xc0f3, guestCsSelector: 0x0b, guestCsAccessRights: 0xa0fb },
  },
);
add(
  33,
  'GUEST_ACTIVITY_STATE: active while events are blocked',
  { guestActivityState: 0 },
  { guestActivityState: 1 },
  { common: { guestInterruptibilityState: 2 } },
);
add(
  33,
  'GUEST_ACTIVITY_STATE: injected event',
  { [INFO]: VALID | 0x301 },
  { [INFO]: VALID | 0x306 },
  { common: { guestActivityState: 1 } },
);
add(33, 'GUEST_INTERRUPTIBILITY_STATE: reserved bits', { guestInterruptibilityState: 8 }, { guestInterruptibilityState: 0x20 });
add(
  33,
  'GUEST_INTERRUPTIBILITY_STATE: STI and MOV SS',
  { guestInterruptibilityState: 1 },
  { guestInterruptibilityState: 3 },
  { common: { guestRflags: 0x202 } },
);
add(
  33,
  'GUEST_INTERRUPTIBILITY_STATE: STI needs IF',
  { guestRflags: 0x202 },
  { guestRflags: 2 },
  { common: { guestInterruptibilityState: 1 } },
);
add(
  33,
  'GUEST_INTERRUPTIBILITY_STATE: injected external interrupt',
  { guestInterruptibilityState: 8 },
  { guestInterruptibilityState: 1 },
  { common: { [INFO]: VALID | 0x20, guestRflags: 0x202 } },
);
add(
  33,
  'GUEST_INTERRUPTIBILITY_STATE: injected NMI',
  { guestInterruptibilityState: 8 },
  { guestInterruptibilityState: 2 },
  { common: { [INFO]: VALID | 0x202 } },
);
add(33, 'GUEST_INTERRUPTIBILITY_STATE: SMI', { guestInterruptibilityState: 0 }, { guestInterruptibilityState: 4 });
add(33, 'GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits', { guestPendingDebugExceptions: 0x500f }, { guestPendingDebugExceptions: 0x2000 });
add(
  33,
  'GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1',
  { guestPendingDebugExceptions: 0x4000 },
  { guestPendingDebugExceptions: 0 },
  { common: { guestRflags: 0x102, guestInterruptibilityState: 2 } },
);
add(
  33,
  'GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0',
  { guestPendingDebugExceptions: 0 },
  { guestPendingDebugExceptions: 0x4000 },
  { common: { guestActivityState: 1 } },
);
const link = { qualification: 4 };
add(
  33,
  'VMCS_LINK_POINTER: alignment',
  { vmcsLinkPointer: OTHER_VMCS },
  { vmcsLinkPointer: OTHER_VMCS + 8 },
  { ...link, prepare: (b) => b.memory.write32(OTHER_VMCS + 8, b.vmcs.revision) },
);
add(
  33,
  'VMCS_LINK_POINTER: physical-address width',
  { vmcsLinkPointer: OTHER_VMCS },
  { vmcsLinkPointer: BEYOND },
  { ...link, also: ['VMCS_LINK_POINTER: revision identifier'] },
);
add(33, 'VMCS_LINK_POINTER: revision identifier', { vmcsLinkPointer: OTHER_VMCS }, { vmcsLinkPointer: 0x9000 }, link);
add(33, 'VMCS_LINK_POINTER: not the current VMCS', { vmcsLinkPointer: OTHER_VMCS }, { vmcsLinkPointer: VMCS_REGION }, link);
/** A guest with PAE paging. */
const PAE: Values = { vmEntryControls: ENTRY, guestCsAccessRights: 0xc09b };
const pdpte = { qualification: 2 };
add(
  33,
  'PDPTEs at GUEST_CR3: reserved bits',
  { guestCr3: 0x6000 },
  { guestCr3: 0x6020 },
  {
    ...pdpte,
    common: { ...PAE, secondaryProcessorBasedVmExecutionControls: 0 },
    prepare: (b) => {
      b.memory.write32(0x6000, 0x1001);
      b.memory.write32(0x6028, 0x1003);
    },
  },
);
for (const n of [0, 1, 2, 3]) {
  add(33, `GUEST_PDPTE${n}: reserved bits`, { [`guestPdpte${n}`]: 0x1fe }, { [`guestPdpte${n}`]: 0x21 }, { ...pdpte, common: PAE });
}

add(
  33,
  'GUEST_INTERRUPTIBILITY_STATE: injected NMI with virtual NMIs',
  { guestInterruptibilityState: 0 },
  { guestInterruptibilityState: 8 },
  { common: { pinBasedVmExecutionControls: 0x3e, vmEntryInterruptionInformation: VALID | 0x202 } },
);

export const CHECK_CASES: readonly CheckCase[] = cases;
