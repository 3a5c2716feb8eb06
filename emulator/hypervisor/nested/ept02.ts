/**
 * EPT02: what the hardware walks while L2 runs, composed page by page of EPT12 (L1's tables, L2's addresses to L1's) over EPT01 (L1's to host's).
 * Nothing is composed before it is touched. Each leaf remembers what it was derived from, so that INVEPT drops exactly those that no longer hold,
 * and a view can tell which are stale. SDM volume 3, "The Extended Page Table Mechanism (EPT)", "Accessed and Dirty Flags for EPT",
 * "Page-Modification Logging", "Operations that Invalidate Cached Mappings". Not modelled: large pages in EPT02 (EPT01 has none).
 */
import type { PhysicalMemory } from '../../memory/physical-memory';
import { type TableMemory, WalkResult, Walker } from '../../mmu/walk';
import { EptEntry, EptViolation } from '../../spec/ept';
import { type PagingFacts, Right, eptFormat, eptModeBased, eptRoot } from '../../spec/paging';
import { EptTables } from '../ept-tables';
import { FRAME_BYTES, type FrameTable } from '../frame-table';
import type { GuestMemory } from '../guest-memory';

/** Bit 6 of an EPTP. */
const ACCESSED_DIRTY = 0x40;
const SUPPRESS_VE = 0x8000_0000 | 0;
/** Leaf bits of EPT12 that go into EPT02 as they are: memory type and ignore PAT. */
const TYPE_BITS = BigInt((7 << EptEntry.memoryTypeShift) | EptEntry.ignorePat);
const PERMISSIONS = BigInt(EptEntry.read | EptEntry.write | EptEntry.execute | EptEntry.userExecute);

/** Of which a leaf of EPT02 was made. */
export interface Derived {
  /** L1's guest-physical page that EPT12 gave, and the leaf entry there when it was composed (accessed and dirty flags left out). */
  readonly gpa: number;
  readonly entry12: bigint;
  /** The frame that EPT01 gave. */
  readonly hpa: number;
  /** What was written into EPT02, accessed and dirty flags left out. */
  readonly entry02: bigint;
}

/** What L1's tables make of an access of L2. */
export type Composition =
  /** EPT02 has the leaf now. */
  | { readonly kind: 'fill'; readonly derived: Derived }
  /** EPT12 does not allow it. `allowed`: read, write, execute of bits 2:0 and bit 3 for user-mode execution, 0 when not present. */
  | { readonly kind: 'reflect'; readonly allowed: number; readonly convertible: boolean }
  | { readonly kind: 'misconfiguration' }
  /** The page-modification log of L1 is full. */
  | { readonly kind: 'log-full' };

export interface Logging {
  /** False: the log is full. */
  log(gpa: number): boolean;
}

interface Context {
  /** EPTP12, and whether “mode-based execute control” was on. */
  eptp12: number;
  modeBased: boolean;
  tables: EptTables;
  leaves: Map<number, Derived>;
  /** Entries into L2 with it, for choosing the one that is given up. */
  used: number;
  /** L1 has executed INVEPT for it since the last VM entry. */
  suspect: boolean;
}

export interface Ept02State {
  readonly uses: number;
  readonly contexts: readonly {
    readonly eptp12: number;
    readonly modeBased: boolean;
    readonly root: number;
    readonly tables: readonly number[];
    readonly used: number;
    readonly suspect: boolean;
    readonly leaves: readonly (readonly [number, Derived])[];
  }[];
}

/** Contexts that are kept. */
const CONTEXTS = 8;

export class Ept02 {
  private contexts: Context[] = [];
  private uses = 0;
  private readonly walker = new Walker();
  private readonly tables12: TableMemory;
  /** The same for looking only: a table in a page without a frame is not found. */
  private readonly seenTables12: TableMemory;

  constructor(
    private readonly host: PhysicalMemory,
    private readonly guest: GuestMemory,
    private readonly frames: FrameTable,
    private readonly facts: PagingFacts,
    /** The most frames that tables of EPT02 may take, roots included. */
    private readonly frameLimit: number,
    /** Cached translations must go: leaves were dropped. */
    private readonly flush: () => void,
  ) {
    this.tables12 = {
      locate: (address) => this.guest.toHpa(address),
      read32: (hpa) => host.read32(hpa),
      write32: (hpa, value) => host.write32(hpa, value >>> 0),
    };
    this.seenTables12 = {
      ...this.tables12,
      locate: (address) => guest.seenHpa(address),
    };
  }

