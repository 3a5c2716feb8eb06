/**
 * The user's watchpoints: which accesses meet them, and what is told of those. Their pages are taken out of the TLB's fast path (slow bit,
 * PageFlag.watched); the guest cannot tell. Accesses are those of instructions (call-outs and the delivery of events included) and, for
 * writes to host-physical memory, everything that changes watched bytes: page walks, VMX structures, devices. Fetches and the reads of
 * page walks are none. Not machine state.
 */
import type { Level, Watchpoint, WatchpointHit } from '../api';
import { PageFlag, type PhysicalMemory, type WriteWatcher } from '../memory/physical-memory';
import { State } from '../spec/vcpu-state';
import { type Interval, IntervalIndex } from './interval-index';
import { remarkSlow } from './tlb';
import type { VcpuRegisters } from './vcpu-registers';

/** Hits of one step that are kept. */
const MOST_HITS = 32;
/** Watched bytes of which the contents are known from before a write that is no instruction's. */
const MOST_KNOWN = 4096;
const CR3_ADDRESS = 0x000f_ffff_ffff_f000n;
const PAGE = 4096n;

/** A part of an access that lies in one page (or, for its linear address, the whole of it). */
interface Part {
  readonly address: bigint;
  readonly offset: number;
  readonly length: number;
}
/** Where an access goes: its linear address, and the pieces in one page or two. */
export interface AccessPlace {
  readonly linear: bigint;
  readonly bytes: number;
  readonly firstBytes: number;
  readonly nextLinear: bigint;
  readonly hpa: readonly [number, number];
  readonly gpa: readonly [number, number];
}

export class Watchpoints implements WriteWatcher {
  /** Whether there are any. */
  on = false;
  /** Generated code may make but one step: an access that is watched can go on, since the run ends behind it. */
  single = false;
  /** Generated code was left at the start of an instruction that must be made by itself. */
  private left = false;
  private running = false;
  /** The CPU's own store is under way: the memory's notices say nothing new. */
  private storing = false;
  private found: WatchpointHit[] = [];
  private foundBy: VcpuRegisters | undefined;
  private foundAt = 0;
  private list: readonly Watchpoint[] = [];
  private gva = new IntervalIndex<Watchpoint>([]);
  private hpa = new IntervalIndex<Watchpoint>([]);
  private guestGpa = new IntervalIndex<Watchpoint>([]);
  /** Contents of narrow watchpoints on physical memory, to tell changes by. */
  private known = new Map<Watchpoint, Uint8Array>();
  private cpu: VcpuRegisters | undefined;

  constructor(private readonly memory: PhysicalMemory) {
    memory.dataWatcher = this;
  }

  /** Replaces all watchpoints. */
  set(list: readonly Watchpoint[], cpus: readonly VcpuRegisters[]): void {
    this.list = [...list];
    this.on = list.length > 0;
    const interval = (w: Watchpoint): Interval<Watchpoint> => ({ first: w.address, end: w.address + BigInt(w.length), value: w });
    const guest = (w: Watchpoint): boolean => w.space === 'gpa' && w.level === 2;
    const physical = list.filter((w) => w.space !== 'gva' && !guest(w)).map(interval);
    this.gva = new IntervalIndex(list.filter((w) => w.space === 'gva').map(interval));
    this.guestGpa = new IntervalIndex(list.filter(guest).map(interval));
    this.hpa = new IntervalIndex(physical);
    this.flagPages(physical);
    this.renew(cpus);
  }
  private flagPages(physical: readonly Interval<Watchpoint>[]): void {
    const { pageFlags } = this.memory;
    for (let page = 0; page < pageFlags.length; page++) pageFlags[page] &= ~PageFlag.watched;
    // Overlapping ones are passed once: each begins where those before it have ended.
    let done = 0;
    for (const { first, end } of [...physical].sort((a, b) => (a.first < b.first ? -1 : 1))) {
      const last = Number((end - 1n) / PAGE);
      for (let page = Math.max(done, Number(first / PAGE)); page <= last && page < pageFlags.length; page++)
        pageFlags[page] |= PageFlag.watched;
      done = Math.max(done, last + 1);
    }
  }
  /** After memory or TLB were put in place by others (restored, or the watchpoints are new). */
  renew(cpus: readonly VcpuRegisters[]): void {
    this.found = [];
    this.known = new Map();
    for (const w of this.list) if (this.isPhysical(w) && w.length <= MOST_KNOWN) this.remember(w);
    for (const cpu of cpus) remarkSlow(cpu, this.memory, (linear, gpa, hpa) => this.watchesPage(linear, gpa, hpa));
  }
  private isPhysical = (w: Watchpoint): boolean => w.space === 'hpa' || (w.space === 'gpa' && w.level !== 2);
  private remember(w: Watchpoint): void {
    this.known.set(w, this.memory.physRead(Number(w.address), w.length));
  }

