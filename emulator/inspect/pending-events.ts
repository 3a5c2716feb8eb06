/**
 * What waits to be delivered to a processor at its next instruction boundary, in the order of the SDM (volume 3, "Priority Among Concurrent
 * Events"), and what holds it back.
 */
import type { InspectNode } from '../api';
import type { Cpu } from '../cpu/cpu';
import { Activity, Interruptibility } from '../spec/registers';
import { Flag, Signal, State } from '../spec/vcpu-state';
import { explainInterruption } from './field-words';

const ROOT = 'interrupts/pending';
const BLOCKING: readonly (readonly [number, string])[] = [
  [Interruptibility.blockingBySti, 'STI'],
  [Interruptibility.blockingByMovSs, 'MOV SS'],
  [Interruptibility.blockingBySmi, 'SMI'],
  [Interruptibility.blockingByNmi, 'NMI'],
];
const DEBUG_CAUSES: readonly (readonly [number, string])[] = [
  [1, 'DR0'], [2, 'DR1'], [4, 'DR2'], [8, 'DR3'], [1 << 14, 'single step'], [1 << 15, 'task switch'],
]; // prettier-ignore
const hex = (value: number, digits = 0): string => `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;

/** @param vector what the interrupt controllers offer, -1: nothing. */
export function pendingEventNodes(cpu: Cpu, vector: number): InspectNode[] {
  const nodes: InspectNode[] = [];
  const add = (name: string, value: string | undefined, holds: string | undefined, tooltip?: string): void => {
    nodes.push({ id: `${ROOT}/${name}`, label: name, value, description: holds, tooltip, expandable: false });
  };
  const signals = cpu.get32(State.signals);
  const blocked = cpu.get32(State.interruptibility);
  const activity = cpu.get32(State.activity);
  const waits = activity === Activity.waitForSipi;
  const byInterruptibility = (mask: number): string | undefined => {
    const names = BLOCKING.filter(([bit]) => blocked & mask & bit).map(([, name]) => name);
    return names.length === 0 ? undefined : `held back: blocking by ${names.join(' and ')}`;
  };
  const asleep = waits ? 'held back: the processor waits for a start-up IPI' : undefined;
  const info = cpu.get32(State.pendingEventInfo);
  if (info >>> 31)
    add('Injected event', hex(info & 0xff, 2), explainInterruption(info), 'VM-entry interruption information: delivered as part of the VM entry.'); // prettier-ignore
  if (signals & Signal.startUp) add('Start-up IPI', hex(cpu.get32(State.startUpVector), 2), waits ? undefined : 'has no effect: the processor does not wait for one'); // prettier-ignore
  if (signals & Signal.smi) add('SMI', undefined, asleep ?? byInterruptibility(Interruptibility.blockingBySmi));
  if (signals & Signal.init) add('INIT', undefined, byInterruptibility(Interruptibility.blockingBySmi));
  const debug = cpu.get32(State.pendingDebug);
  if (debug !== 0) {
    const causes = DEBUG_CAUSES.filter(([bit]) => debug & bit).map(([, name]) => name);
    add('Debug trap', hex(debug), [causes.join(', '), byInterruptibility(Interruptibility.blockingByMovSs)].filter(Boolean).join('; '), 'Pending debug exceptions.'); // prettier-ignore
  }
  if (signals & Signal.nmi) add('NMI', '0x02', asleep ?? byInterruptibility(Interruptibility.blockingByNmi | Interruptibility.blockingByMovSs)); // prettier-ignore
  if (vector >= 0) {
    const shadow = byInterruptibility(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
    const masked = cpu.flag(Flag.IF) || cpu.vmxNonRoot ? undefined : 'held back: RFLAGS.IF is 0';
    const down = activity === Activity.shutdown ? 'held back: the processor is shut down' : undefined;
    add(
      'External interrupt',
      hex(vector, 2),
      asleep ?? down ?? masked ?? shadow,
      'The vector that the interrupt controllers would give now.',
    );
  }
  if (nodes.length === 0) add('Nothing', undefined, 'no event waits for this processor');
  const blocking = BLOCKING.filter(([bit]) => blocked & bit).map(([, name]) => name);
  add('Interruptibility', hex(blocked), blocking.length === 0 ? 'nothing is blocked' : `blocking by ${blocking.join(', ')}`);
  add(
    'RFLAGS.IF',
    cpu.flag(Flag.IF) ? '1' : '0',
    cpu.flag(Flag.IF) ? 'maskable interrupts are taken' : 'maskable interrupts are held back',
  );
  return nodes;
}

/** One line for the row that opens. */
export function pendingSummary(cpu: Cpu, vector: number): string {
  const names = pendingEventNodes(cpu, vector)
    .filter(({ label }) => label !== 'Interruptibility' && label !== 'RFLAGS.IF')
    .map(({ label, value }) => (value === undefined ? label : `${label} ${value}`));
  return names.join(', ').replace(/^Nothing$/, 'nothing');
}
