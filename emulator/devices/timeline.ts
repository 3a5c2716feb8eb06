/**
 * When the devices act on their own: the earliest deadline of all, and their acts in the order of time. Acts of one tick happen in the order
 * of the devices. Holds no state: every deadline is a function of its device's.
 */
import type { TimedDevice } from './device';

export class Timeline {
  constructor(private readonly devices: readonly TimedDevice[]) {}

  /** The tick of the next act of any device, Infinity when there is none. */
  get deadline(): number {
    let earliest = Infinity;
    for (const { deadline } of this.devices) if (deadline < earliest) earliest = deadline;
    return earliest;
  }

  /** Carries out all that is due at or before `now`, earliest first. An act may bring the deadline of another device nearer. */
  advance(now: number): void {
    for (;;) {
      let next: TimedDevice | undefined;
      let earliest = Infinity;
      for (const device of this.devices) {
        const { deadline } = device;
        if (deadline < earliest) {
          earliest = deadline;
          next = device;
        }
      }
      if (next === undefined || earliest > now) return;
      next.advance(earliest);
      if (next.deadline <= earliest) throw new RangeError(`${next.name} did not act at its deadline ${earliest}`);
    }
  }
}
