/** The stack of an inner privilege level, which the TSS names (SDM volume 3, "Stack Switching", "16-Bit Task-State Segment (TSS)"). */
import { Access } from '../mmu/mmu';
import { Ar, baseOf, dplOf, isWritableData, limitOf, selectorError, Tss, Tss16 } from '../spec/descriptors';
import { Vector } from '../spec/registers';
import { Seg } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { Outcome } from './outcome';
import type { Descriptor } from './segmentation';
import { fetchDescriptor, IMPLICIT_READ, isNull, markAccessed, tableLinear } from './segmentation';
import type { Stack } from './stack';
import { segmentStack } from './stack';

/** Pushes of a frame that the CPU makes for another privilege level are supervisor accesses although CPL is still the old one. */
export const privilegeOf = (cpl: number): number => (cpl < 3 ? Access.implicit : 0);

/** Reads a field of the current TSS. Undefined: #TS(TR selector) or a fault of the read is pending. */
export function readTss(cpu: Cpu, offset: number, size: 2 | 4 | 8, ext: number): bigint | undefined {
  if (offset + size - 1 > cpu.segmentLimit(Seg.tr)) {
    cpu.raise(Vector.TS, selectorError(cpu.segmentSelector(Seg.tr), ext));
    return undefined;
  }
  return cpu.loadLinear(tableLinear(cpu, cpu.segmentBase(Seg.tr) + BigInt(offset)), size, IMPLICIT_READ);
}

export interface InnerStack {
  readonly stack: Stack;
  readonly selector: number;
  readonly descriptor: Descriptor;
}

/** The stack of level `cpl` from a 16-bit or 32-bit TSS, with its SS descriptor. A number is the outcome of a refusal. */
export function innerStack(cpu: Cpu, cpl: number, ext: number): InnerStack | Outcome {
  const wide = (cpu.segmentAccess(Seg.tr) & 8) !== 0;
  const [spAt, ssAt] = wide ? [Tss.esp(cpl), Tss.ss(cpl)] : [Tss16.sp(cpl), Tss16.ss(cpl)];
  if (ssAt + 1 > cpu.segmentLimit(Seg.tr)) return cpu.raise(Vector.TS, selectorError(cpu.segmentSelector(Seg.tr), ext));
  const sp = readTss(cpu, spAt, wide ? 4 : 2, ext);
  if (sp === undefined) return Outcome.pending;
  const ss = readTss(cpu, ssAt, 2, ext);
  if (ss === undefined) return Outcome.pending;
  const selector = Number(ss);
  if (isNull(selector)) return cpu.raise(Vector.TS, ext);
  const descriptor = fetchDescriptor(cpu, selector, Vector.TS, ext);
  if (!descriptor) return Outcome.pending;
  const { access } = descriptor;
  const code = selectorError(selector, ext);
  if ((selector & 3) !== cpl || dplOf(access) !== cpl || !isWritableData(access)) return cpu.raise(Vector.TS, code);
  if (!(access & Ar.present)) return cpu.raise(Vector.SS, code);
  if (!markAccessed(cpu, descriptor)) return Outcome.pending;
  const stack = segmentStack(sp, BigInt(baseOf(descriptor.raw)), limitOf(descriptor.raw), access, privilegeOf(cpl), code);
  return { stack, selector, descriptor };
}
