/**
 * The high-precision event timer at 0xfed00000 (IA-PC HPET Specification 1.0a): a 64-bit counter at 100 MHz and three timers, each periodic,
 * edge or level triggered, by I/O APIC inputs 16 to 23, by message, or the first two in place of the 8254 and the RTC (legacy replacement).
 * A timer matches when the counter becomes equal to its comparator; one that is set to where the counter stands matches a wrap later.
 * An edge-triggered output falls and rises at a match and stays high, as a line to an 8259 must until it is acknowledged.
 */
import type { DeviceTime, InterruptLine, MmioDevice, TimedDevice } from '../device';
import { expectVersion } from '../device-state';
import { HpetTimer, ROUTES, TimerBit } from './hpet-timer';

export const HPET_BASE = 0xfed0_0000;
export const HPET_TIMERS = 3;
export const HPET_TICKS_PER_COUNT = 10;
const FEMTOSECONDS_PER_COUNT = 10_000_000n;
/** Revision 1, three timers, 64 bits, legacy replacement, vendor 8086h. */
export const HPET_ID = 0x8086_a001 + ((HPET_TIMERS - 1) << 8);
const CAPABILITIES = (FEMTOSECONDS_PER_COUNT << 32n) | BigInt(HPET_ID);
const ENABLE = 1;
const LEGACY = 2;
const MASK64 = 0xffff_ffff_ffff_ffffn;

export interface HpetState {
  readonly version: 1;
  readonly configuration: number;
  readonly status: number;
  /** Main counter as of `enabledAt`, hexadecimal. */
  readonly counter: string;
  /** Tick at which the counter was started. */
  readonly enabledAt: number;
  /** Counts since then up to which matches have been looked at. */
  readonly foldedCounts: number;
  readonly timers: readonly {
    readonly configuration: string;
    readonly comparator: string;
    readonly period: string;
    readonly fsbRoute: string;
    readonly output: boolean;
  }[];
}

export interface HpetOptions {
  readonly time: DeviceTime;
  /** Inputs of the I/O APIC by number, those of `ROUTES`. */
  readonly route: (input: number) => InterruptLine;
  /** The lines of the 8254 and the RTC. */
  readonly legacy: readonly [InterruptLine, InterruptLine];
  /** Legacy replacement was switched: the 8254 and the RTC lose their lines or have them back. */
  legacyReplacement(on: boolean): void;
  /** Writes `data` to `address`, as a device does for an interrupt by message. */
  message(address: number, data: number): void;
}

export class Hpet implements MmioDevice, TimedDevice {
  readonly name = 'hpet';
  readonly mmio = { first: HPET_BASE, last: HPET_BASE + 0xfff };
  private configuration = 0;
  private status = 0;
  private counter = 0n;
  private enabledAt = 0;
  private foldedCounts = 0;
  private timers = Array.from({ length: HPET_TIMERS }, () => new HpetTimer());
  private due = Infinity;
  /** By timer and input of the I/O APIC. */
  private readonly routes: readonly ReadonlyMap<number, InterruptLine>[];

  constructor(private readonly options: HpetOptions) {
    const inputs = Array.from({ length: 32 }, (_, input) => input).filter((input) => (ROUTES >>> input) & 1);
    this.routes = this.timers.map(() => new Map(inputs.map((input) => [input, options.route(input)])));
  }

  get deadline(): number {
    return this.due;
  }

  advance(now: number): void {
    while (this.due <= now) {
      this.fold(this.due);
      this.expect();
    }
  }

  readMmio(offset: number, size: number): bigint {
    this.upToDate();
    const value = this.register(offset & ~7) >> BigInt(8 * (offset & 7));
    return BigInt.asUintN(8 * size, value);
  }

  /** Aligned dwords and qwords only, as the specification demands; others are ignored. */
  writeMmio(offset: number, size: number, value: bigint): void {
    if (size < 4 || offset % size !== 0) return;
    const now = this.upToDate();
    const shift = BigInt(8 * (offset & 7));
    this.writeRegister(offset & ~7, value << shift, (size === 8 ? MASK64 : 0xffff_ffffn) << shift, now);
    this.expect();
  }

  save(): HpetState {
    const { configuration, status, enabledAt, foldedCounts } = this;
    const timers = this.timers.map((t) => ({
      configuration: hex(t.configuration),
      comparator: hex(t.comparator),
      period: hex(t.period),
      fsbRoute: hex(t.fsbRoute),
      output: t.output,
    }));
    return { version: 1, configuration, status, counter: hex(this.counter), enabledAt, foldedCounts, timers };
  }

  restore(saved: unknown): void {
    const state = expectVersion<HpetState>(saved, 1, 'event timer (HPET)');
    this.configuration = state.configuration;
    this.status = state.status;
    this.counter = BigInt(state.counter);
    this.enabledAt = state.enabledAt;
    this.foldedCounts = state.foldedCounts;
    state.timers.forEach((from, i) => {
      const timer = this.timers[i];
      timer.configuration = BigInt(from.configuration);
      timer.comparator = BigInt(from.comparator);
      timer.period = BigInt(from.period);
      timer.fsbRoute = BigInt(from.fsbRoute);
      timer.output = from.output;
    });
    this.expect();
  }

  private get runs(): boolean {
    return (this.configuration & ENABLE) !== 0;
  }
  private get isLegacy(): boolean {
    return (this.configuration & LEGACY) !== 0;
  }

