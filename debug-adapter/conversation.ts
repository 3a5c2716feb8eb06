/** The state of one session and the answers to its requests, as far as they are not a module's own business. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RequestArguments } from './arguments';
import { BreakpointRequests } from './breakpoints/requests';
import { ConsoleOutput } from './console-output';
import { type Debuggee, FIRST_VCPU, inExitView } from './debuggee';
import { requestErrors, stepLimitSentence } from './errors';
import { eventVariables } from './evaluate/event-variables';
import { namesOf } from './evaluate/names';
import * as evaluation from './evaluation';
import { explain } from './exception-info';
import type { Host } from './host';
import { launch, type Launched } from './launching';
import * as memory from './memory';
import { formatPlace, hex } from './memory-reference';
import * as ownRequests from './own-requests';
import { liveRegisters } from './registers';
import { continuePlan, type Plan, Runner } from './running';
import { framesOf, type Frame } from './stack';
import * as stepping from './stepping';
import { exitStatus, type Stop, stopInWords } from './stops';
import { type Container, scopesOf, setVariable, variablesOf } from './variables';

const MOST_ITEMS = 1_000_000;

export class Conversation {
  readonly breakpoints = new BreakpointRequests(() => this.client.lineBase);
  private readonly consoleOutput: ConsoleOutput;
  private launched: Launched | undefined;
  private launching = false;
  private launchArguments: unknown;
  private configured = false;
  private started = false;
  private runner: Runner | undefined;
  /** Stepping back and forth gives frames and variables new numbers; old ones are refused. */
  private frames = new Map<number, Frame>();
  private containers = new Map<number, Container>();
  private nextReference = 1;
  private client = { progress: false, invalidated: false, memory: false, columnBase: 1, lineBase: 1 };
  private readonly cancelledProgress = new Set<string>();
  private progressNumber = 0;
  private afterAnswer: { readonly command: string; readonly work: () => void } | undefined;

  constructor(
    private readonly host: Host,
    private readonly send: (event: string, body: object) => void,
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
      await this.load();
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
    if (configuration.stopOnEntry && !deaf) this.stopped({ reason: 'entry', exitView: false });
    else this.runner?.start(continuePlan, { fresh: true, deaf });
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
      await this.load();
    } catch (error) {
      this.launchArguments = old.launchArguments;
      throw error;
    } finally {
      this.launching = false;
    }
    old.runner?.dispose();
    this.forget();
    this.started = false;
    this.breakpoints.resetHits();
    this.afterAnswer = { command: 'restart', work: () => this.startWhenReady() };
  }

  private async load(): Promise<void> {
    const id = `load-${++this.progressNumber}`;
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
          const cpu = machine.cpu(FIRST_VCPU);
          const registers = liveRegisters(cpu);
          const vmcs = debuggee.vmcs(FIRST_VCPU);
          return namesOf({
            machine,
            vcpu: FIRST_VCPU,
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
    );
  }

  terminate(): void {
    this.runner?.dispose();
    this.afterAnswer = { command: 'terminate', work: () => this.send('terminated', {}) };
  }

  end(): void {
    this.runner?.dispose();
  }

  cancel(args: RequestArguments): void {
    const id = args.optionalText('progressId');
    if (id !== undefined) this.cancelledProgress.add(id);
  }

  private debuggee(command: string): Debuggee {
    if (!this.launched) throw requestErrors.notLaunched(command);
    return this.launched.debuggee;
  }

  private stoppedDebuggee(command: string): Debuggee {
    const debuggee = this.debuggee(command);
    if (this.runner?.running || !debuggee.stop) throw requestErrors.running(command);
    return debuggee;
  }

  // ------------------------------------------------------------------------------------------------ running

  continue(args: RequestArguments): object {
    this.thread(args);
    this.go('continue', () => continuePlan);
    return { allThreadsContinued: true };
  }

  next(args: RequestArguments): void {
    this.thread(args);
    this.go('next', (debuggee) => {
      if (inExitView(debuggee)) return stepping.untilGuestGoesOn();
      return stepping.lineOr(debuggee, args.raw.granularity, false) ?? stepping.stepOver(debuggee);
    });
  }

  stepIn(args: RequestArguments): void {
    this.thread(args);
    this.go('stepIn', (debuggee) =>
      inExitView(debuggee) ? undefined : (stepping.lineOr(debuggee, args.raw.granularity, true) ?? stepping.stepInto()),
    );
  }

  stepOut(args: RequestArguments): void {
    this.thread(args);
    this.go('stepOut', (debuggee) => (inExitView(debuggee) ? undefined : stepping.stepOut(debuggee)));
  }

  pause(args: RequestArguments): void {
    this.thread(args);
    this.debuggee('pause');
    // A machine that has just stopped by itself is what the user wants, too.
    this.runner?.pause();
  }

  /** Runs by a plan; without one only the view moves, from the exited guest to the hypervisor's host RIP. */
  private go(command: string, planOf: (debuggee: Debuggee) => Plan | undefined): void {
    const debuggee = this.stoppedDebuggee(command);
    const { runner } = this;
    const { ended } = debuggee.machine;
    if (ended) throw requestErrors.ended(stopInWords(ended, debuggee.symbols)?.text.split('\n')[0] ?? ended.kind);
    const plan = planOf(debuggee);
    const exitView = inExitView(debuggee);
    const cause = debuggee.stop?.cause;
    this.forget();
    debuggee.stop = undefined;
    const work = (): void => {
      if (plan) runner?.start(plan, { fresh: exitView });
      else this.stopped({ reason: 'step', cause, exitView: false });
    };
    this.afterAnswer = { command, work };
  }

  private stopped(stop: Stop): void {
    if (!this.launched) return;
    const { debuggee } = this.launched;
    debuggee.stop = stop;
    this.forget();
    this.consoleOutput.flush(debuggee.machine);
    const words = stop.reason === 'exception' || stop.exitView ? stopInWords(stop.cause, debuggee.symbols) : undefined;
    const { cause } = stop;
    if (cause?.kind === 'guest-exit' || (cause && this.withoutDebugging)) {
      this.output(words?.text ?? cause.kind);
      this.send('exited', {
        exitCode: cause.kind === 'guest-exit' ? exitStatus(cause.value) : cause.kind === 'halted' ? 0 : SHUTDOWN_STATUS,
      });
      this.send('terminated', {});
      return;
    }
    if (cause && debuggee.machine.ended) this.output(words?.text ?? cause.kind);
    this.send('stopped', {
      reason: stop.reason,
      ...(words ? { description: words.title, text: words.text } : {}),
      threadId: FIRST_VCPU + 1,
      allThreadsStopped: true,
      ...(stop.hitBreakpointIds ? { hitBreakpointIds: stop.hitBreakpointIds } : {}),
    });
  }

  private output(sentence: string): void {
    this.send('output', { category: 'important', output: `${sentence}\n` });
  }

  private forget(): void {
    this.frames = new Map();
    this.containers = new Map();
  }

  // ------------------------------------------------------------------------------------------------ looking

  /** Checks the thread id of a request and gives its virtual CPU. */
  private thread(args: RequestArguments): number {
    const { vcpuCount } = this.debuggee(args.command).machine;
    const id = args.raw.threadId;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > vcpuCount) throw requestErrors.noThread(id, vcpuCount);
    return id - 1;
  }

  threads(): object {
    const machine = this.launched?.debuggee.machine;
    if (!machine) return { threads: [] };
    const threads = Array.from({ length: machine.vcpuCount }, (_, vcpu) => {
      const { level, codeBits, cpl, halted } = machine.cpu(vcpu);
      return { id: vcpu + 1, name: `vCPU ${vcpu} · L${level} ${codeBits}-bit CPL${cpl}${halted ? ' (halted)' : ''}` };
    });
    return { threads };
  }

  async stackTrace(args: RequestArguments): Promise<object> {
    const vcpu = this.thread(args);
    const debuggee = this.stoppedDebuggee('stackTrace');
    const first = args.optionalInteger('startFrame', 0, MOST_ITEMS) ?? 0;
    const levels = args.optionalInteger('levels', 0, MOST_ITEMS) || MOST_ITEMS;
    const all = framesOf(debuggee, vcpu);
    const generation = this.frames;
    const stackFrames: DebugProtocol.StackFrame[] = [];
    for (const frame of all.slice(first, first + levels)) {
      const id = this.nextReference++;
      generation.set(id, frame);
      stackFrames.push(await this.frameOnWire(frame, id));
    }
    return { stackFrames, totalFrames: all.length };
  }

  private async frameOnWire(frame: Frame, id: number): Promise<DebugProtocol.StackFrame> {
    const { debuggee, sources } = this.launched!;
    const row = debuggee.symbols.rowAt(frame.level, frame.lineAddress);
    const source = row && (await sources.find(row.file));
    const result: DebugProtocol.StackFrame = {
      id,
      name: frame.name,
      line: source && row ? row.line - 1 + this.client.lineBase : 0,
      column: source ? this.client.columnBase : 0,
      instructionPointerReference: formatPlace({ space: 'gva', level: frame.level, address: frame.address }),
    };
    if (source) result.source = source;
    if (frame.kind === 'entry') result.presentationHint = 'label';
    else if (!source) result.presentationHint = 'subtle';
    return result;
  }

  /** The frame that a request names; the top one if it names none. */
  private frame(args: RequestArguments): Frame {
    const debuggee = this.debuggee(args.command);
    const id = args.optionalInteger('frameId', 0, Number.MAX_SAFE_INTEGER);
    if (id === undefined || id === 0) return framesOf(debuggee, FIRST_VCPU)[0]!;
    const frame = this.frames.get(id);
    if (!frame) throw requestErrors.staleFrame();
    return frame;
  }

  private readonly references = {
    add: (container: Container): number => {
      const reference = this.nextReference++;
      this.containers.set(reference, container);
      return reference;
    },
  };

  scopes(args: RequestArguments): object {
    args.integer('frameId', 1, Number.MAX_SAFE_INTEGER);
    const frame = this.frame(args);
    return { scopes: scopesOf(this.debuggee('scopes'), frame, this.references) };
  }

  private container(args: RequestArguments): Container {
    this.debuggee(args.command);
    const container = this.containers.get(args.integer('variablesReference', 0, Number.MAX_SAFE_INTEGER));
    if (!container) throw requestErrors.staleVariables();
    return container;
  }

  variables(args: RequestArguments): object {
    const container = this.container(args);
    const start = args.optionalInteger('start', 0, MOST_ITEMS) ?? 0;
    const count = args.optionalInteger('count', 0, MOST_ITEMS) || MOST_ITEMS;
    // None of the containers is indexed.
    if (args.raw.filter === 'indexed') return { variables: [] };
    return { variables: variablesOf(this.debuggee('variables'), container, this.references).slice(start, start + count) };
  }

  setVariable(args: RequestArguments): object {
    const debuggee = this.stoppedDebuggee('setVariable');
    const value = setVariable(debuggee, this.container(args), args.text('name'), args.text('value'));
    this.changed();
    return { value, variablesReference: 0 };
  }

  evaluate(args: RequestArguments): object {
    const debuggee = this.debuggee('evaluate');
    const context = args.optionalText('context') ?? 'repl';
    const evaluated = evaluation.evaluate(debuggee, this.frame(args), args.text('expression'), context);
    return this.evaluatedOnWire(evaluated);
  }

  setExpression(args: RequestArguments): object {
    const debuggee = this.stoppedDebuggee('setExpression');
    const evaluated = evaluation.setExpression(debuggee, this.frame(args), args.text('expression'), args.text('value'));
    const { result, ...rest } = this.evaluatedOnWire(evaluated) as { result: string };
    return { value: result, ...rest };
  }

  private evaluatedOnWire(evaluated: evaluation.Evaluated): object {
    if (evaluated.changed) this.changed();
    if (evaluated.written) this.memoryChanged(formatPlace(evaluated.written.place), evaluated.written.bytes);
    const { result, type, memoryReference, resolution } = evaluated;
    const variablesReference = resolution ? this.references.add({ kind: 'resolution', resolution }) : 0;
    return {
      result,
      variablesReference,
      ...(type === undefined ? {} : { type }),
      ...(memoryReference === undefined ? {} : { memoryReference }),
    };
  }

  completions(args: RequestArguments): object {
    const debuggee = this.debuggee('completions');
    const { columnBase } = this.client;
    const column = args.integer('column', 0, MOST_ITEMS) - columnBase;
    const frame = this.runner?.running ? undefined : this.frame(args);
    const targets = evaluation.completions(debuggee, frame, args.text('text'), column);
    return { targets: targets.map((target) => ({ ...target, start: (target.start ?? 0) + columnBase })) };
  }

  exceptionInfo(args: RequestArguments): object {
    this.thread(args);
    return explain(this.stoppedDebuggee('exceptionInfo'));
  }

  modules(args: RequestArguments): object {
    const { symbols } = this.debuggee('modules');
    const start = args.optionalInteger('startModule', 0, MOST_ITEMS) ?? 0;
    const count = args.optionalInteger('moduleCount', 0, MOST_ITEMS) || MOST_ITEMS;
    const modules = symbols.modules.map((module, index) => ({
      id: index + 1,
      name: module.name,
      path: module.path,
      symbolStatus: `${module.symbols} symbols, ${module.lines} source lines`,
      ...(module.low === undefined || module.high === undefined ? {} : { addressRange: `${hex(module.low)}-${hex(module.high)}` }),
    }));
    return { modules: modules.slice(start, start + count), totalModules: modules.length };
  }

  // ------------------------------------------------------------------------------------------------ memory

  readMemory(args: RequestArguments): object | undefined {
    return memory.readMemory(this.debuggee('readMemory'), args);
  }

  writeMemory(args: RequestArguments): object {
    const { place, bytesWritten } = memory.writeMemory(this.debuggee('writeMemory'), args);
    this.memoryChanged(formatPlace(place), bytesWritten);
    this.changed();
    return { bytesWritten };
  }

  disassemble(args: RequestArguments): Promise<object | undefined> {
    const debuggee = this.debuggee('disassemble');
    return memory.disassemble(debuggee, args, this.launched!.sources, this.client.lineBase);
  }

  private changed(): void {
    if (this.client.invalidated) this.send('invalidated', { areas: ['variables', 'stacks'] });
  }

  private memoryChanged(memoryReference: string, count: number): void {
    if (this.client.memory) this.send('memory', { memoryReference, offset: 0, count });
  }

  // ------------------------------------------------------------------------------------------------ our own requests

  inspect(args: RequestArguments): object {
    return ownRequests.inspect(this.debuggee(args.command), args);
  }

  resolve(args: RequestArguments): object {
    return ownRequests.resolve(this.debuggee(args.command), args, () => this.frame(args));
  }

  exits(args: RequestArguments): object {
    return ownRequests.exits(this.debuggee(args.command), args);
  }

  position(): object {
    return ownRequests.position(this.debuggee('nestscope/position'), this.runner?.running === true);
  }

  serialInput(args: RequestArguments): object {
    this.debuggee(args.command).machine.sendSerialInput(new TextEncoder().encode(args.text('text')));
    return {};
  }
}

/** As the command line ends when the guest shut down. */
const SHUTDOWN_STATUS = 70;
