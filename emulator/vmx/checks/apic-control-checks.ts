/** Checks on the controls of the virtual APIC, of NMIs and of posted interrupts: SDM volume 3, "VM-Execution Control Fields". */
import { Field } from '../../spec/vmcs-fields';
import { ExitControl, Pin, Primary, Secondary } from '../../spec/vmx-controls';
import { exitControl, pageAddress, primary, SECONDARY_FIELDS, secondaryIs, withinPhysicalWidth, type CheckContext, type CheckRowInit } from './check-row'; // prettier-ignore

const PIN = Field.pinBasedVmExecutionControls;
const PRIMARY = Field.primaryProcessorBasedVmExecutionControls;
const SECONDARY = Field.secondaryProcessorBasedVmExecutionControls;
const NOTIFICATION = Field.postedInterruptNotificationVector;
const DESCRIPTOR = Field.postedInterruptDescriptorAddress;
const VIRTUAL_TPR = 0x80;

const pinIs = (c: CheckContext, control: number): boolean => (c.u32(PIN) & control) !== 0;
const tprShadow = (c: CheckContext): boolean => (primary(c) & Primary.useTprShadow) !== 0;
const delivers = (c: CheckContext): boolean => secondaryIs(c, Secondary.virtualInterruptDelivery);
const posted = (c: CheckContext): boolean => pinIs(c, Pin.processPostedInterrupts);

/** A secondary control that makes sense only with the TPR shadow. */
const needsTprShadow = (name: string, control: number): CheckRowInit => ({
  name: `“${name}” needs “use TPR shadow”`,
  sentence: `If “use TPR shadow” is 0, “${name}” must also be 0.`,
  fields: [PRIMARY, SECONDARY],
  holds: (c) => tprShadow(c) || !secondaryIs(c, control),
});

export const APIC_AND_NMI_CHECKS: readonly CheckRowInit[] = [
  ...pageAddress(Field.virtualApicAddress, 'use TPR shadow', [PRIMARY], tprShadow),
  {
    name: 'TPR_THRESHOLD: bits 31:4',
    sentence: 'If “use TPR shadow” is 1 and “virtual-interrupt delivery” is 0, bits 31:4 of the TPR threshold must be 0.',
    fields: [Field.tprThreshold],
    conditions: SECONDARY_FIELDS,
    holds: (c) => !tprShadow(c) || delivers(c) || c.u32(Field.tprThreshold) >>> 4 === 0,
  },
  {
    name: 'TPR_THRESHOLD: not above the virtual TPR',
    looksOutside: true,
    sentence:
      'If “use TPR shadow” is 1 and “virtualize APIC accesses” and “virtual-interrupt delivery” are 0, bits 3:0 of the TPR threshold must not be greater than bits 7:4 of the TPR on the virtual-APIC page.',
    fields: [Field.tprThreshold, Field.virtualApicAddress],
    conditions: SECONDARY_FIELDS,
    holds: (c) => {
      if (!tprShadow(c) || delivers(c) || secondaryIs(c, Secondary.virtualizeApicAccesses)) return true;
      const tpr = c.read32(c.address(Field.virtualApicAddress) + VIRTUAL_TPR);
      return (c.u32(Field.tprThreshold) & 15) <= ((tpr >> 4) & 15);
    },
  },
  {
    name: '“virtual NMIs” needs “NMI exiting”',
    sentence: 'If “NMI exiting” is 0, “virtual NMIs” must also be 0.',
    fields: [PIN],
    holds: (c) => !pinIs(c, Pin.virtualNmis) || pinIs(c, Pin.nmiExiting),
  },
  {
    name: '“NMI-window exiting” needs “virtual NMIs”',
    sentence: 'If “virtual NMIs” is 0, “NMI-window exiting” must also be 0.',
    fields: [PIN, PRIMARY],
    holds: (c) => (primary(c) & Primary.nmiWindowExiting) === 0 || pinIs(c, Pin.virtualNmis),
  },
  ...pageAddress(Field.apicAccessAddress, 'virtualize APIC accesses', SECONDARY_FIELDS, (c) =>
    secondaryIs(c, Secondary.virtualizeApicAccesses),
  ),
  needsTprShadow('virtualize x2APIC mode', Secondary.virtualizeX2apicMode),
  needsTprShadow('APIC-register virtualization', Secondary.apicRegisterVirtualization),
  needsTprShadow('virtual-interrupt delivery', Secondary.virtualInterruptDelivery),
  {
    name: '“virtualize x2APIC mode” excludes “virtualize APIC accesses”',
    sentence: 'If “virtualize x2APIC mode” is 1, “virtualize APIC accesses” must be 0.',
    fields: [SECONDARY],
    conditions: [PRIMARY],
    holds: (c) => !secondaryIs(c, Secondary.virtualizeX2apicMode) || !secondaryIs(c, Secondary.virtualizeApicAccesses),
  },
  {
    name: '“virtual-interrupt delivery” needs “external-interrupt exiting”',
    sentence: 'If “virtual-interrupt delivery” is 1, “external-interrupt exiting” must also be 1.',
    fields: [SECONDARY, PIN],
    conditions: [PRIMARY],
    holds: (c) => !delivers(c) || pinIs(c, Pin.externalInterruptExiting),
  },
  {
    name: '“process posted interrupts” needs “virtual-interrupt delivery”',
    sentence: 'If “process posted interrupts” is 1, “virtual-interrupt delivery” must also be 1.',
    fields: [PIN, SECONDARY],
    conditions: [PRIMARY],
    holds: (c) => !posted(c) || delivers(c),
  },
  {
    name: '“process posted interrupts” needs “acknowledge interrupt on exit”',
    sentence: 'If “process posted interrupts” is 1, the “acknowledge interrupt on exit” VM-exit control must also be 1.',
    fields: [PIN, Field.primaryVmExitControls],
    holds: (c) => !posted(c) || exitControl(c, ExitControl.acknowledgeInterruptOnExit),
  },
  {
    name: 'POSTED_INTERRUPT_NOTIFICATION_VECTOR',
    sentence: 'If “process posted interrupts” is 1, the notification vector must be 0 to 255.',
    fields: [NOTIFICATION],
    conditions: [PIN],
    holds: (c) => !posted(c) || c.u32(NOTIFICATION) <= 255,
  },
  {
    name: 'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: alignment',
    sentence: 'If “process posted interrupts” is 1, bits 5:0 of the posted-interrupt descriptor address must be 0.',
    fields: [DESCRIPTOR],
    conditions: [PIN],
    holds: (c) => !posted(c) || (c.u32(DESCRIPTOR) & 0x3f) === 0,
  },
  {
    name: 'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: physical-address width',
    sentence: "If “process posted interrupts” is 1, the posted-interrupt descriptor address must not set any bit beyond the processor's physical-address width.",
    fields: [DESCRIPTOR],
    conditions: [PIN],
    holds: (c) => !posted(c) || withinPhysicalWidth(c, DESCRIPTOR),
  },
]; // prettier-ignore
