/**
 * What a device is to the platform: plain versioned state, perhaps ports and memory-mapped registers, perhaps moments at which it acts on its
 * own, interrupt lines that it drives. Devices know no processor and no editor; time is handed to them.
 */
import type { PortDevice } from './port-bus/port-bus';

/** A part of the platform whose state is saved, restored and hashed. State is plain data: numbers, strings, arrays, typed arrays, objects. */
export interface StatefulDevice {
  /** Unique, kebab-case: its key in the snapshot. */
  readonly name: string;
  save(): { readonly version: number };
  /** Throws UserError for another version's state (see device-state). */
  restore(saved: unknown): void;
}

/** Guest-visible time in ticks of the machine's one clock. */
export interface DeviceTime {
  /** Whole ticks since power-on; never goes backwards; exact also in the middle of an instruction's access. */
  now(): number;
}
/** Ticks a second of the machine's clock and of the time-stamp counter: one tick is a nanosecond. */
export const TICKS_PER_SECOND = 1_000_000_000;

/** A device that acts on its own. */
export interface TimedDevice extends StatefulDevice {
  /** The tick of its next act, Infinity when there is none. A function of its state alone; reading it changes nothing. */
  readonly deadline: number;
  /** Carries out all that is due at or before `now` (a periodic timer that has been missed several times catches up). */
  advance(now: number): void;
}

/** A wire from a device to an interrupt controller: level true is asserted. Setting the same level again changes nothing. */
export type InterruptLine = (level: boolean) => void;

/** Memory-mapped registers at fixed physical addresses. Reads may have side effects; inspection never calls them. */
export interface MmioDevice {
  readonly mmio: { readonly first: number; readonly last: number };
  /** @param offset from `first`. @param size 1, 2, 4 or 8. @param vcpu who reads, -1 for none of them. Values are unsigned. */
  readMmio(offset: number, size: number, vcpu: number): bigint;
  writeMmio(offset: number, size: number, value: bigint, vcpu: number): void;
}

/** What interrupt controllers do to processors. Nothing of it takes effect before the running instruction has been completed. */
export interface ProcessorSignals {
  /** What `InterruptPort.pending` answers for this vCPU may have changed. */
  interruptsChanged(vcpu: number): void;
  nmi(vcpu: number): void;
  smi(vcpu: number): void;
  init(vcpu: number): void;
  startUp(vcpu: number, vector: number): void;
}

export type { PortDevice };
