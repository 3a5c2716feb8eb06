/**
 * Delivery of exceptions and interrupts through the IDT (SDM volume 3, "Interrupt and Exception Handling" and "Interrupt and Exception
 * Handling in 64-bit Mode"), task gates included; through the interrupt vector table in real-address mode.
 */
import { Ar, dplOf, gateOf, idtError, isCode, isConformingCode, selectorError, SystemType, Tss } from '../spec/descriptors'; // prettier-ignore
import type { Gate } from '../spec/descriptors';
import { Activity, DR7_GD, EventType, FAULT_CLASS_VECTORS, Interruptibility, Vector } from '../spec/registers';
import { Flag, Seg, State } from '../spec/vcpu-state';
import { clearBranchTraps } from './branch-traps';
import type { Cpu } from './cpu';
import { innerStack, privilegeOf, readTss } from './inner-stack';
import { isCanonical } from './operands';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';
import { isRealMode, isVirtual8086 } from './processor-mode';
import { deliverThroughVectors } from './real-transfers';
import type { Descriptor } from './segmentation';
import { commitCodeSegment, fetchDescriptor, IMPLICIT_READ, isNull, isValidTarget, markAccessed, reservedLongAndBig, setFromDescriptor, setNull, tableLinear } from './segmentation'; // prettier-ignore
import type { Slot, Stack } from './stack';
import { commitStack, currentStack, pushFrame, wideStack } from './stack';
import { switchTask, TaskSource } from './task-switch';
import { virtual8086SoftwareInterrupt } from './virtual-8086';

/** An event to be delivered. */
export interface DeliveredEvent {
  readonly vector: number;
  readonly type: EventType;
  /** Pushed when present. */
  readonly errorCode?: number;
  /** Instruction length, for software events: the pushed RIP is that of the next instruction. */
  readonly length?: number;
  /** #DB only: it is a fault (general detect), so that the pushed RFLAGS image has RF set. */
  readonly debugFault?: boolean;
  /** Injected by VM entry: the pushed RFLAGS image keeps RF as it is ("Details of Vectored-Event Injection"). */
  readonly injected?: boolean;
}

const isSoftware = (type: EventType): boolean => type >= EventType.softwareInterrupt;

/** State.vectoringInfo in the manual's interruption-information format, so that a VM exit during delivery can report it. */
function noteVectoring(cpu: Cpu, event: DeliveredEvent): void {
  const hasError = event.errorCode !== undefined;
  cpu.set32(State.vectoringInfo, event.vector | (event.type << 8) | (hasError ? 1 << 11 : 0) | (1 << 31));
  cpu.set32(State.vectoringError, event.errorCode ?? 0);
  cpu.set32(State.vectoringLength, isSoftware(event.type) ? (event.length ?? 0) : 0);
}
export function clearVectoring(cpu: Cpu): void {
  cpu.set32(State.vectoringInfo, 0);
  cpu.set32(State.vectoringError, 0);
  cpu.set32(State.vectoringLength, 0);
}

/**
 * Delivers one event. Outcome.jumped: RIP is the handler's first instruction. Outcome.pending: a fault or VM exit of the delivery is pending
 * and `State.vectoringInfo` still names the event (see cpu/faults). Outcome.exited: a task gate has caused a VM exit.
 */
export function deliverEvent(cpu: Cpu, ports: CpuPorts, event: DeliveredEvent): Outcome {
  noteVectoring(cpu, event);
  // "Architectural State Before a VM Exit": should the delivery itself cause one, these have happened before it.
  cpu.set32(State.activity, Activity.active);
  const blocking = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  cpu.set32(State.interruptibility, event.type === EventType.nmi ? blocking | Interruptibility.blockingByNmi : blocking);
  const interrupted = cpu.rip;
  const outcome = cpu.longMode ? deliver64(cpu, event) : isRealMode(cpu) ? deliverReal(cpu, event) : deliver32(cpu, ports, event);
  if (outcome === Outcome.exited) clearVectoring(cpu);
  if (outcome !== Outcome.jumped) return outcome;
  clearVectoring(cpu);
  // The debug handler can use the debug registers ("Debug Control Register (DR7)", GD); an injected #DB leaves them alone.
  if (event.vector === Vector.DB && event.type === EventType.hardwareException && event.injected !== true) {
    cpu.set64(State.dr + 56, cpu.get64(State.dr + 56) & ~DR7_GD);
    clearBranchTraps(cpu);
  }
  cpu.modeChanged();
  ports.clock.charge(cpu, 'delivery');
  if (event.type === EventType.externalInterrupt || event.type === EventType.nmi || event.type === EventType.softwareInterrupt)
    ports.observer.interruptDelivered(cpu, event.vector, event.type, interrupted);
  return Outcome.jumped;
}

