/** Far JMP and CALL through 16-bit, 32-bit and 64-bit call gates (SDM volume 3, "Accessing a Code Segment Through a Call Gate"; volume 2, "CALL"). */
import type { Instruction } from '../isa/instruction';
import { Ar, dplOf, gateOf, isCode, isConformingCode, selectorError, SystemType, Tss } from '../spec/descriptors';
import { Vector } from '../spec/registers';
import { Seg } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection } from './handler';
import { innerStack, privilegeOf, readTss } from './inner-stack';
import { isCanonical, nextIp, segmentLinear } from './operands';
import { Outcome } from './outcome';
import type { Descriptor } from './segmentation';
import { commitCodeSegment, fetchDescriptor, isNull, isValidTarget, markAccessed, setFromDescriptor, setNull } from './segmentation';
import type { Slot } from './stack';
import { commitStack, currentStack, pushFrame, wideStack } from './stack';

interface CallGate {
  readonly selector: number;
  readonly offset: bigint;
  /** Width of what is pushed. */
  readonly size: 2 | 4 | 8;
  readonly parameters: number;
}

/** The gate with its checks. A number is the outcome of a refusal. */
function readGate(cpu: Cpu, selector: number, first: Descriptor): CallGate | Outcome {
  let d = first;
  const code = selectorError(selector);
  if (cpu.longMode) {
    const whole = fetchDescriptor(cpu, selector, Vector.GP, 0, 16);
    if (!whole) return Outcome.pending;
    // Bits 12:8 of the fourth word are the type of the upper half: 0.
    if ((whole.upperWord >>> 8) & 0x1f) return generalProtection(cpu, code);
    d = whole;
  }
  const gate = gateOf(d.raw, d.upperBase);
  if (gate.dpl < cpu.cpl || (selector & 3) > gate.dpl) return generalProtection(cpu, code);
  if (!gate.present) return cpu.raise(Vector.NP, code);
  const narrow = gate.type === SystemType.callGate16;
  return {
    selector: gate.selector,
    offset: narrow ? gate.offset & 0xffffn : gate.offset,
    size: cpu.longMode ? 8 : narrow ? 2 : 4,
    parameters: cpu.longMode ? 0 : d.raw.high & 0x1f,
  };
}

/** The gate's code segment with its checks. A number is the outcome of a refusal. */
function readTarget(cpu: Cpu, gate: CallGate, call: boolean): Descriptor | Outcome {
  if (isNull(gate.selector)) return generalProtection(cpu);
  const cs = fetchDescriptor(cpu, gate.selector);
  if (!cs) return Outcome.pending;
  const code = selectorError(gate.selector);
  const dpl = dplOf(cs.access);
  if (!isCode(cs.access) || dpl > cpu.cpl) return generalProtection(cpu, code);
  if (cpu.longMode && (cs.access & (Ar.long | Ar.big)) !== Ar.long) return generalProtection(cpu, code);
  // Only CALL reaches a more privileged level.
  if (!call && !isConformingCode(cs.access) && dpl !== cpu.cpl) return generalProtection(cpu, code);
  if (!(cs.access & Ar.present)) return cpu.raise(Vector.NP, code);
  return isValidTarget(cpu, cs, gate.offset) ? cs : generalProtection(cpu);
}

/** Carries out a far JMP or CALL whose selector names a call gate. `cpu.modeChanged()` is the caller's. */
export function throughCallGate(cpu: Cpu, insn: Instruction, selector: number, d: Descriptor, call: boolean): Outcome {
  const gate = readGate(cpu, selector, d);
  if (typeof gate === 'number') return gate;
  const cs = readTarget(cpu, gate, call);
  if (typeof cs === 'number') return cs;
  const dpl = dplOf(cs.access);
  if (call && !isConformingCode(cs.access) && dpl < cpu.cpl) return callInner(cpu, insn, gate, cs, dpl);
  const stack = currentStack(cpu);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (call && !pushFrame(cpu, stack, returnAddress(cpu, insn, gate.size))) return Outcome.pending;
  if (call) commitStack(cpu, stack);
  commitCodeSegment(cpu, gate.selector, cs, cpu.cpl, gate.offset);
  return Outcome.jumped;
}

const returnAddress = (cpu: Cpu, insn: Instruction, size: number): Slot[] => [
  { size, value: BigInt(cpu.segmentSelector(Seg.cs)) },
  { size, value: nextIp(cpu, insn) },
];

/** CALL to a more privileged level: the stack is switched, and the gate's number of parameters copied to the new one. */
function callInner(cpu: Cpu, insn: Instruction, gate: CallGate, cs: Descriptor, cpl: number): Outcome {
  const { size } = gate;
  const outer: Slot[] = [
    { size, value: BigInt(cpu.segmentSelector(Seg.ss)) },
    { size, value: cpu.gpr(4) },
  ];
  if (cpu.longMode) {
    const rsp = readTss(cpu, Tss.rsp(cpl), 8, 0);
    if (rsp === undefined) return Outcome.pending;
    if (!isCanonical(cpu, rsp)) return cpu.raise(Vector.SS, 0);
    const stack = wideStack(rsp, privilegeOf(cpl), 0);
    if (!markAccessed(cpu, cs) || !pushFrame(cpu, stack, [...outer, ...returnAddress(cpu, insn, 8)])) return Outcome.pending;
    setNull(cpu, Seg.ss, cpl, cpl);
    commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
    commitStack(cpu, stack);
    return Outcome.jumped;
  }
  const inner = innerStack(cpu, cpl, 0);
  if (typeof inner === 'number') return inner;
  const old = currentStack(cpu);
  const parameters: Slot[] = [];
  for (let n = gate.parameters - 1; n >= 0; n--) {
    const linear = segmentLinear(cpu, Seg.ss, BigInt.asUintN(old.bits, old.sp + BigInt(n * size)), size, false);
    const value = linear === undefined ? undefined : cpu.loadLinear(linear, size);
    if (value === undefined) return Outcome.pending;
    parameters.push({ size, value });
  }
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, inner.stack, [...outer, ...parameters, ...returnAddress(cpu, insn, size)])) return Outcome.pending;
  setFromDescriptor(cpu, Seg.ss, inner.selector, inner.descriptor);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, inner.stack);
  return Outcome.jumped;
}
