/**
 * Descriptor tables and segment registers (SDM volume 3, "Segment Descriptor Tables", "Privilege Level Checking When Accessing Data
 * Segments", "… When Loading the SS Register", "… When Transferring Program Control Between Code Segments").
 */
import { Access } from '../mmu/mmu';
import type { RawDescriptor } from '../spec/descriptors';
import { accessOf, Ar, baseOf, dplOf, isCode, isConformingCode, isData, isWritableData, limitOf, selectorError } from '../spec/descriptors';
import { Vector } from '../spec/registers';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { isCanonical } from './operands';
import { isReal8086, loadRealSegment } from './processor-mode';

export const IMPLICIT_READ = Access.read | Access.implicit;
export const IMPLICIT_WRITE = Access.write | Access.implicit;

export interface Descriptor {
  readonly selector: number;
  /** Linear address of its eight (sixteen) bytes. */
  readonly linear: bigint;
  readonly raw: RawDescriptor;
  readonly access: number;
  /** Bits 63:32 of the base, and the fourth word, of a 16-byte system descriptor; 0 when not read. */
  readonly upperBase: number;
  readonly upperWord: number;
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** Linear address as a table access makes it: 32 bits outside IA-32e mode. */
export const tableLinear = (cpu: Cpu, linear: bigint): bigint => BigInt.asUintN(cpu.longMode ? 64 : 32, linear);

/**
 * Reads a descriptor of the GDT or LDT. 'outside': beyond the table's limit, or no LDT (nothing is pending). Undefined: a fault of the read is pending.
 * @param bytes 16 for system descriptors of IA-32e mode.
 */
export function readDescriptor(cpu: Cpu, selector: number, bytes: 8 | 16 = 8): Descriptor | 'outside' | undefined {
  const local = (selector & 4) !== 0;
  if (local && cpu.segmentAccess(Seg.ldtr) & Ar.unusable) return 'outside';
  const base = local ? cpu.segmentBase(Seg.ldtr) : cpu.get64(State.gdtrBase);
  const limit = local ? cpu.segmentLimit(Seg.ldtr) : cpu.get32(State.gdtrLimit);
  const offset = selector & 0xfff8;
  if (offset + bytes - 1 > limit) return 'outside';
  const linear = tableLinear(cpu, base + BigInt(offset));
  const first = cpu.loadLinear(linear, 8, IMPLICIT_READ);
  if (first === undefined) return undefined;
  let second = 0n;
  if (bytes === 16) {
    const upper = cpu.loadLinear(tableLinear(cpu, linear + 8n), 8, IMPLICIT_READ);
    if (upper === undefined) return undefined;
    second = upper;
  }
  const raw = { low: Number(first & 0xffff_ffffn), high: Number(first >> 32n) };
  return {
    selector,
    linear,
    raw,
    access: accessOf(raw),
    upperBase: Number(second & 0xffff_ffffn),
    upperWord: Number(second >> 32n),
  };
}

/** Reads a descriptor that must be inside its table: otherwise `vector`(selector | ext) is pending. */
export function fetchDescriptor(
  cpu: Cpu,
  selector: number,
  vector: number = Vector.GP,
  ext = 0,
  bytes: 8 | 16 = 8,
): Descriptor | undefined {
  const d = readDescriptor(cpu, selector, bytes);
  if (d !== 'outside') return d;
  cpu.raise(vector, selectorError(selector, ext));
  return undefined;
}

/** Sets the accessed bit in memory when it is clear. False: a fault is pending. */
export function markAccessed(cpu: Cpu, d: Descriptor): boolean {
  if (d.access & Ar.accessed) return true;
  return cpu.storeLinear(d.linear + 5n, 1, BigInt((d.access & 0xff) | Ar.accessed), IMPLICIT_WRITE);
}

/** Loads the hidden part of a code or data segment register from its descriptor (accessed bit shown as set). No check. */
export function setFromDescriptor(cpu: Cpu, segment: number, selector: number, d: Descriptor): void {
  cpu.setSegment(segment, selector & 0xffff, BigInt(baseOf(d.raw)), limitOf(d.raw), d.access | Ar.accessed);
}

/** Makes a segment register null. In SS the DPL of the unusable segment is the CPL. */
export function setNull(cpu: Cpu, segment: number, selector: number, cpl = 0): void {
  cpu.setSegment(segment, selector & 0xffff, 0n, 0, Ar.unusable | (segment === Seg.ss ? cpl << 5 : 0));
}

function refuse(cpu: Cpu, vector: number, errorCode: number): false {
  cpu.raise(vector, errorCode);
  return false;
}

/** MOV, POP and LSS to SS. False: a fault is pending. */
export function loadSs(cpu: Cpu, selector: number): boolean {
  const cpl = cpu.cpl;
  if (isNull(selector)) {
    if (!cpu.code64 || cpl === 3 || (selector & 3) !== cpl) return refuse(cpu, Vector.GP, 0);
    setNull(cpu, Seg.ss, selector, cpl);
    return true;
  }
  const d = fetchDescriptor(cpu, selector);
  if (!d) return false;
  if ((selector & 3) !== cpl || !isWritableData(d.access) || dplOf(d.access) !== cpl)
    return refuse(cpu, Vector.GP, selectorError(selector));
  if (!(d.access & Ar.present)) return refuse(cpu, Vector.SS, selectorError(selector));
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, Seg.ss, selector, d);
  return true;
}

