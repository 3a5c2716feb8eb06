/** What names mean where an expression is evaluated: a frame's registers, an event's variables, VMCS fields, symbols, exit reasons. */
import type { Level, Machine } from '../../emulator/api';
import { expressionErrors } from '../errors';
import { exitReasonNames, exitReasonNumber } from '../manual-tables';
import { formatPlace, type MemoryPlace } from '../memory-reference';
import { REGISTER_PARTS, type FrameRegisters } from '../registers';
import type { SymbolSource } from '../symbol-source';
import type { VmcsFields } from '../vmcs-fields';
import { EVENT_VARIABLES, type EventVariables } from './event-variables';
import type { Names, Value } from './evaluate';
import { mostSimilar } from './similar';

export interface Surroundings {
  readonly machine: Machine;
  readonly vcpu: number;
  readonly registers: FrameRegisters;
  readonly codeBits: 16 | 32 | 64;
  readonly symbols: SymbolSource;
  readonly vmcs: VmcsFields;
  readonly event: EventVariables;
  /** In conditions an event's rip and level stand before the registers; in watches the frame's own come first. */
  readonly eventFirst: boolean;
}

export function namesOf(around: Surroundings): Names {
  const { machine, vcpu, registers, symbols, vmcs, event } = around;
  const level: Level = registers.level;

  const register = (name: string): Value | undefined => {
    const lower = name.toLowerCase();
    const value = registers.get(lower);
    if (value !== undefined) return { value, origin: { kind: 'register', name: lower } };
    // A register's name that has no value here must not fall through to a symbol of the same name.
    const whole = REGISTER_PARTS.get(lower)?.whole ?? lower;
    if (/^(r(ax|bx|cx|dx|si|di|bp|sp|8|9|1[0-5])|rip|rflags)$/.test(whole)) throw expressionErrors.registerUnknownInFrame(lower, level);
    return undefined;
  };
  const field = (name: string): Value | undefined => {
    if (!/^[A-Z][A-Z0-9_]+$/.test(name)) return undefined;
    const node = vmcs.node(name);
    if (node?.value === undefined || !/^0x[0-9a-f]+$/i.test(node.value)) return undefined;
    // An address field leads to what it names; other fields only to their place in the VMCS region.
    const pointsTo = node.memory?.space === 'hpa' ? undefined : node.memory;
    return { value: BigInt(node.value), description: node.description, origin: { kind: 'field', name, pointsTo } };
  };
  const symbol = (name: string): Value | undefined => {
    const found = symbols.addressOf(name);
    if (!found) return undefined;
    const place: MemoryPlace = { space: 'gva', level: found.level ?? level, address: found.address };
    return { value: found.address, place, origin: { kind: 'symbol', name } };
  };
  const constant = (name: string): Value | undefined => {
    if (name === 'true' || name === 'false') return { value: name === 'true' };
    if (!/^[A-Z][A-Z0-9_]+$/.test(name)) return undefined;
    const number = exitReasonNumber(name);
    return number === undefined ? undefined : { value: BigInt(number), label: name, origin: { kind: 'constant', name } };
  };
  const position = (name: string): Value | undefined => {
    switch (name) {
      case 'level':
        return { value: BigInt(level) };
      case 'vcpu':
        return { value: BigInt(vcpu) };
      case 'cpl':
        return registers.live ? { value: BigInt(machine.cpu(vcpu).cpl) } : undefined;
      case 'n':
      case 'steps':
        return { value: BigInt(machine.steps) };
      default:
        return undefined;
    }
  };
  const eventVariable = (name: string): Value | undefined => event.get(name);
  const absentVariable = (name: string): undefined => {
    if (event.size > 0 && Object.hasOwn(EVENT_VARIABLES, name)) throw expressionErrors.notInEvent(name);
    return undefined;
  };

  return {
    level,
    pointerBytes: around.codeBits === 64 ? 8 : 4,
    lookup(name) {
      const order = around.eventFirst
        ? [eventVariable, register, position, field, symbol, constant, absentVariable]
        : [register, eventVariable, position, field, symbol, constant, absentVariable];
      for (const source of order) {
        const value = source(name);
        if (value) return value;
      }
      return undefined;
    },
    similar(name) {
      return mostSimilar(name, [
        ...registers.names(),
        ...Object.keys(EVENT_VARIABLES),
        ...exitReasonNames(),
        ...vmcs.names(),
        ...symbols.symbolNames(),
      ]);
    },
    read: (place, bytes) => machine.readMemory(vcpu, place.level, place.space, place.address, bytes),
    translate(place, to) {
      const resolution = machine.resolve(vcpu, place.level, place.space, place.address);
      const address = to === 'gpa' ? resolution.gpa : resolution.hpa;
      if (address === undefined) throw expressionErrors.unmapped(formatPlace(place), resolution.failure ?? resolution.summary);
      return { space: to, level: place.level, address };
    },
  };
}

/** May this name ever have a value? Lets a condition be refused when it is set, not when it is first met. */
export function couldBeKnown(
  name: string,
  registers: readonly string[],
  symbols: SymbolSource,
  vmcsNames: (name: string) => boolean,
): boolean {
  const lower = name.toLowerCase();
  return (
    Object.hasOwn(EVENT_VARIABLES, name) ||
    ['cpl', 'steps', 'true', 'false'].includes(name) ||
    REGISTER_PARTS.has(lower) ||
    registers.includes(lower) ||
    exitReasonNumber(name) !== undefined ||
    vmcsNames(name) ||
    symbols.addressOf(name) !== undefined
  );
}
