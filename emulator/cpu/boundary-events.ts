/**
 * What may happen between two instructions, in the order of the SDM (volume 3, "Priority Among Concurrent Events", and for VMX non-root
 * operation "Other Causes of VM Exits", "Monitor Trap Flag", "VMX-Preemption Timer", "Event Blocking"): injected events, task-switch traps, SMI,
 * INIT, monitor trap, debug traps, preemption timer, NMI, interrupts. Instruction breakpoints come after all of them (cpu/processor).
 */
import { ENABLED_BREAKPOINT } from '../mmu/breakpoint-registers';
import { Activity, EventType, Interruptibility, Vector } from '../spec/registers';
import { Flag, Signal, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { deliverEvent } from './delivery';
import { deliverDebugTrap, type ExceptionResult } from './faults';
import type { Outcome } from './outcome';
import type { BoundaryStage, CpuPorts } from './ports';
import { enterSmm, inSmm } from './system-management';
import { initProcessor, startProcessor } from './processor-reset';

const BS = 1 << 14;
const BT = 1 << 15;
const NMI_VECTOR = Vector.NMI;
/** The bit of State.boundary that is TF's own. */
const TRAP_FLAG = 1;

/** How the run loop takes what an event came to into account. */
export interface EventSink {
  /** A step without an instruction. */
  eventStep(): void;
  concludeDelivery(outcome: Outcome): void;
  concludeException(result: ExceptionResult): void;
}

/** Whether anything at all may be due: cheap, asked before every run of generated code. */
export function mayHaveEvents(cpu: Cpu): boolean {
  const { i32 } = cpu;
  return (
    (i32[State.pendingEventInfo >> 2] |
      (i32[State.boundary >> 2] & ~TRAP_FLAG) |
      i32[State.pendingDebug >> 2] |
      i32[State.signals >> 2]) !==
      0 ||
    cpu.interruptPending ||
    cpu.f64[State.deadline >> 3] !== 0
  );
}

/** Takes the event that comes first, if one is due. True: a step was made (or something stops the machine). */
export function takeBoundaryEvent(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  if (deliverInjected(cpu, ports, sink)) return true;
  if (vmxEvent(cpu, ports, sink, 'apic')) return true;
  if (cpu.i32[State.activity >> 2] === Activity.waitForSipi) return startUp(cpu, ports, sink);
  // A start-up IPI means nothing to a processor that does not wait for one.
  // One that came behind an INIT has it before it.
  if (!(cpu.i32[State.signals >> 2] & Signal.init) || inSmm(cpu) || ports.vmx.blocksInit(cpu))
    cpu.i32[State.signals >> 2] &= ~Signal.startUp;
  if (debugTrap(cpu, ports, sink, BT)) return true;
  if (systemSignals(cpu, ports, sink)) return true;
  if (vmxEvent(cpu, ports, sink, 'monitor-trap')) return true;
  if (debugTrap(cpu, ports, sink, BS | 15)) return true;
  const { deadline } = State;
  if (cpu.f64[deadline >> 3] !== 0 && ports.clock.now() >= cpu.f64[deadline >> 3] && vmxEvent(cpu, ports, sink, 'preemption-timer', true))
    return true;
  return vmxEvent(cpu, ports, sink, 'nmi-window') || nmi(cpu, ports, sink) || interrupt(cpu, ports, sink);
}

/** The event that a VM entry injected: part of the entry, so that nothing comes before it. */
function deliverInjected(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  const info = cpu.get32(State.pendingEventInfo);
  if (info >>> 31 === 0) return false;
  cpu.set32(State.pendingEventInfo, 0);
  const type = ((info >>> 8) & 7) as EventType;
  const errorCode = info & (1 << 11) ? cpu.get32(State.pendingEventError) : undefined;
  const length = cpu.get32(State.pendingEventLength);
  sink.concludeDelivery(deliverEvent(cpu, ports, { vector: info & 0xff, type, errorCode, length, injected: true }));
  return true;
}

function vmxEvent(cpu: Cpu, ports: CpuPorts, sink: EventSink, stage: BoundaryStage, asked = false): boolean {
  if (!cpu.vmxNonRoot || (!asked && (cpu.i32[State.boundary >> 2] & ~TRAP_FLAG) === 0)) return false;
  if (!ports.vmx.atBoundary(cpu, stage)) return false;
  endWait(cpu);
  sink.eventStep();
  return true;
}

/** Debug traps of the instruction before; MOV SS and POP SS hold them off. */
function debugTrap(cpu: Cpu, ports: CpuPorts, sink: EventSink, kinds: number): boolean {
  const pending = cpu.i32[State.pendingDebug >> 2];
  const conditions = ((pending & (BS | BT)) | (pending & ENABLED_BREAKPOINT ? pending & 15 : 0)) >>> 0;
  if ((conditions & kinds) === 0 || cpu.i32[State.interruptibility >> 2] & Interruptibility.blockingByMovSs) return false;
  if (cpu.i32[State.activity >> 2] >= Activity.shutdown) return false;
  cpu.set32(State.pendingDebug, 0);
  sink.concludeException(deliverDebugTrap(cpu, ports, conditions));
  return true;
}

function systemSignals(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  const signals = cpu.i32[State.signals >> 2];
  if (signals & Signal.smi && !(cpu.i32[State.interruptibility >> 2] & Interruptibility.blockingBySmi)) {
    cpu.i32[State.signals >> 2] &= ~Signal.smi;
    endWait(cpu);
    enterSmm(cpu, ports);
    sink.eventStep();
    return true;
  }
  // In system-management mode INIT waits, too.
  if (!(signals & Signal.init) || inSmm(cpu) || ports.vmx.blocksInit(cpu)) return false;
  cpu.i32[State.signals >> 2] &= ~Signal.init;
  endWait(cpu);
  if (!cpu.vmxNonRoot || !ports.vmx.intercept(cpu, { kind: 'init' })) {
    initProcessor(cpu);
    ports.interrupts.initialize(cpu.index);
  }
  sink.eventStep();
  return true;
}

/** Waiting for a start-up IPI, a processor takes nothing else but INIT, which changes nothing then. */
function startUp(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  const signals = cpu.i32[State.signals >> 2];
  if (!cpu.vmxNonRoot) cpu.i32[State.signals >> 2] &= ~Signal.init;
  if (!(signals & Signal.startUp)) return false;
  cpu.i32[State.signals >> 2] &= ~Signal.startUp;
  const vector = cpu.get32(State.startUpVector);
  if (!cpu.vmxNonRoot || !ports.vmx.intercept(cpu, { kind: 'start-up', vector })) startProcessor(cpu, vector);
  sink.eventStep();
  return true;
}

function nmi(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  if (!(cpu.i32[State.signals >> 2] & Signal.nmi)) return false;
  if (cpu.i32[State.interruptibility >> 2] & Interruptibility.blockingByMovSs) return false;
  // With virtual NMIs the blocking is that of virtual NMIs; this one is physical.
  const blocked = (cpu.i32[State.interruptibility >> 2] & Interruptibility.blockingByNmi) !== 0;
  if (blocked && !(cpu.vmxNonRoot && ports.vmx.usesVirtualNmis(cpu))) return false;
  cpu.i32[State.signals >> 2] &= ~Signal.nmi;
  endWait(cpu);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'nmi' })) sink.eventStep();
  else sink.concludeDelivery(deliverEvent(cpu, ports, { vector: NMI_VECTOR, type: EventType.nmi }));
  return true;
}

