/**
 * Checks on guest non-register state and page-directory-pointer-table entries: SDM volume 3, "Checks on Guest Non-Register State",
 * "Checks on Guest Page-Directory-Pointer-Table Entries". Left out: rules for entry to SMM, enclaves and RTM, which this
 * processor does not have (the bits must be 0).
 */
import { EventType } from '../../spec/registers';
import { OTHER_EVENT } from '../../spec/vmcs-formats';
import { Pin, Secondary } from '../../spec/vmx-controls';
import { Field, SHADOW_INDICATOR, VMCS_REVISION, type VmcsField } from '../../spec/vmcs-fields';
import {
  eptEnabled,
  ia32eModeGuest,
  secondary,
  section,
  SECONDARY_FIELDS,
  type CheckContext,
  type CheckRow,
  type CheckRowInit,
} from './check-row';

const INFO = Field.vmEntryInterruptionInformation;
const ACTIVITY = Field.guestActivityState;
const INTERRUPTIBILITY = Field.guestInterruptibilityState;
const PENDING = Field.guestPendingDebugExceptions;
const LINK = Field.vmcsLinkPointer;
const BLOCKING_BY_STI = 1;
const BLOCKING_BY_MOV_SS = 2;
const BLOCKING_BY_NMI = 8;

const injectedType = (c: CheckContext): number => (c.u32(INFO) & 0x8000_0000 ? (c.u32(INFO) >> 8) & 7 : -1);
const injectedVector = (c: CheckContext): number => c.u32(INFO) & 0xff;
const linkUsed = (c: CheckContext): boolean => c.u32(LINK) !== 0xffff_ffff || c.high32(LINK) !== 0xffff_ffff;

/** Events that may be injected while the guest is in an activity state. */
function injectionAllowed(c: CheckContext): boolean {
  const type = injectedType(c);
  if (type < 0) return true;
  const vector = injectedVector(c);
  switch (c.u32(ACTIVITY)) {
    case 1: // HLT: external interrupt, NMI, #DB, #MC, pending MTF VM exit
      if (type === EventType.hardwareException) return vector === 1 || vector === 18;
      return type === EventType.externalInterrupt || type === EventType.nmi || type === OTHER_EVENT;
    case 2: // shutdown: NMI, #MC
      return type === EventType.nmi || (type === EventType.hardwareException && vector === 18);
    case 3: // wait-for-SIPI: none
      return false;
    default:
      return true;
  }
}

