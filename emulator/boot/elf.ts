/**
 * ELF executables as a boot loader reads them: the file header and the program headers (System V ABI, "Object Files" and "Program Loading").
 * Leaves out sections, symbols, relocation and dynamic linking, which no boot loader looks at.
 */
import { bootErrors } from './boot-errors';
import type { LoaderMemory } from './loader-memory';

export interface ElfSegment {
  readonly index: number;
  readonly offset: number;
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

export interface ElfImage {
  readonly elfClass: 32 | 64;
  readonly machine: number;
  /** Where it starts, virtual as the file has it. */
  readonly entry: number;
  /** PT_LOAD segments that occupy memory, in file order. */
  readonly segments: readonly ElfSegment[];
  /** PT_NOTE ranges, in bytes of the file. */
  readonly notes: readonly { readonly offset: number; readonly bytes: number }[];
}

const ELF_MAGIC = 0x464c457f;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PN_XNUM = 0xffff;
export const EM_386 = 3;
export const EM_X86_64 = 62;

const MACHINE_NAMES: Readonly<Record<number, string>> = { 2: 'SPARC', 8: 'MIPS', 20: 'PowerPC', 21: 'PowerPC64', 22: 'S/390', 40: 'ARM', 50: 'IA-64', 183: 'AArch64', 243: 'RISC-V' }; // prettier-ignore
const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'a file of no type',
  1: 'an object file that was not linked',
  3: 'position-independent or a shared object',
  4: 'a core dump',
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === ELF_MAGIC;
}

/** Reads and checks the headers of an x86 executable; throws a UserError with a sentence for everything that is wrong with it. */
export function readElf(bytes: Uint8Array, name: string): ElfImage {
  const view = viewOf(bytes);
  const need = (end: number, what: string): void => {
    if (!(end <= bytes.length)) throw bootErrors.truncatedElf(name, what, end, bytes.length);
  };
  const bad = (what: string): Error => bootErrors.badElf(name, what);
  need(16, 'identification');
  if (!isElf(bytes)) throw bad('its magic is not 7F 45 4C 46');
  const elfClass = bytes[4] === 1 ? 32 : bytes[4] === 2 ? 64 : undefined;
  if (elfClass === undefined) throw bad(`its class is ${bytes[4]}, expected 1 (32-bit) or 2 (64-bit)`);
  if (bytes[5] !== 1) throw bad(`its data encoding is ${bytes[5]}, expected 1 (little endian)`);
  if (bytes[6] !== 1) throw bad(`its version is ${bytes[6]}, expected 1`);
  const wide = elfClass === 64;
  need(wide ? 64 : 52, 'header');
  // Values above 2^53 lose low bits here; they are far outside memory and refused as such.
  const word = (at: number): number => (wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const type = view.getUint16(16, true);
  const machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64)
    throw bad(`it is for ${MACHINE_NAMES[machine] ?? `machine ${machine}`}, expected x86 (3) or x86-64 (62)`);
  if (wide && machine !== EM_X86_64) throw bad('it is a 64-bit file for the 80386, expected x86-64 (62)');
  if (type !== 2) throw bad(`it is ${TYPE_NAMES[type] ?? `of type ${type}`}, expected an executable (type 2)`);
  const entry = word(24);
  const headersAt = wide ? word(32) : view.getUint32(28, true);
  const headerBytes = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  const expectedBytes = wide ? 56 : 32;
  if (count === 0) throw bad('it has no program headers, so that nothing says where it is to be loaded');
  if (count === PN_XNUM) throw bad('it has 65535 or more program headers');
  if (headerBytes !== expectedBytes) throw bad(`its program headers have ${headerBytes} bytes each, expected ${expectedBytes}`);
  need(headersAt + count * headerBytes, 'program header table');
  const segments: ElfSegment[] = [];
  const notes: { offset: number; bytes: number }[] = [];
  for (let index = 0; index < count; index++) {
    const at = headersAt + index * headerBytes;
    const kind = view.getUint32(at, true);
    if (kind !== PT_LOAD && kind !== PT_NOTE) continue;
    const segment: ElfSegment = wide
      ? { index, offset: word(at + 8), virtualAddress: word(at + 16), physicalAddress: word(at + 24), fileBytes: word(at + 32), memoryBytes: word(at + 40) } // prettier-ignore
      : { index, offset: word(at + 4), virtualAddress: word(at + 8), physicalAddress: word(at + 12), fileBytes: word(at + 16), memoryBytes: word(at + 20) }; // prettier-ignore
    if (kind === PT_NOTE) {
      if (segment.offset + segment.fileBytes <= bytes.length) notes.push({ offset: segment.offset, bytes: segment.fileBytes });
      continue;
    }
    if (segment.memoryBytes === 0 && segment.fileBytes === 0) continue;
    if (segment.fileBytes > segment.memoryBytes)
      throw bad(`segment ${index} has ${segment.fileBytes} bytes in the file, but only ${segment.memoryBytes} in memory`);
    if (segment.fileBytes > 0) need(segment.offset + segment.fileBytes, `segment ${index}`);
    segments.push(segment);
  }
  if (segments.length === 0) throw bad('it has no segment that is to be loaded');
  return { elfClass, machine, entry, segments, notes };
}

/** Physical address of the entry point: `e_entry` is virtual, and a segment may be loaded elsewhere than where it is linked. */
export function physicalEntry(elf: ElfImage, name: string): number {
  const { entry, segments } = elf;
  const virtual = segments.find((s) => entry >= s.virtualAddress && entry < s.virtualAddress + s.memoryBytes);
  if (virtual) return entry - virtual.virtualAddress + virtual.physicalAddress;
  // Some linker scripts give the entry as a physical address already.
  if (segments.some((s) => entry >= s.physicalAddress && entry < s.physicalAddress + s.memoryBytes)) return entry;
  throw bootErrors.entryOutside(name, entry);
}

/** Puts the segments at their physical addresses. */
export function loadSegments(elf: ElfImage, bytes: Uint8Array, room: LoaderMemory): void {
  for (const s of elf.segments)
    room.load(s.physicalAddress, bytes.subarray(s.offset, s.offset + s.fileBytes), s.memoryBytes, `segment ${s.index}`);
}

/** Whether a PVH entry point is announced: a note of owner `Xen` and type 18 (Xen, "x86/HVM direct boot ABI"). */
export function hasPvhNote(elf: ElfImage, bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  const align = (n: number): number => Math.ceil(n / 4) * 4;
  for (const note of elf.notes) {
    const end = note.offset + note.bytes;
    for (let at = note.offset; at + 12 <= end;) {
      const nameBytes = view.getUint32(at, true);
      const isXen = nameBytes === 4 && at + 16 <= end && view.getUint32(at + 12, true) === 0x006e6558;
      if (isXen && view.getUint32(at + 8, true) === 18) return true;
      at += 12 + align(nameBytes) + align(view.getUint32(at + 4, true));
    }
  }
  return false;
}
