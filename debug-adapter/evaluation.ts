/** evaluate, setExpression and completions: expressions for watch, hover, repl and clipboard. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Resolution } from '../emulator/api';
import type { Debuggee } from './debuggee';
import { expressionErrors, RequestError } from './errors';
import { EVENT_VARIABLES } from './evaluate/event-variables';
import { evaluateExpression, formatValue, type Names, toLittleEndian, type Value } from './evaluate/evaluate';
import { namesOf } from './evaluate/names';
import { type Expression, parseExpression } from './evaluate/syntax';
import { exitReasonNames, exitReasonSentence } from './manual-tables';
import { formatPlace, hex, type MemoryPlace } from './memory-reference';
import { flagsInWords, REGISTER_PARTS } from './registers';
import type { Frame } from './stack';
import { symbolText } from './symbol-source';

export function namesIn(debuggee: Debuggee, frame: Frame): Names {
  const { machine, symbols, event } = debuggee;
  const { vcpu, registers, codeBits } = frame;
  return namesOf({ machine, vcpu, registers, codeBits, symbols, vmcs: debuggee.vmcs(vcpu), event, eventFirst: false });
}

export function evaluateIn(debuggee: Debuggee, frame: Frame, text: string): Value {
  return evaluateExpression(parseExpression(text), namesIn(debuggee, frame));
}

export interface Evaluated {
  readonly result: string;
  readonly memoryReference?: string;
  /** The walk of the address, to unfold. */
  readonly resolution?: Resolution;
  readonly type?: string;
  /** Something was written. */
  readonly changed: boolean;
  /** What memory was written. */
  readonly written?: { readonly place: MemoryPlace; readonly bytes: number };
}

const NOTHING: Evaluated = { result: '', changed: false };

export function evaluate(debuggee: Debuggee, frame: Frame, text: string, context: string): Evaluated {
  if (context === 'hover') return hover(debuggee, frame, text);
  const expression = parseExpression(text);
  if (expression.kind === 'assign') {
    if (context !== 'repl') throw expressionErrors.notHere();
    return assign(debuggee, frame, expression.target, expression.value);
  }
  const value = evaluateExpression(expression, namesIn(debuggee, frame));
  if (context === 'clipboard') return { result: typeof value.value === 'boolean' ? String(value.value) : hex(value.value), changed: false };
  return { ...shown(debuggee, frame, value), changed: false };
}

function shown(debuggee: Debuggee, frame: Frame, value: Value): Pick<Evaluated, 'result' | 'memoryReference' | 'type' | 'resolution'> {
  if (typeof value.value === 'boolean') return { result: formatValue(value), type: 'boolean' };
  const place = placeOf(value, frame);
  const symbol = place?.space === 'gva' && value.value > 0xfffn ? debuggee.symbols.symbolAt(place.level, value.value) : undefined;
  const flags = value.origin?.kind === 'register' && value.origin.name === 'rflags' ? ` ${flagsInWords(value.value)}` : '';
  const words = value.description ? ` ${value.description}` : '';
  const result = symbol ? `${hex(value.value)} <${symbolText(debuggee.symbols, place!.level, value.value)}>` : formatValue(value);
  const resolution = value.place
    ? debuggee.machine.resolve(frame.vcpu, value.place.level, value.place.space, value.place.address)
    : undefined;
  return { result: result + flags + words, memoryReference: place && debuggee.reference(frame.vcpu, place), resolution };
}

/** The value as an address: what a symbol or a place says; a linear address of the frame's level for registers and numbers. */
function placeOf(value: Value, frame: Frame): MemoryPlace | undefined {
  if (typeof value.value === 'boolean' || value.label !== undefined) return undefined;
  if (value.place) return value.place;
  const { origin } = value;
  if (origin?.kind === 'register') {
    if (origin.name === 'cr3') return { space: 'gpa', level: frame.level, address: value.value & ~0xfffn };
    return isAddressRegister(origin.name) ? { space: 'gva', level: frame.level, address: value.value } : undefined;
  }
  if (origin?.kind === 'event') {
    if (origin.name === 'gpa') return { space: 'gpa', level: 2, address: value.value };
    return ['rip', 'linear', 'cr2'].includes(origin.name) ? { space: 'gva', level: frame.level, address: value.value } : undefined;
  }
  if (origin?.kind === 'field') return origin.pointsTo;
  if (origin?.kind === 'constant') return undefined;
  return { space: 'gva', level: frame.level, address: value.value };
}

function isAddressRegister(name: string): boolean {
  const part = REGISTER_PARTS.get(name);
  return (part ? part.bits >= 32 && part.whole !== 'rflags' : /^r([a-d]x|[sd]i|[sb]p|ip|\d+)$|_base$|^cr2$/.test(name)) ?? false;
}

