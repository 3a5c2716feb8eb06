/**
 * The multiboot information structure, memory map, module list and strings (Multiboot Specification 0.6.96, "Boot information format"), with
 * the layout of QEMU's loader: map at 0x9000 and structure at 0x9500 (elsewhere where the image lies there), lists and strings on the page
 * behind the kernel, each module on a page of its own behind them. The command line begins with the image's name, as there.
 */
import type { LoadableMemory } from '../memory/physical-memory';
import { CONVENTIONAL_END, type LoaderMemory } from './loader-memory';

export interface BootModule {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly cmdline: string;
}

const STRUCTURES_AT = 0x9000;
const STRUCTURES_BYTES = 0x600;
const INFORMATION_OFFSET = 0x500;
/** Up to the graphics table and the VBE fields, which are not given. */
export const INFORMATION_BYTES = 88;
const LOADER_NAME = 'nestscope';
/** Drive 0x80 (first hard disk), no partition numbers. */
const BOOT_DEVICE = 0x8000_ffff;

/** Which parts of the structure are valid: memory sizes, boot device, command line, modules, memory map, boot loader name. */
export const INFORMATION_FLAGS = 0x24f;

export interface MemoryMapEntry {
  readonly first: number;
  readonly bytes: number;
  /** 1 available, 2 reserved. */
  readonly type: 1 | 2;
}

/** The map of a PC: conventional memory, the extended BIOS data area, the firmware's place, and what lies above 1 MiB. */
export function memoryMap(ramBytes: number): MemoryMapEntry[] {
  const mib = 0x10_0000;
  const map: MemoryMapEntry[] = [{ first: 0, bytes: Math.min(CONVENTIONAL_END, ramBytes), type: 1 }];
  map.push({ first: CONVENTIONAL_END, bytes: 0xa0000 - CONVENTIONAL_END, type: 2 });
  map.push({ first: 0xf0000, bytes: 0x10000, type: 2 });
  if (ramBytes > mib) map.push({ first: mib, bytes: ramBytes - mib, type: 1 });
  return map;
}

function terminated(text: string): Uint8Array {
  const utf8 = new TextEncoder().encode(text);
  const bytes = new Uint8Array(utf8.length + 1);
  bytes.set(utf8);
  return bytes;
}

/** Writes everything and returns the physical address for EBX. */
export function writeInformation(
  room: LoaderMemory,
  kernelEnd: number,
  imageName: string,
  cmdline: string,
  modules: readonly BootModule[],
): number {
  const memory: LoadableMemory = room.memory;
  const strings = [
    ...modules.map((m) => terminated(m.cmdline === '' ? m.name : `${m.name} ${m.cmdline}`)),
    terminated(`${imageName} ${cmdline}`),
    terminated(LOADER_NAME),
  ];
  const stringBytes = strings.reduce((sum, s) => sum + s.length, 0);
  const list = room.placeAfter(kernelEnd, modules.length * 16 + stringBytes, 'the multiboot module list and strings');
  const stringAt: number[] = [];
  let at = list + modules.length * 16;
  for (const string of strings) {
    stringAt.push(at);
    memory.physWrite(at, string);
    at += string.length;
  }

  let behind = at;
  modules.forEach((module, i) => {
    const start = room.placeAfter(behind, module.bytes.length, `module '${module.name}'`);
    memory.physWrite(start, module.bytes);
    behind = start + Math.max(1, module.bytes.length);
    [start, start + module.bytes.length, stringAt[i], 0].forEach((word, j) => memory.write32(list + i * 16 + j * 4, word));
  });

  const structures = room.place(STRUCTURES_AT, STRUCTURES_BYTES, 'the multiboot information');
  memory.physWrite(structures, new Uint8Array(STRUCTURES_BYTES));
  const map = memoryMap(memory.ramBytes);
  map.forEach((entry, i) => {
    const to = structures + i * 24;
    memory.write32(to, 20);
    memory.write64(to + 4, BigInt(entry.first));
    memory.write64(to + 12, BigInt(entry.bytes));
    memory.write32(to + 20, entry.type);
  });

  const information = structures + INFORMATION_OFFSET;
  const words: readonly (readonly [number, number])[] = [
    [0, INFORMATION_FLAGS],
    [4, Math.floor(Math.min(CONVENTIONAL_END, memory.ramBytes) / 1024)], // mem_lower, KiB
    [8, Math.max(0, Math.floor(memory.ramBytes / 1024) - 1024)], // mem_upper, KiB
    [12, BOOT_DEVICE],
    [16, stringAt[modules.length]], // cmdline
    [20, modules.length], // mods_count
    [24, list], // mods_addr
    [44, map.length * 24], // mmap_length
    [48, structures], // mmap_addr
    [64, stringAt[modules.length + 1]], // boot_loader_name
  ];
  for (const [offset, value] of words) memory.write32(information + offset, value);
  return information;
}