/** RFLAGS image: RF is set for fault-class exceptions ("Instruction-Breakpoint Exception Condition"). */
function flagsImage(cpu: Cpu, event: DeliveredEvent): bigint {
  const fault =
    event.injected !== true &&
    event.type === EventType.hardwareException &&
    (FAULT_CLASS_VECTORS.includes(event.vector) || event.debugFault === true);
  return BigInt((cpu.flags | (fault ? Flag.RF : 0)) >>> 0);
}

const isInterruptGate = (gate: Gate): boolean => gate.type === SystemType.interruptGate || gate.type === SystemType.interruptGate16;
const isNarrow = (gate: Gate): boolean => gate.type === SystemType.interruptGate16 || gate.type === SystemType.trapGate16;

function clearFlags(cpu: Cpu, gate: Gate): void {
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (isInterruptGate(gate) ? Flag.IF : 0);
  cpu.flags = cpu.flags & ~cleared;
}

/** EXT: 0 only for INT n, INT3 and INTO ("Error Code"). */
const extOf = (event: DeliveredEvent): number =>
  event.type === EventType.softwareInterrupt || event.type === EventType.softwareException ? 0 : 1;

/** Reads the gate and makes the checks that both modes share. A number is the outcome of a refusal. */
function fetchGate(cpu: Cpu, event: DeliveredEvent, bytes: 8 | 16): Gate | Outcome {
  const ext = extOf(event);
  const code = idtError(event.vector, ext);
  if (event.vector * bytes + bytes - 1 > cpu.get32(State.idtrLimit)) return cpu.raise(Vector.GP, code);
  const linear = tableLinear(cpu, cpu.get64(State.idtrBase) + BigInt(event.vector * bytes));
  const first = cpu.loadLinear(linear, 8, IMPLICIT_READ);
  if (first === undefined) return Outcome.pending;
  let upper = 0;
  if (bytes === 16) {
    const second = cpu.loadLinear(tableLinear(cpu, linear + 8n), 8, IMPLICIT_READ);
    if (second === undefined) return Outcome.pending;
    upper = Number(second & 0xffff_ffffn);
  }
  const gate = gateOf({ low: Number(first & 0xffff_ffffn), high: Number(first >> 32n) }, upper);
  const isGate32 = gate.type === SystemType.interruptGate || gate.type === SystemType.trapGate;
  const isLegacyGate = bytes === 8 && gate.type >= SystemType.taskGate && gate.type <= SystemType.trapGate16;
  if (!gate.system || !(isGate32 || isLegacyGate)) return cpu.raise(Vector.GP, code);
  const checksDpl = event.type === EventType.softwareInterrupt || event.type === EventType.softwareException;
  if (checksDpl && gate.dpl < cpu.cpl) return cpu.raise(Vector.GP, code);
  if (!gate.present) return cpu.raise(Vector.NP, code);
  return isNarrow(gate) ? { ...gate, offset: gate.offset & 0xffffn } : gate;
}

/** Reads the gate's code segment with its checks. A number is the outcome of a refusal. */
function fetchHandlerSegment(cpu: Cpu, gate: Gate, ext: number): Descriptor | Outcome {
  if (isNull(gate.selector)) return cpu.raise(Vector.GP, ext);
  const d = fetchDescriptor(cpu, gate.selector, Vector.GP, ext);
  if (!d) return Outcome.pending;
  const code = selectorError(gate.selector, ext);
  if (!isCode(d.access) || dplOf(d.access) > cpu.cpl) return cpu.raise(Vector.GP, code);
  // From virtual-8086 mode the way leads to level 0 only.
  if (isVirtual8086(cpu) && (isConformingCode(d.access) || dplOf(d.access) !== 0)) return cpu.raise(Vector.GP, code);
  if (cpu.longMode && (!(d.access & Ar.long) || reservedLongAndBig(cpu, d.access))) return cpu.raise(Vector.GP, code);
  if (!(d.access & Ar.present)) return cpu.raise(Vector.NP, code);
  if (!isValidTarget(cpu, d, gate.offset)) return cpu.raise(Vector.GP, ext);
  return d;
}

const returnIpOf = (cpu: Cpu, event: DeliveredEvent): bigint => (isSoftware(event.type) ? cpu.rip + BigInt(event.length ?? 0) : cpu.rip);

const VIRTUAL_8086_PUSHED = [Seg.gs, Seg.fs, Seg.ds, Seg.es] as const;

