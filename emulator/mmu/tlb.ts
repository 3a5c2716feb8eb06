/** The TLB as TypeScript sees it: entries and contexts inside the vCPU state (guest-visible, saved with it). Generated code reads the same bytes. */
import { type PhysicalMemory } from '../memory/physical-memory';
import { State, TLB_EMPTY, TLB_SLOW_BIT, TlbEntry } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

/** TLB context ids: index × 16 + class. Classes of data accesses: bit 0 user, bit 1 CR0.WP, bit 2 SMAP enforced. Of fetches: 8 + bit 0 user, bit 1 64-bit code, bit 2 segmented code. */
export const CONTEXT_CLASSES = 16;
export const USER_CLASS = 1;
export const SMAP_CLASS = 4;
const CONTEXT_LIMIT = 126;
const MAP_SLOTS = 8;
const MAP_STRIDE = 24;
/** Byte per entry: log2 of the size of the page it was filled from. */
const SHIFT_TABLE = 0xb000;
/** Byte per entry: the group of global pages that it belongs to, 0: its page is not global. */
const GROUP_TABLE = 0xb400;
export const pageShift = (cpu: VcpuRegisters, i: number): number => cpu.u8[SHIFT_TABLE + i];
export const globalGroup = (cpu: VcpuRegisters, i: number): number => cpu.u8[GROUP_TABLE + i];
export function setPageFacts(cpu: VcpuRegisters, i: number, shift: number, group: number): void {
  cpu.u8[SHIFT_TABLE + i] = shift;
  cpu.u8[GROUP_TABLE + i] = group;
}

export const TagKind = { read: TlbEntry.read, write: TlbEntry.write, fetch: TlbEntry.fetch } as const;
export type TagKind = (typeof TagKind)[keyof typeof TagKind];

export const tlbIndex = (lo: number): number => (lo >>> 12) & (TlbEntry.count - 1);

export function emptyTlb(cpu: VcpuRegisters): void {
  for (let i = 0; i < TlbEntry.count; i++) emptyEntry(cpu, i);
  cpu.set64(State.fetchPage, 1n);
  cpu.set32(State.codeTable, 0);
}

export function emptyEntry(cpu: VcpuRegisters, i: number): void {
  const o = (State.tlb + i * TlbEntry.stride) >> 3;
  cpu.u64[o] = TLB_EMPTY;
  cpu.u64[o + 1] = TLB_EMPTY;
  cpu.u64[o + 2] = TLB_EMPTY;
  cpu.u64[o + 3] = 0n;
  cpu.f64[(State.tlbPage >> 3) + i] = 0;
  cpu.f64[(State.tlbGpa >> 3) + i] = 0;
}

/** Does the entry hold this tag, with or without the slow bit? */
export function tagMatches(cpu: VcpuRegisters, i: number, kind: TagKind, pageLo: number, hi: number, context: number): boolean {
  const o = (State.tlb + i * TlbEntry.stride + kind) >> 2;
  const low = cpu.i32[o];
  return cpu.i32[o + 1] === (hi | 0) && (low & ~TLB_SLOW_BIT) === (pageLo | context | 0) && low !== Number(TLB_EMPTY);
}
export function tagIsSlow(cpu: VcpuRegisters, i: number, kind: TagKind): boolean {
  return (cpu.i32[(State.tlb + i * TlbEntry.stride + kind) >> 2] & TLB_SLOW_BIT) !== 0;
}
export function setTag(cpu: VcpuRegisters, i: number, kind: TagKind, pageLo: number, hi: number, context: number, slow: boolean): void {
  const o = (State.tlb + i * TlbEntry.stride + kind) >> 2;
  cpu.i32[o] = pageLo | context | (slow ? TLB_SLOW_BIT : 0);
  cpu.i32[o + 1] = hi;
}
/** Makes writes through this entry take the slow path (its page has begun to hold code, or to be watched). */
export function slowWrites(cpu: VcpuRegisters, hpaPage: number): void {
  const pages = State.tlbPage >> 3;
  for (let i = 0; i < TlbEntry.count; i++) {
    if (cpu.f64[pages + i] !== hpaPage) continue;
    const o = (State.tlb + i * TlbEntry.stride + TlbEntry.write) >> 2;
    if (cpu.i32[o] !== Number(TLB_EMPTY) || cpu.i32[o + 1] !== 0) cpu.i32[o] |= TLB_SLOW_BIT;
  }
}