/** A hover that means nothing gets an empty success: a refusal would pop up before the user's eyes. */
function hover(debuggee: Debuggee, frame: Frame, text: string): Evaluated {
  try {
    const expression = parseExpression(text);
    if (expression.kind === 'assign' || (expression.kind === 'number' && expression.decimal)) return NOTHING;
    const value = evaluateExpression(expression, namesIn(debuggee, frame));
    if (typeof value.value === 'boolean' && expression.kind === 'name') return NOTHING;
    const { result, memoryReference } = shown(debuggee, frame, value);
    const place = value.origin?.kind === 'memory' ? value.origin.place : placeOf(value, frame);
    if (!place) {
      const sentence =
        value.origin?.kind === 'constant' && typeof value.value === 'bigint' ? exitReasonSentence(Number(value.value)) : undefined;
      return { result: `${text.trim()} = ${result}${sentence ? `: ${sentence}` : ''}`, changed: false };
    }
    const resolution = debuggee.machine.resolve(frame.vcpu, place.level, place.space, place.address);
    const told = expression.kind === 'number' || expression.kind === 'place';
    const head = told ? '' : value.origin?.kind === 'symbol' ? `${text.trim()}: ` : `${text.trim()} = ${result}: `;
    return {
      result: `${head}${place.space === 'hpa' ? '' : `L${place.level} `}${resolution.summary}`,
      memoryReference,
      resolution,
      changed: false,
    };
  } catch (error) {
    if (error instanceof RequestError) return NOTHING;
    throw error;
  }
}

export function setExpression(debuggee: Debuggee, frame: Frame, target: string, value: string): Evaluated {
  return assign(debuggee, frame, parseExpression(target), parseExpression(value));
}

function assign(debuggee: Debuggee, frame: Frame, target: Expression, source: Expression): Evaluated {
  const names = namesIn(debuggee, frame);
  const { value } = evaluateExpression(source, names);
  const number = typeof value === 'boolean' ? BigInt(value) : value;
  if (target.kind === 'name' && frame.registers.get(target.name.toLowerCase()) !== undefined) {
    const name = target.name.toLowerCase();
    if (!frame.registers.live) throw expressionErrors.registerReadOnly(name);
    frame.registers.set(name, number);
    return { result: hex(frame.registers.get(name) ?? number), changed: true };
  }
  if (target.kind !== 'memory') throw expressionErrors.notAssignable();
  const { origin } = evaluateExpression(target, names);
  if (origin?.kind !== 'memory') throw expressionErrors.notAssignable();
  const { place, bytes } = origin;
  if (number >> BigInt(8 * bytes) !== 0n) throw expressionErrors.valueTooWide(hex(number), 8 * bytes);
  const written = debuggee.machine.writeMemory(frame.vcpu, place.level, place.space, place.address, toLittleEndian(number, bytes));
  if (written < bytes) throw expressionErrors.unwritable(formatPlace(place));
  return { result: hex(number), memoryReference: debuggee.reference(frame.vcpu, place), changed: true, written: { place, bytes } };
}

const MOST_COMPLETIONS = 200;

/** `column` counts from 0, as `start` does in what is answered. */
export function completions(debuggee: Debuggee, frame: Frame | undefined, text: string, column: number): DebugProtocol.CompletionItem[] {
  const before = text.slice(0, column);
  const prefix = /[A-Za-z_.?@][\w.?@$]*$/.exec(before)?.[0] ?? '';
  const start = before.length - prefix.length;
  const lower = prefix.toLowerCase();
  const items: DebugProtocol.CompletionItem[] = [];
  const offer = (names: Iterable<string>, type: DebugProtocol.CompletionItemType, detail?: (name: string) => string | undefined): void => {
    for (const name of names) {
      if (items.length >= MOST_COMPLETIONS) return;
      if (!name.toLowerCase().startsWith(lower)) continue;
      const item: DebugProtocol.CompletionItem = { label: name, type, start, length: prefix.length };
      const words = detail?.(name);
      if (words !== undefined) item.detail = words;
      items.push(item);
    }
  };
  if (frame)
    offer(
      [...frame.registers.names()].filter((name) => frame.registers.get(name) !== undefined),
      'variable',
    );
  offer(
    Object.keys(EVENT_VARIABLES).filter((name) => debuggee.event.has(name)),
    'property',
    (name) => EVENT_VARIABLES[name],
  );
  offer(['gpa', 'hpa'], 'function');
  if (lower.length > 0) {
    offer(debuggee.vmcs(frame?.vcpu ?? 0).names(), 'field');
    offer(exitReasonNames(), 'enum');
    offer(debuggee.symbols.symbolNames(), 'function');
  }
  return items;
}
