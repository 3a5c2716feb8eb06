/**
 * Checks on guest control registers, debug registers, MSRs, descriptor-table registers, RIP and RFLAGS: SDM volume 3, "Checks on the
 * Guest State Area". Rules about CET, IA32_PERF_GLOBAL_CTRL, IA32_BNDCFGS, IA32_RTIT_CTL, IA32_LBR_CTL, PKRS and UINV are left out: the
 * controls that load them are not allowed.
 */
import { EventType } from '../../spec/registers';
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import { VmxMsr } from '../../spec/vmx-capabilities';
import { EntryControl } from '../../spec/vmx-controls';
import {
  canonical, eferReservedClear, entryControl, fixedBits, ia32eModeGuest, patValid, section, SECONDARY_FIELDS, unrestrictedGuest, withinPhysicalWidth, type CheckRow, type CheckRowInit,
} from './check-row'; // prettier-ignore

const ENTRY = Field.vmEntryControls;
/** Bits of IA32_DEBUGCTL that are not reserved on this processor: LBR and BTF, as WRMSR has it (cpu/msr). */
export const DEBUGCTL_DEFINED = 3;

function canonicalRow(field: VmcsField): CheckRowInit {
  return {
    name: `${field.name}: canonical`,
    sentence: `${field.name} must contain a canonical address.`,
    fields: [field],
    holds: (c) => canonical(c, field),
  };
}

const controlRegisters = section('Checks on Guest Control Registers, Debug Registers, and MSRs', 'guest', [
  {
    name: 'GUEST_CR0',
    sentence:
      'GUEST_CR0 must not set any bit to a value not supported in VMX operation; PE and PG are not checked if “unrestricted guest” is 1, CD and NW are never checked.',
    fields: [Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.cr0Fixed0, VmxMsr.cr0Fixed1],
    holds: (c) =>
      fixedBits(
        c,
        Field.guestCr0,
        c.capabilities.cr0Fixed0,
        c.capabilities.cr0Fixed1,
        0x6000_0000 | (unrestrictedGuest(c) ? 0x8000_0001 : 0),
      ),
  },
  {
    name: 'GUEST_CR0: PG needs PE',
    sentence: 'If bit 31 (PG) of GUEST_CR0 is 1, bit 0 (PE) must also be 1.',
    fields: [Field.guestCr0],
    holds: (c) => (c.u32(Field.guestCr0) & 0x8000_0000) === 0 || (c.u32(Field.guestCr0) & 1) !== 0,
  },
  {
    name: 'GUEST_CR4',
    sentence: 'GUEST_CR4 must not set any bit to a value not supported in VMX operation.',
    fields: [Field.guestCr4],
    msrs: [VmxMsr.cr4Fixed0, VmxMsr.cr4Fixed1],
    holds: (c) => fixedBits(c, Field.guestCr4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1),
  },
  {
    name: 'GUEST_IA32_DEBUGCTL',
    sentence: 'If “load debug controls” is 1, bits reserved in IA32_DEBUGCTL must be 0 in GUEST_IA32_DEBUGCTL.',
    fields: [Field.guestIa32Debugctl],
    conditions: [ENTRY],
    holds: (c) =>
      !entryControl(c, EntryControl.loadDebugControls) ||
      ((c.u32(Field.guestIa32Debugctl) & ~DEBUGCTL_DEFINED) === 0 && c.high32(Field.guestIa32Debugctl) === 0),
  },
  {
    name: 'IA-32e mode guest: CR0.PG and CR4.PAE',
    sentence: 'If “IA-32e mode guest” is 1, bit 31 (PG) of GUEST_CR0 and bit 5 (PAE) of GUEST_CR4 must each be 1.',
    fields: [ENTRY, Field.guestCr0, Field.guestCr4],
    holds: (c) => !ia32eModeGuest(c) || ((c.u32(Field.guestCr0) & 0x8000_0000) !== 0 && (c.u32(Field.guestCr4) & 0x20) !== 0),
  },
  {
    name: 'CR4.PCIDE outside IA-32e mode',
    sentence: 'If “IA-32e mode guest” is 0, bit 17 (PCIDE) of GUEST_CR4 must be 0.',
    fields: [ENTRY, Field.guestCr4],
    holds: (c) => ia32eModeGuest(c) || (c.u32(Field.guestCr4) & (1 << 17)) === 0,
  },
  {
    name: 'GUEST_CR3',
    sentence: "Bits 63:52 of GUEST_CR3 and those beyond the processor's physical-address width must be 0.",
    fields: [Field.guestCr3],
    holds: (c) => withinPhysicalWidth(c, Field.guestCr3),
  },
  {
    name: 'GUEST_DR7',
    sentence: 'If “load debug controls” is 1, bits 63:32 of GUEST_DR7 must be 0.',
    fields: [Field.guestDr7],
    conditions: [ENTRY],
    holds: (c) => !entryControl(c, EntryControl.loadDebugControls) || c.high32(Field.guestDr7) === 0,
  },
  canonicalRow(Field.guestIa32SysenterEsp),
  canonicalRow(Field.guestIa32SysenterEip),
  {
    name: 'GUEST_IA32_PAT',
    sentence: 'If the “load IA32_PAT” VM-entry control is 1, each byte of GUEST_IA32_PAT must be 0, 1, 4, 5, 6 or 7.',
    fields: [Field.guestIa32Pat],
    conditions: [ENTRY],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Pat) || patValid(c, Field.guestIa32Pat),
  },
  {
    name: 'GUEST_IA32_EFER: reserved bits',
    sentence: 'If the “load IA32_EFER” VM-entry control is 1, bits reserved in IA32_EFER must be 0 in GUEST_IA32_EFER.',
    fields: [Field.guestIa32Efer],
    conditions: [ENTRY],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Efer) || eferReservedClear(c, Field.guestIa32Efer),
  },
  {
    name: 'GUEST_IA32_EFER: LMA',
    sentence: 'If the “load IA32_EFER” VM-entry control is 1, bit 10 (LMA) of GUEST_IA32_EFER must equal “IA-32e mode guest”.',
    fields: [Field.guestIa32Efer, ENTRY],
    holds: (c) => !entryControl(c, EntryControl.loadIa32Efer) || ((c.u32(Field.guestIa32Efer) & 0x400) !== 0) === ia32eModeGuest(c),
  },
  {
    name: 'GUEST_IA32_EFER: LMA and LME',
    sentence: 'If the “load IA32_EFER” VM-entry control is 1 and CR0.PG is 1, bits 10 (LMA) and 8 (LME) of GUEST_IA32_EFER must be equal.',
    fields: [Field.guestIa32Efer, Field.guestCr0],
    conditions: [ENTRY],
    holds: (c) => {
      if (!entryControl(c, EntryControl.loadIa32Efer) || !(c.u32(Field.guestCr0) & 0x8000_0000)) return true;
      const efer = c.u32(Field.guestIa32Efer);
      return ((efer >> 10) & 1) === ((efer >> 8) & 1);
    },
  },
]);

