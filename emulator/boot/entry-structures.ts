/**
 * The flat protected-mode and 64-bit entry environments: a GDT with flat segments, identity page tables and a stack, and the registers
 * that go with them (SDM volume 3, "Protected-Mode Memory Management", "4-Level Paging"). Our choices, where no boot protocol says more:
 * GDT at 0x7000, page tables from 0x1000 (PML4, PDPT, four page directories: the first 4 GiB in 2 MiB pages, writable, so that device
 * addresses are reachable too), stack downwards from 0x90000. Where the image lies there, the structure goes to the end of memory.
 * The IDTR is empty: an exception before the guest has loaded its IDT ends in a triple fault.
 */
import type { LoadableMemory } from '../memory/physical-memory';
import type { EntryRegister, EntrySegment, EntryState } from './entry-state';
import type { LoaderMemory } from './loader-memory';

export const PAGE_TABLES_AT = 0x1000;
export const GDT_AT = 0x7000;
export const STACK_TOP = 0x90000;
export const STACK_BYTES = 0x10000;

/** Selectors of the GDT that every entry environment has. */
export const Selector = { code32: 0x08, data: 0x10, code64: 0x18 } as const;

/** Accessed bits are set, as they are in descriptors that were loaded. */
const DESCRIPTORS = [
  0n,
  0x00cf_9b00_0000_ffffn, // 0x08: 32-bit code, ring 0, flat
  0x00cf_9300_0000_ffffn, // 0x10: data, ring 0, flat
  0x00af_9b00_0000_ffffn, // 0x18: 64-bit code, ring 0
];

const FLAT_LIMIT = 0xffff_ffff;
const ACCESS_CODE32 = 0xc09b;
const ACCESS_CODE64 = 0xa09b;
const ACCESS_DATA = 0xc093;
const ACCESS_LDT = 0x82;
const ACCESS_BUSY_TSS = 0x8b;

const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;

const PAGE_PRESENT_WRITABLE = 3n;
const PAGE_LARGE = 0x80n;

function writeGdt(room: LoaderMemory): number {
  const at = room.place(GDT_AT, DESCRIPTORS.length * 8, "the loader's GDT");
  DESCRIPTORS.forEach((descriptor, i) => room.memory.write64(at + i * 8, descriptor));
  return at;
}

/** PML4, PDPT and four page directories that map the first 4 GiB to themselves; returns the address of the PML4. */
function writeIdentityTables(room: LoaderMemory): number {
  const memory: LoadableMemory = room.memory;
  const pml4 = room.place(PAGE_TABLES_AT, 6 * 4096, "the loader's page tables");
  const pdpt = pml4 + 4096;
  memory.physWrite(pml4, new Uint8Array(6 * 4096));
  memory.write64(pml4, BigInt(pdpt) | PAGE_PRESENT_WRITABLE);
  for (let gib = 0; gib < 4; gib++) {
    const directory = pdpt + 4096 * (gib + 1);
    memory.write64(pdpt + gib * 8, BigInt(directory) | PAGE_PRESENT_WRITABLE);
    for (let i = 0; i < 512; i++)
      memory.write64(directory + i * 8, BigInt(gib * 2 ** 30 + i * 2 ** 21) | PAGE_PRESENT_WRITABLE | PAGE_LARGE);
  }
  return pml4;
}

/** Builds the environment of a 32- or 64-bit entry in memory and gives the registers that go with it. */
export function entryEnvironment(
  room: LoaderMemory,
  codeBits: 32 | 64,
  entry: number,
  registers: Readonly<Partial<Record<EntryRegister, bigint>>> = {},
): EntryState {
  const stack = room.place(STACK_TOP - STACK_BYTES, STACK_BYTES, 'a first stack') + STACK_BYTES;
  const gdt = writeGdt(room);
  const long = codeBits === 64;
  const cr3 = long ? BigInt(writeIdentityTables(room)) : 0n;
  const data: EntrySegment = { selector: Selector.data, base: 0n, limit: FLAT_LIMIT, access: ACCESS_DATA };
  const code: EntrySegment = {
    selector: long ? Selector.code64 : Selector.code32,
    base: 0n,
    limit: FLAT_LIMIT,
    access: long ? ACCESS_CODE64 : ACCESS_CODE32,
  };
  return {
    codeBits,
    rip: BigInt(entry),
    rflags: 2,
    registers: { rsp: BigInt(stack), ...registers },
    segments: {
      es: data,
      cs: code,
      ss: data,
      ds: data,
      fs: data,
      gs: data,
      ldtr: { selector: 0, base: 0n, limit: 0xffff, access: ACCESS_LDT },
      tr: { selector: 0, base: 0n, limit: 0xffff, access: ACCESS_BUSY_TSS },
    },
    cr0: long ? CR0_PE | CR0_ET | CR0_PG : CR0_PE | CR0_ET,
    cr3,
    cr4: long ? CR4_PAE : 0n,
    efer: long ? EFER_LME | EFER_LMA : 0n,
    gdtr: { base: BigInt(gdt), limit: DESCRIPTORS.length * 8 - 1 },
    idtr: { base: 0n, limit: 0 },
  };
}
