/**
 * VMX operation across system-management mode: SDM volume 3, "Default Treatment of SMI Delivery" and "Default Treatment of RSM". The processor
 * leaves VMX operation for the handler and keeps what the manual calls VMX-critical state inside. Not modelled: the dual-monitor treatment.
 */
import type { Cpu } from '../cpu/cpu';
import { State } from '../spec/vcpu-state';
import { clearEptState } from './ept-state';
import { MonitorTrap, VmxMode, VmxState } from './vmx-state';

/** VMX's part of the state table. */
const FIRST = State.vmxMode;
const END = State.pendingEventInfo;
const TRAP_FLAG = 1;
/** In the store: behind VMX's part, what it shares with others. */
const KEPT_DEADLINE = State.smmVmx + END - FIRST;
const KEPT_BOUNDARY = KEPT_DEADLINE + 8;

/** Keeps VMX's state and leaves VMX operation. */
export function leaveVmxForSmm(cpu: Cpu): void {
  for (let at = FIRST; at < END; at += 8) cpu.set64(State.smmVmx + at - FIRST, cpu.get64(at));
  cpu.setF64(KEPT_DEADLINE, cpu.getF64(State.deadline));
  cpu.set32(KEPT_BOUNDARY, cpu.get32(State.boundary) & ~TRAP_FLAG);
  cpu.set32(State.vmxMode, VmxMode.outside);
  clearEptState(cpu);
  cpu.set32(VmxState.monitorTrap, MonitorTrap.off);
  cpu.set32(VmxState.facts, 0);
  cpu.set64(VmxState.tscOffset, 0n);
  cpu.set64(VmxState.tscMultiplier, 0n);
  // The preemption timer goes on counting: its deadline is a time.
  cpu.setF64(State.deadline, 0);
  cpu.setF64(State.apicAccessPage, 0);
  cpu.set32(State.boundary, cpu.get32(State.boundary) & TRAP_FLAG);
}

/** Back into VMX operation, if the SMI came in it. True: it did. */
export function returnToVmxFromSmm(cpu: Cpu): boolean {
  for (let at = FIRST; at < END; at += 8) {
    cpu.set64(at, cpu.get64(State.smmVmx + at - FIRST));
    cpu.set64(State.smmVmx + at - FIRST, 0n);
  }
  cpu.setF64(State.deadline, cpu.getF64(KEPT_DEADLINE));
  cpu.set32(State.boundary, (cpu.get32(State.boundary) & TRAP_FLAG) | cpu.get32(KEPT_BOUNDARY));
  cpu.setF64(KEPT_DEADLINE, 0);
  cpu.set32(KEPT_BOUNDARY, 0);
  return cpu.get32(State.vmxMode) !== VmxMode.outside;
}
