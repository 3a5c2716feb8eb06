/**
 * Interrupt lines that several devices may drive: a line is asserted while any of its sources asserts it. Numbers are global system interrupts:
 * 0 to 15 are ISA's, which go to the 8259s and the I/O APIC, 16 to 23 to the I/O APIC alone.
 */
import type { InterruptLine, StatefulDevice } from './device';
import { expectVersion } from './device-state';

export const LINES = 24;

export interface SharedLinesState {
  readonly version: 1;
  /** For each line a bit for each source that asserts it, in the order in which the sources were made. */
  readonly asserted: readonly number[];
  /** Sources that can be cut off, in the order in which they were made. */
  readonly gates: readonly Readonly<Gate>[];
}

interface Gate {
  level: boolean;
  open: boolean;
}

/** A wire that can be cut off and connected again; it remembers what the device drives. */
export interface GatedLine {
  readonly line: InterruptLine;
  setOpen(open: boolean): void;
}

export class SharedLines implements StatefulDevice {
  readonly name = 'interrupt-lines';
  private asserted: number[] = new Array<number>(LINES).fill(0);
  private readonly sources: number[] = new Array<number>(LINES).fill(0);

  private gates: Gate[] = [];

  constructor(private readonly set: (line: number, level: boolean) => void) {}

  /** A wire of one device's own to a line. */
  source(line: number): InterruptLine {
    const bit = 1 << this.sources[line]++;
    return (level) => {
      const before = this.asserted[line];
      const after = level ? before | bit : before & ~bit;
      this.asserted[line] = after;
      if ((before !== 0) !== (after !== 0)) this.set(line, after !== 0);
    };
  }

  /** A source that is connected until it is cut off. */
  gatedSource(line: number): GatedLine {
    const source = this.source(line);
    const index = this.gates.push({ level: false, open: true }) - 1;
    const drive = (change: Partial<Gate>): void => {
      const gate = Object.assign(this.gates[index], change);
      source(gate.level && gate.open);
    };
    return { line: (level) => drive({ level }), setOpen: (open) => drive({ open }) };
  }

  save(): SharedLinesState {
    return { version: 1, asserted: [...this.asserted], gates: this.gates.map((gate) => ({ ...gate })) };
  }

  restore(saved: unknown): void {
    const state = expectVersion<SharedLinesState>(saved, 1, 'interrupt line');
    this.asserted = [...state.asserted];
    this.gates = state.gates.map((gate) => ({ ...gate }));
  }
}
