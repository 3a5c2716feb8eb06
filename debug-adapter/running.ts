/**
 * Runs the machine in slices of at most 8 ms and gives the event loop its turn between them. A plan (stepping.ts) says how far to go;
 * the user's breakpoints and filters may stop it before.
 */
import type { Breakpoint, Machine, StopReason } from '../emulator/api';
import type { AddressBreakpoints } from './breakpoints/address-breakpoints';
import type { ExceptionFilters } from './breakpoints/exception-filters';
import type { Verdict } from './breakpoints/trigger';
import type { Names } from './evaluate/evaluate';
import type { Scheduler } from './host';
import type { Pacer } from './pacing';
import type { Stop } from './stops';

/** How far the next part of the run may go, besides the user's breakpoints. What it names counts on the virtual CPU of the plan only. */
export interface Stretch {
  /** This many steps exactly, unless something stops before. */
  readonly steps?: number;
  readonly until?: readonly Breakpoint[];
  readonly vmExit?: boolean;
  readonly vmEntry?: boolean;
  readonly exception?: boolean;
}

export interface Course {
  /** The virtual CPU that a plan moves, or that is looked at when the machine goes on. */
  readonly vcpu: number;
  /** Only this virtual CPU runs, the others hold. */
  readonly alone?: boolean;
  /** A breakpoint at the very first instruction counts, since nobody has been told of it yet. */
  readonly fresh?: boolean;
  /** Without debugging (noDebug) nothing of the user's stops the machine. */
  readonly deaf?: boolean;
}

export interface Plan {
  next(): Stretch;
  /** The stretch came to its end: is the plan done? */
  after(stop: StopReason): 'done' | 'again';
}

/** Runs until the user's breakpoints or the end. */
export const continuePlan: Plan = { next: () => ({}), after: () => 'again' };

export interface RunListener {
  stopped(stop: Stop): void;
  /** A slice is over: whatever the guest printed can be passed on. */
  sliceEnded(): void;
  output(line: string): void;
  limitReached(steps: number): void;
  /** For the conditions of breakpoints. */
  namesAt(event: StopReason, hits: number): Names;
}

/** A slice of this length keeps the editor's thread lively even inline. */
const SLICE_MS = 8;
/** A single call of runSlice aims below that, since its length can only be guessed. */
const CALL_MS = 5;
/** How often a guest that waits for input is asked. */
const WAITING_MS = 8;
const FIRST_BUDGET = 20_000;
const LEAST_BUDGET = 100;
const GREATEST_BUDGET = 5_000_000;

