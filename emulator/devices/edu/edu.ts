/**
 * QEMU's educational PCI device (QEMU documentation, "EDU device"; PCI Local Bus Specification 3.0, 6.8.1 "MSI Capability Structure"): identification,
 * liveness check, factorials, interrupts by INTA# or message, DMA between memory and a buffer of 4 KiB. A factorial takes a microsecond, a DMA
 * transfer a tenth of a second, as there. DMA addresses have 28 bits. A transfer that reaches outside the buffer, or that is started while bus
 * mastering is off, ends without moving anything.
 */
import type { PhysicalMemory } from '../../memory/physical-memory';
import type { DeviceTime, MmioDevice, TimedDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PciBus } from '../pci/pci-bus';
import { Command, Config, PciFunction } from '../pci/pci-function';
import { pirqOf } from '../pci/pirq-router';

const SLOT = 4;
/** Where firmware has put it. */
export const EDU_BASE = 0xfea0_0000;
const BAR_BYTES = 0x10_0000;
const MSI = 0x40;
const IDENTIFICATION = 0x0100_00ed;
const Register = { id: 0x00, live: 0x04, factorial: 0x08, status: 0x20, interrupts: 0x24, raise: 0x60, acknowledge: 0x64, source: 0x80, destination: 0x88, count: 0x90, command: 0x98 } as const; // prettier-ignore
const COMPUTING = 0x01;
const INTERRUPT_AFTER = 0x80;
const FACTORIAL_DONE = 0x001;
const DMA_DONE = 0x100;
const Dma = { run: 1, toMemory: 2, interrupt: 4 } as const;
const BUFFER_FIRST = 0x4_0000;
const BUFFER_BYTES = 4096;
const DMA_MASK = 0xfff_ffff;
const FACTORIAL_TICKS = 1_000;
const DMA_TICKS = 100_000_000;

export interface EduState {
  readonly version: 1;
  readonly live: number;
  readonly factorial: number;
  readonly status: number;
  readonly interrupts: number;
  /** 64-bit registers, hexadecimal. */
  readonly source: string;
  readonly destination: string;
  readonly count: string;
  readonly command: number;
  /** Ticks at which what is under way will be done, -1: nothing is. */
  readonly factorialAt: number;
  readonly dmaAt: number;
  readonly buffer: readonly number[];
}

export interface EduOptions {
  readonly time: DeviceTime;
  readonly memory: Pick<PhysicalMemory, 'physRead' | 'physWrite'>;
  readonly bus: PciBus;
  /** Writes `data` to `address`: a message-signalled interrupt. */
  message(address: number, data: number): void;
}

export class Edu implements MmioDevice, TimedDevice {
  readonly name = 'edu';
  private readonly pci: PciFunction;
  private live = 0;
  private factorial = 0;
  private status = 0;
  private interrupts = 0;
  private source = 0n;
  private destination = 0n;
  private count = 0n;
  private command = 0;
  private factorialAt = -1;
  private dmaAt = -1;
  private buffer = new Uint8Array(BUFFER_BYTES);

  constructor(private readonly options: EduOptions) {
    this.pci = new PciFunction(
      {
        name: 'edu', device: SLOT, function: 0, vendorId: 0x1234, deviceId: 0x11e8, classCode: 0x00_ff00, revision: 0x10,
        fields: [
          [Config.command, 2, Command.io | Command.memory], [Config.status, 2, 0x0010], [Config.bar0, 4, EDU_BASE], [Config.subsystemVendor, 2, 0x1af4],
          [Config.subsystem, 2, 0x1100], [Config.capabilities, 1, MSI], [Config.interruptLine, 2, 0x010b], [MSI, 4, 0x0080_0005],
        ],
        writable: [
          [Config.command, 2, Command.io | Command.memory | Command.master | Command.interruptDisable], [Config.bar0, 4, 2 ** 32 - BAR_BYTES],
          [Config.interruptLine, 1, 0xff], [MSI + 2, 2, 0x0001], [MSI + 4, 4, 0xffff_fffc], [MSI + 8, 4, 0xffff_ffff], [MSI + 12, 2, 0xffff],
        ],
      },
      () => this.drive(),
    ); // prettier-ignore
    options.bus.plug(this.pci);
  }

  /** Follows the base address register, while the function answers in memory. */
  get mmio(): { readonly first: number; readonly last: number } {
    if (!this.pci.has(Command.memory)) return { first: -1, last: -2 };
    const first = (this.pci.read(Config.bar0, 4) & -BAR_BYTES) >>> 0;
    return { first, last: first + BAR_BYTES - 1 };
  }

  get deadline(): number {
    const { factorialAt, dmaAt } = this;
    return Math.min(factorialAt < 0 ? Infinity : factorialAt, dmaAt < 0 ? Infinity : dmaAt);
  }

  advance(now: number): void {
    while (this.deadline <= now) {
      if (this.factorialAt === this.deadline) this.finishFactorial();
      else this.finishDma();
    }
  }

  readMmio(offset: number, size: number): bigint {
    this.advance(this.options.time.now());
    const ones = (1n << BigInt(8 * size)) - 1n;
    return answers(offset, size) ? BigInt.asUintN(8 * size, this.register(offset) ?? ones) : ones;
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    const now = this.options.time.now();
    this.advance(now);
    if (answers(offset, size)) this.writeRegister(offset, value, now);
  }

