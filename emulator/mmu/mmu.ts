/**
 * Translation and checked access for one machine's vCPUs: TLB look-up and fill through the one walker, #PF and EPT-violation details, the slow
 * path of generated code, MMIO (SDM volume 3, "Paging"); EPT is in ept-access.
 */
import { Right, eptFormat, guestPae, pdpteAddress, pdpteReserved } from '../spec/paging';
import { EptViolation } from '../spec/ept';
import { RAM_FIRST, State, TlbEntry } from '../spec/vcpu-state';
import { PageFlag, type PhysicalMemory } from '../memory/physical-memory';
import { breakpointsEnabled, dataBreakpoints, watchedPages } from './breakpoint-registers';
import { type ApicAccessPage, ApicAccessType, apicExit, guestPhysicalApicExit, onApicAccessPage, redirected } from './apic-access-page';
import { EptAccess, pageDetails } from './ept-access';
import { lineMasked } from './address-line-20';
import { type GuestPaging, guestPaging, pageFaultCode, pagingFacts, rightsFor, smapEnforced } from './guest-access';
import { TagKind, adoptGlobal, claimEntry, entryGpa, entryPage, flushAllContexts, flushNonGlobal, flushPcid, flushVpid, invalidatePage, selectContext, setTag, slowPage, slowWrites, SMAP_CLASS, tagIsSlow, tagMatches, tlbIndex, USER_CLASS } from './tlb'; // prettier-ignore
import { gather, readPhysical, scatter, writePhysical } from './physical-access';
import { TlbJournal } from './tlb-journal';
import { recomputeMode } from './mode-word';
import type { VcpuRegisters } from './vcpu-registers';
import { type AccessPlace, Watchpoints } from './watchpoints';
import { type TableMemory, WalkResult, Walker } from './walk';

/** Kinds of access. `implicit`: a supervisor access whatever the CPL (descriptor tables, TSS). */
export const Access = { read: 1, write: 2, execute: 4, implicit: 8 } as const;

const PF = 14;
const CR4_PGE = 1 << 7;
const CR4_LA57 = 1 << 12;
/** The G flag of an entry that maps a page. */
const LEAF_GLOBAL = 1 << 8;
const GP = 13;

/** What TypeScript carried-out instructions need of the MMU. */
export interface CheckedAccess {
  modeChanged(cpu: VcpuRegisters): void;
  loadLinear(cpu: VcpuRegisters, linear: bigint, size: number, access: number): bigint | undefined;
  storeLinear(cpu: VcpuRegisters, linear: bigint, size: number, value: bigint, access: number): boolean;
  probe(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean;
  /** Host-physical address of a byte, -1: a fault or exit is pending. */
  physical(cpu: VcpuRegisters, linear: bigint, access: number): number;
  flushCurrentContext(cpu: VcpuRegisters): void;
  flushAll(cpu: VcpuRegisters): void;
  invalidatePage(cpu: VcpuRegisters, linear: bigint): void;
  flushPcid(cpu: VcpuRegisters, pcid: number): void;
  flushNonGlobal(cpu: VcpuRegisters): void;
  loadPdptes(cpu: VcpuRegisters, cr3: bigint): 'loaded' | 'reserved bits' | 'pending';
}

interface PendingStore {
  first: number;
  firstBytes: number;
  second: number;
  bytes: number;
  /** Where a store goes that is watched. */
  place: AccessPlace | undefined;
  /** Offset on the APIC-access page that the store was meant for, -1: none. */
  apicOffset: number;
}

const noStore = (): PendingStore => ({ first: 0, firstBytes: 0, second: 0, bytes: 0, place: undefined, apicOffset: -1 });

export class Mmu implements CheckedAccess {
  private readonly guestWalker = new Walker();
  private readonly ept: EptAccess;
  private readonly stores: PendingStore[] = Array.from({ length: 4 }, noStore);
  private readonly journal = new TlbJournal();
  readonly watchpoints: Watchpoints;
  private readonly tables: TableMemory;
  private walking: VcpuRegisters | undefined;
  /** Bits of an EPT violation's qualification for accesses to guest paging structures. */
  private tableDetails: number = EptViolation.linearValid;
  /** Number of the access in its instruction. */
  private slot = 0;

