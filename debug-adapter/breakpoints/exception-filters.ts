/** The exception filters, fixed at initialize: which events of the processor stop the machine, under which conditions. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { StopReason } from '../../emulator/api';
import { breakpointErrors } from '../errors';
import type { FilterId } from '../protocol';
import { noSymbols, type SymbolSource } from '../symbol-source';
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
    conditionDescription: 'vector == 14 && errorCode == 2; also cr2, rip, level, hits',
  },
];

/** Which filter an event belongs to. */
export function filterOf(stop: StopReason): FilterId | undefined {
  return EXCEPTION_FILTERS.find(({ filter }) => filter === stop.kind)?.filter;
}

interface Armed {
  readonly trigger: Trigger | undefined;
}

export class ExceptionFilters {
  private armed = new Map<FilterId, Armed>();
  private requested: readonly { readonly id: string; readonly condition?: string }[] = EXCEPTION_FILTERS.filter(
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
    options: readonly { readonly filterId: string; readonly condition?: string }[],
  ): DebugProtocol.Breakpoint[] {
    this.requested = [...filters.map((id) => ({ id })), ...options.map(({ filterId, condition }) => ({ id: filterId, condition }))];
    return this.arm();
  }

  has(id: FilterId): boolean {
    return this.armed.has(id) || this.always.includes(id);
  }
  /** Stop at such an event whatever the filters' conditions say? */
  isAlways(kind: StopReason['kind']): boolean {
    return this.always.includes(kind);
  }
  trigger(id: FilterId): Trigger | undefined {
    return this.armed.get(id)?.trigger;
  }
  resetHits(): void {
    for (const { trigger } of this.armed.values()) if (trigger) trigger.hits = 0;
  }

  private arm(): DebugProtocol.Breakpoint[] {
    this.armed = new Map();
    return this.requested.map(({ id, condition }) => {
      const known = EXCEPTION_FILTERS.find(({ filter }) => filter === id)?.filter;
      if (!known) return { verified: false, message: breakpointErrors.unknownFilter(id) };
      const trigger = Trigger.parse({ condition }, this.registers, this.symbols);
      if (typeof trigger === 'string') return { verified: false, message: trigger };
      this.armed.set(known, { trigger });
      return { verified: true };
    });
  }
}