/** Loads DS, ES, FS, GS or SS with all checks. False: a fault is pending. `cpu.modeChanged()` is the caller's. */
export function loadSegmentRegister(cpu: Cpu, segment: number, selector: number): boolean {
  if (isReal8086(cpu)) {
    loadRealSegment(cpu, segment, selector);
    return true;
  }
  if (segment === Seg.ss) return loadSs(cpu, selector);
  if (isNull(selector)) {
    setNull(cpu, segment, selector);
    return true;
  }
  const d = fetchDescriptor(cpu, selector);
  if (!d) return false;
  const readable = isData(d.access) || (isCode(d.access) && (d.access & Ar.writable) !== 0);
  if (!readable) return refuse(cpu, Vector.GP, selectorError(selector));
  const dpl = dplOf(d.access);
  if (!isConformingCode(d.access) && ((selector & 3) > dpl || cpu.cpl > dpl)) return refuse(cpu, Vector.GP, selectorError(selector));
  if (!(d.access & Ar.present)) return refuse(cpu, Vector.NP, selectorError(selector));
  if (!markAccessed(cpu, d)) return false;
  setFromDescriptor(cpu, segment, selector, d);
  return true;
}

/** L and D/B of a code segment: in IA-32e mode both set is reserved (#GP of the selector). */
export const reservedLongAndBig = (cpu: Cpu, access: number): boolean =>
  cpu.longMode && (access & Ar.long) !== 0 && (access & Ar.big) !== 0;

/** Whether `offset` may be an instruction pointer in the code segment `d`. */
export function isValidTarget(cpu: Cpu, d: Descriptor, offset: bigint): boolean {
  if (cpu.longMode && d.access & Ar.long) return isCanonical(cpu, offset);
  return offset <= BigInt(limitOf(d.raw));
}

/** Loads CS (accessed bit in memory already set) and RIP, and sets CPL to `cpl`. `cpu.modeChanged()` is the caller's. */
export function commitCodeSegment(cpu: Cpu, selector: number, d: Descriptor, cpl: number, rip: bigint): void {
  setFromDescriptor(cpu, Seg.cs, (selector & 0xfffc) | cpl, d);
  cpu.setCpl(cpl);
  cpu.rip = rip;
}

/** After a return to an outer level: data segments that the new CPL may not use become null ("RET", "IRET"). */
export function dropInnerSegments(cpu: Cpu, cpl: number): void {
  for (const segment of [Seg.es, Seg.fs, Seg.gs, Seg.ds]) {
    const access = cpu.segmentAccess(segment);
    if (access & Ar.unusable || isConformingCode(access) || dplOf(access) >= cpl) continue;
    cpu.setSegment(segment, 0, cpu.segmentBase(segment), cpu.segmentLimit(segment), Ar.unusable);
  }
}
