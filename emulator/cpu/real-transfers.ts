/**
 * Far JMP, CALL and RET, IRET and event delivery where CS holds an 8086 segment address (SDM volume 3, "8086 Emulation": "Interrupt and
 * Exception Handling"; volume 2, the real-address and virtual-8086 parts of the instructions' operations).
 */
import type { Instruction } from '../isa/instruction';
import { idtError } from '../spec/descriptors';
import { Interruptibility, Vector } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection } from './handler';
import { nextIp } from './operands';
import { Outcome } from './outcome';
import { isVirtual8086, loadRealSegment } from './processor-mode';
import { IMPLICIT_READ, tableLinear } from './segmentation';
import { commitStack, currentStack, popFrame, pushFrame } from './stack';

/** The limit of CS does not change with its selector, so that it can be asked before the load. */
const beyondLimit = (cpu: Cpu, ip: bigint): boolean => ip > BigInt(cpu.segmentLimit(Seg.cs));

function commitRealCode(cpu: Cpu, selector: number, ip: bigint): Outcome {
  loadRealSegment(cpu, Seg.cs, selector);
  cpu.rip = ip;
  cpu.modeChanged();
  return Outcome.jumped;
}

export function realJump(cpu: Cpu, selector: number, ip: bigint): Outcome {
  return beyondLimit(cpu, ip) ? generalProtection(cpu) : commitRealCode(cpu, selector, ip);
}

export function realCall(cpu: Cpu, insn: Instruction, selector: number, ip: bigint): Outcome {
  const size = insn.operandSize;
  const stack = currentStack(cpu);
  if (beyondLimit(cpu, ip)) return generalProtection(cpu);
  const frame = [
    { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
    { size, value: nextIp(cpu, insn) },
  ];
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  return commitRealCode(cpu, selector, ip);
}

export function realReturn(cpu: Cpu, insn: Instruction, released: bigint): Outcome {
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 2);
  if (!frame) return Outcome.pending;
  if (beyondLimit(cpu, frame[0])) return generalProtection(cpu);
  stack.sp = BigInt.asUintN(stack.bits, stack.sp + released);
  commitStack(cpu, stack);
  return commitRealCode(cpu, Number(frame[1] & 0xffffn), frame[0]);
}

/**
 * IRET in real-address mode, and in virtual-8086 mode once it is allowed.
 * @param loads the flags that it may change; those that the operand size cannot hold are kept. @param image what replaces the popped flags.
 */
export function realInterruptReturn(
  cpu: Cpu,
  size: number,
  loads: number,
  image: (flags: number) => number | undefined = (flags) => flags,
): Outcome {
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 3);
  if (!frame) return Outcome.pending;
  if (beyondLimit(cpu, frame[0])) return generalProtection(cpu);
  const flags = image(Number(frame[2] & 0xffff_ffffn) | 0);
  if (flags === undefined) return generalProtection(cpu);
  commitStack(cpu, stack);
  cpu.flags = (cpu.flags & ~loads) | (flags & loads);
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  return commitRealCode(cpu, Number(frame[1] & 0xffffn), frame[0]);
}

/** Flags that IRET loads in real-address mode: with 32 bits all but VM, VIF and VIP. */
export const realIretFlags = (size: number): number =>
  ARITHMETIC_FLAGS | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | (size === 2 ? 0 : Flag.RF | Flag.AC | Flag.ID);

/**
 * Delivers an event through the interrupt vector table: FLAGS, CS and IP are pushed, never an error code.
 * @param table linear address and limit of the table. @param flags pushed image. @param cleared flags that the handler begins without.
 */
export function deliverThroughVectors(cpu: Cpu, vector: number, ext: number, returnIp: bigint, flags: number, cleared: number): Outcome {
  // In virtual-8086 mode the table is the 8086's, at linear address 0.
  const virtual = isVirtual8086(cpu);
  if (!virtual && vector * 4 + 3 > cpu.get32(State.idtrLimit)) return cpu.raise(Vector.GP, idtError(vector, ext));
  const table = virtual ? 0n : cpu.get64(State.idtrBase);
  const pointer = cpu.loadLinear(tableLinear(cpu, table + BigInt(vector * 4)), 4, IMPLICIT_READ);
  if (pointer === undefined) return Outcome.pending;
  const stack = currentStack(cpu, ext);
  const ip = pointer & 0xffffn;
  if (beyondLimit(cpu, ip)) return cpu.raise(Vector.GP, ext);
  const values = [BigInt(flags & 0xffff), BigInt(cpu.segmentSelector(Seg.cs)), returnIp];
  const frame = values.map((value) => ({ size: 2, value }));
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  cpu.flags = cpu.flags & ~cleared;
  return commitRealCode(cpu, Number(pointer >> 16n), ip);
}