function interrupt(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  if (vmxEvent(cpu, ports, sink, 'interrupt-window') || virtualInterrupt(cpu, ports, sink)) return true;
  const shadow = Interruptibility.blockingBySti | Interruptibility.blockingByMovSs;
  if (cpu.interruptPending && !(cpu.i32[State.interruptibility >> 2] & shadow) && cpu.i32[State.activity >> 2] !== Activity.shutdown) {
    const answer = cpu.vmxNonRoot ? ports.vmx.externalInterrupt(cpu) : 'deliver';
    if (answer !== 'deliver') {
      endWait(cpu);
      sink.eventStep();
      return true;
    }
    if (cpu.i32[State.systemFlags >> 2] & Flag.IF) {
      endWait(cpu);
      const vector = ports.interrupts.acknowledge(cpu.index);
      sink.concludeDelivery(deliverEvent(cpu, ports, { vector, type: EventType.externalInterrupt }));
      return true;
    }
    if (cpu.i32[State.monitorWait >> 2] & 2) endWait(cpu);
  }
  return false;
}

function virtualInterrupt(cpu: Cpu, ports: CpuPorts, sink: EventSink): boolean {
  if (!cpu.vmxNonRoot || (cpu.i32[State.boundary >> 2] & ~TRAP_FLAG) === 0) return false;
  const vector = ports.vmx.virtualInterrupt(cpu);
  if (vector < 0) return false;
  endWait(cpu);
  sink.concludeDelivery(deliverEvent(cpu, ports, { vector, type: EventType.externalInterrupt }));
  return true;
}

/** MWAIT's wait is over. (HLT's ends with the delivery of the event.) */
export function endWait(cpu: Cpu): void {
  cpu.i32[State.monitorWait >> 2] = 0;
}
