/** What a machine has seen happen: the record ring that traces are written from, counts and recent exits for views, and the last VM entry. */
import type { ExceptionRecord, TraceRecord, VmEntryRecord, VmExitRecord } from './api';
import { EXIT_REASONS, exitReasonName } from './spec/exit-reasons';
import { ExitSites, type ExitSitesState } from './exit-sites';
import { type EntryFacts, type ExitFacts, TraceRing } from './trace-ring';

const RING = 65536;
const RECENT = 256;
/** Exit reasons are smaller. */
const REASONS = 256;

export interface TraceState {
  readonly version: 1;
  readonly recentExits: readonly VmExitRecord[];
  readonly exitCounts: readonly (readonly [string, number])[];
  /** By vCPU. */
  readonly lastEntries: readonly (readonly [number, VmEntryRecord])[];
  readonly exceptions: readonly ExceptionRecord[];
  readonly exitSites: ExitSitesState;
}

const isExit = (record: TraceRecord): record is VmExitRecord => record.event === 'exit';
const isEntry = (record: TraceRecord): record is VmEntryRecord => record.event === 'entry';

export class Trace {
  private readonly ring = new TraceRing(RING);
  private readonly recent = new TraceRing(RECENT);
  private readonly counts = new Float64Array(REASONS);
  /** Exit reasons in the order in which they came first. */
  private seen: number[] = [];
  /** The last entry of each vCPU. */
  private readonly sites = new ExitSites();
  private readonly entries = new Map<number, TraceRing>();
  /** The last few exceptions: the chain that led to a triple fault. */
  exceptions: ExceptionRecord[] = [];

  add(record: TraceRecord): void {
    if (isExit(record)) this.addExit(record, record.n, record.vcpu, record.vcpuSteps);
    else if (isEntry(record)) this.addEntry(record, record.n, record.vcpu);
    else {
      this.ring.add(record);
      if (record.event === 'exception') this.exceptions = [...this.exceptions.slice(-15), record];
    }
  }
  addExit(exit: ExitFacts, n: number, vcpu: number, vcpuSteps: number): void {
    this.ring.addExit(exit, n, vcpu, vcpuSteps);
    this.recent.addExit(exit, n, vcpu, vcpuSteps);
    this.count(exit.reasonNumber, 1);
    this.sites.note(exit.reasonNumber, exit.rip);
  }
  addEntry(entry: EntryFacts, n: number, vcpu: number): void {
    this.ring.addEntry(entry, n, vcpu);
    this.noteEntry(entry, n, vcpu);
  }
  private count(reason: number, exits: number): void {
    if (this.counts[reason] === 0) this.seen.push(reason);
    this.counts[reason] += exits;
  }
  private noteEntry(entry: EntryFacts, n: number, vcpu: number): void {
    let last = this.entries.get(vcpu);
    if (last === undefined) this.entries.set(vcpu, (last = new TraceRing(1)));
    last.addEntry(entry, n, vcpu);
  }

  /** Recent VM exits, oldest first. */
  get recentExits(): VmExitRecord[] {
    return this.recent.records().filter(isExit);
  }
  get exitCounts(): Map<string, number> {
    return new Map(this.seen.map((reason) => [exitReasonName(reason), this.counts[reason]]));
  }
  /** Where the exits of a reason came from. */
  exitSites(reason: string): ReturnType<ExitSites['of']> {
    return this.sites.of(reasonNamed(reason));
  }
  /** The last VM entry that a vCPU made. */
  lastEntry(vcpu: number): VmEntryRecord | undefined {
    return this.entries.get(vcpu)?.records().find(isEntry);
  }
  /** The exit that this vCPU has just committed, if the machine's position is right behind it. */
  lastExit(vcpu: number): VmExitRecord | undefined {
    return this.recentExits.filter((exit) => exit.vcpu === vcpu).at(-1);
  }

  /** Takes all records; gives those of the events `only`, where it is there. */
  take(only?: readonly TraceRecord['event'][]): { readonly records: readonly TraceRecord[]; readonly dropped: number } {
    const taken = { records: this.ring.records(only), dropped: this.ring.dropped };
    this.ring.clear();
    return taken;
  }

  save(): TraceState {
    return {
      version: 1,
      recentExits: this.recentExits,
      exitCounts: [...this.exitCounts],
      lastEntries: [...this.entries.values()].flatMap((ring) => ring.records().filter(isEntry)).map((entry) => [entry.vcpu, entry]),
      exceptions: this.exceptions,
      exitSites: this.sites.save(),
    };
  }
  restore(state: TraceState): void {
    this.ring.clear();
    this.recent.clear();
    this.entries.clear();
    this.counts.fill(0);
    this.seen = [];
    for (const exit of state.recentExits) this.recent.addExit(exit, exit.n, exit.vcpu, exit.vcpuSteps);
    for (const [name, exits] of state.exitCounts) this.count(reasonNamed(name), exits);
    for (const [vcpu, entry] of state.lastEntries) this.noteEntry(entry, entry.n, vcpu);
    this.exceptions = [...state.exceptions];
    this.sites.restore(state.exitSites);
  }
}

function reasonNamed(name: string): number {
  const row = EXIT_REASONS.find((reason) => reason.name === name);
  if (row === undefined) throw new RangeError(`a snapshot counts VM exits of the unknown reason ${name}`);
  return row.number;
}
