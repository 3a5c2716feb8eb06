/**
 * Watches the event loop of the extension host: how long it was kept from its turn. On Linux the kernel tells how long the thread was ready
 * but another process had the processor (run delay); that is the machine's doing and is told apart from what the thread did itself.
 */
export interface EventLoopReport {
  readonly ticks: number;
  /** The longest time between two ticks, whatever the reason. */
  readonly longestGapMs: number;
  /** The longest of these times without what the thread waited for a processor. */
  readonly longestStallMs: number;
  /** Whether the kernel told the run delay: without it gap and stall are one. */
  readonly knowsRunDelay: boolean;
}

const EVERY_MS = 5;

export class EventLoopWatch {
  private ticks = 0;
  private longestGapMs = 0;
  private longestStallMs = 0;
  private last = performance.now();
  private lastDelay: number | undefined;
  private readonly timer: ReturnType<typeof setInterval>;

  /** `runDelay`: milliseconds that the thread has waited for a processor since it began. */
  constructor(private readonly runDelay: () => number | undefined) {
    this.lastDelay = runDelay();
    this.timer = setInterval(() => this.tick(), EVERY_MS);
  }

  private tick(): void {
    const now = performance.now();
    const delay = this.runDelay();
    const gap = now - this.last - EVERY_MS;
    const waited = delay === undefined || this.lastDelay === undefined ? 0 : delay - this.lastDelay;
    this.ticks++;
    this.longestGapMs = Math.max(this.longestGapMs, gap);
    this.longestStallMs = Math.max(this.longestStallMs, gap - waited);
    this.last = now;
    this.lastDelay = delay;
  }

  end(): EventLoopReport {
    clearInterval(this.timer);
    this.tick();
    const { ticks, longestGapMs, longestStallMs } = this;
    return { ticks, longestGapMs, longestStallMs, knowsRunDelay: this.lastDelay !== undefined };
  }
}

export function percentile(times: readonly number[], share: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * share)] ?? Infinity;
}
