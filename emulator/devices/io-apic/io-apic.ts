/**
 * The I/O APIC of a PC: 24 inputs with a redirection entry each (82093AA I/O APIC data sheet, "Register Description"), of the later version 20H
 * with an EOI register (Intel I/O controller hub data sheets, "EOIR—EOI Register"). It is at FEC0_0000H; registers are 32 bits wide. Reads of other
 * sizes give the bytes that are there, writes of other sizes change the index and the EOI register only.
 * An interrupt that no local APIC accepts waits, shown by the delivery status, until one may.
 * Not modelled: the polarity of an input (a line is asserted or not, whatever the entry says), the APIC bus with its arbitration.
 */
import { DeliveryMode, LVT_MASKED, REMOTE_IRR_BIT, TRIGGER_LEVEL } from '../../spec/apic';
import { expectVersion } from '../device-state';
import type { MmioDevice, StatefulDevice } from '../device';
import type { InterruptMessage } from '../interrupt-message';

export const IO_APIC_PINS = 24;
export const IO_APIC_ADDRESS = 0xfec0_0000;

export interface IoApicState {
  readonly version: 1;
  readonly id: number;
  /** The register that the window shows. */
  readonly index: number;
  /** Levels of the inputs, a bit each. */
  readonly levels: number;
  /** Edges that no local APIC has accepted. */
  readonly edges: number;
  /** Redirection entries: low and high halves. Delivery status is not in them. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

const INDEX = 0x00;
const WINDOW = 0x10;
const EOI = 0x40;
const REGISTER_BYTES = 4;
const ID_REGISTER = 0x00;
const VERSION_REGISTER = 0x01;
const ARBITRATION_REGISTER = 0x02;
const FIRST_ENTRY = 0x10;
const VERSION = 0x20 | ((IO_APIC_PINS - 1) << 16);
const DELIVERY_STATUS = 0x1000;
const LOW_WRITABLE = 0x1_afff & ~DELIVERY_STATUS;
const LOGICAL = 0x800;

export class IoApic implements MmioDevice, StatefulDevice {
  readonly name = 'io-apic';
  readonly mmio = { first: IO_APIC_ADDRESS, last: IO_APIC_ADDRESS + 0xfff } as const;
  private id = 0;
  private index = 0;
  private levels = 0;
  private edges = 0;
  private low = Array<number>(IO_APIC_PINS).fill(LVT_MASKED);
  private high = Array<number>(IO_APIC_PINS).fill(0);

  /** @param deliver true when a local APIC has accepted the message. */
  constructor(private readonly deliver: (message: InterruptMessage) => boolean) {}

  /** Some input could ask for an interrupt. */
  get hasUnmaskedInput(): boolean {
    return this.low.some((entry) => (entry & LVT_MASKED) === 0);
  }

  setPin(pin: number, level: boolean): void {
    const bit = 1 << pin;
    const before = (this.levels & bit) !== 0;
    if (before === level) return;
    this.levels ^= bit;
    if (!level) return;
    // "Interrupt Mask": an edge at a masked input is neither delivered nor held.
    if (!isLevel(this.low[pin]) && (this.low[pin] & LVT_MASKED) === 0) this.edges |= bit;
    this.service(pin);
  }

  /** The end of a level-triggered interrupt: from a local APIC, or by the EOI register. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      if ((this.low[pin] & 0xff) !== vector || (this.low[pin] & REMOTE_IRR_BIT) === 0) continue;
      this.low[pin] &= ~REMOTE_IRR_BIT;
      this.service(pin);
    }
  }

  /** A local APIC may accept what none accepted. */
  retry(): void {
    if (this.levels === 0 && this.edges === 0) return;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) this.service(pin);
  }

  // Registers -----------------------------------------------------------------------------------------------------------

  readMmio(offset: number, size: number): bigint {
    const byte = offset % 16;
    if (byte >= REGISTER_BYTES) return 0n;
    return BigInt.asUintN(8 * size, BigInt(this.read(offset - byte)) >> BigInt(8 * byte));
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    if (offset === INDEX) this.index = Number(value & 0xffn);
    else if (offset === EOI) this.endOfInterrupt(Number(value & 0xffn));
    else if (offset === WINDOW && size === REGISTER_BYTES) this.writeRegister(Number(BigInt.asUintN(32, value)));
  }

  save(): IoApicState {
    const { id, index, levels, edges } = this;
    return { version: 1, id, index, levels, edges, low: [...this.low], high: [...this.high] };
  }
  restore(saved: unknown): void {
    const state = expectVersion<IoApicState>(saved, 1, 'I/O APIC');
    this.id = state.id;
    this.index = state.index;
    this.levels = state.levels;
    this.edges = state.edges;
    this.low = [...state.low];
    this.high = [...state.high];
  }

  private read(offset: number): number {
    if (offset === INDEX) return this.index;
    if (offset !== WINDOW) return 0;
    if (this.index === ID_REGISTER || this.index === ARBITRATION_REGISTER) return this.id << 24;
    if (this.index === VERSION_REGISTER) return VERSION;
    const pin = (this.index - FIRST_ENTRY) >> 1;
    if (pin < 0 || pin >= IO_APIC_PINS) return 0;
    if (this.index & 1) return this.high[pin];
    return this.low[pin] | (this.waits(pin) ? DELIVERY_STATUS : 0);
  }

  private writeRegister(value: number): void {
    if (this.index === ID_REGISTER) this.id = (value >>> 24) & 0xf;
    const pin = (this.index - FIRST_ENTRY) >> 1;
    if (pin < 0 || pin >= IO_APIC_PINS) return;
    if (this.index & 1) this.high[pin] = (value & 0xff00_0000) >>> 0;
    else {
      const entry = (value & LOW_WRITABLE) | (this.low[pin] & REMOTE_IRR_BIT);
      // The remote IRR is for level-triggered interrupts alone; a held edge for the others.
      this.low[pin] = isLevel(entry) ? entry : entry & ~REMOTE_IRR_BIT;
      if (isLevel(entry)) this.edges &= ~(1 << pin);
    }
    this.service(pin);
  }

  /** An interrupt that is to be delivered and has not been accepted. */
  private waits(pin: number): boolean {
    const entry = this.low[pin];
    if (entry & (LVT_MASKED | REMOTE_IRR_BIT)) return false;
    return ((isLevel(entry) ? this.levels : this.edges) & (1 << pin)) !== 0;
  }

  private service(pin: number): void {
    if (!this.waits(pin)) return;
    const entry = this.low[pin];
    const level = isLevel(entry);
    const mode = (entry >> 8) & 7;
    const reserved = mode === DeliveryMode.reserved || mode === DeliveryMode.startUp;
    const accepted =
      reserved ||
      this.deliver({
        mode,
        vector: entry & 0xff,
        level,
        logical: (entry & LOGICAL) !== 0,
        destination: this.high[pin] >>> 24,
        wide: false,
      });
    if (!accepted) return;
    if (level) this.low[pin] |= REMOTE_IRR_BIT;
    else this.edges &= ~(1 << pin);
  }
}

/** "Trigger Mode"; "Delivery Mode": SMI, NMI, INIT and ExtINT are edge-triggered. */
export function isLevel(entry: number): boolean {
  return (entry & TRIGGER_LEVEL) !== 0 && ((entry >> 8) & 7) <= DeliveryMode.lowestPriority;
}
