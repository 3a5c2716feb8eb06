/**
 * The configuration space of one PCI function (PCI Local Bus Specification 3.0, 6.1 "Configuration Space Organization"): 256 bytes, a mask of
 * those bits that software may write, base address registers that show their size when all ones are written.
 */

/** Offsets of the header. */
export const Config = {
  vendor: 0x00, device: 0x02, command: 0x04, status: 0x06, revision: 0x08, classCode: 0x09, headerType: 0x0e, bar0: 0x10, subsystemVendor: 0x2c,
  subsystem: 0x2e, capabilities: 0x34, interruptLine: 0x3c, interruptPin: 0x3d,
} as const; // prettier-ignore
export const Command = { io: 0x0001, memory: 0x0002, master: 0x0004, interruptDisable: 0x0400 } as const;
const STATUS_INTERRUPT = 0x08;

/** Offset, size in bytes, value. */
type Field = readonly [offset: number, size: number, value: number];

export interface PciFunctionDescription {
  readonly name: string;
  readonly device: number;
  readonly function: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** Class, subclass and programming interface as one number. */
  readonly classCode: number;
  readonly revision: number;
  /** Further bytes at power-on, as firmware leaves them. */
  readonly fields?: readonly Field[];
  /** Bits that software may write. */
  readonly writable?: readonly Field[];
}

export class PciFunction {
  readonly name: string;
  readonly device: number;
  readonly function: number;
  private bytes = new Uint8Array(256);
  private readonly mask = new Uint8Array(256);

  /** @param changed called after a write by the guest. */
  constructor(
    description: PciFunctionDescription,
    private readonly changed: () => void = () => undefined,
  ) {
    this.name = description.name;
    this.device = description.device;
    this.function = description.function;
    put(this.bytes, [Config.vendor, 2, description.vendorId]);
    put(this.bytes, [Config.device, 2, description.deviceId]);
    put(this.bytes, [Config.revision, 1, description.revision]);
    put(this.bytes, [Config.classCode, 3, description.classCode]);
    for (const field of description.fields ?? []) put(this.bytes, field);
    for (const field of description.writable ?? []) put(this.mask, field);
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += (offset + i < 256 ? this.bytes[offset + i] : 0xff) * 2 ** (8 * i);
    return value;
  }

  write(offset: number, size: number, value: number): void {
    for (let i = 0; i < size && offset + i < 256; i++) {
      const mask = this.mask[offset + i];
      this.bytes[offset + i] = (this.bytes[offset + i] & ~mask) | ((value >>> (8 * i)) & mask);
    }
    this.changed();
  }

  has(command: number): boolean {
    return (this.read(Config.command, 2) & command) !== 0;
  }
  /** Status bit 3: the function wants an interrupt, whether its line is enabled or not. */
  setInterruptStatus(on: boolean): void {
    this.bytes[Config.status] = (this.bytes[Config.status] & ~STATUS_INTERRUPT) | (on ? STATUS_INTERRUPT : 0);
  }

  save(): number[] {
    return [...this.bytes];
  }
  restore(bytes: readonly number[]): void {
    this.bytes = Uint8Array.from(bytes);
  }
}

function put(bytes: Uint8Array, [offset, size, value]: Field): void {
  for (let i = 0; i < size; i++) bytes[offset + i] = value >>> (8 * i);
}
