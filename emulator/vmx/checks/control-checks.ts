/**
 * Checks on VM-execution, VM-exit and VM-entry control fields: SDM volume 3, "Checks on VMX Controls". Rules about controls that the
 * capability MSRs do not allow are left out: the reserved-bit rows refuse those controls.
 */
import { APIC_AND_NMI_CHECKS } from './apic-control-checks';
import { OTHER_EVENT } from '../../spec/vmcs-formats';
import { EventType, VECTORS_WITH_ERROR_CODE } from '../../spec/registers';
import { Field, type VmcsField } from '../../spec/vmcs-fields';
import { VmxMsr } from '../../spec/vmx-capabilities';
import { ExitControl, Pin, Primary, Secondary } from '../../spec/vmx-controls';
import {
  eptEnabled, exitControl, pageAddress, primary, secondary, SECONDARY_FIELDS, secondaryIs, section, unrestrictedGuest, withinPhysicalWidth, type CheckContext, type CheckRow, type CheckRowInit,
} from './check-row'; // prettier-ignore

const PRIMARY_FIELD = Field.primaryProcessorBasedVmExecutionControls;
const SECONDARY_FIELD = Field.secondaryProcessorBasedVmExecutionControls;
const INFO = Field.vmEntryInterruptionInformation;

function reservedBits(name: string, field: VmcsField, msr: number, capability: 'pin' | 'primary' | 'exit' | 'entry'): CheckRowInit {
  return {
    name: `${name}: reserved bits`,
    sentence: `Reserved bits of the ${name} must be set as the capability MSR says: bits that are 1 in its low half must be 1, bits that are 0 in its high half must be 0.`,
    fields: [field],
    msrs: [msr],
    holds: (c) => {
      const { allowed0, allowed1 } = c.capabilities.controls[capability];
      const value = c.u32(field);
      return (value & allowed0) >>> 0 === allowed0 && (value & ~allowed1) === 0;
    },
  };
}

/** The rules of an MSR area with `count` entries. */
function msrArea(address: VmcsField, count: VmcsField): CheckRowInit[] {
  return [
    {
      name: `${address.name}: alignment`,
      sentence: `If ${count.name} is not 0, bits 3:0 of ${address.name} must be 0.`,
      fields: [address, count],
      holds: (c) => c.u32(count) === 0 || (c.u32(address) & 0xf) === 0,
    },
    {
      name: `${address.name}: physical-address width`,
      sentence: `If ${count.name} is not 0, neither ${address.name} nor the address of the last byte of the area (address + count × 16 - 1) may set any bit beyond the processor's physical-address width.`,
      fields: [address, count],
      holds: (c) => c.u32(count) === 0 || (withinPhysicalWidth(c, address) && c.address(address) + c.u32(count) * 16 <= 2 ** c.capabilities.model.maxPhyAddr),
    },
  ]; // prettier-ignore
}

/** VM function 0. */
const switchesEptp = (c: CheckContext): boolean =>
  secondaryIs(c, Secondary.enableVmFunctions) && (c.u32(Field.vmFunctionControls) & 1) !== 0;
const usesIoBitmaps = (c: CheckContext): boolean => (primary(c) & Primary.useIoBitmaps) !== 0;
const usesMsrBitmaps = (c: CheckContext): boolean => (primary(c) & Primary.useMsrBitmaps) !== 0;

