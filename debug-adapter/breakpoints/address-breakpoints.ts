/** Source, function, instruction and data breakpoints: from what the user wrote to addresses, and back when the machine stops at one. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Breakpoint, Level, Machine, Watchpoint, WatchpointHit } from '../../emulator/api';
import { mostSimilar } from '../evaluate/similar';
import { breakpointErrors } from '../errors';
import { exitReasonNames, exitReasonNumber } from '../manual-tables';
import { formatPlace, offsetPlace, parsePlace } from '../memory-reference';
import { noSymbols, type SymbolSource } from '../symbol-source';
import { levelOfMode, spaceOfMode } from './modes';
import { Trigger, type TriggerSettings } from './trigger';
import { accessOf, counts, type Watch, type WatchAccess, watchForm, watchOf } from './watching';

export type AddressBreakpointKind = 'source' | 'function' | 'instruction' | 'data';

interface Definition extends TriggerSettings {
  /** Line number, function name or instruction reference with offset. */
  readonly what: string;
  readonly line?: number;
  readonly reference?: string;
  readonly offset?: number;
  readonly mode?: string;
  readonly access?: WatchAccess;
}

/** A line of a disassembly document stands for the instruction that the extension names with it. */
const DISASSEMBLY = /^nestscope-disasm:/;

export interface AddressBreakpoint {
  readonly id: number;
  readonly kind: AddressBreakpointKind;
  readonly definition: Definition;
  readonly path?: string;
  trigger: Trigger | undefined;
  places: readonly Breakpoint[];
  /** For vmexit:REASON: the reason's number. */
  exitReason?: number;
  /** For data breakpoints, and change:PLACE/BYTES. */
  watch?: Watch;
  line?: number;
  message?: string;
}

const VMEXIT = /^vmexit:\s*(\w+)$/i;

export class AddressBreakpoints {
  private nextId = 1;
  private symbols: SymbolSource = noSymbols;
  private machine: Machine | undefined;
  private readonly source = new Map<string, AddressBreakpoint[]>();
  private functions: AddressBreakpoint[] = [];
  private instructions: AddressBreakpoint[] = [];
  private data: AddressBreakpoint[] = [];
  private byAddress = new Map<bigint, AddressBreakpoint[]>();
  /** Changes when the list for the machine changed. */
  generation = 0;

  /** The program is there (again): looks everything up anew and returns what is to be told to the client. */
  attach(machine: Machine, symbols: SymbolSource): AddressBreakpoint[] {
    this.machine = machine;
    this.symbols = symbols;
    const all = this.all();
    for (const breakpoint of all) this.lookUp(breakpoint);
    this.rebuild();
    return all;
  }

  setSource(path: string, requested: readonly DebugProtocol.SourceBreakpoint[]): AddressBreakpoint[] {
    const old = this.source.get(path) ?? [];
    const list = requested.map((request) => {
      const line = typeof request.line === 'number' ? request.line : undefined;
      const { instructionReference: reference } = request as { instructionReference?: unknown };
      const definition = { ...settings(request), what: String(request.line), line };
      return DISASSEMBLY.test(path) && typeof reference === 'string'
        ? this.make('instruction', { ...definition, reference, offset: 0 }, old, path)
        : this.make('source', definition, old, path);
    });
    if (list.length > 0) this.source.set(path, list);
    else this.source.delete(path);
    this.rebuild();
    return list;
  }

  setFunctions(requested: readonly DebugProtocol.FunctionBreakpoint[]): AddressBreakpoint[] {
    this.functions = requested.map((request) =>
      this.make('function', { ...settings(request), what: String(request.name).trim() }, this.functions),
    );
    this.rebuild();
    return this.functions;
  }

  setInstructions(requested: readonly DebugProtocol.InstructionBreakpoint[]): AddressBreakpoint[] {
    this.instructions = requested.map((request) => {
      const offset = typeof request.offset === 'number' && Number.isSafeInteger(request.offset) ? request.offset : 0;
      const reference = String(request.instructionReference);
      return this.make('instruction', { ...settings(request), what: `${reference}+${offset}`, reference, offset }, this.instructions);
    });
    this.rebuild();
    return this.instructions;
  }

  setData(requested: readonly DebugProtocol.DataBreakpoint[]): AddressBreakpoint[] {
    this.data = requested.map((request) =>
      this.make('data', { ...settings(request), what: String(request.dataId), access: accessOf(request.accessType) }, this.data),
    );
    this.rebuild();
    return this.data;
  }

  /** For the machine. */
  watchpoints(): Watchpoint[] {
    return this.all().flatMap(({ watch, trigger }) => (watch && trigger ? [watch.watchpoint] : []));
  }

  /** Those that an access of the machine meets. */
  watching(hit: WatchpointHit): AddressBreakpoint[] {
    return this.all().filter(({ watch, trigger }) => trigger && watch?.watchpoint === hit.watchpoint && counts(watch, hit));
  }

  /** For the machine. */
  armed(): Breakpoint[] {
    return [...this.byAddress.values()].flat().flatMap((breakpoint) => breakpoint.places);
  }

  at(address: bigint, level: Level): AddressBreakpoint[] {
    const here = this.byAddress.get(address) ?? [];
    return here.filter((breakpoint) => breakpoint.places.some((place) => place.address === address && (place.level ?? level) === level));
  }

  /** Function breakpoints of the form vmexit:REASON. */
  onExit(reason: number): AddressBreakpoint[] {
    return this.functions.filter((breakpoint) => breakpoint.trigger && breakpoint.exitReason === reason);
  }
  get wantsExits(): boolean {
    return this.functions.some((breakpoint) => breakpoint.trigger && breakpoint.exitReason !== undefined);
  }

