/** The course of one session: launching, running, stepping, stopping, restarting, ending. What is asked about a machine that stands: looking.ts. */
import type { StopReason } from '../emulator/api';
import type { RequestArguments } from './arguments';
import { BreakpointRequests } from './breakpoints/requests';
import { ConsoleOutput } from './console-output';
import { type Debuggee, inExitView } from './debuggee';
import { requestErrors, stepLimitSentence } from './errors';
import { eventVariables } from './evaluate/event-variables';
import { namesOf } from './evaluate/names';
import type { Host } from './host';
import { JumpTargets } from './jumping';
import { launch, type Launched } from './launching';
import { type Client, Looking, type LookedAt, threadOf } from './looking';
import { liveRegisters } from './registers';
import { Pacer } from './pacing';
import { continuePlan, type Plan, Runner } from './running';
import * as stepping from './stepping';
import { exitStatus, type Stop, stopInWords } from './stops';

export class Conversation implements LookedAt {
  readonly looking = new Looking(this);
  readonly breakpoints = new BreakpointRequests(() => this.client.lineBase);
  private readonly consoleOutput: ConsoleOutput;
  launched: Launched | undefined;
  private launching = false;
  private launchArguments: unknown;
  private configured = false;
  private started = false;
  private runner: Runner | undefined;
  client: Client = { progress: false, invalidated: false, memory: false, columnBase: 1, lineBase: 1 };
  private readonly cancelledProgress = new Set<string>();
  /** The request that loads a machine, while it does. */
  private loadingRequest: number | undefined;
  private loadingProgress: string | undefined;
  private readonly jumps = new JumpTargets();
  private progressNumber = 0;
  private afterAnswer: { readonly command: string; readonly work: () => void } | undefined;

  constructor(
    private readonly host: Host,
    readonly send: (event: string, body: object) => void,
  ) {
    this.consoleOutput = new ConsoleOutput(send);
  }

  setClient(args: RequestArguments): void {
    this.client = {
      progress: args.raw.supportsProgressReporting === true,
      invalidated: args.raw.supportsInvalidatedEvent === true,
      memory: args.raw.supportsMemoryEvent === true,
      columnBase: args.raw.columnsStartAt1 === false ? 0 : 1,
      lineBase: args.raw.linesStartAt1 === false ? 0 : 1,
    };
  }

  /** Work that must not begin before the client has its answer: a stop must not overtake the response to the step. */
  answered(command: string): void {
    if (this.afterAnswer?.command !== command) return;
    const { work } = this.afterAnswer;
    this.afterAnswer = undefined;
    work();
  }

  // ------------------------------------------------------------------------------------------------ life cycle

  async launch(args: RequestArguments, initialized: () => void): Promise<void> {
    if (this.launched || this.launching) throw requestErrors.alreadyLaunched();
    this.launching = true;
    try {
      this.launchArguments = args.raw;
      await this.load(args);
    } finally {
      this.launching = false;
    }
    initialized();
    this.afterAnswer = { command: 'launch', work: () => this.startWhenReady() };
  }

  configurationDone(): void {
    this.configured = true;
    this.afterAnswer = { command: 'configurationDone', work: () => this.startWhenReady() };
  }

  /** The machine starts when it is there and the client has set its breakpoints. */
  private startWhenReady(): void {
    if (!this.launched || !this.configured || this.started || this.launching) return;
    this.started = true;
    const { configuration } = this.launched;
    const deaf = this.withoutDebugging;
    if (configuration.stopOnEntry && !deaf) this.stopped({ reason: 'entry', vcpu: this.launched.debuggee.vcpu, exitView: false });
    else this.runner?.start(continuePlan, { vcpu: 0, fresh: true, deaf });
  }

  private get withoutDebugging(): boolean {
    return (this.launchArguments as { noDebug?: unknown } | undefined)?.noDebug === true;
  }

