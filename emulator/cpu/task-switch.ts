/**
 * Task switches through TSS descriptors and task gates, by JMP, CALL, IRET, interrupts and exceptions (SDM volume 3, "Task Switching",
 * "Task Linking", "16-Bit Task-State Segment (TSS)"; VMX non-root operation: "Treatment of Task Switches").
 */
import { Ar, baseOf, dplOf, isCode, isConformingCode, isData, isWritableData, limitOf, selectorError, SystemType, Tss, Tss16 } from '../spec/descriptors'; // prettier-ignore
import { Cr0, Cr4, Dr6, Vector } from '../spec/registers';
import { Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';
import { loadVirtual8086Segment } from './processor-mode';
import type { Descriptor } from './segmentation';
import { fetchDescriptor, IMPLICIT_READ, IMPLICIT_WRITE, isNull, markAccessed, setFromDescriptor, setNull, tableLinear } from './segmentation'; // prettier-ignore

/** What made the switch, with the numbers of the VM-exit qualification. */
export const TaskSource = { call: 0, iret: 1, jmp: 2, gate: 3 } as const;

export interface TaskSwitch {
  /** Of the new task's TSS. */
  readonly selector: number;
  readonly source: (typeof TaskSource)[keyof typeof TaskSource];
  readonly ext: number;
  /** EFLAGS and EIP that the old task goes on with. */
  readonly flags: number;
  readonly returnIp: bigint;
  /** Instruction length, for a VM exit. */
  readonly length: number;
}

/** A task's state as its TSS holds it. Registers in the manual's numbering; segments ES, CS, SS, DS, FS, GS. */
interface TaskState {
  readonly wide: boolean;
  readonly cr3: number;
  readonly eip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

/** Bits of DR7 that a task switch clears: L0..L3 and LE. */
const DR7_LOCAL = 0x155n;
const BUSY = 2;

/** The new TSS descriptor with its checks. A number is the outcome of a refusal. */
function newTss(cpu: Cpu, s: TaskSwitch): Descriptor | Outcome {
  const back = s.source === TaskSource.iret;
  const vector = back ? Vector.TS : Vector.GP;
  const code = selectorError(s.selector, s.ext);
  if (isNull(s.selector) || s.selector & 4) return cpu.raise(vector, code);
  const d = fetchDescriptor(cpu, s.selector, vector, s.ext);
  if (!d) return Outcome.pending;
  const type = d.access & (Ar.notSystem | Ar.type);
  const wanted = back ? [SystemType.tssBusy, SystemType.tss16Busy] : [SystemType.tssAvailable, SystemType.tss16Available];
  if (!wanted.some((t) => t === type)) return cpu.raise(vector, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  return limitOf(d.raw) < (d.access & 8 ? Tss.lastByte : Tss16.lastByte) ? cpu.raise(Vector.TS, code) : d;
}

/** Reads a TSS. Undefined: a fault is pending. */
function readTask(cpu: Cpu, base: bigint, wide: boolean): TaskState | undefined {
  let failed = false;
  const read = (offset: number, size: 2 | 4): number => {
    if (failed) return 0;
    const value = cpu.loadLinear(tableLinear(cpu, base + BigInt(offset)), size, IMPLICIT_READ);
    if (value === undefined) failed = true;
    return Number(value ?? 0n);
  };
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  const state: TaskState = wide
    ? {
        wide,
        cr3: read(Tss.cr3, 4),
        eip: read(Tss.eip, 4),
        flags: read(Tss.eflags, 4),
        registers: eight.map((n) => read(Tss.gpr(n), 4)),
        segments: [0, 1, 2, 3, 4, 5].map((n) => read(Tss.segment(n), 2)),
        ldt: read(Tss.ldt, 2),
        trap: (read(Tss.trap, 2) & 1) !== 0,
      }
    : {
        wide,
        cr3: 0,
        eip: read(Tss16.ip, 2),
        flags: read(Tss16.flags, 2),
        // The manual does not say what becomes of the upper halves; the 80386 and its successors set them.
        registers: eight.map((n) => (0xffff0000 | read(Tss16.gpr(n), 2)) >>> 0),
        segments: [...[0, 1, 2, 3].map((n) => read(Tss16.segment(n), 2)), 0, 0],
        ldt: read(Tss16.ldt, 2),
        trap: false,
      };
  return failed ? undefined : state;
}

/** Writes the dynamic fields of the old task's TSS, which has been probed. */
function saveTask(cpu: Cpu, base: bigint, wide: boolean, flags: number, eip: bigint): void {
  const write = (offset: number, size: 2 | 4, value: number | bigint): void => {
    cpu.storeLinear(tableLinear(cpu, base + BigInt(offset)), size, BigInt.asUintN(size * 8, BigInt(value)), IMPLICIT_WRITE);
  };
  const at = wide ? Tss : Tss16;
  const size = wide ? 4 : 2;
  write(wide ? Tss.eip : Tss16.ip, size, eip);
  write(wide ? Tss.eflags : Tss16.flags, size, flags >>> 0);
  for (let n = 0; n < 8; n++) write(at.gpr(n), size, cpu.gpr32(n));
  for (let n = 0; n < (wide ? 6 : 4); n++) write(at.segment(n), 2, cpu.segmentSelector(n));
}

/** First byte and length of what a switch writes to the old TSS. */
const saved = (wide: boolean): readonly [number, number] => (wide ? [Tss.eip, 0x5e - Tss.eip] : [Tss16.ip, 0x2a - Tss16.ip]);

/**
 * Switches tasks. Outcome.jumped: the new task's first instruction is next. Outcome.pending: a fault is pending, before the switch in the
 * old task's context, or (its segments, its EIP) after it in the new one's.
 */
export function switchTask(cpu: Cpu, ports: CpuPorts, s: TaskSwitch): Outcome {
  const d = newTss(cpu, s);
  if (typeof d === 'number') return d;
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'task-switch', selector: s.selector, source: s.source, length: s.length }))
    return Outcome.exited;
  const nests = s.source === TaskSource.call || s.source === TaskSource.gate;
  const oldWide = (cpu.segmentAccess(Seg.tr) & 8) !== 0;
  const oldBase = cpu.segmentBase(Seg.tr);
  const oldSelector = cpu.segmentSelector(Seg.tr);
  const oldDescriptor = tableLinear(cpu, cpu.get64(State.gdtrBase) + BigInt((oldSelector & 0xfff8) + 5));
  const base = BigInt(baseOf(d.raw));
  // "Checks that the current (old) TSS, new TSS, and all segment descriptors used in the task switch are paged into system memory."
  const [first, bytes] = saved(oldWide);
  if (first + bytes - 1 > cpu.segmentLimit(Seg.tr)) return cpu.raise(Vector.TS, selectorError(oldSelector, s.ext));
  if (!cpu.probeWrite(tableLinear(cpu, oldBase + BigInt(first)), bytes, IMPLICIT_WRITE)) return Outcome.pending;
  const next = readTask(cpu, base, (d.access & 8) !== 0);
  if (!next) return Outcome.pending;
  if (nests && !cpu.probeWrite(base, 2, IMPLICIT_WRITE)) return Outcome.pending;
  if (!cpu.probeWrite(d.linear + 5n, 1, IMPLICIT_WRITE)) return Outcome.pending;
  if (!nests) {
    const rights = cpu.loadLinear(oldDescriptor, 1, IMPLICIT_READ);
    if (rights === undefined || !cpu.storeLinear(oldDescriptor, 1, rights & ~BigInt(BUSY), IMPLICIT_WRITE)) return Outcome.pending;
  }
  saveTask(cpu, oldBase, oldWide, s.flags, s.returnIp);
  if (nests) cpu.storeLinear(base, 2, BigInt(oldSelector), IMPLICIT_WRITE);
  if (s.source !== TaskSource.iret) cpu.storeLinear(d.linear + 5n, 1, BigInt((d.access & 0xff) | BUSY), IMPLICIT_WRITE);
  cpu.setSegment(Seg.tr, s.selector, base, limitOf(d.raw), d.access | BUSY);
  const outcome = enterTask(cpu, next, nests, s.ext);
  cpu.modeChanged();
  return outcome;
}