  resetHits(): void {
    for (const { trigger } of this.all()) if (trigger) trigger.hits = 0;
  }

  private all(): AddressBreakpoint[] {
    return [...[...this.source.values()].flat(), ...this.functions, ...this.instructions, ...this.data];
  }

  private make(kind: AddressBreakpointKind, definition: Definition, old: readonly AddressBreakpoint[], path?: string): AddressBreakpoint {
    const same = old.find((breakpoint) => JSON.stringify(breakpoint.definition) === JSON.stringify(definition));
    if (same) return same;
    const breakpoint: AddressBreakpoint = { id: this.nextId++, kind, definition, path, trigger: undefined, places: [] };
    this.lookUp(breakpoint);
    return breakpoint;
  }

  private lookUp(breakpoint: AddressBreakpoint): void {
    breakpoint.places = [];
    breakpoint.message = undefined;
    breakpoint.exitReason = undefined;
    breakpoint.watch = undefined;
    if (!this.machine) {
      breakpoint.message = breakpointErrors.notLaunched();
      return;
    }
    const trigger = Trigger.parse(breakpoint.definition, this.machine.cpu(0).registerNames(), this.symbols);
    if (typeof trigger === 'string') {
      breakpoint.trigger = undefined;
      breakpoint.message = trigger;
      return;
    }
    breakpoint.trigger = trigger;
    const mode = breakpoint.kind === 'data' ? { level: undefined } : levelOfMode(breakpoint.definition.mode);
    const found = typeof mode === 'string' ? mode : this.find(breakpoint);
    if (typeof found === 'string') breakpoint.message = found;
    else breakpoint.places = typeof mode === 'string' ? [] : atLevel(found, mode.level);
    if (typeof found !== 'string' && found.length > 0 && breakpoint.places.length === 0)
      breakpoint.message = breakpointErrors.otherLevel(found[0]!.level!);
  }

  private find(breakpoint: AddressBreakpoint): Breakpoint[] | string {
    const { definition, path } = breakpoint;
    switch (breakpoint.kind) {
      case 'source': {
        if (definition.line === undefined || path === undefined) return breakpointErrors.notHeld(definition.what);
        if (DISASSEMBLY.test(path)) return breakpointErrors.goneDisassembly();
        if (!this.symbols.knowsFile(path)) return breakpointErrors.noLines(path);
        const rows = this.symbols.rowsAt(path, definition.line);
        if (rows.length === 0) return breakpointErrors.noCode(definition.line);
        breakpoint.line = rows[0]!.line;
        return rows.map(({ start, level }) => ({ address: start, level }));
      }
      case 'function': {
        const exit = VMEXIT.exec(definition.what);
        if (exit) {
          breakpoint.exitReason = exitReasonNumber(exit[1]!);
          return breakpoint.exitReason === undefined
            ? breakpointErrors.noExitReason(exit[1]!, mostSimilar(exit[1]!, exitReasonNames()))
            : [];
        }
        const watched = watchForm(definition.what);
        if (watched) return this.watch(breakpoint, watchOf(watched.dataId, watched.access, undefined));
        const symbol = this.symbols.addressOf(definition.what);
        if (symbol) return [{ address: symbol.address, level: symbol.level }];
        const place = parsePlace(definition.what, 1);
        if (place?.space === 'gva') return [{ address: place.address, level: /^l[12]:/i.test(definition.what) ? place.level : undefined }];
        return breakpointErrors.noSymbol(definition.what, mostSimilar(definition.what, this.symbols.symbolNames()));
      }
      case 'data': {
        const mode = spaceOfMode(definition.mode);
        return typeof mode === 'string'
          ? mode
          : this.watch(breakpoint, watchOf(definition.what, definition.access ?? 'change', mode.space));
      }
      case 'instruction': {
        const reference = definition.reference ?? '';
        if (reference === '' && path !== undefined) return breakpointErrors.noInstruction();
        const place = parsePlace(reference, 1);
        if (!place) return breakpointErrors.badAddress(reference);
        const target = offsetPlace(place, definition.offset ?? 0);
        breakpoint.line = definition.line;
        if (target.space !== 'gva') return breakpointErrors.notLinear(formatPlace(target));
        return [{ address: target.address, level: /^l[12]:/i.test(reference) ? target.level : undefined }];
      }
    }
  }

  private watch(breakpoint: AddressBreakpoint, watch: Watch | string): [] | string {
    if (typeof watch === 'string') return watch;
    breakpoint.watch = watch;
    return [];
  }

  private rebuild(): void {
    this.byAddress = new Map();
    for (const breakpoint of this.all()) {
      if (!breakpoint.trigger) continue;
      for (const { address } of breakpoint.places) {
        const here = this.byAddress.get(address) ?? [];
        this.byAddress.set(address, here.includes(breakpoint) ? here : [...here, breakpoint]);
      }
    }
    this.generation++;
  }
}

/** Those of the places that a mode leaves, each with its level. */
function atLevel(places: readonly Breakpoint[], level: Level | undefined): Breakpoint[] {
  if (level === undefined) return [...places];
  return places.filter((place) => (place.level ?? level) === level).map((place) => ({ ...place, level }));
}

function settings(request: { condition?: unknown; hitCondition?: unknown; logMessage?: unknown; mode?: unknown }): TriggerSettings & {
  readonly mode?: string;
} {
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value : undefined);
  return {
    condition: text(request.condition),
    hitCondition: text(request.hitCondition),
    logMessage: text(request.logMessage),
    mode: text(request.mode),
  };
}

/** As the protocol shows it. */
export function isVerified(breakpoint: AddressBreakpoint): boolean {
  return (
    breakpoint.trigger !== undefined &&
    (breakpoint.places.length > 0 || breakpoint.exitReason !== undefined || breakpoint.watch !== undefined)
  );
}
