/**
 * Translation and checked access for one machine's vCPUs: TLB look-up and fill through the one walker, #PF and EPT-violation details, the slow
 * path of generated code, MMIO (SDM volume 3, "Paging", "EPT Violations", "EPT Misconfigurations"). Not modelled: PAE and 5-level paging, PCID,
 * SMEP, SMAP and protection keys (their CR4 bits are reserved here), EPT mode-based execute and PML.
 */
import { type PagingFacts, type PagingFormat, Right, eptFormat, guest32BitPlain, guest32BitPse, guest4Level } from '../spec/paging';
import { Mode, RAM_FIRST, Seg, State } from '../spec/vcpu-state';
import { type MmioRegion, PageFlag, type PhysicalMemory } from '../memory/physical-memory';
import { TagKind, claimEntry, emptyTlb, entryPage, forgetContexts, freshContext, invalidatePage, selectContext, setTag, slowWrites, tagIsSlow, tagMatches, tlbIndex } from './tlb'; // prettier-ignore
import type { VcpuRegisters } from './vcpu-registers';
import { type TableMemory, WalkResult, Walker } from './walk';

/** Kinds of access. `implicit`: a supervisor access whatever the CPL (descriptor tables, TSS). */
export const Access = { read: 1, write: 2, execute: 4, implicit: 8 } as const;

const PF = 14;
const GP = 13;
const EXIT_EPT_VIOLATION = 48;
const EXIT_EPT_MISCONFIGURATION = 49;

/** What TypeScript carried-out instructions need of the MMU. */
export interface CheckedAccess {
  modeChanged(cpu: VcpuRegisters): void;
  loadLinear(cpu: VcpuRegisters, linear: bigint, size: number, access: number): bigint | undefined;
  storeLinear(cpu: VcpuRegisters, linear: bigint, size: number, value: bigint, access: number): boolean;
  probe(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean;
  flushCurrentContext(cpu: VcpuRegisters): void;
  flushAll(cpu: VcpuRegisters): void;
  invalidatePage(cpu: VcpuRegisters, linear: bigint): void;
}

interface PendingStore {
  first: number;
  firstBytes: number;
  second: number;
  bytes: number;
}

export class Mmu implements CheckedAccess {
  private readonly guestWalker = new Walker();
  private readonly eptWalker = new Walker();
  private readonly stores: PendingStore[] = Array.from({ length: 4 }, () => ({ first: 0, firstBytes: 0, second: 0, bytes: 0 }));
  private readonly tables: TableMemory;
  private readonly eptTables: TableMemory;
  private walking: VcpuRegisters | undefined;
  private linearLo = 0;
  private linearHi = 0;
  /** Number of the access in its instruction. */
  private slot = 0;

  constructor(readonly memory: PhysicalMemory) {
    const read32 = (hpa: number): number => memory.read32(hpa);
    const write32 = (hpa: number, value: number): void => memory.write32(hpa, value >>> 0);
    this.eptTables = { locate: (address) => address, read32, write32 };
    this.tables = { locate: (address, write) => this.locateTable(address, write), read32, write32 };
  }

  // Mode ------------------------------------------------------------------------------------------------------------

  /** Recomputes the mode word, TLB contexts and IP mask from the registers; forgets the fetch page when any of them changed. */
  modeChanged(cpu: VcpuRegisters): void {
    selectContext(cpu);
    const long = cpu.longMode;
    const cs = cpu.segmentAccess(Seg.cs);
    const code64 = long && (cs & 0x2000) !== 0;
    const protectedMode = (cpu.u32[State.cr0 >> 2] & 1) !== 0;
    const ss = cpu.segmentAccess(Seg.ss);
    let mode = 0;
    if (code64) mode |= Mode.code64;
    else if (cs & 0x4000) mode |= Mode.code32;
    if (long) mode |= Mode.longMode;
    if (protectedMode) mode |= Mode.protectedMode;
    if (!code64 && ss & 0x4000) mode |= Mode.stack32;
    if (!code64 && [Seg.cs, Seg.ss, Seg.ds, Seg.es].every((n) => isFlat(cpu, n))) mode |= Mode.flat;
    const index = cpu.i32[State.contextIndex >> 2];
    const user = cpu.cpl === 3 ? 1 : 0;
    const wp = cpu.u32[State.cr0 >> 2] & 0x10000 ? 2 : 0;
    const data = index * 16 + user + wp;
    const fetch = index * 16 + 8 + user + (code64 ? 2 : 0);
    if (mode !== cpu.i32[State.mode >> 2] || fetch !== cpu.i32[State.contextFetch >> 2]) cpu.set64(State.fetchPage, 1n);
    cpu.set32(State.mode, mode);
    cpu.set64(State.contextData, BigInt(data));
    cpu.set64(State.contextFetch, BigInt(fetch));
    cpu.set64(State.ipMask, code64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn);
  }