  /** The EPTP to be put into VMCS02 for an EPTP12. */
  use(eptp12: number, modeBased: boolean): number {
    let context = this.find(eptp12, modeBased);
    if (context === undefined) {
      if (this.contexts.length === CONTEXTS) this.giveUpOldest();
      const root = this.newRoot();
      context = {
        eptp12,
        modeBased,
        tables: new EptTables(this.host, this.frames, 'ept02', root),
        leaves: new Map(),
        used: 0,
        suspect: false,
      };
      this.contexts.push(context);
    }
    if (context.suspect) this.revalidate(context);
    context.used = ++this.uses;
    return context.tables.root + (eptp12 % FRAME_BYTES);
  }
  private find(eptp12: number, modeBased: boolean): Context | undefined {
    return this.contexts.find((c) => c.eptp12 === eptp12 && c.modeBased === modeBased);
  }
  private newRoot(): number {
    for (;;) {
      const root = this.frames.count('ept02') < this.frameLimit ? EptTables.table(this.host, this.frames, 'ept02') : undefined;
      if (root !== undefined) return root;
      this.giveUpOldest();
    }
  }
  private giveUpOldest(): void {
    const oldest = this.contexts.reduce((a, b) => (b.used < a.used ? b : a));
    this.dropAll(oldest);
    this.frames.release(oldest.tables.root);
    this.contexts = this.contexts.filter((c) => c !== oldest);
  }

  /** EPT12's word about an address: the outcome of one walk without any effect. */
  private walk12(context: Context, ngpa: number, tables = this.tables12): number {
    this.walker.entryHi = SUPPRESS_VE;
    const hi = Math.floor(ngpa / 0x1_0000_0000);
    if (hi >= 0x10000) return WalkResult.notPresent;
    const format = context.modeBased ? eptModeBased : eptFormat;
    return this.walker.walk(format, eptRoot(context.eptp12), ngpa >>> 0, hi, this.facts, tables);
  }

  /**
   * Deals with an EPT violation of L2 as L1's tables have it. @param bits read, write and fetch of the exit qualification. Fills EPT02 unless it is
   * for L1; sets the accessed and dirty flags of EPT12, and logs, as hardware would with EPT12.
   */
  compose(eptp12: number, modeBased: boolean, ngpa: number, bits: number, logging: Logging | undefined): Composition {
    const context = this.find(eptp12, modeBased) ?? (this.use(eptp12, modeBased), this.find(eptp12, modeBased)!);
    const w = this.walker;
    const format = modeBased ? eptModeBased : eptFormat;
    const result = this.walk12(context, ngpa);
    if (result === WalkResult.reserved) return { kind: 'misconfiguration' };
    const convertible = (w.entryHi & SUPPRESS_VE) === 0;
    if (result !== WalkResult.ok) return { kind: 'reflect', allowed: 0, convertible };
    const page = ngpa - (ngpa % FRAME_BYTES);
    if (!this.allows(context, page, bits)) return { kind: 'reflect', allowed: w.rights & 15, convertible };
    if (context.eptp12 & ACCESSED_DIRTY) {
      const write = (bits & EptViolation.write) !== 0;
      if (write && (w.leafLo & format.dirtyBit) === 0 && logging !== undefined && !logging.log(page)) return { kind: 'log-full' };
      w.markUsed(format, write, this.tables12);
    }
    const derived = this.derive(context);
    this.put(context, page, derived);
    return { kind: 'fill', derived };
  }

  /**
   * Whether the last walk allows the access. Where supervisor and user mode may execute different pages, the exit does not always tell which of
   * both it was: it is L1's to refuse when EPT02 already has all that EPT12 allows.
   */
  private allows(context: Context, page: number, bits: number): boolean {
    const { rights } = this.walker;
    if ((rights & bits & 3) !== (bits & 3)) return false;
    if ((bits & EptViolation.fetch) === 0) return true;
    const supervisor = (rights & Right.execute) !== 0;
    if (!context.modeBased) return supervisor;
    const user = (rights & Right.user) !== 0;
    if (supervisor === user) return supervisor;
    return context.leaves.get(page)?.entry02 !== this.derive(context).entry02;
  }

  /** The leaf of EPT02 that the last walk gives: permissions of both, the smaller page, L1's memory type. */
  private derive(context: Context): Derived {
    const w = this.walker;
    const hpa = this.guest.toHpa(w.page);
    const entry12 = (BigInt(w.leafHi >>> 0) << 32n) | BigInt(w.leafLo >>> 0);
    let { rights } = w;
    // With accessed and dirty flags, the first write must be seen.
    if (context.eptp12 & ACCESSED_DIRTY && (w.leafLo & EptEntry.dirty) === 0) rights &= ~Right.write;
    const user = context.modeBased && rights & Right.user ? EptEntry.userExecute : 0;
    const permissions = BigInt((rights & 7) | user) & PERMISSIONS;
    const entry02 = BigInt(hpa) | (entry12 & TYPE_BITS) | permissions;
    return { gpa: w.page, entry12: entry12 & ~BigInt(EptEntry.accessed | EptEntry.dirty), hpa, entry02 };
  }

