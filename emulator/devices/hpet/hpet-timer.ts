/**
 * One timer of the HPET (IA-PC HPET Specification 1.0a, 2.3.8 "Timer N Configuration and Capabilities Register", 2.3.9 "Timer N Comparator
 * Register"): configuration, comparator and when it meets the main counter next.
 */

/** Bits of the configuration register. */
export const TimerBit = {
  level: 0x0002, enable: 0x0004, periodic: 0x0008, periodicCapable: 0x0010, size64: 0x0020, valueSet: 0x0040, mode32: 0x0100, routeFirst: 9,
  routeMask: 0x3e00, fsbEnable: 0x4000, fsbCapable: 0x8000,
} as const; // prettier-ignore

/** I/O APIC inputs that a timer may be routed to: 16 to 23. */
export const ROUTES = 0x00ff_0000;
const WRITABLE = BigInt(TimerBit.level | TimerBit.enable | TimerBit.periodic | TimerBit.valueSet | TimerBit.mode32 | TimerBit.routeMask | TimerBit.fsbEnable); // prettier-ignore
const CAPABILITIES = (BigInt(ROUTES) << 32n) | BigInt(TimerBit.periodicCapable | TimerBit.size64 | TimerBit.fsbCapable);
const MASK32 = 0xffff_ffffn;
const MASK64 = 0xffff_ffff_ffff_ffffn;

export class HpetTimer {
  configuration = CAPABILITIES;
  comparator = MASK64;
  /** Added to the comparator at each match in periodic mode. */
  period = 0n;
  /** FSB route: data in the low half, address in the high one. */
  fsbRoute = 0n;
  /** The level that the timer's output has. */
  output = false;

  is(bit: number): boolean {
    return (this.configuration & BigInt(bit)) !== 0n;
  }
  get route(): number {
    return Number((this.configuration >> BigInt(TimerBit.routeFirst)) & 31n);
  }
  private get mask(): bigint {
    return this.is(TimerBit.mode32) ? MASK32 : MASK64;
  }

  /** Counts until the main counter, now at `count`, next becomes equal to the comparator; at least 1. */
  untilMatch(count: bigint): bigint {
    const { mask } = this;
    return (this.comparator - count) & mask || mask + 1n;
  }

  /** The main counter has gone on from `count` by `counts`: true when it met the comparator; a periodic comparator moves on. */
  passed(count: bigint, counts: bigint): boolean {
    const first = this.untilMatch(count);
    if (counts < first) return false;
    if (this.is(TimerBit.periodic) && this.period !== 0n)
      this.comparator = (this.comparator + this.period * (1n + (counts - first) / this.period)) & this.mask;
    return true;
  }

  writeConfiguration(value: bigint, mask: bigint): void {
    let next = (this.configuration & ~(WRITABLE & mask)) | (value & WRITABLE & mask);
    // A route that is not there does not read back.
    const route = Number((next >> BigInt(TimerBit.routeFirst)) & 31n);
    if (((ROUTES >>> route) & 1) === 0) next &= ~BigInt(TimerBit.routeMask);
    this.configuration = next;
    if (this.is(TimerBit.mode32)) {
      this.comparator &= MASK32;
      this.period &= MASK32;
    }
  }

  /** In periodic mode the value is the period, and the comparator's too after "value set". */
  writeComparator(value: bigint, mask: bigint): void {
    const periodic = this.is(TimerBit.periodic);
    if (!periodic || this.is(TimerBit.valueSet)) this.comparator = ((this.comparator & ~mask) | (value & mask)) & this.mask;
    if (periodic) this.period = ((this.period & ~mask) | (value & mask)) & this.mask;
    this.configuration &= ~BigInt(TimerBit.valueSet);
  }
}
