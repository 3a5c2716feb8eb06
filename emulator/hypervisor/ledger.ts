/**
 * The cycle ledger of L0: how often each thing happened, and what it costs by the model of the analysis account. The guest never sees it; what the
 * guest sees of exits and entries is charged by the clock.
 */
export const CYCLES = { exit: 1000, entry: 700, handler: 300, vmcsAccess: 30, walkReference: 20, pageCopy: 500 } as const;

export interface LedgerState {
  readonly counts: readonly (readonly [string, number])[];
  readonly cycles: number;
}

export class Ledger {
  private counts = new Map<string, number>();
  private total = 0;

  /** Counts one event of a name such as 'exit L1 CPUID' and adds its cycles. */
  note(name: string, cycles: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.total += cycles;
  }
  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }
  /** Sum of the counts whose name begins so. */
  sum(prefix: string): number {
    let n = 0;
    for (const [name, count] of this.counts) if (name.startsWith(prefix)) n += count;
    return n;
  }
  get cycles(): number {
    return this.total;
  }

  save(): LedgerState {
    return { counts: [...this.counts], cycles: this.total };
  }
  restore(state: LedgerState): void {
    this.counts = new Map(state.counts);
    this.total = state.cycles;
  }
}