const executionControls: readonly CheckRow[] = section('VM-Execution Control Fields', 'control', [
  reservedBits('pin-based VM-execution controls', Field.pinBasedVmExecutionControls, VmxMsr.truePinbasedCtls, 'pin'),
  reservedBits('primary processor-based VM-execution controls', PRIMARY_FIELD, VmxMsr.trueProcbasedCtls, 'primary'),
  {
    name: 'secondary processor-based VM-execution controls: reserved bits',
    sentence:
      'If “activate secondary controls” is 1, reserved bits of the secondary processor-based VM-execution controls must be cleared: bits that are 0 in the high half of the capability MSR must be 0.',
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    msrs: [VmxMsr.procbasedCtls2],
    holds: (c) => (secondary(c) & ~c.capabilities.controls.secondary.allowed1) === 0,
  },
  {
    name: 'CR3_TARGET_COUNT',
    sentence: 'The CR3-target count must not be greater than 4.',
    fields: [Field.cr3TargetCount],
    msrs: [VmxMsr.misc],
    holds: (c) => c.u32(Field.cr3TargetCount) <= c.capabilities.cr3Targets,
  },
  ...pageAddress(Field.ioBitmapA, 'use I/O bitmaps', [PRIMARY_FIELD], usesIoBitmaps),
  ...pageAddress(Field.ioBitmapB, 'use I/O bitmaps', [PRIMARY_FIELD], usesIoBitmaps),
  ...pageAddress(Field.msrBitmaps, 'use MSR bitmaps', [PRIMARY_FIELD], usesMsrBitmaps),
  ...APIC_AND_NMI_CHECKS,
  {
    name: 'VIRTUAL_PROCESSOR_IDENTIFIER',
    sentence: 'If “enable VPID” is 1, the virtual-processor identifier must not be 0000H.',
    fields: [Field.virtualProcessorIdentifier],
    conditions: SECONDARY_FIELDS,
    holds: (c) => !(secondary(c) & Secondary.enableVpid) || c.u32(Field.virtualProcessorIdentifier) !== 0,
  },
  {
    name: 'EPT_POINTER: memory type',
    sentence: 'If “enable EPT” is 1, bits 2:0 of the EPTP must be a memory type that the processor supports for EPT paging structures: 0 (uncacheable) or 6 (write-back).',
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || eptpMemoryType(c.capabilities.eptVpidCap, c.u32(Field.eptPointer)),
  },
  {
    name: 'EPT_POINTER: page-walk length',
    sentence: 'If “enable EPT” is 1, bits 5:3 of the EPTP must be 3, one less than the EPT page-walk length of 4.',
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || ((c.u32(Field.eptPointer) >> 3) & 7) === 3,
  },
  {
    name: 'EPT_POINTER: accessed and dirty flags',
    sentence: 'If “enable EPT” is 1, bit 6 of the EPTP must be 0 if the processor does not support accessed and dirty flags for EPT.',
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.eptVpidCap],
    holds: (c) => !eptEnabled(c) || eptpAccessedDirty(c.capabilities.eptVpidCap, c.u32(Field.eptPointer)),
  },
  {
    name: 'EPT_POINTER: reserved bits',
    sentence: 'If “enable EPT” is 1, reserved bits 11:7 of the EPTP and those beyond the physical-address width must be 0.',
    fields: [Field.eptPointer],
    conditions: SECONDARY_FIELDS,
    holds: (c) => !eptEnabled(c) || ((c.u32(Field.eptPointer) & 0xf80) === 0 && withinPhysicalWidth(c, Field.eptPointer)),
  },
  {
    name: '“enable PML” needs “enable EPT”',
    sentence: 'If “enable PML” is 1, “enable EPT” must also be 1.',
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    holds: (c) => !secondaryIs(c, Secondary.enablePml) || eptEnabled(c),
  },
  ...pageAddress(Field.pmlAddress, 'enable PML', SECONDARY_FIELDS, (c) => secondaryIs(c, Secondary.enablePml)),
  {
    name: '“unrestricted guest” needs “enable EPT”',
    sentence: 'If “unrestricted guest” is 1, “enable EPT” must also be 1.',
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    holds: (c) => !unrestrictedGuest(c) || eptEnabled(c),
  },
  {
    name: '“mode-based execute control for EPT” needs “enable EPT”',
    sentence: 'If “mode-based execute control for EPT” is 1, “enable EPT” must also be 1.',
    fields: [SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    holds: (c) => !secondaryIs(c, Secondary.modeBasedExecuteControl) || eptEnabled(c),
  },
  {
    name: 'VM_FUNCTION_CONTROLS: reserved bits',
    sentence: 'If “enable VM functions” is 1, bits of the VM-function controls that are 0 in IA32_VMX_VMFUNC must be 0.',
    fields: [Field.vmFunctionControls],
    conditions: SECONDARY_FIELDS,
    msrs: [VmxMsr.vmfunc],
    holds: (c) => !secondaryIs(c, Secondary.enableVmFunctions) || (c.u64(Field.vmFunctionControls) & ~c.capabilities.vmFunctions) === 0n,
  },
  {
    name: '“EPTP switching” needs “enable EPT”',
    sentence: 'If “enable VM functions” and “EPTP switching” are 1, “enable EPT” must also be 1.',
    fields: [Field.vmFunctionControls, SECONDARY_FIELD],
    conditions: [PRIMARY_FIELD],
    holds: (c) => !switchesEptp(c) || eptEnabled(c),
  },
  ...pageAddress(Field.eptpListAddress, 'EPTP switching', [Field.vmFunctionControls, ...SECONDARY_FIELDS], switchesEptp),
  ...pageAddress(Field.vmreadBitmapAddress, 'VMCS shadowing', SECONDARY_FIELDS, (c) => secondaryIs(c, Secondary.vmcsShadowing)),
  ...pageAddress(Field.vmwriteBitmapAddress, 'VMCS shadowing', SECONDARY_FIELDS, (c) => secondaryIs(c, Secondary.vmcsShadowing)),
  ...pageAddress(
    Field.virtualizationExceptionInformationAddress,
    'EPT-violation #VE',
    SECONDARY_FIELDS,
    (c) => secondaryIs(c, Secondary.eptViolationVe),
  ),
]); // prettier-ignore

