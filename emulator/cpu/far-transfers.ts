/**
 * Far JMP, CALL and RET, and IRET (SDM volume 2; volume 3, "Privilege Level Checking When Transferring Program Control Between Code
 * Segments"). What goes through call gates, task gates and TSS descriptors, and 8086 segments, is carried out in files of its own.
 */
import type { Instruction } from '../isa/instruction';
import { Ar, dplOf, gateOf, isCode, isConformingCode, isWritableData, selectorError, SystemType } from '../spec/descriptors';
import { Interruptibility, Vector } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { throughCallGate } from './call-gates';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { readTss } from './inner-stack';
import { nextIp, operandLinear } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';
import { isReal8086, isRealMode, isVirtual8086 } from './processor-mode';
import { realCall, realInterruptReturn, realIretFlags, realJump, realReturn } from './real-transfers';
import { commitCodeSegment, dropInnerSegments, fetchDescriptor, isNull, isValidTarget, markAccessed, reservedLongAndBig, setFromDescriptor, setNull } from './segmentation'; // prettier-ignore
import type { Descriptor } from './segmentation';
import { commitStack, currentStack, popFrame, pushFrame, setStackPointer } from './stack';
import { switchTask, TaskSource } from './task-switch';
import { enterVirtual8086, virtual8086InterruptReturn } from './virtual-8086';

interface FarPointer {
  readonly selector: number;
  readonly offset: bigint;
}

/** ptr16:16/32 in the instruction, or m16:16/32/64. Undefined: a fault is pending. */
function farPointer(cpu: Cpu, insn: Instruction): FarPointer | undefined {
  const size = insn.operandSize === 2 ? 2 : insn.operandSize === 8 ? 8 : 4;
  if (!insn.hasModRm) return { selector: insn.immediate2 & 0xffff, offset: BigInt.asUintN(size * 8, insn.immediate) };
  const linear = operandLinear(cpu, insn, size + 2, false);
  if (linear === undefined) return undefined;
  const offset = cpu.loadLinear(linear, size);
  if (offset === undefined) return undefined;
  const selector = cpu.loadLinear(BigInt.asUintN(cpu.code64 ? 64 : 32, linear + BigInt(size)), 2);
  return selector === undefined ? undefined : { selector: Number(selector), offset };
}

/** A system descriptor as target of a far JMP or CALL: call gate, task gate or TSS. */
function systemTarget(cpu: Cpu, insn: Instruction, ports: CpuPorts, target: FarPointer, d: Descriptor, call: boolean): Outcome {
  const { selector } = target;
  const code = selectorError(selector);
  const type = d.access & (Ar.notSystem | Ar.type);
  if (type === SystemType.callGate || (!cpu.longMode && type === SystemType.callGate16)) {
    const outcome = throughCallGate(cpu, insn, selector, d, call);
    if (outcome === Outcome.jumped) enteredCode(cpu, ports);
    return outcome;
  }
  const isTss = type === SystemType.tssAvailable || type === SystemType.tss16Available;
  if (cpu.longMode || !(isTss || type === SystemType.taskGate)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  if (dpl < cpu.cpl || dpl < (selector & 3)) return generalProtection(cpu, code);
  if (!isTss && !(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  const tss = isTss ? selector : gateOf(d.raw, 0).selector;
  const source = call ? TaskSource.call : TaskSource.jmp;
  return switchTask(cpu, ports, { selector: tss, source, ext: 0, flags: cpu.flags, returnIp: nextIp(cpu, insn), length: insn.length });
}

/** Code segment of a far JMP or CALL at the same privilege level, checked. A number is the outcome of a refusal, or of a transfer by a gate. */
function sameLevelTarget(cpu: Cpu, insn: Instruction, ports: CpuPorts, target: FarPointer, call: boolean): Descriptor | Outcome {
  const { selector } = target;
  if (isNull(selector)) return generalProtection(cpu);
  const d = fetchDescriptor(cpu, selector);
  if (!d) return Outcome.pending;
  if (!isCode(d.access)) return systemTarget(cpu, insn, ports, target, d, call);
  const code = selectorError(selector);
  if (reservedLongAndBig(cpu, d.access)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  const allowed = isConformingCode(d.access) ? dpl <= cpu.cpl : (selector & 3) <= cpu.cpl && dpl === cpu.cpl;
  if (!allowed) return generalProtection(cpu, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, target.offset)) return generalProtection(cpu);
  return d;
}

const jmpFar: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || (insn.hasModRm && insn.rm >= 0)) return invalidOpcode(cpu);
  const target = farPointer(cpu, insn);
  if (!target) return Outcome.pending;
  if (isReal8086(cpu)) return realJump(cpu, target.selector, target.offset);
  const d = sameLevelTarget(cpu, insn, ports, target, false);
  if (typeof d === 'number') return d;
  if (!markAccessed(cpu, d)) return Outcome.pending;
  commitCodeSegment(cpu, target.selector, d, cpu.cpl, target.offset);
  enteredCode(cpu, ports);
  return Outcome.jumped;
};

const callFar: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock || (insn.hasModRm && insn.rm >= 0)) return invalidOpcode(cpu);
  const target = farPointer(cpu, insn);
  if (!target) return Outcome.pending;
  if (isReal8086(cpu)) return realCall(cpu, insn, target.selector, target.offset);
  const d = sameLevelTarget(cpu, insn, ports, target, true);
  if (typeof d === 'number') return d;
  const size = insn.operandSize;
  const stack = currentStack(cpu);
  if (!markAccessed(cpu, d)) return Outcome.pending;
  const frame = [
    { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
    { size, value: nextIp(cpu, insn) },
  ];
  if (!pushFrame(cpu, stack, frame)) return Outcome.pending;
  commitStack(cpu, stack);
  commitCodeSegment(cpu, target.selector, d, cpu.cpl, target.offset);
  enteredCode(cpu, ports);
  return Outcome.jumped;
};

