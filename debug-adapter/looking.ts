/** Answers about the machine as it stands: stack, variables, expressions, memory. Numbers of frames and variables are void after the stop. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CpuView } from '../emulator/api';
import type { RequestArguments } from './arguments';
import type { Debuggee } from './debuggee';
import { dataInformation } from './data-information';
import { requestErrors } from './errors';
import * as evaluation from './evaluation';
import { explain } from './exception-info';
import type { Launched } from './launching';
import * as memory from './memory';
import { formatPlace, hex, type MemoryPlace } from './memory-reference';
import * as ownRequests from './own-requests';
import { framesOf, type Frame } from './stack';
import { type Container, scopesOf, setVariable, variablesOf } from './variables';

/** What the client said of itself at initialize. */
export interface Client {
  readonly progress: boolean;
  readonly invalidated: boolean;
  readonly memory: boolean;
  readonly columnBase: number;
  readonly lineBase: number;
}

/** The session, as far as answering needs it. */
export interface LookedAt {
  readonly launched: Launched | undefined;
  readonly running: boolean;
  readonly client: Client;
  debuggee(command: string): Debuggee;
  stoppedDebuggee(command: string): Debuggee;
  send(event: string, body: object): void;
}

const MOST_ITEMS = 1_000_000;
const WAITING: Readonly<Record<CpuView['activity'], string>> = {
  active: '',
  HLT: ' (halted)',
  MWAIT: ' (waits in MWAIT)',
  shutdown: ' (shut down)',
  'wait-for-SIPI': ' (waits for a start-up IPI)',
};

/** Checks the thread id of a request and gives its virtual CPU. */
export function threadOf(debuggee: Debuggee, args: RequestArguments): number {
  const { vcpuCount } = debuggee.machine;
  const id = args.raw.threadId;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > vcpuCount) throw requestErrors.noThread(id, vcpuCount);
  return id - 1;
}

export class Looking {
  private frames = new Map<number, Frame>();
  private containers = new Map<number, Container>();
  private locations = new Map<number, MemoryPlace>();
  private nextReference = 1;

  constructor(private readonly session: LookedAt) {}

  /** The machine goes on: old numbers are refused from now on. */
  forget(): void {
    this.frames = new Map();
    this.containers = new Map();
    this.locations = new Map();
  }

  threads(): object {
    const machine = this.session.launched?.debuggee.machine;
    if (!machine) return { threads: [] };
    const threads = Array.from({ length: machine.vcpuCount }, (_, vcpu) => {
      const { level, codeBits, cpl, activity } = machine.cpu(vcpu);
      return { id: vcpu + 1, name: `vCPU ${vcpu} · L${level} ${codeBits}-bit CPL${cpl}${WAITING[activity]}` };
    });
    return { threads };
  }

  async stackTrace(args: RequestArguments): Promise<object> {
    const vcpu = threadOf(this.session.debuggee(args.command), args);
    const debuggee = this.session.stoppedDebuggee('stackTrace');
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
    const { debuggee, sources } = this.session.launched!;
    const row = debuggee.symbols.rowAt(frame.level, frame.lineAddress);
    const source = row && (await sources.find(row.file));
    const result: DebugProtocol.StackFrame = {
      id,
      name: frame.name,
      line: source && row ? row.line - 1 + this.session.client.lineBase : 0,
      column: source ? this.session.client.columnBase : 0,
      instructionPointerReference: debuggee.reference(frame.vcpu, { space: 'gva', level: frame.level, address: frame.address }),
    };
    if (source) result.source = source;
    if (frame.kind === 'entry') result.presentationHint = 'label';
    return result;
  }

  /** The frame that a request names; the top one if it names none. */
  private frame(args: RequestArguments): Frame {
    const debuggee = this.session.debuggee(args.command);
    const id = args.optionalInteger('frameId', 0, Number.MAX_SAFE_INTEGER);
    if (id === undefined || id === 0) return framesOf(debuggee, debuggee.vcpu)[0]!;
    const frame = this.frames.get(id);
    if (!frame) throw requestErrors.staleFrame();
    return frame;
  }

  private isStale(args: RequestArguments): boolean {
    const id = args.raw.frameId;
    return typeof id === 'number' && id !== 0 && !this.frames.has(id);
  }

  private readonly references = {
    add: (container: Container): number => {
      const reference = this.nextReference++;
      this.containers.set(reference, container);
      return reference;
    },
    location: (place: MemoryPlace): number | undefined => {
      if (place.space !== 'gva' || !this.session.launched?.debuggee.symbols.rowAt(place.level, place.address)) return undefined;
      const reference = this.nextReference++;
      this.locations.set(reference, place);
      return reference;
    },
  };