/** Makes accesses through the entry for this page take the slow path, in whatever context (a data breakpoint lies on it). */
export function slowPage(cpu: VcpuRegisters, pageLo: number): void {
  for (const kind of [TagKind.read, TagKind.write]) {
    const o = (State.tlb + tlbIndex(pageLo) * TlbEntry.stride + kind) >> 2;
    if (cpu.i32[o] !== Number(TLB_EMPTY) && (cpu.i32[o] & ~0xfff) === pageLo) cpu.i32[o] |= TLB_SLOW_BIT;
  }
}

export const entryPage = (cpu: VcpuRegisters, i: number): number => cpu.f64[(State.tlbPage >> 3) + i];
/** The guest-physical page that was translated to it (the same where there is no EPT). */
export const entryGpa = (cpu: VcpuRegisters, i: number): number => cpu.f64[(State.tlbGpa >> 3) + i];

/**
 * Gives every data tag the slow bit that it must have: its page is not RAM, a store would go to a page with flags, or `watched` says so of
 * its linear, guest-physical and host-physical page.
 */
export function remarkSlow(
  cpu: VcpuRegisters,
  memory: PhysicalMemory,
  watched: (linear: bigint, gpa: number, hpa: number) => boolean,
): void {
  for (let i = 0; i < TlbEntry.count; i++) {
    const hpa = entryPage(cpu, i);
    for (const kind of [TagKind.read, TagKind.write]) {
      const o = (State.tlb + i * TlbEntry.stride + kind) >> 2;
      if (cpu.i32[o] === Number(TLB_EMPTY) && cpu.i32[o + 1] === 0) continue;
      const linear = (BigInt(cpu.u32[o + 1]) << 32n) | BigInt((cpu.i32[o] & ~0xfff) >>> 0);
      const slow =
        !memory.isRam(hpa) || (kind === TagKind.write && memory.pageFlags[hpa / 4096] !== 0) || watched(linear, entryGpa(cpu, i), hpa);
      cpu.i32[o] = slow ? cpu.i32[o] | TLB_SLOW_BIT : cpu.i32[o] & ~TLB_SLOW_BIT;
    }
  }
}

/**
 * Prepares entry i to map this page of this context: tags of another page, context or frame are emptied, since the entry has one frame.
 * A tag's low bits give its context index (bits 10:4).
 */
export function claimEntry(
  cpu: VcpuRegisters,
  i: number,
  pageLo: number,
  hi: number,
  contextIndex: number,
  hpaPage: number,
  gpaPage: number,
  addend: number,
  shift: number,
  global: boolean,
): void {
  // prettier-ignore
  const o = (State.tlb + i * TlbEntry.stride) >> 2;
  const pages = (State.tlbPage >> 3) + i;
  const sameFrame = cpu.f64[pages] === hpaPage;
  for (const kind of [TlbEntry.read, TlbEntry.write, TlbEntry.fetch]) {
    const t = o + (kind >> 2);
    const low = cpu.i32[t];
    if (low === Number(TLB_EMPTY) && cpu.i32[t + 1] === 0) continue;
    const same = sameFrame && cpu.i32[t + 1] === (hi | 0) && (low & ~0xfff) === (pageLo | 0) && (low & 0x7ff) >> 4 === contextIndex;
    if (same) continue;
    cpu.i32[t] = Number(TLB_EMPTY);
    cpu.i32[t + 1] = 0;
    if (kind === TlbEntry.fetch) cpu.i32[o + (TlbEntry.code >> 2)] = 0;
  }
  cpu.i32[o + (TlbEntry.addend >> 2)] = addend;
  cpu.f64[pages] = hpaPage;
  cpu.f64[(State.tlbGpa >> 3) + i] = gpaPage;
  setPageFacts(cpu, i, shift, global ? cpu.i32[State.globalGroup >> 2] : 0);
}