  /** VMX's part in accesses to the APIC-access page; wiring. */
  apicAccesses: ApicAccessPage | undefined;

  constructor(readonly memory: PhysicalMemory) {
    const read32 = (hpa: number): number => memory.read32(hpa);
    const write32 = (hpa: number, value: number): void => memory.write32(hpa, value >>> 0);
    this.watchpoints = new Watchpoints(memory);
    this.ept = new EptAccess(memory);
    this.tables = { locate: (address, write) => this.locateTable(address, write), read32, write32 };
  }

  // Mode ------------------------------------------------------------------------------------------------------------

  /** See mode-word. */
  modeChanged(cpu: VcpuRegisters): void {
    selectContext(cpu);
    recomputeMode(cpu);
  }

  /** Drops everything that is cached for the current VPID, global pages included (VM entry and exit without VPID). */
  flushCurrentContext(cpu: VcpuRegisters): void {
    flushVpid(cpu);
    this.modeChanged(cpu);
  }
  /** Drops what is cached for a PCID of the current VPID, but not global pages (MOV CR3, INVPCID). */
  flushPcid(cpu: VcpuRegisters, pcid: number): void {
    flushPcid(cpu, pcid);
    this.modeChanged(cpu);
  }
  /** The same for all PCIDs. */
  flushNonGlobal(cpu: VcpuRegisters): void {
    flushNonGlobal(cpu);
    this.modeChanged(cpu);
  }
  /** Drops everything (INVEPT, INVVPID, CR0.PG or CR4 changes). */
  flushAll(cpu: VcpuRegisters): void {
    flushAllContexts(cpu);
    this.modeChanged(cpu);
  }
  invalidatePage(cpu: VcpuRegisters, linear: bigint): void {
    invalidatePage(cpu, Number(linear & 0xffffffffn) >>> 0, Number((linear >> 32n) & 0xffffffffn) >>> 0);
  }

  /** Pages on which data breakpoints lie are slow while DR7 enables them. */
  slowWatchedPages(cpu: VcpuRegisters): void {
    for (const page of watchedPages(cpu)) slowPage(cpu, page);
  }
  /** Notes the data breakpoints that an access of the instruction meets; they become a trap when it completes. */
  private noteDataBreakpoints(cpu: VcpuRegisters, lo: number, hi: number, size: number, write: boolean): void {
    cpu.i32[State.debugMatches >> 2] |= dataBreakpoints(cpu, linearOf(lo, hi), size, write);
  }

  // Translation -------------------------------------------------------------------------------------------------------

  /** Undefined when CR0.PG = 0. */
  static guestPaging(cpu: VcpuRegisters): GuestPaging | undefined {
    return guestPaging(cpu);
  }

  /**
   * Loads the PDPTE registers from the table that CR3 names ("PDPTE Registers"): 'reserved bits' is #GP(0), and 'pending' an EPT violation;
   * the registers have not changed then.
   */
  loadPdptes(cpu: VcpuRegisters, cr3: bigint): 'loaded' | 'reserved bits' | 'pending' {
    this.walking = cpu;
    const root = Number(cr3 & 0xffffffe0n);
    const loaded: bigint[] = [];
    // No linear address is behind this access.
    this.tableDetails = 0;
    for (let n = 0; n < 4; n++) {
      const hpa = this.tables.locate(root + 8 * n, false);
      if (hpa < 0) break;
      loaded.push(this.memory.read64(hpa));
    }
    this.tableDetails = EptViolation.linearValid;
    if (loaded.length < 4) return 'pending';
    if (loaded.some((pdpte) => pdpteReserved(pdpte, cpu.model.maxPhyAddr))) return 'reserved bits';
    loaded.forEach((pdpte, n) => cpu.set64(State.pdpte + 8 * n, pdpte));
    return 'loaded';
  }

  /**
   * Index of the TLB entry that maps the page of this linear address for this access, filled if need be; -1: a fault or exit is pending.
   * @param access Access bits; `rmw` only for EPT-violation qualifications.
   */
  translate(cpu: VcpuRegisters, lo: number, hi: number, access: number, rmw = false): number {
    const pageLo = lo & ~0xfff;
    const kind = access & Access.write ? TagKind.write : access & Access.execute ? TagKind.fetch : TagKind.read;
    const context = this.contextOf(cpu, access);
    const i = tlbIndex(lo);
    if (tagMatches(cpu, i, kind, pageLo, hi, context)) return i;
    this.journal.note(cpu, i);
    if (adoptGlobal(cpu, i, kind, pageLo, hi, context)) return i;
    return this.fill(cpu, lo, hi, access, kind, context, i, rmw) ? i : -1;
  }

