/**
 * Counts of VM exits by reason and guest instruction: where a guest spends its exits. A hash table of plain columns, since there may be a
 * million exits a second; when it is full, sites that are new are counted together.
 */

/** A site as a snapshot has it and as views read it. */
export interface ExitSite {
  readonly reason: number;
  readonly rip: bigint;
  readonly exits: number;
}
export interface ExitSitesState {
  readonly sites: readonly ExitSite[];
  /** Exits by reason that found no room. */
  readonly others: readonly (readonly [number, number])[];
}

/** Places; at most three quarters of them are taken. */
const PLACES = 8192;
const MOST = (PLACES * 3) / 4;

export class ExitSites {
  private readonly reasons = new Int32Array(PLACES).fill(-1);
  private readonly rips = new BigUint64Array(PLACES);
  private readonly halves = new Uint32Array(this.rips.buffer);
  private readonly counts = new Float64Array(PLACES);
  private taken = 0;
  private readonly others = new Map<number, number>();
  /** The RIP that is looked for, and its halves. */
  private readonly wanted = new BigUint64Array(1);
  private readonly wantedHalves = new Uint32Array(this.wanted.buffer);

  note(reason: number, rip: bigint, exits = 1): void {
    this.wanted[0] = rip;
    const [low, high] = [this.wantedHalves[0], this.wantedHalves[1]];
    let at = (Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(reason + 1, 0xc2b2ae35), 0x9e3779b1) >>> 16) & (PLACES - 1);
    for (; this.reasons[at] >= 0; at = (at + 1) & (PLACES - 1)) {
      if (this.reasons[at] !== reason || this.halves[at * 2] !== low || this.halves[at * 2 + 1] !== high) continue;
      this.counts[at] += exits;
      return;
    }
    if (this.taken >= MOST) {
      this.others.set(reason, (this.others.get(reason) ?? 0) + exits);
      return;
    }
    this.taken++;
    this.reasons[at] = reason;
    this.halves[at * 2] = low;
    this.halves[at * 2 + 1] = high;
    this.counts[at] = exits;
  }

  /** Of one reason, most exits first, then by address; and how many exits were counted together. */
  of(reason: number): { readonly sites: readonly ExitSite[]; readonly others: number } {
    const sites = this.all().filter((site) => site.reason === reason);
    sites.sort((a, b) => b.exits - a.exits || (a.rip < b.rip ? -1 : 1));
    return { sites, others: this.others.get(reason) ?? 0 };
  }

  private all(): ExitSite[] {
    const sites: ExitSite[] = [];
    for (let at = 0; at < PLACES; at++)
      if (this.reasons[at] >= 0) sites.push({ reason: this.reasons[at], rip: this.rips[at], exits: this.counts[at] });
    return sites;
  }

  save(): ExitSitesState {
    return { sites: this.all(), others: [...this.others] };
  }
  restore({ sites, others }: ExitSitesState): void {
    this.reasons.fill(-1);
    this.taken = 0;
    this.others.clear();
    for (const { reason, rip, exits } of sites) this.note(reason, rip, exits);
    for (const [reason, exits] of others) this.others.set(reason, exits);
  }
}
