/**
 * Guest-visible time of the whole machine: steps of all vCPUs, fixed charges, and the time that was skipped while all of them waited, as the
 * architecture fixes it. Debugging changes none of them. One tick is a nanosecond: the time-stamp counter runs at 1 GHz.
 */
import type { Cpu } from './cpu';
import { State } from '../spec/vcpu-state';
import type { ClockPort } from './ports';

/** Charges in ticks. */
export const Charge = { exit: 1000, entry: 700, delivery: 100, device: 300 } as const;

/** Devices that act on their own, as the clock sees them. */
export interface Timeline {
  /** Tick of the next act of a device, Infinity: none. */
  readonly deadline: number;
  /** Carries out all that is due at `now`. */
  advance(now: number): void;
}

export interface ClockState {
  readonly version: 1;
  readonly steps: number;
  readonly charges: number;
  readonly skipped: number;
}

export class MachineClock {
  /** Position: steps made by all vCPUs. */
  steps = 0;
  private charges = 0;
  private skipped = 0;

  now(): number {
    return this.steps + this.charges + this.skipped;
  }
  charge(ticks: number): void {
    this.charges += ticks;
  }
  /** All processors wait: time passes until `tick`. */
  skipTo(tick: number): void {
    this.skipped += Math.max(0, Math.ceil(tick) - this.now());
  }

  save(): ClockState {
    return { version: 1, steps: this.steps, charges: this.charges, skipped: this.skipped };
  }
  restore(state: ClockState): void {
    this.steps = state.steps;
    this.charges = state.charges;
    this.skipped = state.skipped;
  }
}

/** @param guestTsc what VMX non-root operation makes of the counter (TSC scaling and offset). */
export function createClockPort(clock: MachineClock, timeline: Timeline, guestTsc: (cpu: Cpu, tsc: bigint) => bigint): ClockPort {
  return {
    now: () => clock.now(),
    remaining: () => timeline.deadline - clock.now(),
    stepped: (steps) => (clock.steps += steps),
    tsc: (cpu) => BigInt.asUintN(64, guestTsc(cpu, BigInt.asUintN(64, BigInt(clock.now()) + cpu.get64(State.tscOffset)))),
    charge: (_cpu, kind) => clock.charge(Charge[kind]),
  };
}
