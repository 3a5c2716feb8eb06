/**
 * The state in which a loader leaves the processor at the first instruction of an image: plain data that the machine puts into the vCPU.
 * What is not named here keeps its power-on value (SDM volume 3, "Processor State After Reset").
 */
import type { GPR_NAMES, SEGMENT_NAMES } from '../spec/vcpu-state';

export type EntryRegister = (typeof GPR_NAMES)[number];
export type EntrySegmentName = (typeof SEGMENT_NAMES)[number];

export interface EntrySegment {
  readonly selector: number;
  readonly base: bigint;
  /** In bytes, granularity applied. */
  readonly limit: number;
  /** VMCS access-rights format (SDM volume 3, "Guest Register State"). */
  readonly access: number;
}

export interface EntryTable {
  readonly base: bigint;
  readonly limit: number;
}

export interface EntryState {
  readonly codeBits: 32 | 64;
  readonly rip: bigint;
  readonly rflags: number;
  /** General registers; those that are not listed are zero. */
  readonly registers: Readonly<Partial<Record<EntryRegister, bigint>>>;
  readonly segments: Readonly<Record<EntrySegmentName, EntrySegment>>;
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly gdtr: EntryTable;
  readonly idtr: EntryTable;
  /** What the loader tells of itself through the firmware configuration device. */
  readonly boot?: BootItems;
}

/** The image as it lies in memory, and the structure or RAM disk that goes with it. */
export interface BootItems {
  readonly kernel?: { readonly address: number; readonly entry: number; readonly bytes: Uint8Array };
  readonly initrd?: { readonly address: number; readonly bytes: Uint8Array };
  readonly cmdline?: string;
}