  save(): EduState {
    const { live, factorial, status, interrupts, command, factorialAt, dmaAt } = this;
    const [source, destination, count] = [this.source, this.destination, this.count].map((value) => `0x${value.toString(16)}`);
    // An empty buffer is most often all that there is.
    const buffer = this.buffer.some((byte) => byte !== 0) ? [...this.buffer] : [];
    return { version: 1, live, factorial, status, interrupts, source, destination, count, command, factorialAt, dmaAt, buffer };
  }

  restore(saved: unknown): void {
    const state = expectVersion<EduState>(saved, 1, 'edu device');
    this.live = state.live;
    this.factorial = state.factorial;
    this.status = state.status;
    this.interrupts = state.interrupts;
    this.source = BigInt(state.source);
    this.destination = BigInt(state.destination);
    this.count = BigInt(state.count);
    this.command = state.command;
    this.factorialAt = state.factorialAt;
    this.dmaAt = state.dmaAt;
    this.buffer = new Uint8Array(BUFFER_BYTES);
    this.buffer.set(state.buffer);
  }

  private register(offset: number): bigint | undefined {
    switch (offset) {
      case Register.id:
        return BigInt(IDENTIFICATION);
      case Register.live:
        return BigInt(this.live);
      case Register.factorial:
        return BigInt(this.factorial);
      case Register.status:
        return BigInt(this.status);
      case Register.interrupts:
        return BigInt(this.interrupts);
      case Register.source:
        return this.source;
      case Register.destination:
        return this.destination;
      case Register.count:
        return this.count;
      case Register.command:
        return BigInt(this.command);
      default:
        return undefined;
    }
  }

  private writeRegister(offset: number, value: bigint, now: number): void {
    const low = Number(value & 0xffff_ffffn);
    switch (offset) {
      case Register.live:
        this.live = ~low >>> 0;
        break;
      case Register.factorial:
        if (this.status & COMPUTING) break;
        this.factorial = low;
        this.status |= COMPUTING;
        this.factorialAt = now + FACTORIAL_TICKS;
        break;
      case Register.status:
        this.status = (this.status & COMPUTING) | (low & INTERRUPT_AFTER);
        break;
      case Register.raise:
        this.raise(low);
        break;
      case Register.acknowledge:
        this.interrupts = (this.interrupts & ~low) >>> 0;
        this.drive();
        break;
      default:
        this.writeDma(offset, value, now);
    }
  }

  /** While a transfer is under way its registers cannot be written. */
  private writeDma(offset: number, value: bigint, now: number): void {
    if (this.command & Dma.run) return;
    if (offset === Register.source) this.source = value;
    else if (offset === Register.destination) this.destination = value;
    else if (offset === Register.count) this.count = value;
    else if (offset === Register.command && value & 1n) {
      this.command = Number(value & 7n);
      this.dmaAt = now + DMA_TICKS;
    }
  }

  private finishFactorial(): void {
    this.factorialAt = -1;
    // From 34! on all 32 bits are zero.
    let product = this.factorial > 33 ? 0 : 1;
    for (let n = 2; n <= this.factorial && product !== 0; n++) product = Math.imul(product, n) >>> 0;
    this.factorial = product;
    this.status &= ~COMPUTING;
    if (this.status & INTERRUPT_AFTER) this.raise(FACTORIAL_DONE);
  }

  private finishDma(): void {
    this.dmaAt = -1;
    this.move();
    const { command } = this;
    this.command &= ~Dma.run;
    if (command & Dma.interrupt) this.raise(DMA_DONE);
  }

  private move(): void {
    const toMemory = (this.command & Dma.toMemory) !== 0;
    const inside = (toMemory ? this.source : this.destination) - BigInt(BUFFER_FIRST);
    if (!this.pci.has(Command.master) || inside < 0n || this.count > BUFFER_BYTES || inside + this.count > BUFFER_BYTES) return;
    const address = Number((toMemory ? this.destination : this.source) & BigInt(DMA_MASK));
    const [at, length] = [Number(inside), Number(this.count)];
    if (toMemory) this.options.memory.physWrite(address, this.buffer.subarray(at, at + length));
    else this.buffer.set(this.options.memory.physRead(address, length), at);
  }

  private raise(bits: number): void {
    this.interrupts = (this.interrupts | bits) >>> 0;
    if (this.interrupts === 0) return;
    if (this.usesMessages) this.message();
    else this.drive();
  }

  private get usesMessages(): boolean {
    return (this.pci.read(MSI + 2, 2) & 1) !== 0;
  }

  private message(): void {
    if (!this.pci.has(Command.master)) return;
    const address = this.pci.read(MSI + 8, 4) * 2 ** 32 + this.pci.read(MSI + 4, 4);
    this.options.message(address, this.pci.read(MSI + 12, 2));
  }

  private drive(): void {
    const wanted = this.interrupts !== 0 && !this.usesMessages;
    this.pci.setInterruptStatus(wanted);
    this.options.bus.router.set(pirqOf(SLOT, 0), SLOT, wanted && !this.pci.has(Command.interruptDisable));
  }
}

/** Only dwords below 0x80, dwords and qwords from there on. */
const answers = (offset: number, size: number): boolean => size === 4 || (size === 8 && offset >= 0x80);