  /** Whether a watchpoint lies on a page, given by its addresses. */
  watchesPage(linear: bigint, gpa: number, hpa: number): boolean {
    const meets = (index: IntervalIndex<Watchpoint>, page: bigint): boolean =>
      !index.isEmpty && index.meeting(page, page + PAGE, 1).length > 0;
    return (
      (this.memory.pageFlags[hpa / 4096] & PageFlag.watched) !== 0 ||
      meets(this.gva, linear) ||
      (!this.guestGpa.isEmpty && meets(this.guestGpa, BigInt(gpa)))
    );
  }

  // The run loop's part -----------------------------------------------------------------------------------------------

  begin(): void {
    this.found = [];
    this.running = true;
  }
  /** This vCPU runs now. */
  enter(cpu: VcpuRegisters): void {
    this.cpu = cpu;
  }
  end(): void {
    this.running = false;
  }
  /** Hits wait for the end of their step. */
  get waits(): boolean {
    return this.found.length > 0;
  }
  /** The step that met a watchpoint has been made. */
  reached(cpu: VcpuRegisters): boolean {
    return this.found.length > 0 && (cpu !== this.foundBy || cpu.getF64(State.steps) > this.foundAt);
  }
  get hits(): readonly WatchpointHit[] {
    return this.found;
  }
  /** The instruction faults: what it has read does not count. */
  forgetReads(): void {
    if (this.found.length > 0) this.found = this.found.filter((hit) => hit.access === 'write');
  }
  /** Whether generated code came back because of `leave`. */
  takeLeave(): boolean {
    const { left } = this;
    this.left = false;
    return left;
  }

  // Accesses ----------------------------------------------------------------------------------------------------------

  /**
   * Whether generated code must be left before this access: it (or the walk for it) meets a watchpoint, and more steps could follow. The
   * instruction is made again by itself then.
   */
  leave(): boolean {
    if (this.single) return false;
    this.left = true;
    return true;
  }

  meets(cpu: VcpuRegisters, place: AccessPlace, access: 'read' | 'write' | 'readWrite'): boolean {
    return this.matches(cpu, place, access).length > 0;
  }
  noteRead(cpu: VcpuRegisters, place: AccessPlace): void {
    for (const { watchpoint, part } of this.matches(cpu, place, 'read')) {
      const bytes = this.contents(place, part);
      this.add(cpu, { watchpoint, access: 'read', by: 'instruction', address: part.address, length: part.length, oldBytes: bytes });
    }
  }
  /** Carries out a store of the CPU and notes what it meets. */
  store(cpu: VcpuRegisters, place: AccessPlace, commit: () => void): void {
    const met = this.matches(cpu, place, 'write').map((m) => ({ ...m, oldBytes: this.contents(place, m.part) }));
    // A device's region may answer a write with one of its own.
    this.storing = this.memory.isRam(place.hpa[0]);
    commit();
    this.storing = false;
    for (const { watchpoint, part, oldBytes } of met) {
      const newBytes = this.contents(place, part);
      this.add(cpu, { watchpoint, access: 'write', by: 'instruction', address: part.address, length: part.length, oldBytes, newBytes });
    }
    this.refreshKnown(place.hpa[0], place.firstBytes);
    if (place.bytes > place.firstBytes) this.refreshKnown(place.hpa[1], place.bytes - place.firstBytes);
  }

