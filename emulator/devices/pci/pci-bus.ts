/**
 * PCI bus 0 as on QEMU's "pc" machine, with configuration mechanism #1 at ports 0xcf8 and 0xcfc (PCI Local Bus Specification 3.0, 3.2.2.3.2): a
 * 440FX host bridge, a PIIX3 ISA bridge with its interrupt routing and reset control register (port 0xcf9), the PIIX4's power-management
 * function, and the devices that are plugged in. Addresses and interrupts are assigned as by firmware.
 * Not modelled: what the 440FX's memory attribute registers (PAM, SMRAM) do, which are stored; moving the power-management ports.
 */
import type { StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';
import type { SharedLines } from '../shared-lines';
import { PciFunction } from './pci-function';
import { PirqRouter } from './pirq-router';

const ADDRESS = 0xcf8;
const RESET_CONTROL = 0xcf9;
const DATA = 0xcfc;
const ENABLE = 0x8000_0000;
const ADDRESS_BITS = 0x80ff_fffc;
const RESET_CPU = 0x04;
const RESET_SYSTEM = 0x02;
const PIRQ_CONTROL = 0x60;
/** PIIX4, DEVACTB: bit 25, APMC_EN, is bit 1 of this byte. */
const DEVICE_ACTIVITY_B = 0x5b;
const APMC_ENABLE = 0x02;

export interface PciBusState {
  readonly version: 1;
  readonly address: number;
  readonly resetControl: number;
  /** Configuration spaces by `device.function`. */
  readonly functions: Readonly<Record<string, readonly number[]>>;
  readonly pirqs: readonly number[];
}

export interface PciBusOptions {
  readonly lines: SharedLines;
  /** The guest resets the machine. */
  reset(): void;
}

export class PciBus implements PortDevice, StatefulDevice {
  readonly name = 'pci';
  readonly ports = [[ADDRESS, DATA + 3]] as const;
  readonly widest = 4;
  readonly router: PirqRouter;
  private address = 0;
  private resetControl = 0;
  private readonly functions: PciFunction[];
  private readonly powerManagement: PciFunction;

  constructor(private readonly options: PciBusOptions) {
    const isaBridge = new PciFunction(
      {
        name: 'PIIX3 ISA bridge', device: 1, function: 0, vendorId: 0x8086, deviceId: 0x7000, classCode: 0x06_0100, revision: 0,
        // I/O, memory and bus master are fixed on; the header says that there are more functions; PIRQ A and B are IRQ 10, C and D IRQ 11.
        fields: [[0x04, 2, 0x0007], [0x06, 2, 0x0200], [0x0e, 1, 0x80], [PIRQ_CONTROL, 4, 0x0b0b_0a0a], [0x4c, 1, 0x4d], [0x4e, 1, 0x03]],
        writable: [[PIRQ_CONTROL, 4, 0x8f8f_8f8f], [0x4c, 1, 0xff], [0x4e, 2, 0xffff], [0x69, 2, 0xffff]],
      },
      () => this.router.drive(),
    ); // prettier-ignore
    this.powerManagement = new PciFunction({
      name: 'PIIX4 power management', device: 1, function: 3, vendorId: 0x8086, deviceId: 0x7113, classCode: 0x06_8000, revision: 3,
      fields: [[0x04, 2, 0x0001], [0x06, 2, 0x0280], [0x3c, 2, 0x0109], [0x40, 4, 0x0601], [0x80, 1, 0x01]],
      writable: [[0x04, 2, 0x0001], [0x3c, 1, 0xff], [DEVICE_ACTIVITY_B, 1, APMC_ENABLE], [0x80, 1, 0x01]],
    }); // prettier-ignore
    this.functions = [
      new PciFunction({
        name: '440FX host bridge', device: 0, function: 0, vendorId: 0x8086, deviceId: 0x1237, classCode: 0x06_0000, revision: 2,
        fields: [[0x04, 2, 0x0006], [0x06, 2, 0x0280], [0x59, 4, 0x3333_3330], [0x5d, 3, 0x33_3333], [0x72, 1, 0x02]],
        writable: [[0x04, 2, 0x0100], [0x50, 2, 0xffff], [0x59, 4, 0xffff_ffff], [0x5d, 3, 0xff_ffff], [0x72, 1, 0xff]],
      }),
      isaBridge,
      this.powerManagement,
    ]; // prettier-ignore
    this.router = new PirqRouter(options.lines, (pirq) => isaBridge.read(PIRQ_CONTROL + pirq, 1));
  }

  /** A write to the SMI command port raises an SMI (APMC_EN). */
  get raisesSmi(): boolean {
    return (this.powerManagement.read(DEVICE_ACTIVITY_B, 1) & APMC_ENABLE) !== 0;
  }

  /** What the functions are, by `device.function`. */
  get names(): ReadonlyMap<string, string> {
    return new Map(this.functions.map((f) => [`${f.device}.${f.function}`, f.name]));
  }

  plug(added: PciFunction): void {
    if (this.find(added.device, added.function)) throw new RangeError(`PCI device ${added.device} is there twice`);
    this.functions.push(added);
  }

  read(port: number, size: number): number {
    if (port >= DATA) return this.selected()?.read(this.register(port), size) ?? 0xffff_ffff >>> (32 - 8 * size);
    if (port === ADDRESS && size === 4) return this.address;
    if (port === RESET_CONTROL && size === 1) return this.resetControl;
    return 0xffff_ffff >>> (32 - 8 * size);
  }

  /** The address takes dwords alone; one byte of them is the reset control register. */
  write(port: number, size: number, value: number): void {
    if (port >= DATA) this.selected()?.write(this.register(port), size, value);
    else if (port === ADDRESS && size === 4) this.address = (value & ADDRESS_BITS) >>> 0;
    else if (port === RESET_CONTROL && size === 1) {
      this.resetControl = value & RESET_SYSTEM;
      if (value & RESET_CPU) this.options.reset();
    }
  }

  save(): PciBusState {
    const functions = Object.fromEntries(this.functions.map((f) => [`${f.device}.${f.function}`, f.save()]));
    return { version: 1, address: this.address, resetControl: this.resetControl, functions, pirqs: this.router.save() };
  }

  restore(saved: unknown): void {
    const state = expectVersion<PciBusState>(saved, 1, 'PCI bus');
    this.address = state.address;
    this.resetControl = state.resetControl;
    for (const f of this.functions) f.restore(state.functions[`${f.device}.${f.function}`]);
    this.router.restore(state.pirqs);
  }

  private register(port: number): number {
    return (this.address & 0xfc) | (port & 3);
  }

  private selected(): PciFunction | undefined {
    const bus = (this.address >>> 16) & 0xff;
    if ((this.address & ENABLE) === 0 || bus !== 0) return undefined;
    return this.find((this.address >>> 11) & 31, (this.address >>> 8) & 7);
  }

  private find(device: number, fn: number): PciFunction | undefined {
    return this.functions.find((f) => f.device === device && f.function === fn);
  }
}
