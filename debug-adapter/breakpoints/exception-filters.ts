/** The exception filters, fixed at initialize: which events of the processor stop the machine, under which conditions. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Level, StopReason } from '../../emulator/api';
import { breakpointErrors } from '../errors';
import type { FilterId } from '../protocol';
import { noSymbols, type SymbolSource } from '../symbol-source';
import { levelOfMode } from './modes';
import { Trigger } from './trigger';

export const EXCEPTION_FILTERS: readonly (DebugProtocol.ExceptionBreakpointsFilter & { filter: FilterId })[] = [
  {
    filter: 'vm-exit',
    label: 'VM exit',
    description: 'Stops when the guest has left to its hypervisor: the exit is committed, the hypervisor has not run an instruction yet.',
    default: false,
    supportsCondition: true,
    conditionDescription: 'reason == EPT_VIOLATION && gpa >= 0xfee00000; also qualification, linear, rip, vector, hits',
  },
  {
    filter: 'vm-entry-failure',
    label: 'VM-entry failure',
    description: 'Stops when VMLAUNCH or VMRESUME is refused, with the check that failed and the values that failed it.',
    default: true,
    supportsCondition: true,
    conditionDescription: 'number == 7; also qualification, rip, hits',
  },
  {
    filter: 'triple-fault',
    label: 'Triple fault',
    description: 'Stops when an exception arrives while the double-fault handler is being called, with the chain that led there.',
    default: true,
    supportsCondition: true,
    conditionDescription: 'level == 1',
  },
  {
    filter: 'exception',
    label: 'Exception',
    description: 'Stops when the processor has raised an exception and delivers it through the IDT.',
    default: false,
    supportsCondition: true,
    conditionDescription: 'vector == 14 && errorCode == 2; also cr2, rip, level, vcpu, hits',
  },
  {
    filter: 'interrupt',
    label: 'Interrupt',
    description:
      'Stops when the processor has delivered an interrupt, an NMI or a software interrupt: it stands at the first instruction of the handler.',
    default: false,
    supportsCondition: true,
    conditionDescription: 'vector == 0x20; also nmi, software, rip, level, vcpu, hits',
  },
];

/** Which filter an event belongs to. */
export function filterOf(stop: StopReason): FilterId | undefined {
  return EXCEPTION_FILTERS.find(({ filter }) => filter === stop.kind)?.filter;
}

interface Armed {
  readonly trigger: Trigger | undefined;
  readonly level: Level | undefined;
}

/** Where an event happens that does so at one level only: VM exits are the guest's, VM entries its hypervisor's. */
const LEVEL_OF_EVENT: Partial<Record<FilterId, Level>> = { 'vm-exit': 2, 'vm-entry-failure': 1 };

/** The level that an event of the processor happened at. */
export function levelOfEvent(stop: StopReason): Level | undefined {
  const filter = filterOf(stop);
  if (stop.kind === 'exception') return stop.exception.level;
  if (stop.kind === 'interrupt') return stop.interrupt.level;
  if (stop.kind === 'triple-fault') return stop.chain.at(-1)?.level;
  return filter && LEVEL_OF_EVENT[filter];
}

export class ExceptionFilters {
  private armed = new Map<FilterId, Armed>();
  private requested: readonly { readonly id: string; readonly condition?: string; readonly mode?: string }[] = EXCEPTION_FILTERS.filter(
    (filter) => filter.default,
  ).map(({ filter }) => ({ id: filter }));
  /** What the launch configuration asks for, besides what the client sets. */
  private always: readonly string[] = [];
  private registers: readonly string[] = [];
  private symbols: SymbolSource = noSymbols;

  constructor() {
    this.arm();
  }

  attach(registers: readonly string[], symbols: SymbolSource, always: readonly string[]): void {
    this.always = always;
    this.registers = registers;
    this.symbols = symbols;
    this.arm();
  }

  set(
    filters: readonly string[],
    options: readonly { readonly filterId: string; readonly condition?: string; readonly mode?: string }[],
  ): DebugProtocol.Breakpoint[] {
    this.requested = [
      ...filters.map((id) => ({ id })),
      ...options.map(({ filterId, condition, mode }) => ({ id: filterId, condition, mode })),
    ];
    return this.arm();
  }

  has(id: FilterId): boolean {
    return this.armed.has(id) || this.always.includes(id);
  }
  /** Stop at such an event whatever the filters' conditions say? */
  isAlways(kind: StopReason['kind']): boolean {
    return this.always.includes(kind);
  }
  /** What decides whether an event stops the machine; undefined when its filter is off or of another level. */
  triggerFor(stop: StopReason): Trigger | undefined {
    const filter = filterOf(stop);
    const armed = filter && this.armed.get(filter);
    return armed && (armed.level ?? levelOfEvent(stop)) === levelOfEvent(stop) ? armed.trigger : undefined;
  }
  resetHits(): void {
    for (const { trigger } of this.armed.values()) if (trigger) trigger.hits = 0;
  }

  private arm(): DebugProtocol.Breakpoint[] {
    this.armed = new Map();
    return this.requested.map(({ id, condition, mode }) => {
      const known = EXCEPTION_FILTERS.find(({ filter }) => filter === id)?.filter;
      if (!known) return { verified: false, message: breakpointErrors.unknownFilter(id) };
      const trigger = Trigger.parse({ condition }, this.registers, this.symbols);
      if (typeof trigger === 'string') return { verified: false, message: trigger };
      const wanted = levelOfMode(mode);
      if (typeof wanted === 'string') return { verified: false, message: wanted };
      const only = LEVEL_OF_EVENT[known];
      if (only !== undefined && (wanted.level ?? only) !== only) return { verified: false, message: breakpointErrors.otherLevel(only) };
      this.armed.set(known, { trigger, level: wanted.level });
      return { verified: true };
    });
  }
}