const limitRow = (field: VmcsField): CheckRowInit => ({
  name: `${field.name}: bits 31:16`,
  sentence: `Bits 31:16 of ${field.name} must be 0.`,
  fields: [field],
  holds: (c) => c.u32(field) >>> 16 === 0,
});
const descriptorTables = section('Checks on Guest Descriptor-Table Registers', 'guest', [
  canonicalRow(Field.guestGdtrBase),
  canonicalRow(Field.guestIdtrBase),
  limitRow(Field.guestGdtrLimit),
  limitRow(Field.guestIdtrLimit),
]);

const instructionPointer = section('Checks on Guest RIP, RFLAGS, and SSP', 'guest', [
  {
    name: 'GUEST_RIP: bits 63:32',
    sentence: 'Bits 63:32 of GUEST_RIP must be 0 if “IA-32e mode guest” is 0 or the L bit (bit 13) of the CS access rights is 0.',
    fields: [Field.guestRip, Field.guestCsAccessRights, ENTRY],
    holds: (c) => (ia32eModeGuest(c) && (c.u32(Field.guestCsAccessRights) & 0x2000) !== 0) || c.high32(Field.guestRip) === 0,
  },
  {
    name: 'GUEST_RIP: linear-address width',
    sentence:
      'Bits 63:N of GUEST_RIP must be identical, where N is the linear-address width, if “IA-32e mode guest” is 1 and the L bit (bit 13) of the CS access rights is 1.',
    fields: [Field.guestRip, Field.guestCsAccessRights, ENTRY],
    holds: (c) => {
      if (!ia32eModeGuest(c) || !(c.u32(Field.guestCsAccessRights) & 0x2000)) return true;
      const top = (c.high32(Field.guestRip) | 0) >> (c.capabilities.model.linearBits - 32);
      return top === 0 || top === -1;
    },
  },
  {
    name: 'GUEST_RFLAGS: reserved bits',
    sentence: 'Reserved bits 63:22, 15, 5 and 3 of GUEST_RFLAGS must be 0, and reserved bit 1 must be 1.',
    fields: [Field.guestRflags],
    holds: (c) => (c.u32(Field.guestRflags) & 0xffc0_802a) === 2 && c.high32(Field.guestRflags) === 0,
  },
  {
    name: 'GUEST_RFLAGS: VM',
    sentence: 'The VM flag (bit 17) of GUEST_RFLAGS must be 0 if “IA-32e mode guest” is 1 or CR0.PE is 0 in the guest-state area.',
    fields: [Field.guestRflags, Field.guestCr0, ENTRY],
    holds: (c) => !(c.u32(Field.guestRflags) & (1 << 17)) || (!ia32eModeGuest(c) && (c.u32(Field.guestCr0) & 1) !== 0),
  },
  {
    name: 'GUEST_RFLAGS: IF with an injected external interrupt',
    sentence: 'The IF flag (bit 9) of GUEST_RFLAGS must be 1 if the VM-entry interruption-information field injects an external interrupt.',
    fields: [Field.guestRflags, Field.vmEntryInterruptionInformation],
    holds: (c) => {
      const info = c.u32(Field.vmEntryInterruptionInformation);
      const external = (info & 0x8000_0000) !== 0 && ((info >> 8) & 7) === EventType.externalInterrupt;
      return !external || (c.u32(Field.guestRflags) & 0x200) !== 0;
    },
  },
]);

export const GUEST_CONTROL_REGISTER_CHECKS: readonly CheckRow[] = controlRegisters;
export const GUEST_DESCRIPTOR_TABLE_CHECKS: readonly CheckRow[] = descriptorTables;
export const GUEST_RIP_RFLAGS_CHECKS: readonly CheckRow[] = instructionPointer;
