/**
 * The local APIC's timer (SDM volume 3, "APIC Timer"): one-shot, periodic and TSC-deadline. Its input clock is the machine's clock
 * (1 GHz, TICKS_PER_SECOND), divided by the divide configuration register.
 */
import { TimerMode } from '../../spec/apic';

export interface ApicTimerState {
  /** `TimerMode`. */
  mode: number;
  /** Divide configuration register. */
  divide: number;
  initialCount: number;
  /** What the current count was at the tick `since`; 0: not counting. */
  count: number;
  since: number;
  /** IA32_TSC_DEADLINE in ticks of the machine, two halves; 0: not armed. */
  deadlineLow: number;
  deadlineHigh: number;
}

export const TIMER_RESET: Readonly<ApicTimerState> = {
  mode: 0,
  divide: 0,
  initialCount: 0,
  count: 0,
  since: 0,
  deadlineLow: 0,
  deadlineHigh: 0,
};

const DIVISORS = [2, 4, 8, 16, 32, 64, 128, 1] as const;
const HIGH = 2 ** 32;

export class ApicTimer {
  constructor(public state: ApicTimerState) {}

  /** The tick at which it expires next, Infinity when it never does. */
  get deadline(): number {
    const s = this.state;
    if (s.mode === TimerMode.tscDeadline) {
      const at = s.deadlineHigh * HIGH + s.deadlineLow;
      return at === 0 ? Infinity : at;
    }
    return s.count === 0 ? Infinity : s.since + s.count * divisor(s);
  }

  /** Expires if it is due; true when it did (once or more often). */
  advance(now: number): boolean {
    if (now < this.deadline) return false;
    const s = this.state;
    if (s.mode === TimerMode.periodic && s.initialCount > 0) {
      const period = s.initialCount * divisor(s);
      const expired = this.deadline;
      s.since = expired + Math.floor((now - expired) / period) * period;
      s.count = s.initialCount;
    } else this.disarm();
    return true;
  }

  /** At a tick at which `advance` has been called. */
  currentCount(now: number): number {
    const s = this.state;
    if (s.mode === TimerMode.tscDeadline || s.count === 0) return 0;
    return s.count - Math.floor((now - s.since) / divisor(s));
  }

  /** A write that changes the mode disarms the timer. */
  setMode(mode: number): void {
    if (mode === this.state.mode) return;
    this.disarm();
    this.state.mode = mode;
  }

  /** Ignored in TSC-deadline mode; zero stops the timer. */
  setInitialCount(count: number, now: number): void {
    const s = this.state;
    if (s.mode === TimerMode.tscDeadline) return;
    s.initialCount = count;
    s.count = s.mode > TimerMode.tscDeadline ? 0 : count;
    s.since = now;
  }

  /** A count under way goes on at the new rate. */
  setDivide(value: number, now: number): void {
    const s = this.state;
    if (value === s.divide) return;
    s.count = s.mode === TimerMode.tscDeadline ? 0 : this.currentCount(now);
    s.since = now;
    s.divide = value;
  }

  /** Ticks a count. */
  get divisor(): number {
    return divisor(this.state);
  }

  get tscDeadline(): bigint {
    return (BigInt(this.state.deadlineHigh) << 32n) | BigInt(this.state.deadlineLow);
  }
  /** Without effect outside TSC-deadline mode. */
  setTscDeadline(tick: bigint): void {
    if (this.state.mode !== TimerMode.tscDeadline) return;
    this.state.deadlineLow = Number(tick & 0xffff_ffffn);
    this.state.deadlineHigh = Number((tick >> 32n) & 0xffff_ffffn);
  }

  private disarm(): void {
    this.state.count = 0;
    this.state.since = 0;
    this.state.deadlineLow = 0;
    this.state.deadlineHigh = 0;
  }
}

function divisor(s: Readonly<ApicTimerState>): number {
  return DIVISORS[(s.divide & 3) | ((s.divide & 8) >> 1)];
}