  private contextOf(cpu: VcpuRegisters, access: number): number {
    const context = cpu.i32[(access & Access.execute ? State.contextFetch : State.contextData) >> 2];
    // Implicit accesses are supervisor accesses, to which SMAP applies whatever RFLAGS.AC says.
    return access & Access.implicit ? (context & ~(USER_CLASS | SMAP_CLASS)) | (smapEnforced(cpu, true) ? SMAP_CLASS : 0) : context;
  }

  private fill(
    cpu: VcpuRegisters,
    lo: number,
    hi: number,
    access: number,
    kind: TagKind,
    context: number,
    i: number,
    rmw: boolean,
  ): boolean {
    const paging = guestPaging(cpu);
    const facts = pagingFacts(cpu);
    const user = (access & Access.implicit) === 0 && cpu.cpl === 3;
    const write = (access & Access.write) !== 0;
    const execute = (access & Access.execute) !== 0;
    this.walking = cpu;
    this.ept.linearLo = lo;
    this.ept.linearHi = hi;
    let page: number;
    let shift = 12;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    let dirty = true;
    let global = false;
    if (paging === undefined) page = (lo & ~0xfff) >>> 0;
    else {
      if (cpu.longMode && !isCanonical(hi, (cpu.i32[State.cr4 >> 2] & CR4_LA57) !== 0)) {
        cpu.raise(GP, 0);
        cpu.set32(State.pendingReason, NON_CANONICAL + this.slot);
        return false;
      }
      const w = this.guestWalker;
      const root = paging.format === guestPae ? pdpteRoot(cpu, lo) : paging.root;
      const result = root < 0 ? WalkResult.notPresent : w.walk(paging.format, root, lo, hi, facts, this.tables);
      if (result === WalkResult.refused) return false;
      rights = result === WalkResult.ok ? rightsFor(cpu, w.rights, w.leafHi, user, (access & Access.implicit) !== 0) : 0;
      if ((rights & (write ? Right.write : execute ? Right.execute : Right.read)) === 0) {
        cpu.raise(
          PF,
          pageFaultCode(cpu, { write, execute, user }, result === WalkResult.ok ? w : undefined, result === WalkResult.reserved),
        );
        cpu.i32[State.pendingLinear >> 2] = lo;
        cpu.i32[(State.pendingLinear >> 2) + 1] = hi;
        return false;
      }
      if (!w.markUsed(paging.format, write, this.tables)) return false;
      page = w.page;
      shift = w.shift;
      global = (w.leafLo & LEAF_GLOBAL) !== 0 && (cpu.i32[State.cr4 >> 2] & CR4_PGE) !== 0;
      dirty = (w.leafLo & paging.format.dirtyBit) !== 0;
    }
    const gpa = page;
    // The page's guest-physical address through EPT.
    if (cpu.f64[State.eptPointer >> 3] !== 0) {
      const bits = write ? (rmw ? 3 : 2) : execute ? 4 : 1;
      const { walker } = this.ept;
      // With CR0.PG = 0 every linear address is a user-mode address of a writable and executable page.
      const linear = paging === undefined ? Right.user | Right.write | Right.execute : this.guestWalker.rights;
      if (!this.ept.translate(cpu, page + (lo & 0xfff), bits, pageDetails(cpu, linear), (linear & Right.user) !== 0, facts)) return false;
      page = walker.page;
      rights &= Right.user | this.ept.rights(cpu, (linear & Right.user) !== 0);
      if (this.ept.marksDirty(cpu)) dirty &&= (walker.leafLo & eptFormat.dirtyBit) !== 0;
      shift = Math.max(12, Math.min(shift, walker.shift));
    }
    page = lineMasked(cpu, page);
    const apic = onApicAccessPage(cpu, page);
    if (apic && execute) return apicExit(cpu, lo & 0xfff, ApicAccessType.fetch, lo, hi);
    const offset = apic ? -1 : this.memory.offsetOf(page);
    const index = cpu.i32[State.contextIndex >> 2];
    claimEntry(cpu, i, lo & ~0xfff, hi, index, page, gpa, offset < 0 ? 0 : (offset - (lo & ~0xfff)) | 0, shift, global);
    const slow = offset < 0 || (this.watchpoints.on && this.watchpoints.watchesPage(linearOf((lo & ~0xfff) >>> 0, hi), gpa, page));
    setTag(cpu, i, kind, lo & ~0xfff, hi, context, slow || (write && this.memory.pageFlags[page / 4096] !== 0));
    // The table of code that the entry remembers belonged to the tag before.
    if (execute) cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, 0);
    // A fetch says nothing of data rights; a read may already allow writes, and a write reads.
    if (!execute) {
      if (write && rights & Right.read) setTag(cpu, i, TagKind.read, lo & ~0xfff, hi, context, slow);
      if (!write && dirty && rights & Right.write) setTag(cpu, i, TagKind.write, lo & ~0xfff, hi, context, slow || this.memory.pageFlags[page / 4096] !== 0); // prettier-ignore
    }
    if (breakpointsEnabled(cpu)) this.slowWatchedPages(cpu);
    return true;
  }

