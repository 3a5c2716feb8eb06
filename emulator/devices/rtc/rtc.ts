/**
 * The real-time clock and CMOS memory at ports 0x70 and 0x71: a Motorola MC146818 (its data sheet, "Registers", "Update Cycle", "Interrupts") on
 * a crystal of 32.768 kHz, with IRQ 8. Wall time is a fixed beginning plus the machine's clock. An update cycle ends on the second: UIP is set
 * 244 + 1984 microseconds before, and the time bytes keep their old values until then.
 * Not modelled: other time bases than 32.768 kHz (time stands still, as while the divider is held in reset), the square wave, daylight saving.
 */
import type { DeviceTime, InterruptLine, TimedDevice } from '../device';
import { TICKS_PER_SECOND } from '../device';
import { expectVersion } from '../device-state';
import { Oscillator } from '../oscillator';
import type { PortDevice } from '../port-bus/port-bus';
import { Cell, RegisterB, addSeconds, secondsToAlarm, setTime } from './rtc-time';

const INDEX_PORT = 0x70;
/** An IBM PS/2 name of the century byte. */
const CENTURY_ALIAS = 0x37;
const DIVIDER_RUNS = 2;
const UPDATE_TICKS = 1_984_000;
const BEFORE_UPDATE_TICKS = 244_000;
/** The first update cycle begins half a second after the divider's reset. */
const FIRST_UPDATE_TICKS = TICKS_PER_SECOND / 2 + UPDATE_TICKS;

/** Register C. */
export const RegisterC = { request: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10 } as const;
const VALID = 0x80;

export interface RtcState {
  readonly version: 1;
  /** 128 bytes; registers A (without UIP) and B among them. */
  readonly cells: readonly number[];
  readonly index: number;
  readonly nmiMasked: boolean;
  /** PF, AF and UF as of `foldedAt`. */
  readonly flags: number;
  /** Tick of an update cycle's end; all others are whole seconds from it. */
  readonly origin: number;
  /** Tick up to which time bytes and flags have been carried forward. */
  readonly foldedAt: number;
  /** Level of IRQ 8. */
  readonly asserted: boolean;
}

export interface RtcOptions {
  readonly time: DeviceTime;
  readonly irq: InterruptLine;
  /** Wall time at power-on, seconds since 1970-01-01 00:00. */
  readonly unixSeconds: number;
  /** What firmware has written beside the time: index and byte. */
  readonly cells?: readonly (readonly [number, number])[];
}

export class Rtc implements PortDevice, TimedDevice {
  readonly name = 'rtc';
  readonly ports = [[INDEX_PORT, INDEX_PORT + 1]] as const;
  readonly widest = 1;
  private readonly clock = new Oscillator(32_768);
  private cells = new Uint8Array(128);
  private index = 0;
  private nmiMasked = false;
  private flags = 0;
  private origin = 0;
  private foldedAt = 0;
  private asserted = false;
  private due = Infinity;

  constructor(private readonly options: RtcOptions) {
    // As firmware leaves it: the divider runs, 1024 Hz, 24 hours, BCD.
    this.cells[Cell.a] = 0x26;
    this.cells[Cell.b] = RegisterB.hours24;
    for (const [index, byte] of options.cells ?? []) this.cells[index] = byte;
    setTime(this.cells, options.unixSeconds, this.cells[Cell.b]);
  }

  /** Bit 7 of port 0x70: non-maskable interrupts are kept from the processor. */
  get masksNmi(): boolean {
    return this.nmiMasked;
  }

  get deadline(): number {
    return this.due;
  }

  advance(now: number): void {
    if (this.due > now) return;
    this.fold(this.due);
    this.settle();
  }

  read(port: number): number {
    // The index port can only be written.
    if (port === INDEX_PORT) return 0xff;
    const now = this.options.time.now();
    this.advance(now);
    this.fold(now);
    const { index } = this;
    switch (index) {
      case Cell.a:
        return this.cells[Cell.a] | (this.updateInProgress(now) ? 0x80 : 0);
      case Cell.c: {
        const flags = this.flags | (this.request() ? RegisterC.request : 0);
        this.flags = 0;
        this.settle();
        return flags;
      }
      case Cell.d:
        return VALID;
      default:
        return this.cells[index];
    }
  }

