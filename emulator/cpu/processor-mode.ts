/**
 * Real-address and virtual-8086 mode as the CPU's instructions ask for them (SDM volume 3, "8086 Emulation"), and how segment registers are
 * loaded there: base = selector × 16, no descriptor.
 */
import { Ar } from '../spec/descriptors';
import { Flag, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { invalidOpcode, type SystemHandler } from './handler';

export const isRealMode = (cpu: Cpu): boolean => (cpu.u32[State.cr0 >> 2] & 1) === 0;
export const isVirtual8086 = (cpu: Cpu): boolean => (cpu.i32[State.systemFlags >> 2] & Flag.VM) !== 0 && !isRealMode(cpu);
/** Segment registers hold 8086 segment addresses. */
export const isReal8086 = (cpu: Cpu): boolean => isRealMode(cpu) || isVirtual8086(cpu);

export const ioplOf = (cpu: Cpu): number => (cpu.i32[State.systemFlags >> 2] & Flag.IOPL) >> 12;

/** Access rights of every segment in virtual-8086 mode: present, DPL 3, writable data, accessed. */
const VIRTUAL_8086_ACCESS = 0xf3;
const REAL_ACCESS = 0x93;

/**
 * Loads a segment register with an 8086 segment address. In real-address mode limit and access rights stay as they are (so that big limits
 * set in protected mode are kept: "unreal" mode); in virtual-8086 mode they are those of the 8086.
 */
export function loadRealSegment(cpu: Cpu, segment: number, selector: number): void {
  const base = BigInt(selector & 0xffff) << 4n;
  if (isVirtual8086(cpu)) return loadVirtual8086Segment(cpu, segment, selector);
  const access = cpu.segmentAccess(segment);
  // A segment that was null in protected mode becomes an ordinary one.
  if (access & Ar.unusable) cpu.setSegment(segment, selector & 0xffff, base, 0xffff, REAL_ACCESS);
  else cpu.setSegment(segment, selector & 0xffff, base, cpu.segmentLimit(segment), access);
}

export function loadVirtual8086Segment(cpu: Cpu, segment: number, selector: number): void {
  cpu.setSegment(segment, selector & 0xffff, BigInt(selector & 0xffff) << 4n, 0xffff, VIRTUAL_8086_ACCESS);
}

/** Instructions that are recognised in protected mode only: #UD in real-address and virtual-8086 mode. */
export function protectedOnly(handlers: Readonly<Record<string, SystemHandler>>): Record<string, SystemHandler> {
  const wrapped: Record<string, SystemHandler> = {};
  for (const [name, handler] of Object.entries(handlers))
    wrapped[name] = (cpu, insn, ports) => (isReal8086(cpu) ? invalidOpcode(cpu) : handler(cpu, insn, ports));
  return wrapped;
}
