/**
 * Keeps guest time from running ahead of the wall's: the launch attribute realtime. A guest that is slower than the wall loses the difference
 * instead of hurrying after it. Pacing decides only where slices end, so what the guest does at which step stays as it is.
 */

/** What a guest falls behind by more than this is lost, in milliseconds. */
const MOST_DEBT = 100;
/** The longest sleep in one piece, so that a pause, input or an end of the session is met soon. */
const LONGEST_SLEEP = 8;
const TICKS_PER_MS = 1e6;

export class Pacer {
  private wallAnchor = 0;
  private guestAnchor = 0;

  /** @param now milliseconds from any fixed moment. */
  constructor(private readonly now: () => number) {}

  /** Guest time begins to follow the wall here: after the launch and after every stop. `time` in ticks (nanoseconds). */
  start(time: number): void {
    this.wallAnchor = this.now();
    this.guestAnchor = time;
  }

  /** The tick that guest time may reach by now. */
  limit(time: number): number {
    const limit = this.guestAnchor + (this.now() - this.wallAnchor) * TICKS_PER_MS;
    if (limit - time <= MOST_DEBT * TICKS_PER_MS) return limit;
    this.start(time);
    return time;
  }

  /** Milliseconds to sleep before the guest may go on, 0: none. */
  sleep(time: number): number {
    const ahead = (time - this.limit(time)) / TICKS_PER_MS;
    return ahead <= 0 ? 0 : Math.min(LONGEST_SLEEP, Math.max(1, ahead));
  }
}
