/**
 * The door of the boot loaders: recognises an image by its magic, loads it into guest memory and says in which state the processor enters it.
 * Multiboot 1, plain ELF64 and flat binaries; Linux (boot protocol, "The Real-Mode Kernel Header"), PVH, multiboot 2 and EFI are recognised and refused.
 */
import type { MachineConfig } from '../api';
import type { LoadableMemory } from '../memory/physical-memory';
import { bootErrors } from './boot-errors';
import { hasPvhNote, isElf, loadSegments, physicalEntry, readElf } from './elf';
import { entryEnvironment } from './entry-structures';
import type { EntryState } from './entry-state';
import { LoaderMemory } from './loader-memory';
import { findMultibootHeader, loadMultiboot } from './multiboot';

/** Where a flat binary goes when the configuration does not say. */
export const FLAT_DEFAULT = { address: 0x10_0000, mode: 32 } as const;

export type ImageFormat = 'multiboot' | 'elf' | 'flat';
type RecognisedFormat = ImageFormat | 'multiboot2' | 'linux' | 'efi' | 'unknown';

/** Fills `memory` from the configuration; throws a UserError for every image that cannot be booted. */
export function loadImage(config: MachineConfig, memory: LoadableMemory): EntryState {
  const { image, imageName } = config;
  if (image.length === 0) throw bootErrors.empty(imageName);
  const room = new LoaderMemory(memory, imageName);
  switch (chosenFormat(config)) {
    case 'multiboot':
      return loadMultiboot(image, imageName, room, config.cmdline ?? '', config.modules ?? []);
    case 'elf':
      refuseBootData(config, 'a plain ELF image');
      return loadPlainElf(image, imageName, config.format === 'elf', room);
    case 'flat':
      refuseBootData(config, 'a flat binary');
      return loadFlat(config, room);
  }
}

function chosenFormat(config: MachineConfig): ImageFormat {
  if (config.format !== undefined && config.format !== 'auto') return config.format;
  const { image, imageName } = config;
  const found = recognise(image);
  switch (found) {
    case 'multiboot':
    case 'elf':
      return found;
    case 'multiboot2':
      throw bootErrors.notAvailable(imageName, 'a multiboot 2 image');
    case 'linux':
      throw bootErrors.notAvailable(imageName, 'a Linux kernel (bzImage)');
    case 'efi':
      throw bootErrors.notAvailable(imageName, 'an EFI executable');
    default:
      if (config.flat) return 'flat';
      throw bootErrors.unknownFormat(imageName);
  }
}

/** What the image is by its magic; a multiboot header decides over everything else that may be there too. */
export function recognise(image: Uint8Array): RecognisedFormat {
  const multiboot = findMultibootHeader(image);
  if (multiboot?.checksumRight) return 'multiboot';
  if (hasMultiboot2Header(image)) return 'multiboot2';
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (isElf(image)) return multiboot ? 'multiboot' : 'elf';
  if (image.length >= 0x206 && view.getUint16(0x1fe, true) === 0xaa55 && view.getUint32(0x202, false) === 0x48647253) return 'linux';
  if (image.length >= 0x40 && view.getUint16(0, true) === 0x5a4d) return 'efi';
  return multiboot ? 'multiboot' : 'unknown';
}

/** Multiboot 2: magic within the first 32 KiB on a multiple of eight, four words that add up to zero. */
function hasMultiboot2Header(image: Uint8Array): boolean {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 16 <= Math.min(image.length, 32768); at += 8) {
    if (view.getUint32(at, true) !== 0xe85250d6) continue;
    let sum = 0;
    for (let word = 0; word < 4; word++) sum += view.getUint32(at + word * 4, true);
    if (sum % 2 ** 32 === 0) return true;
  }
  return false;
}

function refuseBootData(config: MachineConfig, format: string): void {
  if (config.cmdline) throw bootErrors.notTaken(config.imageName, 'command line', format);
  if (config.modules?.length) throw bootErrors.notTaken(config.imageName, 'modules', format);
}

/** A plain ELF executable: 64-bit ones are entered in 64-bit mode on identity page tables, 32-bit ones (when asked for by name) in protected mode. */
function loadPlainElf(image: Uint8Array, name: string, named: boolean, room: LoaderMemory): EntryState {
  const elf = readElf(image, name);
  if (!named && hasPvhNote(elf, image)) throw bootErrors.notAvailable(name, 'a PVH kernel (ELF with a Xen note)');
  // Most often the header was forgotten or lies too far behind: entering such a kernel without its boot information would only confuse.
  if (!named && elf.elfClass === 32)
    throw bootErrors.badElf(
      name,
      "it is a 32-bit file without a multiboot header in its first 8 KiB; name the format 'elf' to enter it without boot information",
    );
  loadSegments(elf, image, room);
  return entryEnvironment(room, elf.elfClass, physicalEntry(elf, name));
}

function loadFlat(config: MachineConfig, room: LoaderMemory): EntryState {
  const { address, mode } = config.flat ?? FLAT_DEFAULT;
  if (!Number.isInteger(address) || address < 0 || address > 0xffff_ffff) throw bootErrors.flatAddress(config.imageName, address);
  room.load(address, config.image, config.image.length, 'flat image');
  return entryEnvironment(room, mode, address);
}