  /** A configuration that cannot be launched leaves the old machine as it is. */
  async restart(args: RequestArguments): Promise<void> {
    this.debuggee('restart');
    if (this.launching) throw requestErrors.alreadyLaunched();
    const old = { launchArguments: this.launchArguments, runner: this.runner };
    const changed = args.object('arguments');
    if (changed) this.launchArguments = changed;
    this.launching = true;
    try {
      await this.load(args);
    } catch (error) {
      this.launchArguments = old.launchArguments;
      throw error;
    } finally {
      this.launching = false;
    }
    old.runner?.dispose();
    this.looking.forget();
    this.started = false;
    this.breakpoints.resetHits();
    this.afterAnswer = { command: 'restart', work: () => this.startWhenReady() };
  }

  private async load(args: RequestArguments): Promise<void> {
    const id = `load-${++this.progressNumber}`;
    this.loadingRequest = args.seq;
    this.loadingProgress = id;
    const { cancelledProgress } = this;
    const tell = (event: string, body: object): void => {
      if (this.client.progress) this.send(event, { progressId: id, ...body });
    };
    tell('progressStart', { title: 'Nestscope', cancellable: true });
    try {
      const launched = await launch(this.host, this.launchArguments, {
        report: (message) => tell('progressUpdate', { message }),
        get cancelled() {
          return cancelledProgress.has(id);
        },
      });
      this.launched = launched;
    } finally {
      tell('progressEnd', {});
    }
    const { debuggee, configuration } = this.launched;
    const { machine, symbols } = debuggee;
    for (const breakpoint of this.breakpoints.attach(machine, symbols, configuration.breakOn)) {
      this.send('breakpoint', { reason: 'changed', breakpoint });
    }
    const { addresses, filters } = this.breakpoints;
    this.runner = new Runner(
      machine,
      this.host.scheduler,
      addresses,
      filters,
      {
        stopped: (stop) => this.stopped(stop),
        sliceEnded: () => this.consoleOutput.flush(machine),
        limitReached: (steps) => this.output(stepLimitSentence(steps)),
        output: (line) => this.send('output', { category: 'console', output: `${line}\n` }),
        namesAt: (event, hits) => {
          const vcpu = machine.currentVcpu;
          const cpu = machine.cpu(vcpu);
          const registers = liveRegisters(cpu);
          const vmcs = debuggee.vmcs(vcpu);
          return namesOf({
            machine,
            vcpu,
            registers,
            codeBits: cpu.codeBits,
            symbols,
            vmcs,
            event: eventVariables(event, hits),
            eventFirst: true,
          });
        },
      },
      configuration.maxSteps,
      configuration.realtime ? new Pacer(() => this.host.scheduler.now()) : undefined,
    );
  }

  terminate(): void {
    this.runner?.dispose();
    this.afterAnswer = { command: 'terminate', work: () => this.send('terminated', {}) };
  }

  end(): void {
    this.runner?.dispose();
  }

  /** Loading a machine takes a while and can be cancelled, by its request or by its progress; everything else is answered at once. */
  cancel(args: RequestArguments): void {
    const { requestId, progressId } = args.raw;
    if (typeof progressId === 'string') this.cancelledProgress.add(progressId);
    if (this.launching && requestId !== undefined && requestId === this.loadingRequest && this.loadingProgress !== undefined)
      this.cancelledProgress.add(this.loadingProgress);
  }

  get running(): boolean {
    return this.runner?.running === true;
  }

  debuggee(command: string): Debuggee {
    if (!this.launched) throw requestErrors.notLaunched(command);
    return this.launched.debuggee;
  }

  stoppedDebuggee(command: string): Debuggee {
    const debuggee = this.debuggee(command);
    if (this.runner?.running || !debuggee.stop) throw requestErrors.running(command);
    return debuggee;
  }

  // ------------------------------------------------------------------------------------------------ running

  continue(args: RequestArguments): object {
    this.go(args, () => continuePlan);
    return { allThreadsContinued: !aloneIn(args) };
  }

  next(args: RequestArguments): void {
    this.go(args, (stepped) => {
      if (inExitView(stepped.debuggee, stepped.vcpu)) return stepping.untilGuestGoesOn();
      return stepping.lineOr(stepped, args.raw.granularity, false) ?? stepping.stepOver(stepped);
    });
  }

  stepIn(args: RequestArguments): void {
    this.go(args, (stepped) =>
      inExitView(stepped.debuggee, stepped.vcpu)
        ? undefined
        : (stepping.lineOr(stepped, args.raw.granularity, true) ?? stepping.stepInto()),
    );
  }

