/** Half-open intervals of addresses, and which of them an interval meets: in O(log n + found), however many and however wide they are. */
export interface Interval<T> {
  readonly first: bigint;
  /** The first address behind it. */
  readonly end: bigint;
  readonly value: T;
}

export class IntervalIndex<T> {
  /** By first address; read as a balanced tree whose root is in the middle. */
  private readonly sorted: readonly Interval<T>[];
  /** The greatest end in the subtree of each. */
  private readonly reach: bigint[];

  constructor(intervals: readonly Interval<T>[]) {
    this.sorted = [...intervals].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
    this.reach = new Array<bigint>(intervals.length).fill(0n);
    this.measure(0, intervals.length);
  }

  private measure(from: number, to: number): bigint {
    if (from >= to) return 0n;
    const middle = (from + to) >> 1;
    const [left, right, own] = [this.measure(from, middle), this.measure(middle + 1, to), this.sorted[middle].end];
    let reach = left > right ? left : right;
    if (own > reach) reach = own;
    this.reach[middle] = reach;
    return reach;
  }

  get isEmpty(): boolean {
    return this.sorted.length === 0;
  }

  /** The values of the intervals that meet [first, end), at most `limit` of them. */
  meeting(first: bigint, end: bigint, limit = Infinity): T[] {
    const found: T[] = [];
    this.collect(0, this.sorted.length, first, end, limit, found);
    return found;
  }

  private collect(from: number, to: number, first: bigint, end: bigint, limit: number, found: T[]): void {
    if (from >= to) return;
    const middle = (from + to) >> 1;
    if (this.reach[middle] <= first) return;
    this.collect(from, middle, first, end, limit, found);
    const interval = this.sorted[middle];
    if (interval.first >= end || found.length >= limit) return;
    if (interval.end > first) found.push(interval.value);
    this.collect(middle + 1, to, first, end, limit, found);
  }
}