/** Loads the new task: from here on faults are its own. */
function enterTask(cpu: Cpu, next: TaskState, nested: boolean, ext: number): Outcome {
  cpu.set64(State.cr0, cpu.cr0 | Cr0.TS);
  cpu.set64(State.dr + 56, cpu.get64(State.dr + 56) & ~DR7_LOCAL);
  next.registers.forEach((value, n) => cpu.setGpr32(n, value));
  cpu.rip = BigInt(next.eip);
  cpu.flags = nested ? next.flags | Flag.NT : next.flags;
  const virtual8086 = (next.flags & Flag.VM) !== 0;
  cpu.setCpl(virtual8086 ? 3 : next.segments[Seg.cs] & 3);
  next.segments.forEach((selector, n) => (virtual8086 ? loadVirtual8086Segment(cpu, n, selector) : setNull(cpu, n, selector, cpu.cpl)));
  setNull(cpu, Seg.ldtr, next.ldt);
  if (next.trap) cpu.set32(State.pendingDebug, cpu.get32(State.pendingDebug) | Dr6.BT);
  if (next.wide && cpu.cr0 & Cr0.PG) {
    cpu.set64(State.cr3, BigInt(next.cr3));
    const paePaging = (cpu.cr4 & Cr4.PAE) !== 0n;
    const loaded = paePaging ? cpu.mmu.loadPdptes(cpu, BigInt(next.cr3)) : 'loaded';
    cpu.mmu.flushPcid(cpu, 0);
    if (loaded === 'pending') return Outcome.pending;
    if (loaded === 'reserved bits') return cpu.raise(Vector.GP, 0);
  }
  if (!loadLdt(cpu, next.ldt, ext)) return Outcome.pending;
  if (!virtual8086) {
    // The stack first, so that a fault of CS has one to be delivered on.
    if (!loadStack(cpu, next.segments[Seg.ss], ext) || !loadCode(cpu, next.segments[Seg.cs], ext)) return Outcome.pending;
    for (const n of [Seg.ds, Seg.es, Seg.fs, Seg.gs]) if (!loadData(cpu, n, next.segments[n], ext)) return Outcome.pending;
  }
  return next.eip > cpu.segmentLimit(Seg.cs) ? cpu.raise(Vector.GP, ext) : Outcome.jumped;
}

