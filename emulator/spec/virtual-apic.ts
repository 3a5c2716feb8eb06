/** The virtual-APIC page: SDM volume 3, "Virtualized APIC Registers"; a table only. */

/** Page offsets of the registers. */
export const ApicOffset = {
  tpr: 0x80,
  ppr: 0xa0,
  eoi: 0xb0,
  isr: 0x100,
  irr: 0x200,
  icrLow: 0x300,
  icrHigh: 0x310,
  selfIpi: 0x3f0,
} as const;