export class Runner {
  private plan: Plan | undefined;
  private course: Course = { vcpu: 0 };
  /** The virtual CPU whose pause is wanted. */
  private pauseWanted: number | undefined;
  private budget = FIRST_BUDGET;
  private disposed = false;
  private ignoreFirst = false;
  /** The guest waits for something from outside (input). */
  private waits = false;
  private armedGeneration = -1;
  private armedUntil: readonly Breakpoint[] | undefined;
  /** Steps that a virtual CPU had made when it stopped at a breakpoint: it is not told of it again. */
  private readonly told = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly scheduler: Scheduler,
    private readonly breakpoints: AddressBreakpoints,
    private readonly filters: ExceptionFilters,
    private readonly listener: RunListener,
    /** Position at which the run ends whatever happens (the launch attribute maxSteps). */
    private readonly lastStep: number = Infinity,
    /** Keeps guest time to the wall's (the launch attribute realtime). */
    private readonly pacer?: Pacer,
  ) {}

  get running(): boolean {
    return this.plan !== undefined;
  }

  start(plan: Plan, course: Course): void {
    this.plan = plan;
    this.course = course;
    this.pauseWanted = undefined;
    this.ignoreFirst = !course.fresh;
    this.pacer?.start(this.machine.time);
    this.scheduler.defer(() => this.slice());
  }

  pause(vcpu: number): void {
    this.pauseWanted = vcpu;
  }

  private get deaf(): boolean {
    return this.course.deaf === true;
  }

  dispose(): void {
    this.disposed = true;
    this.plan = undefined;
  }

  private slice(): void {
    const { plan } = this;
    if (this.disposed || !plan) return;
    let stop: Stop | undefined;
    if (this.pauseWanted !== undefined) stop = { reason: 'pause', vcpu: this.pauseWanted, exitView: false };
    else stop = this.runFor(SLICE_MS, plan);
    this.listener.sliceEnded();
    if (this.disposed) return;
    if (stop) {
      this.plan = undefined;
      this.told.set(stop.vcpu, this.machine.cpu(stop.vcpu).steps);
      this.listener.stopped(stop);
    } else {
      const sleep = Math.max(this.pacer?.sleep(this.machine.time) ?? 0, this.waits ? WAITING_MS : 0);
      if (sleep > 0) this.scheduler.later(sleep, () => this.slice());
      else this.scheduler.defer(() => this.slice());
    }
  }

  private runFor(milliseconds: number, plan: Plan): Stop | undefined {
    const began = this.scheduler.now();
    let now = began;
    do {
      const stretch = plan.next();
      this.arm(stretch);
      const stepsBefore = this.machine.steps;
      const timeBefore = this.machine.time;
      if (stepsBefore >= this.lastStep) {
        this.listener.limitReached(this.lastStep);
        return { reason: 'pause', vcpu: this.course.vcpu, exitView: false };
      }
      const waitUntil = this.pacer?.limit(this.machine.time);
      // A step takes at least a tick.
      const untilLimit = waitUntil === undefined ? Infinity : Math.ceil(waitUntil - this.machine.time);
      const mostSteps = Math.max(1, Math.min(this.budget, this.lastStep - stepsBefore, untilLimit));
      const own = this.machine.cpu(this.course.vcpu).steps;
      const reason = this.machine.runSlice({
        maxSteps: Math.min(stretch.steps ?? Infinity, mostSteps),
        mostSteps,
        countOnly: stretch.steps === undefined ? undefined : this.course.vcpu,
        runOnly: this.course.alone ? this.course.vcpu : undefined,
        ignoreFirstBreakpoint: this.ignoreFirst,
        waitUntil,
        inputMayCome: true,
      });
      const made = this.machine.steps - stepsBefore;
      this.waits = made === 0 && reason.kind === 'step-limit' && this.machine.time === timeBefore;
      const after = this.scheduler.now();
      this.adapt(made, after - now);
      now = after;
      // Whatever was met and not stopped at must not be met again at once.
      this.ignoreFirst = reason.kind === 'breakpoint';
      const stop = this.judge(reason, stretch, this.machine.cpu(this.course.vcpu).steps - own, plan);
      if (stop) return stop;
    } while (now - began < milliseconds - CALL_MS && !this.waits && (this.pacer?.sleep(this.machine.time) ?? 0) === 0);
    return undefined;
  }

  private arm(stretch: Stretch): void {
    const { breakOn } = this.machine;
    const listening = !this.deaf;
    breakOn.vmExit = stretch.vmExit === true || (listening && (this.filters.has('vm-exit') || this.breakpoints.wantsExits));
    breakOn.vmEntry = stretch.vmEntry === true || (listening && this.filters.isAlways('vm-entry'));
    breakOn.vmEntryFailure = listening && this.filters.has('vm-entry-failure');
    breakOn.interrupt = listening && this.filters.has('interrupt');
    breakOn.exception = stretch.exception === true || (listening && this.filters.has('exception'));
    if (this.armedGeneration === this.breakpoints.generation && this.armedUntil === stretch.until) return;
    this.armedGeneration = this.breakpoints.generation;
    this.armedUntil = stretch.until;
    this.machine.setWatchpoints(listening ? this.breakpoints.watchpoints() : []);
    const until = (stretch.until ?? []).map((breakpoint) => ({ ...breakpoint, vcpu: this.course.vcpu }));
    this.machine.setBreakpoints([...(listening ? this.breakpoints.armed() : []), ...until]);
  }

  /** The budget follows the machine's speed, so that one call lasts about CALL_MS. */
  private adapt(made: number, elapsed: number): void {
    if (made < this.budget / 2) return;
    const factor = elapsed <= 0.5 ? 4 : CALL_MS / elapsed;
    this.budget = Math.round(Math.min(GREATEST_BUDGET, Math.max(LEAST_BUDGET, this.budget * Math.min(4, factor))));
  }

  /** `made`: steps of the virtual CPU that the plan moves. */
  private judge(reason: StopReason, stretch: Stretch, made: number, plan: Plan): Stop | undefined {
    const vcpu = this.machine.currentVcpu;
    switch (reason.kind) {
      case 'guest-exit':
      case 'power-off':
      case 'reset':
      case 'halted':
      case 'not-modelled':
      case 'internal-error':
      case 'triple-fault':
      case 'vmx-abort':
        return { reason: 'exception', vcpu, cause: reason, exitView: false };
      case 'breakpoint': {
        const mine = this.atBreakpoint(reason);
        if (mine) return mine;
        break;
      }
      case 'watchpoint': {
        const mine = this.atWatchpoint(reason);
        if (mine) return mine;
        // A VM exit writes memory, too: what was watched and did not stop the machine must not hide the exit.
        const exit = this.machine.cpu(vcpu).exitJustCommitted;
        if (exit && exit.n === this.machine.steps) return this.judge({ kind: 'vm-exit', exit }, stretch, made, plan);
        break;
      }
      case 'vm-exit':
      case 'vm-entry':
      case 'vm-entry-failure':
      case 'interrupt':
      case 'exception': {
        const mine = this.atEvent(reason);
        if (mine) return mine;
        break;
      }
      case 'step-limit':
        break;
    }
    const byEvent =
      (reason.kind === 'vm-exit' && stretch.vmExit === true) ||
      (reason.kind === 'vm-entry' && stretch.vmEntry === true) ||
      (reason.kind === 'exception' && stretch.exception === true) ||
      (reason.kind === 'breakpoint' &&
        (stretch.until ?? []).some(({ address, level }) => address === reason.address && (level ?? reason.level) === reason.level));
    const reached = (stretch.steps !== undefined && made >= stretch.steps) || (byEvent && vcpu === this.course.vcpu);
    if (!reached || plan.after(reason) === 'again') return undefined;
    return this.arrived();
  }

  /** A step that ends at a breakpoint counts as having hit it. */
  private arrived(): Stop {
    const { vcpu } = this.course;
    const cpu = this.machine.cpu(vcpu);
    const here: StopReason = { kind: 'breakpoint', address: cpu.rip, level: cpu.level };
    const step: Stop = { reason: 'step', vcpu, exitView: false };
    return this.ignoreFirst ? step : (this.atBreakpoint(here, vcpu) ?? step);
  }

  private atBreakpoint(reason: StopReason & { kind: 'breakpoint' }, vcpu = this.machine.currentVcpu): Stop | undefined {
    if (this.deaf || (!this.course.fresh && this.told.get(vcpu) === this.machine.cpu(vcpu).steps)) return undefined;
    const hit = this.breakpoints
      .at(reason.address, reason.level)
      .filter(({ trigger }) => trigger && this.decide(trigger.met((hits) => this.listener.namesAt(reason, hits))));
    const first = hit[0];
    if (!first) return undefined;
    const words = {
      source: 'breakpoint',
      function: 'function breakpoint',
      instruction: 'instruction breakpoint',
      data: 'data breakpoint',
    } as const;
    return { reason: words[first.kind], vcpu, hitBreakpointIds: hit.map(({ id }) => id), exitView: false };
  }

  private atWatchpoint(reason: StopReason & { kind: 'watchpoint' }): Stop | undefined {
    if (this.deaf) return undefined;
    const { others, ...first } = reason;
    const hit = [first, ...others].flatMap((access) => {
      const event: StopReason = { ...access, kind: 'watchpoint', others: [] };
      return this.breakpoints
        .watching(access)
        .filter(({ trigger }) => trigger && this.decide(trigger.met((hits) => this.listener.namesAt(event, hits))));
    });
    if (hit.length === 0) return undefined;
    const hitBreakpointIds = [...new Set(hit.map(({ id }) => id))];
    return { reason: 'data breakpoint', vcpu: reason.vcpu, hitBreakpointIds, cause: reason, exitView: false };
  }

  private atEvent(
    reason: StopReason & { kind: 'vm-exit' | 'vm-entry' | 'vm-entry-failure' | 'exception' | 'interrupt' },
  ): Stop | undefined {
    if (this.deaf) return undefined;
    const vcpu = this.machine.currentVcpu;
    const exitView = reason.kind === 'vm-exit';
    const trigger = this.filters.triggerFor(reason);
    const byFilter = trigger !== undefined && this.decide(trigger.met((hits) => this.listener.namesAt(reason, hits)));
    const byName = reason.kind !== 'vm-exit' ? [] : this.breakpoints.onExit(reason.exit.reasonNumber);
    const hit = byName.filter(
      (breakpoint) => breakpoint.trigger && this.decide(breakpoint.trigger.met((hits) => this.listener.namesAt(reason, hits))),
    );
    if (byFilter || this.filters.isAlways(reason.kind)) return { reason: 'exception', vcpu, cause: reason, exitView };
    if (hit.length > 0) return { reason: 'function breakpoint', vcpu, hitBreakpointIds: hit.map(({ id }) => id), cause: reason, exitView };
    return undefined;
  }

  private decide(verdict: Verdict): boolean {
    if (verdict.output !== undefined) this.listener.output(verdict.output);
    return verdict.stop;
  }
}
