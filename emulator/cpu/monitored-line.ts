/**
 * The address-range monitor (SDM volume 2, "MONITOR—Set Up Monitor Address", "MWAIT—Monitor Wait"; volume 3, "MONITOR/MWAIT Instruction"): the
 * line that MONITOR armed and what it held then. A store is noticed by what it changes: one that leaves the line as it was does not end a wait.
 */
import { State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';

/** Bytes of a monitored line, which CPUID leaf 5 tells. */
export const MONITOR_LINE = 64;

/** Arms the monitor on the line that holds this byte. */
export function armMonitor(cpu: Cpu, hpa: number): void {
  const line = hpa - (hpa % MONITOR_LINE);
  cpu.setF64(State.monitorLine, line);
  for (let at = 0; at < MONITOR_LINE; at += 8) cpu.set64(State.monitorBytes + at, word(cpu, line + at));
  cpu.set32(State.monitorArmed, 1);
}

/** The monitored line holds something else than when it was armed. */
export function lineChanged(cpu: Cpu): boolean {
  const line = cpu.getF64(State.monitorLine);
  for (let at = 0; at < MONITOR_LINE; at += 8) if (word(cpu, line + at) !== cpu.get64(State.monitorBytes + at)) return true;
  return false;
}

/** What is no memory never changes. */
const word = (cpu: Cpu, hpa: number): bigint => (cpu.memory.isRam(hpa, 8) ? cpu.memory.read64(hpa) : 0n);
