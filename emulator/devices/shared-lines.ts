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
}

export class SharedLines implements StatefulDevice {
  readonly name = 'interrupt-lines';
  private asserted: number[] = new Array<number>(LINES).fill(0);
  private readonly sources: number[] = new Array<number>(LINES).fill(0);

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

  save(): SharedLinesState {
    return { version: 1, asserted: [...this.asserted] };
  }

  restore(saved: unknown): void {
    this.asserted = [...expectVersion<SharedLinesState>(saved, 1, 'interrupt line').asserted];
  }
}
