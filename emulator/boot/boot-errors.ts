/** Every sentence with which the boot loaders refuse an image, in one place; each says what was found and what was expected. */
import { UserError } from '../user-error';

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Bytes as a person writes them: `128 MiB`, `4 KiB`, `5 bytes`. */
export function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const)
    // prettier-ignore
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  return `${bytes} bytes`;
}

export const bootErrors = {
  empty: (image: string) => new UserError(`The image '${image}' is empty; expected an ELF, multiboot or flat binary.`, 'image-empty'),
  unknownFormat: (image: string) =>
    new UserError(
      `The format of the image '${image}' is not known: no ELF, multiboot, Linux or EFI magic was found. A flat binary needs its format, load address and entry mode named.`,
      'image-unknown-format',
    ),
  notAvailable: (image: string, what: string) =>
    new UserError(`The image '${image}' is ${what}: booting that is not available yet.`, 'image-not-available'),
  notThisFormat: (image: string, expected: string, found: string) =>
    new UserError(`The image '${image}' was to be loaded as ${expected}, but ${found}.`, 'image-wrong-format'),
  truncatedElf: (image: string, what: string, needed: number, size: number) =>
    new UserError(
      `The ELF file '${image}' is truncated: its ${what} reaches to byte ${needed}, but the file has ${size} bytes.`,
      'image-truncated',
    ),
  badElf: (image: string, what: string) => new UserError(`The ELF file '${image}' cannot be booted: ${what}.`, 'image-bad-elf'),
  badMultiboot: (image: string, what: string) =>
    new UserError(`The multiboot header of '${image}' cannot be followed: ${what}.`, 'image-bad-multiboot'),
  outsideMemory: (image: string, what: string, first: number, end: number, ramBytes: number) =>
    new UserError(
      `The image '${image}' does not fit: its ${what} occupies ${hex(first)} to ${hex(end)}, but the machine has ${bytesText(ramBytes)} of memory (up to ${hex(ramBytes)}).`,
      'image-outside-memory',
    ),
  overlap: (image: string, one: string, other: string, address: number) =>
    new UserError(
      `The image '${image}' cannot be loaded: its ${one} and its ${other} both occupy address ${hex(address)}.`,
      'image-overlap',
    ),
  entryOutside: (image: string, entry: number) =>
    new UserError(
      `The image '${image}' cannot be started: its entry point ${hex(entry)} lies in no part of it that is loaded.`,
      'image-entry',
    ),
  noRoom: (image: string, what: string, bytes: number, ramBytes: number) =>
    new UserError(
      `There is no room beside the image '${image}' for ${what} (${bytes} bytes) in ${bytesText(ramBytes)} of memory; give the machine more.`,
      'image-no-room',
    ),
  notTaken: (image: string, what: 'command line' | 'modules', format: string) =>
    new UserError(
      `${what === 'modules' ? 'Modules were' : 'A command line was'} given for '${image}', but ${format} has no way to receive ${what === 'modules' ? 'them' : 'it'}; a multiboot image has.`,
      'image-not-taken',
    ),
  flatAddress: (image: string, address: number) =>
    new UserError(
      `The load address ${String(address)} of the flat image '${image}' is not an address; expected a whole number from 0 to 0xffffffff.`,
      'flat-address',
    ),
};
