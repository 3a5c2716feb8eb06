/** What a machine has seen happen: the record ring that traces are written from, counts and recent exits for views, and the last VM entry. */
import type { ExceptionRecord, TraceRecord, VmEntryRecord, VmExitRecord } from './api';

const RING = 65536;
const RECENT = 256;

export interface TraceState {
  readonly version: 1;
  readonly recentExits: readonly VmExitRecord[];
  readonly exitCounts: readonly (readonly [string, number])[];
  /** By vCPU. */
  readonly lastEntries: readonly (readonly [number, VmEntryRecord])[];
  readonly exceptions: readonly ExceptionRecord[];
}

export class Trace {
  private records: TraceRecord[] = [];
  private droppedCount = 0;
  recentExits: VmExitRecord[] = [];
  exitCounts = new Map<string, number>();
  private lastEntries = new Map<number, VmEntryRecord>();
  /** The last few exceptions: the chain that led to a triple fault. */
  exceptions: ExceptionRecord[] = [];

  add(record: TraceRecord): void {
    if (this.records.length >= RING) {
      this.records.splice(0, RING / 2);
      this.droppedCount += RING / 2;
    }
    this.records.push(record);
    if (record.event === 'exit') {
      this.recentExits.push(record);
      if (this.recentExits.length > 2 * RECENT) this.recentExits = this.recentExits.slice(-RECENT);
      this.exitCounts.set(record.reason, (this.exitCounts.get(record.reason) ?? 0) + 1);
    } else if (record.event === 'entry') this.lastEntries.set(record.vcpu, record);
    else if (record.event === 'exception') this.exceptions = [...this.exceptions.slice(-15), record];
  }

  /** The last VM entry that a vCPU made. */
  lastEntry(vcpu: number): VmEntryRecord | undefined {
    return this.lastEntries.get(vcpu);
  }
  /** The exit that this vCPU has just committed, if the machine's position is right behind it. */
  lastExit(vcpu: number): VmExitRecord | undefined {
    for (let i = this.recentExits.length - 1; i >= 0; i--) if (this.recentExits[i].vcpu === vcpu) return this.recentExits[i];
    return undefined;
  }

  take(): { readonly records: readonly TraceRecord[]; readonly dropped: number } {
    const taken = { records: this.records, dropped: this.droppedCount };
    this.records = [];
    this.droppedCount = 0;
    return taken;
  }

  save(): TraceState {
    return {
      version: 1,
      recentExits: this.recentExits.slice(-RECENT),
      exitCounts: [...this.exitCounts],
      lastEntries: [...this.lastEntries],
      exceptions: this.exceptions,
    };
  }
  restore(state: TraceState): void {
    this.records = [];
    this.droppedCount = 0;
    this.recentExits = [...state.recentExits];
    this.exitCounts = new Map(state.exitCounts);
    this.lastEntries = new Map(state.lastEntries);
    this.exceptions = [...state.exceptions];
  }
}