  private upToDate(): number {
    const now = this.options.time.now();
    this.advance(now);
    this.fold(now);
    return now;
  }

  /** The main counter as of the last fold. */
  private get count(): bigint {
    return (this.counter + BigInt(this.foldedCounts)) & MASK64;
  }

  /** Carries out the matches up to `now`. */
  private fold(now: number): void {
    if (!this.runs) return;
    const counts = Math.floor((now - this.enabledAt) / HPET_TICKS_PER_COUNT);
    const { count } = this;
    const passed = BigInt(counts - this.foldedCounts);
    this.foldedCounts = counts;
    if (passed === 0n) return;
    this.timers.forEach((timer, n) => {
      if (timer.passed(count, passed)) this.match(timer, n);
    });
  }

  private match(timer: HpetTimer, n: number): void {
    if (timer.is(TimerBit.level)) {
      this.status |= 1 << n;
      this.drive(timer, n);
    } else if (timer.is(TimerBit.enable) && timer.is(TimerBit.fsbEnable)) {
      this.options.message(Number(timer.fsbRoute >> 32n), Number(timer.fsbRoute & 0xffff_ffffn));
    } else if (timer.is(TimerBit.enable)) {
      timer.output = false;
      this.lineOf(timer, n)?.(false);
      timer.output = true;
      this.lineOf(timer, n)?.(true);
    }
  }

  /** Where the timer's output goes, undefined: nowhere. */
  private lineOf(timer: HpetTimer, n: number): InterruptLine | undefined {
    if (this.isLegacy && n < 2) return this.options.legacy[n];
    return timer.is(TimerBit.fsbEnable) ? undefined : this.routes[n].get(timer.route);
  }

  /** Sets a level-triggered output; an edge-triggered one stays until the timer is disabled. */
  private drive(timer: HpetTimer, n: number): void {
    const on = this.runs && timer.is(TimerBit.enable) && (timer.is(TimerBit.level) ? (this.status & (1 << n)) !== 0 : timer.output);
    if (on === timer.output) return;
    timer.output = on;
    this.lineOf(timer, n)?.(on);
  }

  /** Changes where outputs go: they are taken from their lines before, and put on the lines that they then have. */
  private reroute(timers: readonly HpetTimer[], change: () => void): void {
    for (const timer of timers) if (timer.output) this.lineOf(timer, this.timers.indexOf(timer))?.(false);
    for (const timer of timers) timer.output = false;
    change();
    for (const timer of timers) this.drive(timer, this.timers.indexOf(timer));
  }

  private register(offset: number): bigint {
    const timer = this.timers[(offset - 0x100) >> 5] as HpetTimer | undefined;
    if (offset >= 0x100 && timer !== undefined) {
      if ((offset & 0x18) === 0) return timer.configuration;
      return (offset & 0x18) === 8 ? timer.comparator : (offset & 0x18) === 0x10 ? timer.fsbRoute : 0n;
    }
    switch (offset) {
      case 0:
        return CAPABILITIES;
      case 0x10:
        return BigInt(this.configuration);
      case 0x20:
        return BigInt(this.status);
      case 0xf0:
        return this.count;
      default:
        return 0n;
    }
  }

  private writeRegister(offset: number, value: bigint, mask: bigint, now: number): void {
    const timer = this.timers[(offset - 0x100) >> 5] as HpetTimer | undefined;
    if (offset >= 0x100 && timer !== undefined) {
      if ((offset & 0x18) === 0) this.reroute([timer], () => timer.writeConfiguration(value, mask));
      else if ((offset & 0x18) === 8) timer.writeComparator(value, mask);
      else if ((offset & 0x18) === 0x10) timer.fsbRoute = (timer.fsbRoute & ~mask) | (value & mask);
      return;
    }
    switch (offset) {
      case 0x10:
        if (mask & 0xffn) this.configure(Number(value & 3n), now);
        break;
      case 0x20:
        // Ones clear.
        this.status &= ~Number(value & mask & 7n);
        this.timers.forEach((t, n) => this.drive(t, n));
        break;
      case 0xf0:
        this.counter = (this.count & ~mask) | (value & mask);
        this.enabledAt = now;
        this.foldedCounts = 0;
        break;
      default:
        break;
    }
  }

  private configure(value: number, now: number): void {
    const changed = this.configuration ^ value;
    if (changed & ENABLE) {
      this.counter = this.count;
      this.foldedCounts = 0;
      this.enabledAt = now;
    }
    if (changed & LEGACY) {
      this.reroute(this.timers.slice(0, 2), () => (this.configuration = value));
      this.options.legacyReplacement(this.isLegacy);
    }
    this.configuration = value;
    this.timers.forEach((timer, n) => this.drive(timer, n));
  }

  /** The next match that somebody hears of: a level-triggered timer whose status is set is silent until it is cleared. */
  private expect(): void {
    this.due = Infinity;
    if (!this.runs) return;
    const { count } = this;
    this.timers.forEach((timer, n) => {
      if (!timer.is(TimerBit.enable) || (timer.is(TimerBit.level) && this.status & (1 << n))) return;
      const tick = this.enabledAt + (this.foldedCounts + Number(timer.untilMatch(count))) * HPET_TICKS_PER_COUNT;
      if (tick < this.due && tick <= Number.MAX_SAFE_INTEGER) this.due = tick;
    });
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