  /** Drops what is cached for the current context (MOV CR3, VM entry and exit without VPID). */
  flushCurrentContext(cpu: VcpuRegisters): void {
    freshContext(cpu);
    this.modeChanged(cpu);
  }
  /** Drops everything (INVEPT, INVVPID, CR0.PG or CR4 changes). */
  flushAll(cpu: VcpuRegisters): void {
    emptyTlb(cpu);
    forgetContexts(cpu);
    cpu.set32(State.nextContext, 0);
    freshContext(cpu);
    this.modeChanged(cpu);
  }
  invalidatePage(cpu: VcpuRegisters, linear: bigint): void {
    invalidatePage(cpu, Number(linear & 0xffffffffn) >>> 0, Number((linear >> 32n) & 0xffffffffn) >>> 0);
  }
  /** A RAM page has begun to hold code or to be watched. */
  slowWrites(cpu: VcpuRegisters, hpaPage: number): void {
    slowWrites(cpu, hpaPage);
  }

  // Translation -------------------------------------------------------------------------------------------------------

  private facts(cpu: VcpuRegisters): PagingFacts {
    const f = cpu.model.features;
    return {
      physicalBits: cpu.model.maxPhyAddr,
      nx: (cpu.u32[State.efer >> 2] & 0x800) !== 0,
      page1gb: f.has('page1gb'),
      executeOnly: true,
    };
  }

  /** The format and root of the guest paging in use; undefined when CR0.PG = 0. */
  static guestPaging(cpu: VcpuRegisters): { format: PagingFormat; root: number } | undefined {
    if ((cpu.i32[State.cr0 >> 2] & 0x80000000) === 0) return undefined;
    const cr3 = cpu.u32[State.cr3 >> 2];
    if (cpu.longMode)
      return { format: guest4Level, root: (cpu.u32[(State.cr3 >> 2) + 1] & 0xfffff) * 0x1_0000_0000 + ((cr3 & 0xfffff000) >>> 0) };
    const pse = (cpu.u32[State.cr4 >> 2] & 0x10) !== 0;
    return { format: pse ? guest32BitPse : guest32BitPlain, root: (cr3 & 0xfffff000) >>> 0 };
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
    return this.fill(cpu, lo, hi, access, kind, context, i, rmw) ? i : -1;
  }