  private put(context: Context, page: number, derived: Derived): void {
    const old = context.leaves.get(page);
    if (old !== undefined) {
      this.frames.drop02(old.hpa, context.tables.root, page);
      if (old.hpa !== derived.hpa || old.entry02 & ~derived.entry02 & PERMISSIONS) this.flush();
    }
    const room = this.frames.count('ept02') + 3 <= this.frameLimit;
    if (!room || !context.tables.set(page, derived.entry02)) {
      // The pool is used up: what was least recently entered goes first, then the other leaves of this one.
      while (this.contexts.length > 1 && this.frames.count('ept02') + 3 > this.frameLimit) {
        const current = context.used;
        context.used = Infinity;
        this.giveUpOldest();
        context.used = current;
      }
      if (this.frames.count('ept02') + 3 > this.frameLimit) this.dropAll(context);
      context.tables.set(page, derived.entry02);
    }
    context.leaves.set(page, derived);
    this.frames.hold02(derived.hpa, context.tables.root, page);
  }

  private dropAll(context: Context): void {
    for (const [page, { hpa }] of context.leaves) this.frames.drop02(hpa, context.tables.root, page);
    context.leaves.clear();
    context.tables.empty();
    this.flush();
  }
  private drop(context: Context, page: number): void {
    const derived = context.leaves.get(page);
    if (derived === undefined) return;
    this.frames.drop02(derived.hpa, context.tables.root, page);
    context.leaves.delete(page);
    context.tables.clear(page);
  }

  /** A leaf no longer says what EPT12 and EPT01 say now. */
  private isStale(context: Context, page: number, derived: Derived): boolean {
    if (this.walk12(context, page, this.seenTables12) !== WalkResult.ok) return true;
    const w = this.walker;
    if (w.page !== derived.gpa) return true;
    // An accessed flag that L1 has cleared is to be set again by the next access.
    if (context.eptp12 & ACCESSED_DIRTY && !w.allAccessed(context.modeBased ? eptModeBased : eptFormat)) return true;
    return this.derive(context).entry02 !== derived.entry02;
  }

  /**
   * INVEPT by L1, for one EPTP12 or all. What was derived from it is looked at again by the next VM entry to L2: until then no processor could have cached
   * anything of EPT12 anew, so that L1 may well edit its tables after INVEPT.
   */
  invalidate(eptp12?: number): void {
    for (const context of this.contexts) {
      // The EP4TA, bits 51:12, is what cached mappings are associated with.
      if (eptp12 === undefined || eptRoot(context.eptp12) === eptRoot(eptp12)) context.suspect = true;
    }
  }
  /** Drops the leaves that no longer hold; the others stay. */
  private revalidate(context: Context): void {
    context.suspect = false;
    const stale = [...context.leaves].filter(([page, derived]) => this.isStale(context, page, derived));
    for (const [page] of stale) this.drop(context, page);
    if (stale.length > 0) this.flush();
  }

  /** A frame is about to leave EPT01: every leaf that maps it goes first. Returns how many. */
  forgetFrame(hpa: number): number {
    const holders = this.frames.holders02(hpa);
    for (const [root, page] of holders) {
      const context = this.contexts.find((c) => c.tables.root === root);
      if (context !== undefined) this.drop(context, page);
    }
    if (holders.length > 0) this.flush();
    return holders.length;
  }

  /** Every leaf with what it was derived from, and whether it still holds. Changes nothing. */
  leaves(): { readonly eptp12: number; readonly ngpa: number; readonly derived: Derived; readonly stale: boolean }[] {
    return this.contexts.flatMap((context) =>
      [...context.leaves].map(([ngpa, derived]) => ({
        eptp12: context.eptp12,
        ngpa,
        derived,
        stale: this.isStale(context, ngpa, derived),
      })),
    );
  }

  save(): Ept02State {
    return {
      uses: this.uses,
      contexts: this.contexts.map((c) => ({
        eptp12: c.eptp12,
        modeBased: c.modeBased,
        root: c.tables.root,
        tables: [...c.tables.tables],
        used: c.used,
        suspect: c.suspect,
        leaves: [...c.leaves],
      })),
    };
  }
  restore(state: Ept02State): void {
    this.uses = state.uses;
    this.contexts = state.contexts.map((c) => ({
      eptp12: c.eptp12,
      modeBased: c.modeBased,
      tables: new EptTables(this.host, this.frames, 'ept02', c.root, [...c.tables]),
      leaves: new Map(c.leaves),
      used: c.used,
      suspect: c.suspect,
    }));
  }
}
