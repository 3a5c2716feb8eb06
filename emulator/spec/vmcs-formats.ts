/**
 * The layouts of VMCS fields that are neither addresses nor control words: SDM volume 3, "Guest Register State" (access rights), "Guest
 * Non-Register State", "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events".
 */
import { bitRange, flagBit, type BitLayout } from './named-bits';

export const ACCESS_RIGHTS_LAYOUT: BitLayout = [
  bitRange(0, 3, 'type'),
  flagBit(4, 'S', 'Code or data segment (0: system segment).'),
  bitRange(5, 6, 'DPL'),
  flagBit(7, 'P', 'Segment present.'),
  flagBit(12, 'AVL', 'Available for use by system software.'),
  flagBit(13, 'L', '64-bit code segment.'),
  flagBit(14, 'D/B', 'Default operation size 32 bits.'),
  flagBit(15, 'G', 'The limit counts in units of 4 KiB.'),
  flagBit(16, 'unusable', 'The segment register cannot be used.'),
];

/** Interruption type 7; the others are `EventType` of spec/registers. With vector 0: a pending MTF VM exit. */
export const OTHER_EVENT = 7;
const TYPE_WORDS = {
  0: 'external interrupt',
  1: 'reserved',
  2: 'NMI',
  3: 'hardware exception',
  4: 'software interrupt',
  5: 'privileged software exception',
  6: 'software exception',
  7: 'other event',
};
export const EVENT_INJECTION_LAYOUT: BitLayout = [
  bitRange(0, 7, 'vector'),
  bitRange(8, 10, 'type', TYPE_WORDS),
  flagBit(11, 'deliver error code'),
  flagBit(31, 'valid'),
];
export const EXIT_INTERRUPTION_LAYOUT: BitLayout = [
  bitRange(0, 7, 'vector'),
  bitRange(8, 10, 'type', TYPE_WORDS),
  flagBit(11, 'error code valid'),
  flagBit(12, 'NMI unblocking due to IRET'),
  flagBit(31, 'valid'),
];
export const IDT_VECTORING_LAYOUT: BitLayout = [
  bitRange(0, 7, 'vector'),
  bitRange(8, 10, 'type', TYPE_WORDS),
  flagBit(11, 'error code valid'),
  flagBit(31, 'valid'),
];

export const EXIT_REASON_LAYOUT: BitLayout = [
  bitRange(0, 15, 'basic exit reason'),
  flagBit(25, 'busy shadow stack'),
  flagBit(26, 'bus lock'),
  flagBit(27, 'enclave mode'),
  flagBit(28, 'pending MTF VM exit'),
  flagBit(29, 'VM exit from VMX root operation'),
  flagBit(31, 'VM-entry failure'),
];

export const INTERRUPTIBILITY_LAYOUT: BitLayout = [
  flagBit(0, 'blocking by STI'),
  flagBit(1, 'blocking by MOV SS'),
  flagBit(2, 'blocking by SMI'),
  flagBit(3, 'blocking by NMI'),
  flagBit(4, 'enclave interruption'),
];
export const ACTIVITY_WORDS: Readonly<Record<number, string>> = { 0: 'active', 1: 'HLT', 2: 'shutdown', 3: 'wait-for-SIPI' };

export const PENDING_DEBUG_LAYOUT: BitLayout = [
  flagBit(0, 'B0'),
  flagBit(1, 'B1'),
  flagBit(2, 'B2'),
  flagBit(3, 'B3'),
  flagBit(12, 'enabled breakpoint'),
  flagBit(14, 'BS'),
  flagBit(16, 'RTM'),
];

export const PAGE_FAULT_CODE_LAYOUT: BitLayout = [
  flagBit(0, 'P', 'The fault was a protection violation (0: a page was not present).'),
  flagBit(1, 'W/R', 'The access was a write.'),
  flagBit(2, 'U/S', 'The access was made in user mode.'),
  flagBit(3, 'RSVD', 'A reserved bit was set in a paging-structure entry.'),
  flagBit(4, 'I/D', 'The access was an instruction fetch.'),
  flagBit(5, 'PK', 'A protection key denied the access.'),
  flagBit(6, 'SS', 'The access was a shadow-stack access.'),
  flagBit(15, 'SGX', 'An SGX access-control requirement was violated.'),
];

export const PAT_WORDS: Readonly<Record<number, string>> = { 0: 'UC', 1: 'WC', 4: 'WT', 5: 'WP', 6: 'WB', 7: 'UC-' };
export const PAT_LAYOUT: BitLayout = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => bitRange(n * 8, n * 8 + 7, `PA${n}`, PAT_WORDS));

/** Exceptions by vector: SDM volume 3, "Exception and Interrupt Reference". */
export const EXCEPTION_NAMES: Readonly<Record<number, string>> = {
  0: '#DE', 1: '#DB', 2: 'NMI', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP', 12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC', 18: '#MC', 19: '#XM', 20: '#VE', 21: '#CP',
}; // prettier-ignore
export const EXCEPTION_BITMAP_LAYOUT: BitLayout = Array.from({ length: 32 }, (_, vector) =>
  flagBit(vector, EXCEPTION_NAMES[vector] ?? `vector ${vector}`),
);

/** VMX-abort indicators: SDM "VMX Aborts". */
export const VMX_ABORT_REASONS: Readonly<Record<number, string>> = {
  1: 'There was a failure in saving guest MSRs.',
  2: 'Host checking of the page-directory-pointer-table entries failed.',
  3: 'The current VMCS has been corrupted.',
  4: 'There was a failure on loading host MSRs.',
  5: 'There was a machine-check event during VM exit.',
  6: 'The processor was in IA-32e mode before the VM exit and “host address-space size” was 0.',
};