/** Whether the rules about BS and TF apply: SDM, "Pending debug exceptions". */
function singleStepMatters(c: CheckContext): boolean {
  return (c.u32(INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) !== 0 || c.u32(ACTIVITY) === 1;
}
/** TF is 1 and BTF is 0: a trap is due after each instruction. */
const singleStepping = (c: CheckContext): boolean => (c.u32(Field.guestRflags) & 0x100) !== 0 && (c.u32(Field.guestIa32Debugctl) & 2) === 0;

const nonRegister = section('Checks on Guest Non-Register State', 'guest', [
  {
    name: 'GUEST_ACTIVITY_STATE',
    sentence:
      'The activity-state field must be 0 (active), 1 (HLT), 2 (shutdown) or 3 (wait-for-SIPI), the values that IA32_VMX_MISC reports.',
    fields: [ACTIVITY],
    holds: (c) => c.u32(ACTIVITY) <= 3,
  },
  {
    name: 'GUEST_ACTIVITY_STATE: HLT needs privilege level 0',
    sentence: 'The activity state must not be HLT if the DPL (bits 6:5) of the SS access rights is not 0.',
    fields: [ACTIVITY, Field.guestSsAccessRights],
    holds: (c) => c.u32(ACTIVITY) !== 1 || (c.u32(Field.guestSsAccessRights) & 0x60) === 0,
  },
  {
    name: 'GUEST_ACTIVITY_STATE: active while events are blocked',
    sentence: 'The activity state must be active if the interruptibility state indicates blocking by STI or by MOV SS.',
    fields: [ACTIVITY, INTERRUPTIBILITY],
    holds: (c) => c.u32(ACTIVITY) === 0 || (c.u32(INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) === 0,
  },
  {
    name: 'GUEST_ACTIVITY_STATE: injected event',
    sentence:
      'An injected event must be one that the activity state allows: in HLT an external interrupt, NMI, #DB, #MC or pending MTF VM exit; in shutdown an NMI or #MC.',
    fields: [ACTIVITY, INFO],
    holds: injectionAllowed,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: reserved bits',
    sentence: 'Bits 31:5 of the interruptibility state must be 0, and bit 4 (enclave interruption) on a processor without SGX.',
    fields: [INTERRUPTIBILITY],
    holds: (c) => c.u32(INTERRUPTIBILITY) >>> 4 === 0,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: STI and MOV SS',
    sentence: 'The interruptibility state must not indicate both blocking by STI and blocking by MOV SS.',
    fields: [INTERRUPTIBILITY],
    holds: (c) => (c.u32(INTERRUPTIBILITY) & 3) !== 3,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: STI needs IF',
    sentence: 'Blocking by STI must be 0 if the IF flag (bit 9) of GUEST_RFLAGS is 0.',
    fields: [INTERRUPTIBILITY, Field.guestRflags],
    holds: (c) => !(c.u32(INTERRUPTIBILITY) & BLOCKING_BY_STI) || (c.u32(Field.guestRflags) & 0x200) !== 0,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: injected external interrupt',
    sentence: 'Blocking by STI and blocking by MOV SS must be 0 if VM entry injects an external interrupt.',
    fields: [INTERRUPTIBILITY, INFO],
    holds: (c) => injectedType(c) !== EventType.externalInterrupt || (c.u32(INTERRUPTIBILITY) & 3) === 0,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: injected NMI',
    sentence: 'Blocking by MOV SS must be 0 if VM entry injects a non-maskable interrupt.',
    fields: [INTERRUPTIBILITY, INFO],
    holds: (c) => injectedType(c) !== EventType.nmi || (c.u32(INTERRUPTIBILITY) & BLOCKING_BY_MOV_SS) === 0,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: SMI',
    sentence: 'Blocking by SMI must be 0 if the processor is not in system-management mode.',
    fields: [INTERRUPTIBILITY],
    holds: (c) => (c.u32(INTERRUPTIBILITY) & 4) === 0,
  },
  {
    name: 'GUEST_INTERRUPTIBILITY_STATE: injected NMI with virtual NMIs',
    sentence: 'If “virtual NMIs” is 1 and VM entry injects a non-maskable interrupt, blocking by NMI (bit 3) must be 0.',
    fields: [INTERRUPTIBILITY, INFO],
    conditions: [Field.pinBasedVmExecutionControls],
    holds: (c) =>
      (c.u32(Field.pinBasedVmExecutionControls) & Pin.virtualNmis) === 0 ||
      injectedType(c) !== EventType.nmi ||
      (c.u32(INTERRUPTIBILITY) & BLOCKING_BY_NMI) === 0,
  },
  {
    name: 'GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits',
    sentence: 'Bits 11:4, 13, 15 and 63:17 of the pending-debug-exceptions field must be 0, and bit 16 (RTM) on a processor without RTM.',
    fields: [PENDING],
    holds: (c) => (c.u32(PENDING) & 0xffff_aff0) === 0 && c.high32(PENDING) === 0,
  },
  {
    name: 'GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 1',
    sentence:
      'If events are blocked by STI or MOV SS or the activity state is HLT, bit 14 (BS) must be 1 if the TF flag of GUEST_RFLAGS is 1 and the BTF flag of GUEST_IA32_DEBUGCTL is 0.',
    fields: [PENDING, Field.guestRflags, Field.guestIa32Debugctl, INTERRUPTIBILITY, ACTIVITY],
    holds: (c) => !singleStepMatters(c) || !singleStepping(c) || (c.u32(PENDING) & 0x4000) !== 0,
  },
  {
    name: 'GUEST_PENDING_DEBUG_EXCEPTIONS: BS must be 0',
    sentence:
      'If events are blocked by STI or MOV SS or the activity state is HLT, bit 14 (BS) must be 0 if the TF flag of GUEST_RFLAGS is 0 or the BTF flag of GUEST_IA32_DEBUGCTL is 1.',
    fields: [PENDING, Field.guestRflags, Field.guestIa32Debugctl, INTERRUPTIBILITY, ACTIVITY],
    holds: (c) => !singleStepMatters(c) || singleStepping(c) || (c.u32(PENDING) & 0x4000) === 0,
  },
  {
    name: 'VMCS_LINK_POINTER: alignment',
    sentence: 'If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, its bits 11:0 must be 0.',
    qualification: 4,
    fields: [LINK],
    holds: (c) => !linkUsed(c) || (c.u32(LINK) & 0xfff) === 0,
  },
  {
    name: 'VMCS_LINK_POINTER: physical-address width',
    sentence: "If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, it must not set any bit beyond the processor's physical-address width.",
    qualification: 4,
    fields: [LINK],
    holds: (c) => !linkUsed(c) || c.high32(LINK) >>> (c.capabilities.model.maxPhyAddr - 32) === 0,
  },
  {
    name: 'VMCS_LINK_POINTER: revision identifier',
    looksOutside: true,
    sentence:
      "If the VMCS link pointer is not FFFFFFFF_FFFFFFFFH, the 4 bytes in memory that it references must hold the processor's VMCS revision identifier, with bit 31 equal to “VMCS shadowing”.",
    qualification: 4,
    fields: [LINK],
    conditions: SECONDARY_FIELDS,
    holds: (c) =>
      !linkUsed(c) || c.read32(c.address(LINK)) === (VMCS_REVISION | (secondary(c) & Secondary.vmcsShadowing ? SHADOW_INDICATOR : 0)) >>> 0,
  },
  {
    name: 'VMCS_LINK_POINTER: not the current VMCS',
    looksOutside: true,
    sentence: 'The VMCS link pointer must not be the current-VMCS pointer.',
    qualification: 4,
    fields: [LINK],
    holds: (c) => c.address(LINK) !== c.pointer,
  },
]);

/** The guest will use PAE paging: CR0.PG = 1, CR4.PAE = 1 and “IA-32e mode guest” = 0. */
export function paePagingGuest(c: CheckContext): boolean {
  return !ia32eModeGuest(c) && (c.u32(Field.guestCr0) & 0x8000_0000) !== 0 && (c.u32(Field.guestCr4) & 0x20) !== 0;
}
/** SDM "Reserved bits in PDPTEs": bits 2:1, 8:5 and 63:MAXPHYADDR of a present entry. */
function pdpteValid(maxPhyAddr: number, low: number, high: number): boolean {
  return (low & 1) === 0 || ((low & 0x1e6) === 0 && high >>> (maxPhyAddr - 32) === 0);
}
const PAGING_FIELDS = [Field.guestCr0, Field.guestCr4, Field.vmEntryControls, ...SECONDARY_FIELDS] as const;

function pdpteRow(field: VmcsField): CheckRowInit {
  return {
    name: `${field.name}: reserved bits`,
    sentence: `If “enable EPT” is 1 and the guest uses PAE paging, reserved bits of ${field.name} must be 0 if its bit 0 (present) is 1.`,
    qualification: 2,
    fields: [field],
    conditions: PAGING_FIELDS,
    holds: (c) => !eptEnabled(c) || !paePagingGuest(c) || pdpteValid(c.capabilities.model.maxPhyAddr, c.u32(field), c.high32(field)),
  };
}
const pdptes = section('Checks on Guest Page-Directory-Pointer-Table Entries', 'guest', [
  {
    name: 'PDPTEs at GUEST_CR3: reserved bits',
    looksOutside: true,
    sentence:
      'If “enable EPT” is 0 and the guest uses PAE paging, reserved bits of the four PDPTEs that GUEST_CR3 references must be 0 in each present entry.',
    qualification: 2,
    fields: [Field.guestCr3],
    conditions: PAGING_FIELDS,
    holds: (c) => {
      if (eptEnabled(c) || !paePagingGuest(c)) return true;
      const table = (c.u32(Field.guestCr3) & 0xffff_ffe0) >>> 0;
      return [0, 1, 2, 3].every((n) => pdpteValid(c.capabilities.model.maxPhyAddr, c.read32(table + n * 8), c.read32(table + n * 8 + 4)));
    },
  },
  ...[Field.guestPdpte0, Field.guestPdpte1, Field.guestPdpte2, Field.guestPdpte3].map(pdpteRow),
]);

export const GUEST_NON_REGISTER_CHECKS: readonly CheckRow[] = nonRegister;
export const GUEST_PDPTE_CHECKS: readonly CheckRow[] = pdptes;