function frameSlots(cpu: Cpu, event: DeliveredEvent, size: 2 | 4 | 8, withStack: boolean): Slot[] {
  const selectorOf = (n: number): bigint => BigInt(cpu.segmentSelector(n));
  // Virtual-8086 mode's data segments are pushed too, since they mean nothing to the handler.
  const values: bigint[] = isVirtual8086(cpu) ? VIRTUAL_8086_PUSHED.map(selectorOf) : [];
  if (withStack) values.push(selectorOf(Seg.ss), cpu.gpr(4));
  values.push(flagsImage(cpu, event), selectorOf(Seg.cs), returnIpOf(cpu, event));
  if (event.errorCode !== undefined) values.push(BigInt(event.errorCode >>> 0));
  return values.map((value) => ({ size, value }));
}

function deliver64(cpu: Cpu, event: DeliveredEvent): Outcome {
  const ext = extOf(event);
  const gate = fetchGate(cpu, event, 16);
  if (typeof gate === 'number') return gate;
  const cs = fetchHandlerSegment(cpu, gate, ext);
  if (typeof cs === 'number') return cs;
  const cpl = isConformingCode(cs.access) ? cpu.cpl : dplOf(cs.access);
  const inner = cpl < cpu.cpl;
  let rsp = cpu.gpr(4);
  if (inner || gate.ist !== 0) {
    const offset = gate.ist !== 0 ? Tss.ist(gate.ist) : Tss.rsp(cpl);
    const found = readTss(cpu, offset, 8, ext);
    if (found === undefined) return Outcome.pending;
    rsp = found;
    if (!isCanonical(cpu, rsp)) return cpu.raise(Vector.SS, ext);
  }
  const stack: Stack = wideStack(rsp & ~0xfn, privilegeOf(cpl), ext);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, stack, frameSlots(cpu, event, 8, true))) return Outcome.pending;
  if (inner) setNull(cpu, Seg.ss, cpl, cpl);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, stack);
  clearFlags(cpu, gate);
  return Outcome.jumped;
}

function deliver32(cpu: Cpu, ports: CpuPorts, event: DeliveredEvent): Outcome {
  const ext = extOf(event);
  const virtual = isVirtual8086(cpu);
  if (virtual && event.type === EventType.softwareInterrupt) {
    const outcome = virtual8086SoftwareInterrupt(cpu, event.vector, returnIpOf(cpu, event));
    if (outcome !== undefined) return outcome;
  }
  const gate = fetchGate(cpu, event, 8);
  if (typeof gate === 'number') return gate;
  if (gate.type === SystemType.taskGate) return deliverToTask(cpu, ports, event, gate.selector);
  const cs = fetchHandlerSegment(cpu, gate, ext);
  if (typeof cs === 'number') return cs;
  const cpl = isConformingCode(cs.access) ? cpu.cpl : dplOf(cs.access);
  const inner = cpl < cpu.cpl ? innerStack(cpu, cpl, ext) : undefined;
  if (typeof inner === 'number') return inner;
  const stack = inner ? inner.stack : currentStack(cpu, ext);
  if (!markAccessed(cpu, cs)) return Outcome.pending;
  if (!pushFrame(cpu, stack, frameSlots(cpu, event, isNarrow(gate) ? 2 : 4, inner !== undefined))) return Outcome.pending;
  if (virtual) for (const n of VIRTUAL_8086_PUSHED) setNull(cpu, n, 0);
  if (inner) setFromDescriptor(cpu, Seg.ss, inner.selector, inner.descriptor);
  commitCodeSegment(cpu, gate.selector, cs, cpl, gate.offset);
  commitStack(cpu, stack);
  clearFlags(cpu, gate);
  return Outcome.jumped;
}

/** An event through a task gate: the error code goes to the new task's stack. */
function deliverToTask(cpu: Cpu, ports: CpuPorts, event: DeliveredEvent, selector: number): Outcome {
  const ext = extOf(event);
  const length = isSoftware(event.type) ? (event.length ?? 0) : 0;
  const flags = Number(flagsImage(cpu, event));
  const outcome = switchTask(cpu, ports, { selector, source: TaskSource.gate, ext, flags, returnIp: returnIpOf(cpu, event), length });
  if (outcome !== Outcome.jumped || event.errorCode === undefined) return outcome;
  const stack = currentStack(cpu, ext);
  const size = cpu.segmentAccess(Seg.tr) & 8 ? 4 : 2;
  if (!pushFrame(cpu, stack, [{ size, value: BigInt(event.errorCode >>> 0) }])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.jumped;
}

/** Real-address mode: interrupts and traps are off in the handler. */
function deliverReal(cpu: Cpu, event: DeliveredEvent): Outcome {
  const cleared = Flag.IF | Flag.TF | Flag.AC | Flag.RF;
  return deliverThroughVectors(cpu, event.vector, extOf(event), returnIpOf(cpu, event), cpu.flags, cleared);
}