  write(port: number, _size: number, value: number): void {
    if (port === INDEX_PORT) {
      this.index = (value & 0x7f) === CENTURY_ALIAS ? Cell.century : value & 0x7f;
      this.nmiMasked = (value & 0x80) !== 0;
      return;
    }
    const now = this.options.time.now();
    this.advance(now);
    this.fold(now);
    switch (this.index) {
      case Cell.a: {
        const ran = this.runs;
        this.cells[Cell.a] = value & 0x7f;
        if (this.runs && !ran) this.origin = now + FIRST_UPDATE_TICKS - TICKS_PER_SECOND;
        break;
      }
      case Cell.b:
        // SET clears the update-ended interrupt's enable bit.
        this.cells[Cell.b] = value & RegisterB.set ? value & ~RegisterB.update : value;
        break;
      case Cell.c:
      case Cell.d:
        break;
      default:
        this.cells[this.index] = value;
    }
    this.settle();
  }

  save(): RtcState {
    const { index, nmiMasked, flags, origin, foldedAt, asserted } = this;
    return { version: 1, cells: [...this.cells], index, nmiMasked, flags, origin, foldedAt, asserted };
  }

  restore(saved: unknown): void {
    const state = expectVersion<RtcState>(saved, 1, 'real-time clock');
    this.cells = Uint8Array.from(state.cells);
    this.index = state.index;
    this.nmiMasked = state.nmiMasked;
    this.flags = state.flags;
    this.origin = state.origin;
    this.foldedAt = state.foldedAt;
    this.asserted = state.asserted;
    this.due = this.nextAct();
  }

  private get b(): number {
    return this.cells[Cell.b];
  }
  private get runs(): boolean {
    return ((this.cells[Cell.a] >> 4) & 7) === DIVIDER_RUNS;
  }
  private get updates(): boolean {
    return this.runs && (this.b & RegisterB.set) === 0;
  }

  /** Cycles of the crystal from one periodic interrupt to the next, 0: none (data sheet, table "Periodic Interrupt Rate"). */
  private get periodicCycles(): number {
    const rate = this.cells[Cell.a] & 15;
    if (rate === 0 || !this.runs) return 0;
    return rate < 3 ? 64 << rate : 1 << (rate - 1);
  }

  private updateInProgress(now: number): boolean {
    return this.updates && this.origin + TICKS_PER_SECOND - now <= UPDATE_TICKS + BEFORE_UPDATE_TICKS;
  }

  /** Carries the time bytes and flags forward to `now`. */
  private fold(now: number): void {
    const { origin, cells } = this;
    const period = this.periodicCycles;
    if (period > 0) {
      const before = Math.floor(this.clock.cyclesAt(this.foldedAt - origin) / period);
      if (Math.floor(this.clock.cyclesAt(now - origin) / period) > before) this.flags |= RegisterC.periodic;
    }
    this.foldedAt = now;
    if (!this.runs) return;
    const seconds = Math.floor((now - origin) / TICKS_PER_SECOND);
    if (seconds <= 0) return;
    this.origin = origin + seconds * TICKS_PER_SECOND;
    if (!this.updates) return;
    if (secondsToAlarm(cells, this.b) <= seconds) this.flags |= RegisterC.alarm;
    addSeconds(cells, seconds, this.b);
    this.flags |= RegisterC.update;
  }

  /** Flags that are enabled; the bits of registers B and C correspond. */
  private request(): boolean {
    return (this.flags & this.b & (RegisterC.periodic | RegisterC.alarm | RegisterC.update)) !== 0;
  }

  private settle(): void {
    const level = this.request();
    if (level !== this.asserted) {
      this.asserted = level;
      this.options.irq(level);
    }
    this.due = this.nextAct();
  }

  /** When the line next rises; once it is up, only a read of register C brings it down. */
  private nextAct(): number {
    if (this.asserted) return Infinity;
    let next = Infinity;
    const period = this.periodicCycles;
    if (this.b & RegisterB.periodic && period > 0) {
      const cycle = (Math.floor(this.clock.cyclesAt(this.foldedAt - this.origin) / period) + 1) * period;
      next = this.origin + this.clock.tickOf(cycle);
    }
    if (!this.updates) return next;
    if (this.b & RegisterB.update) next = Math.min(next, this.origin + TICKS_PER_SECOND);
    if (this.b & RegisterB.alarm) next = Math.min(next, this.origin + secondsToAlarm(this.cells, this.b) * TICKS_PER_SECOND);
    return next;
  }
}
