/** The TLB as TypeScript sees it: entries and contexts inside the vCPU state (guest-visible, saved with it). Generated code reads the same bytes. */
import { State, TLB_EMPTY, TLB_SLOW_BIT, TlbEntry } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

/** TLB context ids: index × 16 + class. Classes of data accesses: bit 0 user, bit 1 CR0.WP. Of fetches: 8 + bit 0 user, bit 1 64-bit code. */
export const CONTEXT_CLASSES = 16;
const CONTEXT_LIMIT = 126;
const MAP_SLOTS = 8;
const MAP_STRIDE = 24;
/** Byte per entry: log2 of the size of the page it was filled from. */
const SHIFT_TABLE = 0xb000;

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

export const entryPage = (cpu: VcpuRegisters, i: number): number => cpu.f64[(State.tlbPage >> 3) + i];

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
  addend: number,
  shift: number,
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
  new Uint8Array(cpu.u32.buffer, cpu.base + SHIFT_TABLE, TlbEntry.count)[i] = shift;
}

/** INVLPG: every entry made from the page that holds the address, in all contexts (the manual allows more than the one context). */
export function invalidatePage(cpu: VcpuRegisters, lo: number, hi: number): void {
  const shifts = new Uint8Array(cpu.u32.buffer, cpu.base + SHIFT_TABLE, TlbEntry.count);
  for (let i = 0; i < TlbEntry.count; i++) {
    const shift = shifts[i];
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

/** Gives the current (EPTP, VPID) a fresh context, so that nothing cached for it before is hit again. */
export function freshContext(cpu: VcpuRegisters): void {
  let index = cpu.i32[State.nextContext >> 2];
  if (index > CONTEXT_LIMIT) {
    emptyTlb(cpu);
    forgetContexts(cpu);
    index = 0;
  }
  cpu.i32[State.nextContext >> 2] = index + 1;
  rememberContext(cpu, index);
  cpu.i32[State.contextIndex >> 2] = index;
  cpu.set64(State.fetchPage, 1n);
}
export function forgetContexts(cpu: VcpuRegisters): void {
  for (let s = 0; s < MAP_SLOTS; s++) cpu.i32[((State.contextMap + s * MAP_STRIDE) >> 2) + 5] = 0;
}
const slotOf = (s: number): number => State.contextMap + s * MAP_STRIDE;
function findSlot(cpu: VcpuRegisters): number {
  const eptp = cpu.f64[State.eptPointer >> 3];
  const vpid = cpu.i32[State.vpid >> 2];
  for (let s = 0; s < MAP_SLOTS; s++) {
    const o = slotOf(s);
    if (cpu.i32[(o >> 2) + 5] === 1 && cpu.f64[o >> 3] === eptp && cpu.i32[(o >> 2) + 2] === vpid) return s;
  }
  return -1;
}
function rememberContext(cpu: VcpuRegisters, index: number): void {
  let s = findSlot(cpu);
  if (s < 0) s = Array.from({ length: MAP_SLOTS }, (_, i) => i).find((i) => cpu.i32[(slotOf(i) >> 2) + 5] !== 1) ?? index % MAP_SLOTS;
  const o = slotOf(s);
  cpu.f64[o >> 3] = cpu.f64[State.eptPointer >> 3];
  cpu.i32[(o >> 2) + 2] = cpu.i32[State.vpid >> 2];
  cpu.i32[(o >> 2) + 4] = index;
  cpu.i32[(o >> 2) + 5] = 1;
}
/** After EPTP or VPID have changed: the context that was in use for them before, or a fresh one. */
export function selectContext(cpu: VcpuRegisters): void {
  const s = findSlot(cpu);
  if (s < 0) return freshContext(cpu);
  const index = cpu.i32[(slotOf(s) >> 2) + 4];
  if (cpu.i32[State.contextIndex >> 2] === index) return;
  cpu.i32[State.contextIndex >> 2] = index;
  cpu.set64(State.fetchPage, 1n);
}