  private matches(cpu: VcpuRegisters, place: AccessPlace, access: Watchpoint['access']): { watchpoint: Watchpoint; part: Part }[] {
    const level: Level = cpu.vmxNonRoot ? 2 : 1;
    const found: { watchpoint: Watchpoint; part: Part }[] = [];
    const look = (index: IntervalIndex<Watchpoint>, part: Part): void => {
      if (index.isEmpty) return;
      for (const watchpoint of index.meeting(part.address, part.address + BigInt(part.length))) {
        if (access !== 'readWrite' && watchpoint.access !== 'readWrite' && watchpoint.access !== access) continue;
        if (watchpoint.level !== undefined && watchpoint.level !== level) continue;
        if (watchpoint.cr3 !== undefined && ((watchpoint.cr3 ^ cpu.cr3) & CR3_ADDRESS) !== 0n) continue;
        found.push({ watchpoint, part });
      }
    };
    const { linear, bytes, firstBytes, nextLinear, hpa, gpa } = place;
    const rest = bytes - firstBytes;
    const wraps = rest > 0 && nextLinear !== linear + BigInt(firstBytes);
    look(this.gva, { address: linear, offset: 0, length: wraps ? firstBytes : bytes });
    if (wraps) look(this.gva, { address: nextLinear, offset: firstBytes, length: rest });
    look(this.hpa, { address: BigInt(hpa[0]), offset: 0, length: firstBytes });
    if (rest > 0) look(this.hpa, { address: BigInt(hpa[1]), offset: firstBytes, length: rest });
    if (level === 2) {
      look(this.guestGpa, { address: BigInt(gpa[0]), offset: 0, length: firstBytes });
      if (rest > 0) look(this.guestGpa, { address: BigInt(gpa[1]), offset: firstBytes, length: rest });
    }
    return found;
  }

  /** Bytes in RAM of a part of an access; undefined where they are not RAM. */
  private contents({ bytes, firstBytes, hpa }: AccessPlace, { offset, length }: Part): Uint8Array | undefined {
    const first = this.memory.physRead(hpa[0], firstBytes);
    const second = bytes > firstBytes ? this.memory.physRead(hpa[1], bytes - firstBytes) : new Uint8Array(0);
    if (first.length + second.length < bytes) return undefined;
    const all = new Uint8Array(bytes);
    all.set(first);
    all.set(second, firstBytes);
    return all.subarray(offset, offset + length);
  }

  private add(cpu: VcpuRegisters, hit: Omit<WatchpointHit, 'level' | 'vcpu' | 'rip'>): void {
    if (!this.running || this.found.length >= MOST_HITS) return;
    this.found.push({ ...hit, level: cpu.vmxNonRoot ? 2 : 1, vcpu: cpu.index, rip: cpu.rip });
    this.foundBy = cpu;
    this.foundAt = cpu.getF64(State.steps);
  }

  // Writes that are no instruction's ------------------------------------------------------------------------------------

  written(hpa: number, length: number): void {
    if (this.storing) return;
    const { cpu } = this;
    const level = cpu?.vmxNonRoot ? 2 : 1;
    for (const watchpoint of this.hpa.meeting(BigInt(hpa), BigInt(hpa + length))) {
      const before = this.known.get(watchpoint);
      if (before !== undefined) this.remember(watchpoint);
      if (cpu === undefined || watchpoint.access === 'read' || (watchpoint.level !== undefined && watchpoint.level !== level)) continue;
      const now = this.known.get(watchpoint);
      if (before === undefined || now === undefined) {
        this.add(cpu, { watchpoint, access: 'write', by: 'machine', address: BigInt(hpa), length });
        continue;
      }
      const first = now.findIndex((b, i) => b !== before[i]);
      if (first < 0) continue;
      const end = now.length - [...now].reverse().findIndex((b, i) => b !== before[now.length - 1 - i]);
      this.add(cpu, {
        watchpoint,
        access: 'write',
        by: 'machine',
        address: watchpoint.address + BigInt(first),
        length: end - first,
        oldBytes: before.subarray(first, end),
        newBytes: now.subarray(first, end),
      });
    }
  }
  private refreshKnown(hpa: number, length: number): void {
    if (this.known.size === 0) return;
    for (const w of this.hpa.meeting(BigInt(hpa), BigInt(hpa + length))) if (this.known.has(w)) this.remember(w);
  }
}
