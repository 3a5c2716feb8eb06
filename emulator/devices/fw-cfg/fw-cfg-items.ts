/**
 * What the firmware configuration device has to tell: item numbers, file directory and the entries that QEMU's "pc" machine fills (QEMU
 * documentation, "QEMU Firmware Configuration (fw_cfg) Device"). Items are configuration, not machine state.
 */

/** Selector values. */
export const Item = {
  signature: 0x00, id: 0x01, uuid: 0x02, ramSize: 0x03, noGraphic: 0x04, cpus: 0x05, machineId: 0x06, kernelAddress: 0x07, kernelSize: 0x08,
  initrdAddress: 0x0a, initrdSize: 0x0b, bootDevice: 0x0c, numa: 0x0d, bootMenu: 0x0e, maxCpus: 0x0f, kernelEntry: 0x10, kernelData: 0x11,
  initrdData: 0x12, cmdlineAddress: 0x13, cmdlineSize: 0x14, cmdlineData: 0x15, fileDirectory: 0x19, firstFile: 0x20, irq0Override: 0x8002,
  e820: 0x8003,
} as const; // prettier-ignore

/** Interfaces in the id item: byte-wise ("traditional") and DMA. */
const FEATURES = 0x3;
/** The older form of the map names reserved ranges alone: a count (zero) and room for sixteen. */
const RESERVED_MAP_BYTES = 4 + 16 * 20;
/** Longest file name with its zero. */
const NAME_BYTES = 56;

export interface FwCfgFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FwCfgContents {
  readonly memoryBytes: number;
  readonly vcpuCount: number;
  /** The image as the loader has put it into memory. */
  readonly kernel?: { readonly address: number; readonly entry: number; readonly bytes: Uint8Array };
  /** The boot information structure (multiboot) or the initial RAM disk. */
  readonly initrd?: { readonly address: number; readonly bytes: Uint8Array };
  readonly cmdline?: string;
  /** Files beside those that are always there. */
  readonly files?: readonly FwCfgFile[];
}

function little(value: number, bytes: 2 | 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 8) view.setBigUint64(0, BigInt(value), true);
  else if (bytes === 4) view.setUint32(0, value, true);
  else view.setUint16(0, value, true);
  return new Uint8Array(view.buffer);
}
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0) & 0xff);

/** The memory map as a file: 64-bit address, 64-bit length, 32-bit type (1: RAM), of 20 bytes each. */
function e820(memoryBytes: number): Uint8Array {
  const entry = new Uint8Array(20);
  entry.set(little(memoryBytes, 8), 8);
  entry.set(little(1, 4), 16);
  return entry;
}

/** Number of entries, then size, selector, zero and name of each file, big endian. */
function directory(files: readonly FwCfgFile[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + files.length * (8 + NAME_BYTES)));
  const bytes = new Uint8Array(view.buffer);
  view.setUint32(0, files.length);
  files.forEach((file, i) => {
    const at = 4 + i * (8 + NAME_BYTES);
    view.setUint32(at, file.bytes.length);
    view.setUint16(at + 4, Item.firstFile + i);
    bytes.set(ascii(file.name).subarray(0, NAME_BYTES - 1), at + 8);
  });
  return bytes;
}

/** Every item by its selector. */
export function fwCfgItems(contents: FwCfgContents): ReadonlyMap<number, Uint8Array> {
  const { memoryBytes, vcpuCount, kernel, initrd, cmdline } = contents;
  const files = [{ name: 'etc/e820', bytes: e820(memoryBytes) }, ...(contents.files ?? [])];
  files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const items = new Map<number, Uint8Array>([
    [Item.signature, ascii('QEMU')],
    [Item.id, little(FEATURES, 4)],
    [Item.uuid, new Uint8Array(16)],
    [Item.ramSize, little(memoryBytes, 8)],
    [Item.noGraphic, little(1, 2)],
    [Item.cpus, little(vcpuCount, 2)],
    [Item.bootMenu, little(0, 2)],
    [Item.maxCpus, little(vcpuCount, 2)],
    [Item.irq0Override, little(1, 4)],
    [Item.e820, new Uint8Array(RESERVED_MAP_BYTES)],
    [Item.fileDirectory, directory(files)],
  ]);
  files.forEach((file, i) => items.set(Item.firstFile + i, file.bytes));
  if (kernel !== undefined) {
    items.set(Item.kernelEntry, little(kernel.entry, 4));
    items.set(Item.kernelAddress, little(kernel.address, 4));
    items.set(Item.kernelSize, little(kernel.bytes.length, 4));
    items.set(Item.kernelData, kernel.bytes);
  }
  if (initrd !== undefined) {
    items.set(Item.initrdAddress, little(initrd.address, 4));
    items.set(Item.initrdSize, little(initrd.bytes.length, 4));
    items.set(Item.initrdData, initrd.bytes);
  }
  if (cmdline !== undefined) {
    const text = new TextEncoder().encode(`${cmdline}\0`);
    items.set(Item.cmdlineSize, little(text.length, 4));
    items.set(Item.cmdlineData, text);
  }
  return items;
}