/** INVLPG: every entry made from the page that holds the address, in all contexts (the manual allows more than the one context). */
export function invalidatePage(cpu: VcpuRegisters, lo: number, hi: number): void {
  for (let i = 0; i < TlbEntry.count; i++) {
    const shift = pageShift(cpu, i);
    if (shift <= 12 && i !== tlbIndex(lo)) continue;
    const o = (State.tlb + i * TlbEntry.stride) >> 2;
    for (const kind of [TlbEntry.read, TlbEntry.write, TlbEntry.fetch]) {
      const t = o + (kind >> 2);
      if (samePage(cpu.i32[t], cpu.i32[t + 1], lo, hi, Math.max(shift, 12))) {
        emptyEntry(cpu, i);
        break;
      }
    }
  }
  cpu.set64(State.fetchPage, 1n);
}
function samePage(tagLo: number, tagHi: number, lo: number, hi: number, shift: number): boolean {
  return tagHi === (hi | 0) && tagLo >>> Math.min(shift, 31) === lo >>> Math.min(shift, 31);
}

// Contexts ------------------------------------------------------------------------------------------------------------
// A context stands for one (EPTP, VPID, PCID, PKRU). Dropping what is cached for it means giving it a new number; global pages of the same
// EPTP and VPID then come over to the new number one by one, when a look-up meets them (adoptGlobal).

const EPTP = 0;
const PLACE = 2; // VPID × 4096 + PCID
const PKRU = 3;
const INDEX = 4;
/** 0 unused, else 1 + 2 × group of global pages. */
const USED = 5;
const GROUP_LIMIT = 255;
const CR4_PCIDE = 1 << 17;
const CR4_PKE = 1 << 22;
const slotOf = (s: number): number => (State.contextMap + s * MAP_STRIDE) >> 2;
const vpidOf = (cpu: VcpuRegisters): number => cpu.i32[State.vpid >> 2] & 0xffff;
const keysOn = (cpu: VcpuRegisters): boolean => (cpu.i32[State.cr4 >> 2] & CR4_PKE) !== 0;
const pkruOf = (cpu: VcpuRegisters): number => (keysOn(cpu) ? cpu.i32[State.pkru >> 2] : 0);
const pcidOf = (cpu: VcpuRegisters): number => (cpu.i32[State.cr4 >> 2] & CR4_PCIDE ? cpu.i32[State.cr3 >> 2] & 0xfff : 0);
const placeOf = (cpu: VcpuRegisters, pcid: number): number => (vpidOf(cpu) << 12) | pcid;

function forget(cpu: VcpuRegisters, which: (slot: number) => boolean): void {
  for (let s = 0; s < MAP_SLOTS; s++) if (which(slotOf(s))) cpu.i32[slotOf(s) + USED] = 0;
}
const sameEptp = (cpu: VcpuRegisters, slot: number): boolean => cpu.f64[slot >> 1] === cpu.f64[State.eptPointer >> 3];
const sameVpid = (cpu: VcpuRegisters, slot: number): boolean => cpu.i32[slot + PLACE] >>> 12 === vpidOf(cpu);

/** Group of the global pages of the current EPTP and VPID, a new one if there is none. */
function groupOf(cpu: VcpuRegisters): number {
  for (let s = 0; s < MAP_SLOTS; s++) {
    const slot = slotOf(s);
    if (cpu.i32[slot + USED] !== 0 && sameEptp(cpu, slot) && sameVpid(cpu, slot)) return cpu.i32[slot + USED] >> 1;
  }
  const group = cpu.i32[State.nextGlobalGroup >> 2] + 1;
  if (group <= GROUP_LIMIT) {
    cpu.i32[State.nextGlobalGroup >> 2] = group;
    return group;
  }
  emptyTlb(cpu);
  forget(cpu, () => true);
  cpu.i32[State.nextGlobalGroup >> 2] = 1;
  return 1;
}
/** A context that nothing was cached for, for the current registers. */
function freshContext(cpu: VcpuRegisters, groupToKeep: number): void {
  let group = groupToKeep;
  let index = cpu.i32[State.nextContext >> 2];
  if (index > CONTEXT_LIMIT) {
    emptyTlb(cpu);
    forget(cpu, () => true);
    index = 0;
    group = 1;
    cpu.i32[State.nextGlobalGroup >> 2] = 1;
  }
  cpu.i32[State.nextContext >> 2] = index + 1;
  let s = 0;
  while (s < MAP_SLOTS && cpu.i32[slotOf(s) + USED] !== 0) s++;
  const slot = slotOf(s < MAP_SLOTS ? s : index % MAP_SLOTS);
  cpu.f64[(slot + EPTP) >> 1] = cpu.f64[State.eptPointer >> 3];
  cpu.i32[slot + PLACE] = placeOf(cpu, pcidOf(cpu));
  cpu.i32[slot + PKRU] = pkruOf(cpu);
  cpu.i32[slot + INDEX] = index;
  cpu.i32[slot + USED] = 1 | (group << 1);
  cpu.i32[State.contextIndex >> 2] = index;
  cpu.i32[State.globalGroup >> 2] = group;
  cpu.set64(State.fetchPage, 1n);
}

