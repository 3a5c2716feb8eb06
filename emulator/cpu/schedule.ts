/**
 * Whose turn it is among several vCPUs, and for how many steps: round robin, with turns whose lengths come from a seed, so that two runs of one
 * configuration interleave alike and other seeds show other interleavings.
 */

export interface ScheduleState {
  readonly version: 1;
  readonly turn: number;
  readonly left: number;
  readonly random: number;
}

/** Steps in a turn: from SHORTEST to SHORTEST + SPREAD - 1. */
const SHORTEST = 2048;
const SPREAD = 4096;

export class Schedule {
  /** The vCPU whose turn it is. */
  turn = 0;
  /** Steps left in this turn. */
  left: number;
  private random: number;

  constructor(
    private readonly vcpuCount: number,
    seed: number,
  ) {
    this.random = (seed ^ 0x9e3779b9) | 0 || 1;
    this.left = this.length();
  }

  spent(steps: number): void {
    this.left -= steps;
    if (this.left <= 0) this.next();
  }

  /** The turn goes to the next vCPU. */
  next(): void {
    this.turn = (this.turn + 1) % this.vcpuCount;
    this.left = this.length();
  }

  /** A vCPU that is alone keeps its turn for ever. */
  private length(): number {
    if (this.vcpuCount === 1) return Infinity;
    // xorshift32
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return SHORTEST + ((x >>> 0) % SPREAD);
  }

  save(): ScheduleState {
    return { version: 1, turn: this.turn, left: this.left, random: this.random };
  }
  restore(state: ScheduleState): void {
    this.turn = state.turn;
    this.left = state.left;
    this.random = state.random;
  }
}
