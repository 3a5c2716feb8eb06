/** The requests that set breakpoints of every kind, and what they answer. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Machine } from '../../emulator/api';
import type { RequestArguments } from '../arguments';
import { requestErrors } from '../errors';
import type { SymbolSource } from '../symbol-source';
import { AddressBreakpoints } from './address-breakpoints';
import { ExceptionFilters } from './exception-filters';
import { breakpointLocations, onWire } from './on-wire';

const MOST_LINES = 1 << 24;

export class BreakpointRequests {
  readonly addresses = new AddressBreakpoints();
  readonly filters = new ExceptionFilters();
  private symbols: SymbolSource | undefined;

  constructor(
    /** 1 or 0, as the client counts lines. */
    private readonly lineBase: () => number,
  ) {}

  /** The program is there: gives the breakpoints that the client has to hear of again. */
  attach(machine: Machine, symbols: SymbolSource, always: readonly string[]): DebugProtocol.Breakpoint[] {
    this.symbols = symbols;
    this.filters.attach(machine.cpu(0).registerNames(), symbols, always);
    return this.addresses.attach(machine, symbols).map((breakpoint) => onWire(breakpoint, this.lineBase()));
  }

  resetHits(): void {
    this.addresses.resetHits();
    this.filters.resetHits();
  }

  setSource(args: RequestArguments): object {
    const source = args.object('source');
    const path = source?.path ?? source?.name;
    if (typeof path !== 'string') throw requestErrors.argument('setBreakpoints', 'source', 'a source with a path', args.raw.source);
    const requested = args.objects('breakpoints').map((request) => ({
      ...request,
      line: typeof request.line === 'number' ? request.line + 1 - this.lineBase() : request.line,
    }));
    return this.answer(this.addresses.setSource(path, requested as unknown as DebugProtocol.SourceBreakpoint[]));
  }

  setFunctions(args: RequestArguments): object {
    return this.answer(this.addresses.setFunctions(args.objects('breakpoints') as unknown as DebugProtocol.FunctionBreakpoint[]));
  }

  setInstructions(args: RequestArguments): object {
    return this.answer(this.addresses.setInstructions(args.objects('breakpoints') as unknown as DebugProtocol.InstructionBreakpoint[]));
  }

  setData(args: RequestArguments): object {
    return this.answer(this.addresses.setData(args.objects('breakpoints') as unknown as DebugProtocol.DataBreakpoint[]));
  }

  setExceptions(args: RequestArguments): object {
    const options = args.objects('filterOptions').map(({ filterId, condition, mode }) => ({
      filterId: String(filterId),
      mode: typeof mode === 'string' ? mode : undefined,
      condition: typeof condition === 'string' ? condition : undefined,
    }));
    return { breakpoints: this.filters.set(args.texts('filters'), options) };
  }

  locations(args: RequestArguments): object {
    const path = args.object('source')?.path;
    const base = 1 - this.lineBase();
    const first = args.integer('line', 0, MOST_LINES);
    const last = args.optionalInteger('endLine', 0, MOST_LINES) ?? first;
    if (typeof path !== 'string' || !this.symbols) return { breakpoints: [] };
    return { breakpoints: breakpointLocations(this.symbols, path, first + base, last + base, this.lineBase()) };
  }

  private answer(list: Parameters<typeof onWire>[0][]): object {
    return { breakpoints: list.map((breakpoint) => onWire(breakpoint, this.lineBase())) };
  }
}