/** Empties the TLB. */
export function flushAllContexts(cpu: VcpuRegisters): void {
  emptyTlb(cpu);
  forget(cpu, () => true);
  cpu.i32[State.nextContext >> 2] = 0;
  cpu.i32[State.nextGlobalGroup >> 2] = 0;
  freshContext(cpu, groupOf(cpu));
}
/** Drops everything of the current VPID, of all PCIDs and global pages too. */
export function flushVpid(cpu: VcpuRegisters): void {
  forget(cpu, (slot) => sameVpid(cpu, slot));
  freshContext(cpu, groupOf(cpu));
}
/** Drops everything of one PCID but global pages. */
export function flushPcid(cpu: VcpuRegisters, pcid: number): void {
  const group = groupOf(cpu);
  const place = placeOf(cpu, pcid);
  forget(cpu, (slot) => cpu.i32[slot + PLACE] === place && sameEptp(cpu, slot));
  if (pcid === pcidOf(cpu)) freshContext(cpu, group);
}
/** Drops everything of the current VPID but global pages. */
export function flushNonGlobal(cpu: VcpuRegisters): void {
  const group = groupOf(cpu);
  forget(cpu, (slot) => sameVpid(cpu, slot) && sameEptp(cpu, slot));
  freshContext(cpu, group);
}
/** After EPTP, VPID, PCID or PKRU have changed: the context that was in use for them before, or a fresh one. */
export function selectContext(cpu: VcpuRegisters): void {
  const place = placeOf(cpu, pcidOf(cpu));
  const pkru = pkruOf(cpu);
  for (let s = 0; s < MAP_SLOTS; s++) {
    const slot = slotOf(s);
    if (cpu.i32[slot + USED] === 0 || cpu.i32[slot + PLACE] !== place || cpu.i32[slot + PKRU] !== pkru || !sameEptp(cpu, slot)) continue;
    const index = cpu.i32[slot + INDEX];
    if (cpu.i32[State.contextIndex >> 2] === index) return;
    cpu.i32[State.contextIndex >> 2] = index;
    cpu.i32[State.globalGroup >> 2] = cpu.i32[slot + USED] >> 1;
    cpu.set64(State.fetchPage, 1n);
    return;
  }
  freshContext(cpu, groupOf(cpu));
}

/**
 * A global page that another context's look-up has left in entry i serves this one too (same class of access, EPTP and VPID): its tag gets the
 * new context. Protection keys make the rights differ between contexts; with them every context walks for itself.
 */
export function adoptGlobal(cpu: VcpuRegisters, i: number, kind: TagKind, pageLo: number, hi: number, context: number): boolean {
  const group = globalGroup(cpu, i);
  if (group === 0 || group !== cpu.i32[State.globalGroup >> 2] || keysOn(cpu)) return false;
  const o = (State.tlb + i * TlbEntry.stride + kind) >> 2;
  const low = cpu.i32[o];
  const empty = low === Number(TLB_EMPTY) && cpu.i32[o + 1] === 0;
  if (empty || cpu.i32[o + 1] !== (hi | 0) || (low & ~0xfff) !== (pageLo | 0) || (low & 15) !== (context & 15)) return false;
  cpu.i32[o] = pageLo | context | (low & TLB_SLOW_BIT);
  return true;
}