export function eptpMemoryType(eptVpidCap: bigint, eptp: number): boolean {
  const type = eptp & 7;
  return (type === 0 && (eptVpidCap & (1n << 8n)) !== 0n) || (type === 6 && (eptVpidCap & (1n << 14n)) !== 0n);
}
export function eptpAccessedDirty(eptVpidCap: bigint, eptp: number): boolean {
  return (eptp & 0x40) === 0 || (eptVpidCap & (1n << 21n)) !== 0n;
}
/** The EPTP rules in one question, as INVEPT asks it. */
export function eptpValid(eptVpidCap: bigint, maxPhyAddr: number, eptp: bigint): boolean {
  const low = Number(eptp & 0xfffn);
  return eptpMemoryType(eptVpidCap, low) && ((low >> 3) & 7) === 3 && eptpAccessedDirty(eptVpidCap, low) && (low & 0xf80) === 0 && eptp >> BigInt(maxPhyAddr) === 0n;
} // prettier-ignore

const exitControls: readonly CheckRow[] = section('VM-Exit Control Fields', 'control', [
  reservedBits('primary VM-exit controls', Field.primaryVmExitControls, VmxMsr.trueExitCtls, 'exit'),
  {
    name: '“save VMX-preemption timer value” needs the timer',
    sentence: 'If “activate VMX-preemption timer” is 0, “save VMX-preemption timer value” must also be 0.',
    fields: [Field.primaryVmExitControls, Field.pinBasedVmExecutionControls],
    holds: (c) =>
      !exitControl(c, ExitControl.saveVmxPreemptionTimerValue) ||
      (c.u32(Field.pinBasedVmExecutionControls) & Pin.activateVmxPreemptionTimer) !== 0,
  },
  ...msrArea(Field.vmExitMsrStoreAddress, Field.vmExitMsrStoreCount),
  ...msrArea(Field.vmExitMsrLoadAddress, Field.vmExitMsrLoadCount),
]);

/** Type of the event to be injected; -1 when there is none. */
const injectedType = (c: CheckContext): number => (c.u32(INFO) & 0x8000_0000 ? (c.u32(INFO) >> 8) & 7 : -1);
const injectedVector = (c: CheckContext): number => c.u32(INFO) & 0xff;
const deliversErrorCode = (c: CheckContext): boolean => (c.u32(INFO) & 0x800) !== 0;

