/** Checks that Debian's bochs 2.7 fails, by the beginning of their lines, each with the manual's words for our side or with what bochs lacks. */
export const BOCHS_DIFFERS: Readonly<Record<string, string>> = {
  // delivery
  'its class is held':
    'SDM, "Interrupt, Task, and Processor Priority": what PPR holds back stays in IRR; a spurious interrupt is for one that vanished while the processor acknowledged it',
  'a higher one is not': 'the spurious interrupt of before is in the log',
  'the one that waited comes': 'the same',
  'a masked LINT0 lets nothing through':
    'SDM, "Local Vector Table", Mask: "inhibits reception of the interrupt"; bochs has the 8259 beside the LVT',
  'remote IRR is set': 'I/O APIC, "Remote IRR": "set when the local APIC accepts the level interrupt"; bochs has no remote IRR',
  'EOI has it again as long as the line is high': 'follows from it: bochs broadcasts no EOI to the input',
  'one shot': 'the interrupt that bochs kept of the level before',
  'and nothing more comes': 'the same',
  'which is 0 then': 'SDM, "TSC-Deadline Mode": the MSR is cleared when the interrupt is generated',
  'an illegal vector is not sent': 'SDM, "Error Handling", bit 5: Send Illegal Vector',
  'the error interrupt': 'follows from it',
  'cluster model: the cluster and a bit, or all clusters':
    'SDM, "Logical Destination Mode": a cluster address of FH is a broadcast to all clusters',
  'the logical id follows from it': 'SDM, "Deriving Logical x2APIC ID From the Local x2APIC ID"; bochs keeps the LDR of xAPIC mode',
  'ICR in one piece, logical': 'follows from it',
  'from disabled to x2APIC mode': 'SDM, "x2APIC State Transitions": from disabled, a write that sets both bits is #GP',
  'xAPIC mode begins as after reset':
    'SDM, "x2APIC State Transitions": the way through disabled is as after reset; bochs leaves its registers unmapped',
  // devices
  'IRR shows what asks although it is masked':
    '16550, "Interrupt Enable Register": enabling the transmitter interrupt while the register is empty asks at once; bochs asks later',
  'a poll takes the highest': '8259A, "Poll Command": bit 7 says that a level asks; bochs gives the level alone',
  'and puts it in service':
    '8259A, "Poll Command": it is an acknowledgement, which puts the level in service; bochs takes the request away',
  'after EOI they do': 'follows from it',
  'rotation: what was served is the lowest, level 0 comes first': 'follows from it',
  'specific rotation: level 4 comes before level 0': 'follows from it',
  '29 February in a leap year':
    'MC146818A, "Update Cycle": time goes on from what was written while SET = 1; the clock of bochs goes on from another hour',
  midnight: 'follows from it',
  'with its minutes': 'follows from it',
  '24 bits': 'ACPI, "Power Management Timer": TMR_VAL_EXT decides; bochs 2.7 has no timer at 0x608 until its base is programmed',
  'it goes on': 'follows from it',
};