  /** Host-physical address of a guest paging-structure entry. */
  private locateTable(address: number, write: boolean): number {
    const cpu = this.walking;
    if (cpu === undefined || cpu.f64[State.eptPointer >> 3] === 0) return cpu === undefined ? address : lineMasked(cpu, address);
    // With EPT accessed and dirty flags, accesses to guest paging structures count as writes.
    const bits = write || this.ept.marksDirty(cpu) ? EptViolation.read | EptViolation.write : EptViolation.read;
    if (!this.ept.translate(cpu, address, bits, this.tableDetails, false, pagingFacts(cpu))) return -1;
    const { page } = this.ept.walker;
    if (onApicAccessPage(cpu, page)) return guestPhysicalApicExit(cpu, address % 4096);
    return page + (address % 4096);
  }

  // Checked access ----------------------------------------------------------------------------------------------------

  /** Host-physical address of a linear byte for this access, -1: pending. */
  private hpaOf(cpu: VcpuRegisters, lo: number, hi: number, access: number, rmw = false): number {
    const i = this.translate(cpu, lo, hi, access, rmw);
    return i < 0 ? -1 : entryPage(cpu, i) + (lo & 0xfff);
  }

  physical(cpu: VcpuRegisters, linear: bigint, access: number): number {
    return this.hpaOf(cpu, Number(linear & 0xffffffffn) >>> 0, Number((linear >> 32n) & 0xffffffffn) >>> 0, access);
  }

  loadLinear(cpu: VcpuRegisters, linear: bigint, size: number, access: number): bigint | undefined {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return undefined;
    if (breakpointsEnabled(cpu) && (access & Access.implicit) === 0) this.noteDataBreakpoints(cpu, lo, hi, size, false);
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    if (this.watchpoints.on && inFirst === size) this.watchpoints.noteRead(cpu, this.placeOf(cpu, lo, hi, size, first, -1));
    if (inFirst === size) {
      const from = redirected(this.apicAccesses, cpu, lo, hi, first, size, false);
      return from < 0 ? undefined : readPhysical(this.memory, cpu.index, from, size);
    }
    const second = this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return undefined;
    if (this.watchpoints.on) this.watchpoints.noteRead(cpu, this.placeOf(cpu, lo, hi, size, first, second));
    let value = 0n;
    for (let n = size - 1; n >= 0; n--)
      value = (value << 8n) | readPhysical(this.memory, cpu.index, n < inFirst ? first + n : second + n - inFirst, 1);
    return value;
  }

