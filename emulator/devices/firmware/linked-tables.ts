/**
 * Firmware tables that point to each other, described once: bytes, where an address is to be added, which sums are to be zero. From it come the
 * tables at a fixed address, and the two forms in which QEMU hands them to a firmware (QEMU, "hw/acpi/bios-linker-loader": commands of 128
 * bytes, little endian): the files without addresses, and the script that says how to link them.
 */

export interface TableFile {
  readonly name: string;
  /** With offsets into the file pointed to where addresses belong. */
  readonly bytes: Uint8Array;
  readonly alignment: number;
  /** In which memory a firmware is to put it: anywhere, or in the segment at F0000H. */
  readonly zone: 'high' | 'low';
}
/** At `offset` of `file` lies a little-endian offset into `target`, to which the address of `target` is to be added. */
export interface TablePointer {
  readonly file: string;
  readonly target: string;
  readonly offset: number;
  readonly bytes: 4 | 8;
}
/** The byte at `offset` is such that the `length` bytes from `first` on add up to zero. */
export interface TableChecksum {
  readonly file: string;
  readonly offset: number;
  readonly first: number;
  readonly length: number;
}
export interface LinkedTables {
  readonly files: readonly TableFile[];
  readonly pointers: readonly TablePointer[];
  readonly checksums: readonly TableChecksum[];
}

const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const Command = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const Zone = { high: 1, low: 2 } as const;

/** The bytes of every file once each lies at its address. */
export function link(tables: LinkedTables, addresses: Readonly<Record<string, number>>): Readonly<Record<string, Uint8Array>> {
  const linked = Object.fromEntries(tables.files.map((file) => [file.name, file.bytes.slice()]));
  for (const { file, target, offset, bytes } of tables.pointers) {
    const view = viewOf(linked[file]);
    if (bytes === 8) view.setBigUint64(offset, view.getBigUint64(offset, true) + BigInt(addresses[target]), true);
    else view.setUint32(offset, view.getUint32(offset, true) + addresses[target], true);
  }
  for (const { file, offset, first, length } of tables.checksums) {
    const bytes = linked[file];
    bytes[offset] = 0;
    bytes[offset] = checksum(bytes.subarray(first, first + length));
  }
  return linked;
}

/** What makes the sum of the bytes zero. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** QEMU's file `etc/table-loader`. */
export function linkerScript(tables: LinkedTables): Uint8Array {
  const { files, pointers, checksums } = tables;
  const bytes = new Uint8Array((files.length + pointers.length + checksums.length) * COMMAND_BYTES);
  let at = 0;
  const command = (kind: number, names: readonly string[], fields: readonly (readonly [number, 1 | 2 | 4])[]): void => {
    const view = viewOf(bytes.subarray(at, at + COMMAND_BYTES));
    view.setUint32(0, kind, true);
    names.forEach((name, i) =>
      bytes.set(
        Uint8Array.from(name, (c) => c.charCodeAt(0)),
        at + 4 + i * NAME_BYTES,
      ),
    );
    let field = 4 + names.length * NAME_BYTES;
    for (const [value, size] of fields) {
      if (size === 4) view.setUint32(field, value, true);
      else view.setUint8(field, value);
      field += size;
    }
    at += COMMAND_BYTES;
  };
  for (const { name, alignment, zone } of files) command(Command.allocate, [name], [[alignment, 4], [Zone[zone], 1]]); // prettier-ignore
  for (const { file, target, offset, bytes: size } of pointers) command(Command.addPointer, [file, target], [[offset, 4], [size, 1]]); // prettier-ignore
  for (const { file, offset, first, length } of checksums) command(Command.addChecksum, [file], [[offset, 4], [first, 4], [length, 4]]); // prettier-ignore
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