  private contextOf(cpu: VcpuRegisters, access: number): number {
    const context = cpu.i32[(access & Access.execute ? State.contextFetch : State.contextData) >> 2];
    return access & Access.implicit ? context & ~1 : context;
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
    // prettier-ignore
    const paging = Mmu.guestPaging(cpu);
    const facts = this.facts(cpu);
    const user = (access & Access.implicit) === 0 && cpu.cpl === 3;
    const write = (access & Access.write) !== 0;
    const execute = (access & Access.execute) !== 0;
    this.walking = cpu;
    this.linearLo = lo;
    this.linearHi = hi;
    let page: number;
    let shift = 12;
    let rights = Right.read | Right.write | Right.execute | Right.user;
    let dirty = true;
    if (paging === undefined) page = (lo & ~0xfff) >>> 0;
    else {
      if (paging.format === guest4Level && !isCanonical(lo, hi)) {
        cpu.raise(GP, 0);
        cpu.set32(State.pendingReason, NON_CANONICAL + this.slot);
        return false;
      }
      const w = this.guestWalker;
      const result = w.walk(paging.format, paging.root, lo, hi, facts, this.tables);
      if (result === WalkResult.refused) return false;
      let error = (write ? 2 : 0) | (user ? 4 : 0) | (execute && facts.nx && paging.format === guest4Level ? 16 : 0);
      if (result === WalkResult.reserved) error |= 9;
      const wp = (cpu.u32[State.cr0 >> 2] & 0x10000) !== 0;
      const writable = (w.rights & Right.write) !== 0 || (!user && !wp);
      const allowed =
        result === WalkResult.ok &&
        (!user || (w.rights & Right.user) !== 0) &&
        (!write || writable) &&
        (!execute || (w.rights & Right.execute) !== 0);
      if (!allowed) {
        if (result === WalkResult.ok) error |= 1;
        cpu.raise(PF, error);
        cpu.i32[State.pendingLinear >> 2] = lo;
        cpu.i32[(State.pendingLinear >> 2) + 1] = hi;
        return false;
      }
      if (!w.markUsed(paging.format, write, this.tables)) return false;
      page = w.page;
      shift = w.shift;
      rights = (w.rights & ~Right.write) | (writable ? Right.write : 0);
      dirty = (w.leafLo & paging.format.dirtyBit) !== 0;
    }
    // The page's guest-physical address through EPT.
    if (cpu.f64[State.eptPointer >> 3] !== 0) {
      const bits = write ? (rmw ? 3 : 2) : execute ? 4 : 1;
      if (!this.ept(cpu, page + (lo & 0xfff), bits, 0x80 | (1 << 8), facts)) return false;
      page = this.eptWalker.page;
      const r = this.eptWalker.rights;
      rights &= Right.user | (r & 7);
      if (this.eptMarksDirty(cpu)) dirty &&= (this.eptWalker.leafLo & eptFormat.dirtyBit) !== 0;
      shift = Math.max(12, Math.min(shift, this.eptWalker.shift));
    }
    const offset = this.memory.offsetOf(page);
    const index = cpu.i32[State.contextIndex >> 2];
    claimEntry(cpu, i, lo & ~0xfff, hi, index, page, offset < 0 ? 0 : (offset - (lo & ~0xfff)) | 0, shift);
    const mmio = offset < 0;
    setTag(cpu, i, kind, lo & ~0xfff, hi, context, mmio || (write && this.memory.pageFlags[page / 4096] !== 0));
    // A fetch says nothing of data rights; a read may already allow writes, and a write reads.
    if (!execute) {
      if (write && rights & Right.read) setTag(cpu, i, TagKind.read, lo & ~0xfff, hi, context, mmio);
      if (!write && dirty && rights & Right.write) setTag(cpu, i, TagKind.write, lo & ~0xfff, hi, context, mmio || this.memory.pageFlags[page / 4096] !== 0); // prettier-ignore
    }
    return true;
  }

  private eptMarksDirty(cpu: VcpuRegisters): boolean {
    return (cpu.i32[State.eptMode >> 2] & 1) !== 0;
  }

  /** Translates a guest-physical address through EPT into eptWalker.page; false: the VM exit is pending. @param bits access bits 0..2 of the qualification. */
  private ept(cpu: VcpuRegisters, gpa: number, bits: number, valid: number, facts: PagingFacts): boolean {
    const lo = gpa >>> 0;
    const hi = Math.floor(gpa / 0x1_0000_0000) >>> 0;
    const w = this.eptWalker;
    const result = hi >= 0x10000 ? WalkResult.notPresent : w.walk(eptFormat, cpu.f64[State.eptPointer >> 3], lo, hi, facts, this.eptTables);
    if (result === WalkResult.ok && (w.rights & bits) === bits) {
      if (this.eptMarksDirty(cpu)) w.markUsed(eptFormat, (bits & 2) !== 0, this.eptTables);
      return true;
    }
    cpu.set32(State.pendingKind, 2);
    cpu.setF64(State.pendingGpa, gpa);
    cpu.i32[State.pendingLinear >> 2] = this.linearLo;
    cpu.i32[(State.pendingLinear >> 2) + 1] = this.linearHi;
    if (result === WalkResult.reserved) {
      cpu.set32(State.pendingReason, EXIT_EPT_MISCONFIGURATION);
      cpu.set64(State.pendingQualification, 0n);
    } else {
      const rights = result === WalkResult.ok ? w.rights & 7 : 0;
      cpu.set32(State.pendingReason, EXIT_EPT_VIOLATION);
      cpu.set64(State.pendingQualification, BigInt(bits | (rights << 3) | valid));
    }
    return false;
  }