  scopes(args: RequestArguments): object {
    args.integer('frameId', 1, Number.MAX_SAFE_INTEGER);
    const frame = this.frame(args);
    return { scopes: scopesOf(this.session.debuggee('scopes'), frame, this.references) };
  }

  private container(args: RequestArguments): Container {
    this.session.debuggee(args.command);
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
    return { variables: variablesOf(this.session.debuggee('variables'), container, this.references).slice(start, start + count) };
  }

  dataInformation(args: RequestArguments): object {
    const debuggee = this.session.stoppedDebuggee('dataBreakpointInfo');
    const container = args.optionalInteger('variablesReference', 0, Number.MAX_SAFE_INTEGER) ? this.container(args) : undefined;
    return dataInformation(debuggee, args, container, () => this.frame(args));
  }

  /** Where the code is that a variable's value points to. */
  async location(args: RequestArguments): Promise<object> {
    const { debuggee, sources } = this.session.launched ?? { debuggee: this.session.debuggee('locations') };
    const place = this.locations.get(args.integer('locationReference', 0, Number.MAX_SAFE_INTEGER));
    const row = place && debuggee.symbols.rowAt(place.level, place.address);
    const source = row && (await sources?.find(row.file));
    if (!row || !source) throw requestErrors.staleLocation();
    return { source, line: row.line - 1 + this.session.client.lineBase, column: this.session.client.columnBase };
  }

  setVariable(args: RequestArguments): object {
    const debuggee = this.session.stoppedDebuggee('setVariable');
    const value = setVariable(debuggee, this.container(args), args.text('name'), args.text('value'));
    this.changed();
    return { value, variablesReference: 0 };
  }

  evaluate(args: RequestArguments): object {
    const debuggee = this.session.debuggee('evaluate');
    const context = args.optionalText('context') ?? 'repl';
    // Right after a stop a client may still have a frame of the stop before selected: a hover means the frame on top then.
    const late = context === 'hover' && this.isStale(args);
    if (late && this.session.running) return { result: '', variablesReference: 0 };
    const frame = late ? framesOf(debuggee, debuggee.vcpu)[0]! : this.frame(args);
    const evaluated = evaluation.evaluate(debuggee, frame, args.text('expression'), context);
    return this.evaluatedOnWire(evaluated);
  }

  setExpression(args: RequestArguments): object {
    const debuggee = this.session.stoppedDebuggee('setExpression');
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
    const debuggee = this.session.debuggee('completions');
    const { columnBase } = this.session.client;
    const column = args.integer('column', 0, MOST_ITEMS) - columnBase;
    const frame = this.session.running ? undefined : this.frame(args);
    const targets = evaluation.completions(debuggee, frame, args.text('text'), column);
    return { targets: targets.map((target) => ({ ...target, start: (target.start ?? 0) + columnBase })) };
  }

  exceptionInfo(args: RequestArguments): object {
    threadOf(this.session.debuggee(args.command), args);
    return explain(this.session.stoppedDebuggee('exceptionInfo'));
  }

  modules(args: RequestArguments): object {
    const { symbols } = this.session.debuggee('modules');
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
    return memory.readMemory(this.session.debuggee('readMemory'), args);
  }

  writeMemory(args: RequestArguments): object {
    const { place, bytesWritten } = memory.writeMemory(this.session.debuggee('writeMemory'), args);
    this.memoryChanged(formatPlace(place), bytesWritten);
    this.changed();
    return { bytesWritten };
  }

  disassemble(args: RequestArguments): Promise<object | undefined> {
    const debuggee = this.session.debuggee('disassemble');
    return memory.disassemble(debuggee, args, this.session.launched!.sources, this.session.client.lineBase);
  }

  private changed(): void {
    if (this.session.client.invalidated) this.session.send('invalidated', { areas: ['variables', 'stacks'] });
  }

  private memoryChanged(memoryReference: string, count: number): void {
    if (this.session.client.memory) this.session.send('memory', { memoryReference, offset: 0, count });
  }

  // ------------------------------------------------------------------------------------------------ our own requests

  inspect(args: RequestArguments): object {
    return ownRequests.inspect(this.session.debuggee(args.command), args);
  }

  resolve(args: RequestArguments): object {
    return ownRequests.resolve(this.session.debuggee(args.command), args, () => this.frame(args));
  }

  exits(args: RequestArguments): object {
    return ownRequests.exits(this.session.debuggee(args.command), args);
  }

  position(): object {
    return ownRequests.position(this.session.debuggee('nestscope/position'), this.session.running);
  }

  serialInput(args: RequestArguments): object {
    this.session.debuggee(args.command).machine.sendSerialInput(new TextEncoder().encode(args.text('text')));
    return {};
  }
}