  storeLinear(cpu: VcpuRegisters, linear: bigint, size: number, value: bigint, access: number): boolean {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return false;
    if (breakpointsEnabled(cpu) && (access & Access.implicit) === 0) this.noteDataBreakpoints(cpu, lo, hi, size, true);
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    if (inFirst === size) {
      const to = redirected(this.apicAccesses, cpu, lo, hi, first, size, true);
      if (to < 0) return false;
      const whole = (): void => writePhysical(this.memory, cpu.index, to, size, value);
      if (this.watchpoints.on) this.watchpoints.store(cpu, this.placeOf(cpu, lo, hi, size, first, -1), whole);
      else whole();
      if (to !== first) this.apicAccesses?.written(cpu, first % 4096);
      return true;
    }
    const second = this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return false;
    const bytewise = (): void => {
      for (let n = 0; n < size; n++)
        writePhysical(this.memory, cpu.index, n < inFirst ? first + n : second + n - inFirst, 1, (value >> BigInt(8 * n)) & 0xffn);
    };
    if (this.watchpoints.on) this.watchpoints.store(cpu, this.placeOf(cpu, lo, hi, size, first, second), bytewise);
    else bytewise();
    return true;
  }

  probe(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    if (this.hpaOf(cpu, lo, hi, access) < 0) return false;
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    return inFirst === size || this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access) >= 0;
  }
  /** The place of an access whose pages have just been translated, for watchpoints. */
  private placeOf(cpu: VcpuRegisters, lo: number, hi: number, bytes: number, first: number, second: number): AccessPlace {
    const firstBytes = Math.min(bytes, 4096 - (lo & 0xfff));
    const nextLo = (lo + firstBytes) >>> 0;
    const nextHi = nextLo < lo ? this.carry(cpu, hi) : hi;
    const gpa = [entryGpa(cpu, tlbIndex(lo)) + (lo & 0xfff), entryGpa(cpu, tlbIndex(nextLo))] as const;
    return { linear: linearOf(lo, hi), bytes, firstBytes, nextLinear: linearOf(nextLo, nextHi), hpa: [first, second], gpa };
  }
  /** High half after the low half has overflowed: 32-bit linear addresses wrap. */
  private carry(cpu: VcpuRegisters, hi: number): number {
    return cpu.code64 ? (hi + 1) >>> 0 : 0;
  }

  // Slow path of generated code ----------------------------------------------------------------------------------------

  /**
   * Called when the inline look-up misses. Returns a wasm address where the operand may be read or written, or -1 with a fault or exit
   * pending. Operands that cross pages, lie in watched or code pages or outside RAM are gathered in State.scratch; `commitStore` then
   * carries the write out. For a compiled region the answer INTERPRET says that its instruction must be left to the interpreter.
   */
  slowAccess(cpu: VcpuRegisters, packed: number, inRegion = false): number {
    // Where the instruction is left to be made once more, it must find the TLB as it was.
    this.journal.begin();
    const at = this.tryAccess(cpu, packed, inRegion);
    this.journal.end();
    if (at === INTERPRET) this.journal.undo(cpu);
    return at === INTERPRET && !inRegion ? -1 : at;
  }

  private tryAccess(cpu: VcpuRegisters, packed: number, inRegion: boolean): number {
    const { watchpoints } = this;
    const codeWrites = this.memory.codeWrites;
    const bytes = packed & 0xff;
    const write = (packed & 0x100) !== 0;
    const rmw = (packed & 0x200) !== 0;
    const slot = packed >> 16;
    this.slot = slot;
    const lo = cpu.u32[State.accessLo >> 2];
    const hi = cpu.u32[State.accessHi >> 2];
    const access = write ? Access.write : Access.read;
    const i = this.translate(cpu, lo, hi, access, rmw);
    if (i < 0) return -1;
    const first = entryPage(cpu, i) + (lo & 0xfff);
    const firstBytes = Math.min(bytes, 4096 - (lo & 0xfff));
    let second = -1;
    if (firstBytes < bytes) {
      const nextLo = (lo + firstBytes) >>> 0;
      second = this.hpaOf(cpu, nextLo, nextLo < lo ? this.carry(cpu, hi) : hi, access, rmw);
      if (second < 0) return -1;
    }
    if (
      inRegion &&
      (codeWrites !== this.memory.codeWrites || this.isSpecial(cpu, first, write) || (second >= 0 && this.isSpecial(cpu, second, write)))
    )
      return INTERPRET;
    // Registers of devices are touched by an instruction that runs by itself: time is exact then, and what it causes comes right behind it. A
    // device would notice, too, that it is read twice, if a later access of the instruction is watched.
    if ((this.isDevice(cpu, first) || (second >= 0 && this.isDevice(cpu, second))) && watchpoints.leave()) return INTERPRET;
    const place = watchpoints.on ? this.placeOf(cpu, lo, hi, bytes, first, second) : undefined;
    const watched = place !== undefined && watchpoints.meets(cpu, place, rmw ? 'readWrite' : write ? 'write' : 'read');
    if ((watched || watchpoints.waits) && (inRegion || watchpoints.leave())) return INTERPRET;
    if (second < 0 && place !== undefined && !watched && !breakpointsEnabled(cpu) && !this.isSpecial(cpu, first, write))
      return RAM_FIRST + first;
    if (second < 0 && !tagIsSlow(cpu, i, write ? TagKind.write : TagKind.read)) return RAM_FIRST + first;
    const to = redirected(this.apicAccesses, cpu, lo, hi, first, bytes, write);
    const other = second < 0 ? second : redirected(this.apicAccesses, cpu, 0, 0, second, bytes, write);
    if (to < 0 || (second >= 0 && other < 0)) return -1;
    if (rmw && to !== first && redirected(this.apicAccesses, cpu, lo, hi, first, bytes, false) < 0) return -1;
    if (breakpointsEnabled(cpu)) {
      if (!write || rmw) this.noteDataBreakpoints(cpu, lo, hi, bytes, false);
      if (write) this.noteDataBreakpoints(cpu, lo, hi, bytes, true);
    }
    if (watched && (!write || rmw)) watchpoints.noteRead(cpu, place);
    const at = cpu.base + State.scratch + slot * 64;
    if (!write || rmw) {
      gather(this.memory, cpu.index, to, firstBytes, at);
      if (second >= 0) gather(this.memory, cpu.index, second, bytes - firstBytes, at + firstBytes);
    }
    if (write) {
      const s = this.stores[slot];
      s.first = to;
      s.apicOffset = to === first ? -1 : first % 4096;
      s.firstBytes = firstBytes;
      s.second = second;
      s.bytes = bytes;
      s.place = watched ? place : undefined;
    }
    return at;
  }

  private isDevice(cpu: VcpuRegisters, hpa: number): boolean {
    return this.memory.offsetOf(hpa) < 0 || onApicAccessPage(cpu, hpa);
  }
  /** Outside RAM, or a write to a page that holds code: not for compiled regions, and by no plain pointer. */
  private isSpecial(cpu: VcpuRegisters, hpa: number, write: boolean): boolean {
    return this.isDevice(cpu, hpa) || (write && (this.memory.pageFlags[Math.floor(hpa / 4096)] & PageFlag.code) !== 0);
  }

  commitStore(cpu: VcpuRegisters, slot: number): void {
    const s = this.stores[slot];
    const at = cpu.base + State.scratch + slot * 64;
    const commit = (): void => {
      scatter(this.memory, cpu.index, at, s.first, s.firstBytes);
      if (s.second >= 0) scatter(this.memory, cpu.index, at + s.firstBytes, s.second, s.bytes - s.firstBytes);
    };
    if (s.place === undefined) commit();
    else this.watchpoints.store(cpu, s.place, commit);
    if (s.apicOffset >= 0) this.apicAccesses?.written(cpu, s.apicOffset);
  }

  /** Decoded code was found at this page: its writes are slow from now on. */
  markCodePage(cpus: readonly VcpuRegisters[], hpaPage: number): void {
    this.memory.pageFlags[hpaPage / 4096] |= PageFlag.code;
    for (const cpu of cpus) slowWrites(cpu, hpaPage);
  }
}

/** Answer of slowAccess to a region whose access has effects of its own; the region leaves at the start of the instruction. */
export const INTERPRET = -2;

/** Marks a #GP(0) that a non-canonical address caused, plus the access's number in its instruction: it is #SS(0) when that access used SS. */
export const NON_CANONICAL = 0x6e63;

const linearOf = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
const isCanonical = (hi: number, fiveLevels: boolean): boolean => {
  const top = (hi | 0) >> (fiveLevels ? 24 : 15);
  return top === 0 || top === -1;
};
/** Address of the page directory that the PDPTE register for this linear address names, -1: not present. */
function pdpteRoot(cpu: VcpuRegisters, lo: number): number {
  const pdpte = cpu.get64(State.pdpte + 8 * (lo >>> 30));
  return pdpte & 1n ? pdpteAddress(pdpte) : -1;
}