  /** Host-physical address of a guest paging-structure entry. */
  private locateTable(address: number, write: boolean): number {
    const cpu = this.walking;
    if (cpu === undefined || cpu.f64[State.eptPointer >> 3] === 0) return address;
    // With EPT accessed and dirty flags, accesses to guest paging structures count as writes.
    const bits = write || this.eptMarksDirty(cpu) ? (write ? 3 : 3) : 1;
    if (!this.ept(cpu, address, bits, 0x80, this.facts(cpu))) return -1;
    return this.eptWalker.page + (address % 4096);
  }

  // Checked access ----------------------------------------------------------------------------------------------------

  /** Host-physical address of a linear byte for this access, -1: pending. */
  private hpaOf(cpu: VcpuRegisters, lo: number, hi: number, access: number, rmw = false): number {
    const i = this.translate(cpu, lo, hi, access, rmw);
    return i < 0 ? -1 : entryPage(cpu, i) + (lo & 0xfff);
  }

  loadLinear(cpu: VcpuRegisters, linear: bigint, size: number, access: number): bigint | undefined {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return undefined;
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    if (inFirst === size) return this.readPhysical(first, size);
    const second = this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return undefined;
    let value = 0n;
    for (let n = size - 1; n >= 0; n--) value = (value << 8n) | this.readPhysical(n < inFirst ? first + n : second + n - inFirst, 1);
    return value;
  }

  storeLinear(cpu: VcpuRegisters, linear: bigint, size: number, value: bigint, access: number): boolean {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    const first = this.hpaOf(cpu, lo, hi, access);
    if (first < 0) return false;
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    if (inFirst === size) {
      this.writePhysical(first, size, value);
      return true;
    }
    const second = this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access);
    if (second < 0) return false;
    for (let n = 0; n < size; n++) this.writePhysical(n < inFirst ? first + n : second + n - inFirst, 1, (value >> BigInt(8 * n)) & 0xffn);
    return true;
  }

  probe(cpu: VcpuRegisters, linear: bigint, size: number, access: number): boolean {
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number((linear >> 32n) & 0xffffffffn) >>> 0;
    if (this.hpaOf(cpu, lo, hi, access) < 0) return false;
    const inFirst = Math.min(size, 4096 - (lo & 0xfff));
    return inFirst === size || this.hpaOf(cpu, (lo + inFirst) >>> 0, lo + inFirst > 0xffffffff ? this.carry(cpu, hi) : hi, access) >= 0;
  }
  /** High half after the low half has overflowed: 32-bit linear addresses wrap. */
  private carry(cpu: VcpuRegisters, hi: number): number {
    return cpu.code64 ? (hi + 1) >>> 0 : 0;
  }