/** The mode follows the new CS (64-bit, compatibility, 32-bit). */
function enteredCode(cpu: Cpu, ports: Parameters<SystemHandler>[2]): void {
  const was64 = cpu.code64;
  cpu.modeChanged();
  if (was64 !== cpu.code64) ports.observer.modeSwitch(cpu);
}

/** Code segment of RET or IRET, checked; its RPL is the new CPL. A number is the outcome of a refusal. */
function returnTarget(cpu: Cpu, target: FarPointer): Descriptor | Outcome {
  const { selector } = target;
  if (isNull(selector)) return generalProtection(cpu);
  const d = fetchDescriptor(cpu, selector);
  if (!d) return Outcome.pending;
  const code = selectorError(selector);
  const rpl = selector & 3;
  if (!isCode(d.access) || rpl < cpu.cpl || reservedLongAndBig(cpu, d.access)) return generalProtection(cpu, code);
  const dpl = dplOf(d.access);
  if (isConformingCode(d.access) ? dpl > rpl : dpl !== rpl) return generalProtection(cpu, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, target.offset)) return generalProtection(cpu);
  return d;
}

interface ReturnStack {
  readonly selector: number;
  /** Undefined: a null SS, allowed in 64-bit code below CPL 3. */
  readonly descriptor: Descriptor | undefined;
}

/** SS that a return loads, for the new CPL. A number is the outcome of a refusal. */
function returnStack(cpu: Cpu, selector: number, cpl: number, cs: Descriptor): ReturnStack | Outcome {
  if (isNull(selector)) {
    const to64 = cpu.longMode && (cs.access & Ar.long) !== 0;
    if (!to64 || cpl === 3 || (selector & 3) !== cpl) return generalProtection(cpu);
    return { selector, descriptor: undefined };
  }
  const descriptor = fetchDescriptor(cpu, selector);
  if (!descriptor) return Outcome.pending;
  const { access } = descriptor;
  const code = selectorError(selector);
  if ((selector & 3) !== cpl || !isWritableData(access) || dplOf(access) !== cpl) return generalProtection(cpu, code);
  if (!(access & Ar.present)) return cpu.raise(Vector.SS, code);
  return { selector, descriptor };
}

/** Loads SS and the stack pointer of a return; CS, CPL and mode are already the new ones' to be. */
function commitReturnStack(cpu: Cpu, ss: ReturnStack, cpl: number, cs: Descriptor, sp: bigint): void {
  if (ss.descriptor) setFromDescriptor(cpu, Seg.ss, ss.selector, ss.descriptor);
  else setNull(cpu, Seg.ss, ss.selector, cpl);
  const wide = cpu.longMode && (cs.access & Ar.long) !== 0;
  setStackPointer(cpu, sp, wide ? 64 : ss.descriptor && ss.descriptor.access & Ar.big ? 32 : 16);
}

const retFar: SystemHandler = (cpu, insn, ports) => {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  const released = (insn.opcode & 0xff) === 0xca ? insn.immediate & 0xffffn : 0n;
  if (isReal8086(cpu)) return realReturn(cpu, insn, released);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 2);
  if (!frame) return Outcome.pending;
  const target = { offset: frame[0], selector: Number(frame[1] & 0xffffn) };
  const cs = returnTarget(cpu, target);
  if (typeof cs === 'number') return cs;
  const cpl = target.selector & 3;
  stack.sp = BigInt.asUintN(stack.bits, stack.sp + released);
  if (cpl === cpu.cpl) {
    if (!markAccessed(cpu, cs)) return Outcome.pending;
    commitStack(cpu, stack);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
  } else {
    const outer = popFrame(cpu, stack, size, 2);
    if (!outer) return Outcome.pending;
    const ss = returnStack(cpu, Number(outer[1] & 0xffffn), cpl, cs);
    if (typeof ss === 'number') return ss;
    if (!markAccessed(cpu, cs) || (ss.descriptor && !markAccessed(cpu, ss.descriptor))) return Outcome.pending;
    commitReturnStack(cpu, ss, cpl, cs, outer[0] + released);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
    dropInnerSegments(cpu, cpl);
  }
  enteredCode(cpu, ports);
  return Outcome.jumped;
};

