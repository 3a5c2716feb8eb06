/** Extended page tables: SDM volume 3, "The Extended Page Table Mechanism (EPT)" and "Extended-Page-Table Pointer (EPTP)"; a table only, the walk is in mmu/. */
import { bitRange, flagBit, type BitLayout } from './named-bits';

/** Memory types as EPT entries and the EPTP encode them. */
export const EPT_MEMORY_TYPES: Readonly<Record<number, string>> = { 0: 'UC', 1: 'WC', 4: 'WT', 5: 'WP', 6: 'WB' };

export const EPTP_LAYOUT: BitLayout = [
  bitRange(0, 2, 'memory type', { 0: 'UC', 6: 'WB' }, 'Memory type of the EPT paging structures.'),
  bitRange(3, 5, 'page-walk length minus 1', { 3: '3 (4 levels)', 4: '4 (5 levels)' }),
  flagBit(6, 'accessed and dirty flags', 'EPT accessed and dirty flags are enabled.'),
  flagBit(7, 'supervisor shadow-stack control', 'Access rights for supervisor shadow-stack pages are enforced.'),
  bitRange(12, 51, 'PML4 page frame'),
];

/** Bits of EPT paging-structure entries. */
export const EptEntry = {
  read: 1 << 0,
  write: 1 << 1,
  execute: 1 << 2,
  memoryTypeShift: 3,
  ignorePat: 1 << 6,
  largePage: 1 << 7,
  accessed: 1 << 8,
  dirty: 1 << 9,
  userExecute: 1 << 10,
} as const;

/** State.eptMode: what of EPT is in use. */
export const EptMode = { accessedDirty: 1, modeBased: 2, logging: 4 } as const;

/** SDM table "Exit Qualification for EPT Violations". */
export const EptViolation = {
  read: 1 << 0, write: 1 << 1, fetch: 1 << 2, readable: 1 << 3, writable: 1 << 4, executable: 1 << 5, userExecutable: 1 << 6, linearValid: 1 << 7, translatedLinear: 1 << 8,
  userModeAddress: 1 << 9, writablePage: 1 << 10, executeDisabledPage: 1 << 11, nmiUnblocking: 1 << 12,
} as const; // prettier-ignore

/** The levels of an EPT walk with the manual's names, top first. */
export const EPT_LEVELS = [
  { level: 4, name: 'EPT PML4E', shift: 39 },
  { level: 3, name: 'EPT PDPTE', shift: 30 },
  { level: 2, name: 'EPT PDE', shift: 21 },
  { level: 1, name: 'EPT PTE', shift: 12 },
] as const;
