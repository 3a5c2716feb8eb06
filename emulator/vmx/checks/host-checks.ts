/** Checks on the host-state area: SDM volume 3, "Checks on Host Control Registers, MSRs, and SSP" to "Checks Related to Address-Space Size". */
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import { VmxMsr } from '../../spec/vmx-capabilities';
import { ExitControl } from '../../spec/vmx-controls';
import {
  canonical, eferReservedClear, exitControl, fixedBits, host64, ia32eModeGuest, patValid, section, withinPhysicalWidth, type CheckRow, type CheckRowInit,
} from './check-row'; // prettier-ignore

const EXIT = Field.primaryVmExitControls;

function canonicalRow(field: VmcsField): CheckRowInit {
  return {
    name: `${field.name}: canonical`,
    sentence: `${field.name} must contain a canonical address.`,
    fields: [field],
    holds: (c) => canonical(c, field),
  };
}
function selectorRow(field: VmcsField): CheckRowInit {
  return {
    name: `${field.name}: RPL and TI`,
    sentence: `In ${field.name} the RPL (bits 1:0) and the TI flag (bit 2) must be 0.`,
    fields: [field],
    holds: (c) => (c.u32(field) & 7) === 0,
  };
}

const registers = section('Checks on Host Control Registers, MSRs, and SSP', 'host', [
  {
    name: 'HOST_CR0',
    sentence: 'HOST_CR0 must not set any bit to a value not supported in VMX operation.',
    fields: [Field.hostCr0],
    msrs: [VmxMsr.cr0Fixed0, VmxMsr.cr0Fixed1],
    holds: (c) => fixedBits(c, Field.hostCr0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1),
  },
  {
    name: 'HOST_CR4',
    sentence: 'HOST_CR4 must not set any bit to a value not supported in VMX operation.',
    fields: [Field.hostCr4],
    msrs: [VmxMsr.cr4Fixed0, VmxMsr.cr4Fixed1],
    holds: (c) => fixedBits(c, Field.hostCr4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1),
  },
  {
    name: 'HOST_CR3',
    sentence: "Bits 63:52 of HOST_CR3 and those beyond the processor's physical-address width must be 0.",
    fields: [Field.hostCr3],
    holds: (c) => withinPhysicalWidth(c, Field.hostCr3),
  },
  canonicalRow(Field.hostIa32SysenterEsp),
  canonicalRow(Field.hostIa32SysenterEip),
  {
    name: 'HOST_IA32_PAT',
    sentence: 'If the “load IA32_PAT” VM-exit control is 1, each byte of HOST_IA32_PAT must be 0, 1, 4, 5, 6 or 7.',
    fields: [Field.hostIa32Pat],
    conditions: [EXIT],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Pat) || patValid(c, Field.hostIa32Pat),
  },
  {
    name: 'HOST_IA32_EFER: reserved bits',
    sentence: 'If the “load IA32_EFER” VM-exit control is 1, bits reserved in IA32_EFER must be 0 in HOST_IA32_EFER.',
    fields: [Field.hostIa32Efer],
    conditions: [EXIT],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Efer) || eferReservedClear(c, Field.hostIa32Efer),
  },
  {
    name: 'HOST_IA32_EFER: LMA and LME',
    sentence: 'If the “load IA32_EFER” VM-exit control is 1, LMA and LME in HOST_IA32_EFER must each have the value of “host address-space size”.',
    fields: [Field.hostIa32Efer, EXIT],
    holds: (c) => !exitControl(c, ExitControl.loadIa32Efer) || (c.u32(Field.hostIa32Efer) & 0x500) === (host64(c) ? 0x500 : 0),
  },
]); // prettier-ignore

const segments = section('Checks on Host Segment and Descriptor-Table Registers', 'host', [
  ...[
    Field.hostCsSelector,
    Field.hostSsSelector,
    Field.hostDsSelector,
    Field.hostEsSelector,
    Field.hostFsSelector,
    Field.hostGsSelector,
    Field.hostTrSelector,
  ].map(selectorRow),
  ...[Field.hostCsSelector, Field.hostTrSelector].map((field) => ({
    name: `${field.name}: not null`,
    sentence: `${field.name} must not be 0000H.`,
    fields: [field],
    holds: (c: Parameters<CheckRow['holds']>[0]) => c.u32(field) !== 0,
  })),
  {
    name: 'HOST_SS_SELECTOR: not null',
    sentence: 'HOST_SS_SELECTOR must not be 0000H if “host address-space size” is 0.',
    fields: [Field.hostSsSelector, EXIT],
    holds: (c) => host64(c) || c.u32(Field.hostSsSelector) !== 0,
  },
  ...[Field.hostFsBase, Field.hostGsBase, Field.hostGdtrBase, Field.hostIdtrBase, Field.hostTrBase].map(canonicalRow),
]);

const addressSpace = section('Checks Related to Address-Space Size', 'host', [
  {
    name: '“IA-32e mode guest” outside IA-32e mode',
    looksOutside: true,
    sentence: 'If the processor is outside IA-32e mode at the time of VM entry, “IA-32e mode guest” must be 0.',
    fields: [Field.vmEntryControls],
    holds: (c) => c.ia32eMode || !ia32eModeGuest(c),
  },
  {
    name: '“host address-space size” outside IA-32e mode',
    looksOutside: true,
    sentence: 'If the processor is outside IA-32e mode at the time of VM entry, “host address-space size” must be 0.',
    fields: [EXIT],
    holds: (c) => c.ia32eMode || !host64(c),
  },
  {
    name: '“host address-space size” in IA-32e mode',
    looksOutside: true,
    sentence: 'If the processor is in IA-32e mode at the time of VM entry, “host address-space size” must be 1.',
    fields: [EXIT],
    holds: (c) => !c.ia32eMode || host64(c),
  },
  {
    name: '“IA-32e mode guest” with a 32-bit host',
    sentence: 'If “host address-space size” is 0, “IA-32e mode guest” must be 0.',
    fields: [Field.vmEntryControls, EXIT],
    holds: (c) => host64(c) || !ia32eModeGuest(c),
  },
  {
    name: 'HOST_CR4.PCIDE with a 32-bit host',
    sentence: 'If “host address-space size” is 0, bit 17 (CR4.PCIDE) of HOST_CR4 must be 0.',
    fields: [Field.hostCr4, EXIT],
    holds: (c) => host64(c) || (c.u32(Field.hostCr4) & (1 << 17)) === 0,
  },
  {
    name: 'HOST_RIP with a 32-bit host',
    sentence: 'If “host address-space size” is 0, bits 63:32 of HOST_RIP must be 0.',
    fields: [Field.hostRip, EXIT],
    holds: (c) => host64(c) || c.high32(Field.hostRip) === 0,
  },
  {
    name: 'HOST_CR4.PAE with a 64-bit host',
    sentence: 'If “host address-space size” is 1, bit 5 (CR4.PAE) of HOST_CR4 must be 1.',
    fields: [Field.hostCr4, EXIT],
    holds: (c) => !host64(c) || (c.u32(Field.hostCr4) & (1 << 5)) !== 0,
  },
  {
    name: 'HOST_RIP: canonical',
    sentence: 'If “host address-space size” is 1, HOST_RIP must contain a canonical address.',
    fields: [Field.hostRip, EXIT],
    holds: (c) => !host64(c) || canonical(c, Field.hostRip),
  },
]);

export const HOST_CHECKS: readonly CheckRow[] = [...registers, ...segments, ...addressSpace];
