/**
 * The run loop of all vCPUs: lets devices act when they are due, gives turns by the schedule, and skips the time in which every processor waits.
 * Where a slice ends makes no difference: what comes after its last step is left to the next slice.
 */
import { State } from '../spec/vcpu-state';
import { endWait } from './boundary-events';
import type { MachineClock, Timeline } from './clock';
import { lineChanged } from './monitored-line';
import type { Processor, RunEnd, RunRequests } from './processor';
import type { Schedule, ScheduleState } from './schedule';

/** 'halted': all vCPUs wait, and nothing can come that would end it; 'waiting': they wait still, after a bounded look into the future. */
export type MachineRunEnd = Exclude<RunEnd, 'due' | 'idle'> | 'halted' | 'waiting';

export interface RunOptions {
  readonly maxSteps: number;
  /** A breakpoint at the very first instruction does not stop. */
  readonly ignoreFirstBreakpoint?: boolean;
  /** Ends after `maxSteps` steps of this vCPU; the others run as the schedule has it. */
  readonly countOnly?: number;
  /** With `countOnly`: the most steps of all vCPUs together. */
  readonly mostSteps?: number;
  /** Only this vCPU runs; the others hold. */
  readonly runOnly?: number;
  /** Where all vCPUs wait, time passes to this tick at most. */
  readonly waitUntil?: number;
  /** Input may come from outside: vCPUs that wait for it are not halted for good. */
  readonly inputMayCome?: boolean;
}

/** Acts of devices for which waiting processors are carried forward before the caller is asked again. */
const LOOK_AHEAD = 4096;

export class Processors {
  readonly requests: RunRequests;
  /** The vCPU that ran last. */
  last = 0;

  constructor(
    readonly list: readonly Processor[],
    private readonly clock: MachineClock,
    private readonly timeline: Timeline,
    private readonly schedule: Schedule,
    requests: RunRequests,
    /** Could an interrupt still come to a vCPU that waits? */
    private readonly canWake: () => boolean,
    /** Does a vCPU wait for input from outside? */
    private readonly awaitsInput: () => boolean,
  ) {
    this.requests = requests;
  }

  run(options: RunOptions): MachineRunEnd {
    const { clock, timeline, schedule, list } = this;
    const counted = (): number => (options.countOnly === undefined ? clock.steps : list[options.countOnly].cpu.getF64(State.steps));
    const last = counted() + options.maxSteps;
    const lastOfAll = clock.steps + (options.mostSteps ?? Infinity);
    let ignore = options.ignoreFirstBreakpoint === true;
    let idle = 0;
    let skipped = 0;
    const waitUntil = Math.floor(options.waitUntil ?? Infinity);
    let idleSince: ScheduleState | undefined;
    this.requests.eventStop = false;
    for (;;) {
      const left = last - counted();
      const leftOfAll = lastOfAll - clock.steps;
      if (left <= 0 || leftOfAll <= 0) return 'budget';
      if (timeline.deadline <= clock.now()) {
        timeline.advance(clock.now());
        this.endMonitorWaits(-1);
      }
      const turn = options.runOnly ?? schedule.turn;
      const before = clock.steps;
      this.last = turn;
      const limit = Math.min(leftOfAll, options.countOnly === undefined || options.countOnly === turn ? left : Infinity);
      const end = list[turn].run(options.runOnly === undefined ? Math.min(limit, schedule.left) : limit, ignore);
      const made = clock.steps - before;
      if (made > 0) {
        ignore = false;
        idle = 0;
        if (options.runOnly === undefined) schedule.spent(made);
      }
      if (schedule.turn !== turn) this.endMonitorWaits(turn);
      if (end === 'budget' || end === 'due') continue;
      if (end !== 'idle') return end;
      // The turn that ended with this wait has gone to the next already, who is asked first.
      if (options.runOnly === undefined && schedule.turn !== turn) continue;
      if (idle === 0 && options.runOnly === undefined) idleSince = schedule.save();
      idle++;
      if (options.runOnly === undefined) schedule.next();
      if (list.length > 1) this.endMonitorWaits(turn);
      if (idle < (options.runOnly === undefined ? list.length : 1)) continue;
      idle = 0;
      const next = this.nextAct();
      const forEver = next === Infinity || !this.canWake();
      if (forEver && options.runOnly === undefined && !(options.inputMayCome === true && this.awaitsInput())) return 'halted';
      if (forEver || next > waitUntil) {
        // Nothing happened in this round: it is gone through again when the machine goes on, with the same turns.
        if (idleSince !== undefined) schedule.restore(idleSince);
        if (waitUntil < Infinity) clock.skipTo(waitUntil);
        return 'waiting';
      }
      clock.skipTo(next);
      if (++skipped > LOOK_AHEAD) return 'waiting';
    }
  }

  /** Tick of the next thing that happens by itself. */
  private nextAct(): number {
    let next = this.timeline.deadline;
    for (const { cpu } of this.list) {
      const own = cpu.f64[State.deadline >> 3];
      if (own !== 0) next = Math.min(next, own);
    }
    return next;
  }

  /** MWAIT of the others goes on where a turn or a device's act has changed the monitored line: looked at in moments that no slice moves. */
  private endMonitorWaits(except: number): void {
    this.list.forEach(({ cpu }, n) => {
      if (n !== except && cpu.i32[State.monitorWait >> 2] !== 0 && lineChanged(cpu)) endWait(cpu);
    });
  }
}
