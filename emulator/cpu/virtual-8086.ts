/**
 * Virtual-8086 mode (SDM volume 3, "Virtual-8086 Mode", "Interrupt and Exception Handling in Virtual-8086 Mode", with the virtual-mode
 * extensions of CR4.VME): IOPL-sensitive instructions, software-interrupt redirection, and the way in by IRET.
 */
import { Tss } from '../spec/descriptors';
import { Cr4, Interruptibility } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection } from './handler';
import { Outcome } from './outcome';
import { ioplOf, loadVirtual8086Segment } from './processor-mode';
import { deliverThroughVectors, realInterruptReturn, realIretFlags } from './real-transfers';
import { IMPLICIT_READ, tableLinear } from './segmentation';
import type { Stack } from './stack';
import { popFrame, setStackPointer } from './stack';

const BIG_ENOUGH = 0xffffn;

const hasVme = (cpu: Cpu): boolean => (cpu.cr4 & Cr4.VME) !== 0n;

/** Flags with IF standing for VIF and IOPL shown as 3, as the 8086 program sees them below IOPL 3. */
export const virtualFlags = (flags: number): number => (flags & ~Flag.IF) | (flags & Flag.VIF ? Flag.IF : 0) | Flag.IOPL;

/**
 * A flags image that POPF or IRET takes below IOPL 3 with VME, IF going to VIF. Undefined: #GP(0), for TF, or for IF with a virtual
 * interrupt pending.
 */
export function acceptVirtualFlags(cpu: Cpu, image: number): number | undefined {
  if (image & Flag.TF || (image & Flag.IF && cpu.flags & Flag.VIP)) return undefined;
  return (image & ~Flag.VIF) | (image & Flag.IF ? Flag.VIF : 0);
}
/** What that image may change. */
export const VIRTUAL_FLAGS_LOADED = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT | Flag.VIF;

/** Whether PUSHF and POPF below IOPL 3 are virtualised instead of #GP(0). */
export const virtualisesFlags = (cpu: Cpu, operandSize: number): boolean => hasVme(cpu) && operandSize === 2;

export function virtual8086InterruptReturn(cpu: Cpu, size: number): Outcome {
  if (ioplOf(cpu) === 3) return realInterruptReturn(cpu, size, realIretFlags(size) & ~Flag.IOPL);
  if (!virtualisesFlags(cpu, size)) return generalProtection(cpu);
  return realInterruptReturn(cpu, size, VIRTUAL_FLAGS_LOADED, (flags) => acceptVirtualFlags(cpu, flags));
}

/**
 * INT n in virtual-8086 mode ("Software Interrupt Handling Methods While in Virtual-8086 Mode"). Undefined: through the IDT, as every event.
 */
export function virtual8086SoftwareInterrupt(cpu: Cpu, vector: number, returnIp: bigint): Outcome | undefined {
  const trusted = ioplOf(cpu) === 3;
  if (hasVme(cpu)) {
    const redirected = isRedirected(cpu, vector);
    if (redirected === undefined) return Outcome.pending;
    if (redirected) {
      const flags = trusted ? cpu.flags : virtualFlags(cpu.flags);
      return deliverThroughVectors(cpu, vector, 0, returnIp, flags, Flag.TF | Flag.RF | (trusted ? Flag.IF : Flag.VIF));
    }
  }
  return trusted ? undefined : generalProtection(cpu);
}

/** The software interrupt redirection bit map: the 32 bytes below the I/O permission bit map; 0 redirects. Undefined: a fault is pending. */
function isRedirected(cpu: Cpu, vector: number): boolean | undefined {
  const tr = cpu.segmentBase(Seg.tr);
  const limit = cpu.segmentLimit(Seg.tr);
  const map = limit < Tss.lastByte ? undefined : cpu.loadLinear(tableLinear(cpu, tr + BigInt(Tss.ioMapBase)), 2, IMPLICIT_READ);
  if (map === undefined) {
    if (limit < Tss.lastByte) generalProtection(cpu);
    return undefined;
  }
  const at = Number(map) - 32 + (vector >> 3);
  if (at > limit) {
    generalProtection(cpu);
    return undefined;
  }
  const byte = cpu.loadLinear(tableLinear(cpu, tr + BigInt(at)), 1, IMPLICIT_READ);
  return byte === undefined ? undefined : ((Number(byte) >> (vector & 7)) & 1) === 0;
}

/** IRETD at CPL 0 whose EFLAGS image has VM set: ESP, SS, ES, DS, FS and GS follow EFLAGS on the stack, from which three were popped. */
export function enterVirtual8086(cpu: Cpu, stack: Stack, ip: bigint, selector: number, flags: number): Outcome {
  const rest = popFrame(cpu, stack, 4, 6);
  if (!rest) return Outcome.pending;
  if (ip > BIG_ENOUGH) return generalProtection(cpu);
  cpu.flags = flags;
  cpu.setCpl(3);
  loadVirtual8086Segment(cpu, Seg.cs, selector);
  [Seg.ss, Seg.es, Seg.ds, Seg.fs, Seg.gs].forEach((segment, n) => loadVirtual8086Segment(cpu, segment, Number(rest[n + 1] & 0xffffn)));
  setStackPointer(cpu, rest[0], 32);
  cpu.rip = ip;
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  cpu.modeChanged();
  return Outcome.jumped;
}
