/**
 * A crystal's cycles counted on the machine's clock, exactly and without drift: cycle n begins at the first tick of the machine's clock at
 * which n cycles have passed. Holds no state.
 */
import { TICKS_PER_SECOND } from './device';

export class Oscillator {
  /** @param hertz whole cycles a second, below 9 MHz, so that every product here stays below 2^53 and every quotient is exact. */
  constructor(readonly hertz: number) {}

  /** Whole cycles that have passed at tick `now` since tick 0. */
  cyclesAt(now: number): number {
    const seconds = Math.floor(now / TICKS_PER_SECOND);
    return seconds * this.hertz + Math.floor(((now - seconds * TICKS_PER_SECOND) * this.hertz) / TICKS_PER_SECOND);
  }

  /** The first tick at which `cycle` cycles have passed; Infinity stays Infinity. */
  tickOf(cycle: number): number {
    if (cycle === Infinity) return Infinity;
    const seconds = Math.floor(cycle / this.hertz);
    return seconds * TICKS_PER_SECOND + Math.ceil(((cycle - seconds * this.hertz) * TICKS_PER_SECOND) / this.hertz);
  }
}