const entryControls: readonly CheckRow[] = section('VM-Entry Control Fields', 'control', [
  reservedBits('VM-entry controls', Field.vmEntryControls, VmxMsr.trueEntryCtls, 'entry'),
  {
    name: 'event injection: interruption type',
    sentence: 'If the VM-entry interruption-information field is valid, its interruption type (bits 10:8) must not be 1, which is reserved.',
    fields: [INFO],
    holds: (c) => injectedType(c) !== 1,
  },
  {
    name: 'event injection: vector',
    sentence:
      'If the VM-entry interruption-information field is valid, its vector must fit its type: 2 for an NMI, at most 31 for a hardware exception, 0 (pending MTF VM exit) for an other event.',
    fields: [INFO],
    holds: (c) => {
      const type = injectedType(c);
      if (type === EventType.nmi) return injectedVector(c) === 2;
      if (type === EventType.hardwareException) return injectedVector(c) <= 31;
      return type !== OTHER_EVENT || injectedVector(c) === 0;
    },
  },
  {
    name: 'event injection: error code only with a hardware exception',
    sentence: 'If the VM-entry interruption-information field is valid, its deliver-error-code bit (bit 11) must be 0 unless the interruption type is hardware exception.',
    fields: [INFO],
    holds: (c) => injectedType(c) < 0 || injectedType(c) === EventType.hardwareException || !deliversErrorCode(c),
  },
  {
    name: 'event injection: error code in real-address mode',
    sentence: 'If “unrestricted guest” is 1 and CR0.PE is 0 in the guest-state area, the deliver-error-code bit must be 0.',
    fields: [INFO, Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    holds: (c) => injectedType(c) !== EventType.hardwareException || !deliversErrorCode(c) || !unrestrictedGuest(c) || (c.u32(Field.guestCr0) & 1) !== 0,
  },
  {
    name: 'event injection: error code of the vector',
    sentence:
      'For a hardware exception injected into protected mode, the deliver-error-code bit must be 1 if the vector delivers an error code (8, 10 to 14 and 17) and 0 otherwise.',
    fields: [INFO, Field.guestCr0],
    conditions: SECONDARY_FIELDS,
    holds: (c) => {
      if (injectedType(c) !== EventType.hardwareException) return true;
      if (unrestrictedGuest(c) && !(c.u32(Field.guestCr0) & 1)) return true;
      // Vector 21 (#CP) delivers one only on processors with CET, which this one has not.
      const delivers = injectedVector(c) !== 21 && VECTORS_WITH_ERROR_CODE.includes(injectedVector(c));
      return deliversErrorCode(c) === delivers;
    },
  },
  {
    name: 'event injection: reserved bits',
    sentence: 'If the VM-entry interruption-information field is valid, its reserved bits 30:12 must be 0.',
    fields: [INFO],
    holds: (c) => injectedType(c) < 0 || (c.u32(INFO) & 0x7fff_f000) === 0,
  },
  {
    name: 'VM_ENTRY_EXCEPTION_ERROR_CODE',
    sentence: 'If the deliver-error-code bit is 1, bits 31:16 of the VM-entry exception error-code field must be 0.',
    fields: [Field.vmEntryExceptionErrorCode, INFO],
    holds: (c) => injectedType(c) < 0 || !deliversErrorCode(c) || c.u32(Field.vmEntryExceptionErrorCode) >>> 16 === 0,
  },
  {
    name: 'VM_ENTRY_INSTRUCTION_LENGTH',
    sentence: 'If the injected event is a software interrupt, software exception or privileged software exception, the VM-entry instruction-length field must be at most 15, and not 0 unless bit 30 of IA32_VMX_MISC is 1.',
    fields: [Field.vmEntryInstructionLength, INFO],
    msrs: [VmxMsr.misc],
    holds: (c) => {
      const type = injectedType(c);
      const length = c.u32(Field.vmEntryInstructionLength);
      const least = c.capabilities.model.features.has('zero-length-injection') ? 0 : 1;
      return type < EventType.softwareInterrupt || type > EventType.softwareException || (length >= least && length <= 15);
    },
  },
  ...msrArea(Field.vmEntryMsrLoadAddress, Field.vmEntryMsrLoadCount),
]); // prettier-ignore

export const CONTROL_CHECKS: readonly CheckRow[] = [...executionControls, ...exitControls, ...entryControls];