  readPhysical(hpa: number, size: number): bigint {
    const offset = this.memory.offsetOf(hpa);
    if (offset < 0) return this.readRegion(this.memory.regionAt(hpa), hpa, size);
    const { view } = this.memory;
    if (size === 8) return view.getBigUint64(offset, true);
    return BigInt(size === 1 ? view.getUint8(offset) : size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true));
  }
  private readRegion(region: MmioRegion | undefined, hpa: number, size: number): bigint {
    return region === undefined ? (1n << BigInt(size * 8)) - 1n : region.read(hpa, size);
  }
  writePhysical(hpa: number, size: number, value: bigint): void {
    if (this.memory.offsetOf(hpa) < 0) this.memory.regionAt(hpa)?.write(hpa, size, value);
    else if (size === 8) this.memory.write64(hpa, BigInt.asUintN(64, value));
    else if (size === 1) this.memory.write8(hpa, Number(value));
    else if (size === 2) this.memory.write16(hpa, Number(value));
    else this.memory.write32(hpa, Number(value));
  }

  // Slow path of generated code ----------------------------------------------------------------------------------------

  /**
   * Called when the inline look-up misses. Returns a wasm address where the operand may be read or written, or -1 with a fault or exit
   * pending. Operands that cross pages, lie in watched or code pages or outside RAM are gathered in State.scratch; `commitStore` then
   * carries the write out.
   */
  slowAccess(cpu: VcpuRegisters, packed: number): number {
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
    } else if (!tagIsSlow(cpu, i, write ? TagKind.write : TagKind.read)) return RAM_FIRST + first;
    const at = cpu.base + State.scratch + slot * 64;
    if (!write || rmw) {
      this.gather(first, firstBytes, at);
      if (second >= 0) this.gather(second, bytes - firstBytes, at + firstBytes);
    }
    if (write) {
      const s = this.stores[slot];
      s.first = first;
      s.firstBytes = firstBytes;
      s.second = second;
      s.bytes = bytes;
    }
    return at;
  }

  private gather(hpa: number, bytes: number, to: number): void {
    const offset = this.memory.offsetOf(hpa);
    if (offset >= 0) {
      this.memory.u8.copyWithin(to, offset, offset + bytes);
      return;
    }
    const size = bytes === 8 || bytes === 4 || bytes === 2 ? bytes : 1;
    for (let n = 0; n < bytes; n += size) {
      const value = this.readRegion(this.memory.regionAt(hpa + n), hpa + n, size);
      for (let b = 0; b < size; b++) this.memory.u8[to + n + b] = Number((value >> BigInt(8 * b)) & 0xffn);
    }
  }

  commitStore(cpu: VcpuRegisters, slot: number): void {
    const s = this.stores[slot];
    const at = cpu.base + State.scratch + slot * 64;
    this.scatter(at, s.first, s.firstBytes);
    if (s.second >= 0) this.scatter(at + s.firstBytes, s.second, s.bytes - s.firstBytes);
  }
  private scatter(from: number, hpa: number, bytes: number): void {
    if (this.memory.offsetOf(hpa) >= 0) {
      this.memory.physWrite(hpa, this.memory.u8.slice(from, from + bytes));
      return;
    }
    const size = bytes === 8 || bytes === 4 || bytes === 2 ? bytes : 1;
    for (let n = 0; n < bytes; n += size) {
      let value = 0n;
      for (let b = size - 1; b >= 0; b--) value = (value << 8n) | BigInt(this.memory.u8[from + n + b]);
      this.memory.regionAt(hpa + n)?.write(hpa + n, size, value);
    }
  }

  /** Decoded code was found at this page: its writes are slow from now on. */
  markCodePage(cpus: readonly VcpuRegisters[], hpaPage: number): void {
    this.memory.pageFlags[hpaPage / 4096] |= PageFlag.code;
    for (const cpu of cpus) slowWrites(cpu, hpaPage);
  }
}

/** Marks a #GP(0) that a non-canonical address caused, plus the access's number in its instruction: it is #SS(0) when that access used SS. */
export const NON_CANONICAL = 0x6e63;

const isCanonical = (_lo: number, hi: number): boolean => {
  const top = (hi | 0) >> 15;
  return top === 0 || top === -1;
};
const isFlat = (cpu: VcpuRegisters, n: number): boolean =>
  cpu.segmentBase(n) === 0n &&
  cpu.segmentLimit(n) === 0xffffffff &&
  (cpu.segmentAccess(n) & 0x10000) === 0 &&
  (cpu.segmentAccess(n) & 0x80) !== 0;