function refuse(cpu: Cpu, vector: number, selector: number, ext: number): false {
  cpu.raise(vector, selectorError(selector, ext));
  return false;
}

function loadLdt(cpu: Cpu, selector: number, ext: number): boolean {
  if (isNull(selector)) return true;
  if (selector & 4) return refuse(cpu, Vector.TS, selector, ext);
  const d = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return false;
  if ((d.access & (Ar.notSystem | Ar.type)) !== SystemType.ldt || !(d.access & Ar.present)) return refuse(cpu, Vector.TS, selector, ext);
  cpu.setSegment(Seg.ldtr, selector, BigInt(baseOf(d.raw)), limitOf(d.raw), d.access);
  return true;
}

function loadCode(cpu: Cpu, selector: number, ext: number): boolean {
  const d = isNull(selector) ? undefined : fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return isNull(selector) ? refuse(cpu, Vector.TS, selector, ext) : false;
  const rpl = selector & 3;
  const dpl = dplOf(d.access);
  if (!isCode(d.access) || (isConformingCode(d.access) ? dpl > rpl : dpl !== rpl)) return refuse(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse(cpu, Vector.NP, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.cs, selector, d);
  return true;
}

function loadStack(cpu: Cpu, selector: number, ext: number): boolean {
  const d = isNull(selector) ? undefined : fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return isNull(selector) ? refuse(cpu, Vector.TS, selector, ext) : false;
  const level = (selector & 3) === cpu.cpl && dplOf(d.access) === cpu.cpl;
  if (!isWritableData(d.access) || !level) return refuse(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse(cpu, Vector.SS, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.ss, selector, d);
  return true;
}

function loadData(cpu: Cpu, segment: number, selector: number, ext: number): boolean {
  if (isNull(selector)) return true;
  const d = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!d) return false;
  const readable = isData(d.access) || (isCode(d.access) && (d.access & Ar.writable) !== 0);
  const dpl = dplOf(d.access);
  const allowed = isConformingCode(d.access) || (dpl >= cpu.cpl && dpl >= (selector & 3));
  if (!readable || !allowed) return refuse(cpu, Vector.TS, selector, ext);
  if (!(d.access & Ar.present)) return refuse(cpu, Vector.NP, selector, ext);
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, segment, selector, d);
  return true;
}
