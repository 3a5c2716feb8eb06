/**
 * Multiboot 1 kernels (Multiboot Specification 0.6.96, "OS image format", "Machine state"): finds and checks the header, loads an ELF32 or
 * ELF64 container by its program headers or the image by the header's own address fields, and enters it in flat 32-bit protected mode.
 * ELF64 containers are our extension. The GDTR, which the specification leaves undefined, holds a valid flat GDT; the IDTR is empty.
 * Not modelled: video mode requests (bit 2 of the flags), which are refused.
 */
import { bootErrors } from './boot-errors';
import { isElf, loadSegments, physicalEntry, readElf } from './elf';
import { entryEnvironment } from './entry-structures';
import type { EntryState } from './entry-state';
import type { LoaderMemory } from './loader-memory';
import { type BootModule, INFORMATION_BYTES, writeInformation } from './multiboot-information';

export const HEADER_MAGIC = 0x1badb002;
export const LOADER_MAGIC = 0x2badb002;
/** The header lies within the first 8 KiB, on a multiple of four. */
const SEARCH_BYTES = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** Bits 0 to 15 that we know: page-aligned modules, memory information (both always given), video mode. */
const KNOWN_REQUIREMENTS = 0x7;

export interface MultibootHeader {
  /** Where in the file it lies. */
  readonly offset: number;
  readonly flags: number;
  readonly checksumRight: boolean;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** The first header with a right checksum, else the first magic with a wrong one (to say so), else undefined. */
export function findMultibootHeader(bytes: Uint8Array): MultibootHeader | undefined {
  const view = viewOf(bytes);
  let wrong: MultibootHeader | undefined;
  for (let offset = 0; offset + 12 <= Math.min(bytes.length, SEARCH_BYTES); offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksumRight = (HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) % 2 ** 32 === 0;
    if (checksumRight) return { offset, flags, checksumRight };
    wrong ??= { offset, flags, checksumRight };
  }
  return wrong;
}

/** Loads by the address fields of the header (flags bit 16); returns the entry point. */
function loadByAddressFields(bytes: Uint8Array, header: MultibootHeader, name: string, room: LoaderMemory): number {
  const view = viewOf(bytes);
  const bad = (what: string): Error => bootErrors.badMultiboot(name, what);
  if (header.offset + 32 > bytes.length) throw bad('its address fields reach beyond the end of the file');
  const field = (at: number): number => view.getUint32(header.offset + at, true);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [field(12), field(16), field(20), field(24), field(28)];
  if (loadAddress > headerAddress) throw bad(`load_addr ${hex(loadAddress)} is above header_addr ${hex(headerAddress)}`);
  const first = header.offset - (headerAddress - loadAddress);
  if (first < 0)
    throw bad(
      `header_addr ${hex(headerAddress)} lies ${headerAddress - loadAddress} bytes after load_addr, but the header is at byte ${header.offset} of the file`,
    );
  if (loadEnd !== 0 && loadEnd < loadAddress) throw bad(`load_end_addr ${hex(loadEnd)} is below load_addr ${hex(loadAddress)}`);
  const loadBytes = loadEnd === 0 ? bytes.length - first : loadEnd - loadAddress;
  if (first + loadBytes > bytes.length)
    throw bad(`load_end_addr ${hex(loadEnd)} asks for ${loadBytes} bytes from byte ${first} on, but the file has ${bytes.length} bytes`);
  if (bssEnd !== 0 && bssEnd < loadAddress + loadBytes)
    throw bad(`bss_end_addr ${hex(bssEnd)} is below the end of the loaded part ${hex(loadAddress + loadBytes)}`);
  const memoryBytes = bssEnd === 0 ? loadBytes : bssEnd - loadAddress;
  room.load(loadAddress, bytes.subarray(first, first + loadBytes), memoryBytes, 'load area');
  if (entry < loadAddress || entry >= loadAddress + memoryBytes) throw bootErrors.entryOutside(name, entry);
  return entry;
}

export function loadMultiboot(
  bytes: Uint8Array,
  name: string,
  room: LoaderMemory,
  cmdline: string,
  modules: readonly BootModule[],
): EntryState {
  const header = findMultibootHeader(bytes);
  if (!header)
    throw bootErrors.notThisFormat(name, 'multiboot', `there is no multiboot header (magic ${hex(HEADER_MAGIC)}) in its first 8 KiB`);
  if (!header.checksumRight)
    throw bootErrors.badMultiboot(name, `magic, flags and checksum at byte ${header.offset} do not add up to zero`);
  if (header.flags & FLAG_VIDEO)
    throw bootErrors.badMultiboot(name, 'it asks for a video mode (bit 2 of its flags), which is not available yet');
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown) throw bootErrors.badMultiboot(name, `it requires features that are not known (flags bits ${hex(unknown)})`);
  let entry: number;
  if (header.flags & FLAG_ADDRESSES) entry = loadByAddressFields(bytes, header, name, room);
  else if (isElf(bytes)) {
    const elf = readElf(bytes, name);
    loadSegments(elf, bytes, room);
    entry = physicalEntry(elf, name);
  } else throw bootErrors.badMultiboot(name, 'it is no ELF file and gives no load addresses (bit 16 of its flags is clear)');
  const first = room.lowestFirst;
  const kernel = { address: first, entry, bytes: room.memory.physRead(first, room.highestEnd - first) };
  const information = writeInformation(room, room.highestEnd, name, cmdline, modules);
  const state = entryEnvironment(room, 32, entry, { rax: BigInt(LOADER_MAGIC), rbx: BigInt(information) });
  // QEMU's loader hands the information structure over as the initial RAM disk.
  return { ...state, boot: { kernel, initrd: { address: information, bytes: room.memory.physRead(information, INFORMATION_BYTES) } } };
}
