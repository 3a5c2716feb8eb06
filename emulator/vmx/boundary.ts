/**
 * VMX's own events between two instructions of the guest: VM exits that follow APIC virtualization, the monitor trap flag, the preemption timer,
 * NMI and interrupt windows, virtual interrupts. SDM volume 3, "Other Causes of VM Exits", "Monitor Trap Flag", "VMX-Preemption Timer",
 * "Virtual-Interrupt Delivery". Their order among other events is that of cpu/boundary-events.
 */
import type { Cpu } from '../cpu/cpu';
import type { BoundaryStage } from '../cpu/ports';
import { Activity, Interruptibility } from '../spec/registers';
import { Flag, State } from '../spec/vcpu-state';
import type { InterceptEvent } from '../spec/vmx-events';
import { Boundary, MonitorTrap, VmxState } from './vmx-state';

/** Pending-debug bits that mean that a #DB is due: an enabled breakpoint or BS. */
const DEBUG_DUE = 0x5000;

/** The event that is due at a stage; undefined: none. */
export function boundaryEvent(cpu: Cpu, stage: BoundaryStage): InterceptEvent | undefined {
  const boundary = cpu.get32(State.boundary);
  switch (stage) {
    case 'apic':
      if (!(boundary & Boundary.apicExit) || cpu.get32(State.activity) > Activity.hlt) return undefined;
      return { kind: 'apic', reason: cpu.get32(VmxState.apicExit), qualification: cpu.get32(VmxState.apicQualification) };
    case 'monitor-trap':
      return boundary & Boundary.monitorTrap && cpu.get32(State.activity) <= Activity.hlt && monitorTrapDue(cpu)
        ? { kind: 'mtf' }
        : undefined;
    case 'preemption-timer':
      return { kind: 'preemption-timer' };
    case 'nmi-window':
      return boundary & Boundary.nmiWindow && nmiWindowOpen(cpu) ? { kind: 'nmi-window' } : undefined;
    case 'interrupt-window':
      return boundary & Boundary.window && windowOpen(cpu) ? { kind: 'interrupt-window' } : undefined;
  }
}

/** A recognised virtual interrupt can be delivered now: where an interrupt window would be open. */
export const virtualInterruptDue = (cpu: Cpu): boolean => (cpu.get32(State.boundary) & Boundary.virtualInterrupt) !== 0 && windowOpen(cpu);

/** The exit is due at the boundary after the first step, or at once when an event was injected: SDM "Monitor Trap Flag". */
function monitorTrapDue(cpu: Cpu): boolean {
  const steps = cpu.getF64(State.steps);
  switch (cpu.get32(VmxState.monitorTrap)) {
    case MonitorTrap.due:
      return true;
    case MonitorTrap.untilFirstBoundary:
      cpu.set32(VmxState.monitorTrap, MonitorTrap.afterStep);
      cpu.setF64(VmxState.trapSteps, steps);
      return false;
    case MonitorTrap.afterStep:
      return steps !== cpu.getF64(VmxState.trapSteps);
    default:
      return false;
  }
}

/** SDM "NMI-window exiting": no virtual-NMI blocking, and no blocking by MOV SS. */
function nmiWindowOpen(cpu: Cpu): boolean {
  const blocking = Interruptibility.blockingByNmi | Interruptibility.blockingByMovSs;
  return (cpu.get32(State.interruptibility) & blocking) === 0 && cpu.get32(State.activity) !== Activity.waitForSipi;
}

/** An external interrupt could be delivered before the next instruction: SDM "Interrupt-Window Exiting and Virtual-Interrupt Delivery". */
function windowOpen(cpu: Cpu): boolean {
  if (!(cpu.get32(State.systemFlags) & Flag.IF)) return false;
  if (cpu.get32(State.interruptibility) & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs)) return false;
  // A shutdown or wait-for-SIPI processor waits; an injected event or a pending debug exception comes first.
  if (cpu.get32(State.activity) > Activity.hlt || cpu.get32(State.pendingEventInfo) >>> 31) return false;
  return (cpu.get32(State.pendingDebug) & DEBUG_DUE) === 0;
}