/** RFLAGS after IRET: IOPL only at CPL 0, IF only when CPL <= IOPL; the 16-bit form keeps bits 31:16. CPL is the old one. */
function flagsAfterIret(cpu: Cpu, image: number, size: number): number {
  let mask = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT;
  if (size !== 2) mask |= Flag.RF | Flag.AC | Flag.ID;
  const iopl = (cpu.flags & Flag.IOPL) >> 12;
  if (cpu.cpl <= iopl) mask |= Flag.IF;
  if (cpu.cpl === 0) mask |= Flag.IOPL | (size !== 2 ? Flag.VIF | Flag.VIP : 0);
  return (cpu.flags & ~mask) | (image & mask);
}

/** IRET with NT set: back to the task that the link field of the TSS names. */
function returnToTask(cpu: Cpu, insn: Instruction, ports: CpuPorts): Outcome {
  const link = readTss(cpu, 0, 2, 0);
  if (link === undefined) return Outcome.pending;
  const flags = cpu.flags & ~Flag.NT;
  const selector = Number(link);
  return switchTask(cpu, ports, { selector, source: TaskSource.iret, ext: 0, flags, returnIp: nextIp(cpu, insn), length: insn.length });
}

function interruptReturn(cpu: Cpu, insn: Instruction, ports: CpuPorts): Outcome {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  if (isRealMode(cpu)) return realInterruptReturn(cpu, size, realIretFlags(size));
  if (isVirtual8086(cpu)) return virtual8086InterruptReturn(cpu, size);
  if (cpu.flag(Flag.NT)) return cpu.longMode ? generalProtection(cpu) : returnToTask(cpu, insn, ports);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, size, 3);
  if (!frame) return Outcome.pending;
  const target = { offset: frame[0], selector: Number(frame[1] & 0xffffn) };
  const image = Number(frame[2] & 0xffff_ffffn) | 0;
  if (!cpu.longMode && size === 4 && image & Flag.VM && cpu.cpl === 0)
    return enterVirtual8086(cpu, stack, frame[0], target.selector, image);
  const cs = returnTarget(cpu, target);
  if (typeof cs === 'number') return cs;
  const cpl = target.selector & 3;
  const flags = flagsAfterIret(cpu, image, size);
  // 64-bit code always pops SS:RSP.
  if (cpu.code64 || cpl !== cpu.cpl) {
    const outer = popFrame(cpu, stack, size, 2);
    if (!outer) return Outcome.pending;
    const ss = returnStack(cpu, Number(outer[1] & 0xffffn), cpl, cs);
    if (typeof ss === 'number') return ss;
    if (!markAccessed(cpu, cs) || (ss.descriptor && !markAccessed(cpu, ss.descriptor))) return Outcome.pending;
    const toOuter = cpl !== cpu.cpl;
    commitReturnStack(cpu, ss, cpl, cs, outer[0]);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
    if (toOuter) dropInnerSegments(cpu, cpl);
  } else {
    if (!markAccessed(cpu, cs)) return Outcome.pending;
    commitStack(cpu, stack);
    commitCodeSegment(cpu, target.selector, cs, cpl, target.offset);
  }
  cpu.flags = flags;
  enteredCode(cpu, ports);
  return Outcome.jumped;
}

/** IRET ends blocking by NMI whether it faults or not ("Handling Multiple NMIs"); a VM exit that the fault causes tells so. */
const iret: SystemHandler = (cpu, insn, ports) => {
  const blocked = cpu.get32(State.interruptibility) & Interruptibility.blockingByNmi;
  const unblocks = blocked !== 0 && !insn.lock && (!cpu.vmxNonRoot || ports.vmx.iretUnblocksNmis(cpu));
  if (!unblocks) return interruptReturn(cpu, insn, ports);
  cpu.set32(State.interruptibility, cpu.get32(State.interruptibility) & ~Interruptibility.blockingByNmi);
  cpu.set32(State.nmiUnblocked, 1);
  const outcome = interruptReturn(cpu, insn, ports);
  if (outcome !== Outcome.pending) cpu.set32(State.nmiUnblocked, 0);
  return outcome;
};

export const farTransferInstructions: Readonly<Record<string, SystemHandler>> = {
  JMP_FAR: jmpFar,
  CALL_FAR: callFar,
  RET_FAR: retFar,
  IRET: iret,
};
