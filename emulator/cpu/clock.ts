/** Guest-visible time: steps plus fixed charges, as the architecture fixes it. Debugging changes neither. */
import type { Cpu } from './cpu';
import { State } from '../spec/vcpu-state';
import type { ClockPort } from './ports';

/** Charges in time-stamp-counter ticks. */
export const Charge = { exit: 1000, entry: 700, delivery: 100, device: 300 } as const;

/** @param vmxOffset what VMX non-root operation adds to the counter (the TSC offset), 0 outside it. */
export function createClock(vmxOffset: (cpu: Cpu) => bigint): ClockPort {
  return {
    tsc: (cpu) =>
      BigInt.asUintN(64, BigInt(cpu.getF64(State.steps) + cpu.getF64(State.timeCharge)) + cpu.get64(State.tscOffset) + vmxOffset(cpu)),
    charge: (cpu, kind) => cpu.setF64(State.timeCharge, cpu.getF64(State.timeCharge) + Charge[kind]),
  };
}