  stepOut(args: RequestArguments): void {
    this.go(args, (stepped) => (inExitView(stepped.debuggee, stepped.vcpu) ? undefined : stepping.stepOut(stepped)));
  }

  pause(args: RequestArguments): void {
    // A machine that has just stopped by itself is what the user wants, too.
    this.runner?.pause(threadOf(this.debuggee('pause'), args));
  }

  gotoTargets(args: RequestArguments): object {
    return { targets: this.jumps.find(this.stoppedDebuggee('gotoTargets'), args, this.client.lineBase) };
  }

  goto(args: RequestArguments): void {
    const vcpu = threadOf(this.debuggee('goto'), args);
    const debuggee = this.stoppedDebuggee('goto');
    this.jumps.jump(debuggee, vcpu, args.integer('targetId', 0, Number.MAX_SAFE_INTEGER));
    this.afterAnswer = { command: 'goto', work: () => this.stopped({ reason: 'goto', vcpu, exitView: false }) };
  }

  /** Runs by a plan; without one only the view moves, from the exited guest to the hypervisor's host RIP. */
  private go(args: RequestArguments, planOf: (stepped: stepping.Stepped) => Plan | undefined): void {
    const { command } = args;
    const vcpu = threadOf(this.debuggee(command), args);
    const debuggee = this.stoppedDebuggee(command);
    const { runner } = this;
    const { ended } = debuggee.machine;
    if (ended) throw requestErrors.ended(stopInWords(ended, debuggee.symbols)?.text.split('\n')[0] ?? ended.kind);
    const plan = planOf({ debuggee, vcpu });
    const exitView = inExitView(debuggee, vcpu);
    const cause = debuggee.stop?.cause;
    this.looking.forget();
    debuggee.stop = undefined;
    const work = (): void => {
      // Asked by a command of ours, of which the client's own buttons know nothing.
      if (command === 'continue' && aloneIn(args)) this.send('continued', { threadId: vcpu + 1, allThreadsContinued: false });
      if (plan) runner?.start(plan, { vcpu, alone: aloneIn(args), fresh: exitView });
      else this.stopped({ reason: 'step', vcpu, cause, exitView: false });
    };
    this.afterAnswer = { command, work };
  }

  private stopped(stop: Stop): void {
    if (!this.launched) return;
    const { debuggee } = this.launched;
    debuggee.stop = stop;
    this.looking.forget();
    this.consoleOutput.flush(debuggee.machine);
    const told = stop.reason === 'exception' || stop.reason === 'data breakpoint' || stop.exitView;
    const words = told ? stopInWords(stop.cause, debuggee.symbols) : undefined;
    const { cause } = stop;
    if (cause?.kind === 'guest-exit' || cause?.kind === 'power-off' || (cause && this.withoutDebugging)) {
      this.output(words?.text ?? cause.kind);
      this.send('exited', {
        exitCode: exitCodeOf(cause),
      });
      this.send('terminated', {});
      return;
    }
    if (cause && debuggee.machine.ended) this.output(words?.text ?? cause.kind);
    this.send('stopped', {
      reason: stop.reason,
      ...(words ? { description: words.title, text: words.text } : {}),
      threadId: stop.vcpu + 1,
      allThreadsStopped: true,
      ...(stop.hitBreakpointIds ? { hitBreakpointIds: stop.hitBreakpointIds } : {}),
    });
  }

  private output(sentence: string): void {
    this.send('output', { category: 'important', output: `${sentence}\n` });
  }
}

/** Shall only the virtual CPU of the request run? */
function aloneIn(args: RequestArguments): boolean {
  return args.raw.singleThread === true;
}

/** As the command line ends when the guest shut down. */
const SHUTDOWN_STATUS = 70;
const RESET_STATUS = 71;

function exitCodeOf(cause: StopReason): number {
  if (cause.kind === 'guest-exit') return exitStatus(cause.value);
  if (cause.kind === 'reset') return RESET_STATUS;
  return cause.kind === 'halted' || cause.kind === 'power-off' ? 0 : SHUTDOWN_STATUS;
}
