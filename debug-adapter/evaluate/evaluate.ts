/** Evaluates an expression tree. Numbers are unsigned 64-bit, comparisons give booleans; what a name means is asked of a Names object. */
import type { Level } from '../../emulator/api';
import { expressionErrors } from '../errors';
import { formatPlace, hex, type MemoryPlace } from '../memory-reference';
import type { BinaryOperator, Expression } from './syntax';

export interface Value {
  readonly value: bigint | boolean;
  /** A name for the value, such as EPT_VIOLATION. */
  readonly label?: string;
  /** What it means, in words (a VMCS field's decoded text). */
  readonly description?: string;
  /** How the value was named: what a hover and an assignment go by. */
  readonly origin?:
    | { readonly kind: 'register'; readonly name: string }
    | { readonly kind: 'symbol'; readonly name: string }
    | { readonly kind: 'field'; readonly name: string; readonly pointsTo?: MemoryPlace }
    | { readonly kind: 'event'; readonly name: string }
    | { readonly kind: 'constant'; readonly name: string }
    | { readonly kind: 'memory'; readonly place: MemoryPlace; readonly bytes: number };
  /** The value seen as an address, when it is one for sure (a symbol, gpa(), l2:gpa:…). */
  readonly place?: MemoryPlace;
}

/** What an expression may ask of its surroundings. */
export interface Names {
  /** Where linear addresses of this expression belong. */
  readonly level: Level;
  /** Size of a memory operand that names none. */
  readonly pointerBytes: 4 | 8;
  /** In conditions: takes the texts of log(). */
  readonly log?: (text: string) => void;
  lookup(name: string): Value | undefined;
  similar(name: string): string | undefined;
  read(place: MemoryPlace, bytes: number): Uint8Array;
  /** Throws a RequestError when the address is not mapped. */
  translate(place: MemoryPlace, to: 'gpa' | 'hpa'): MemoryPlace;
}

const WIDTH = 64;
const wrap = (value: bigint): bigint => BigInt.asUintN(WIDTH, value);
const asNumber = (value: bigint | boolean): bigint => (typeof value === 'boolean' ? (value ? 1n : 0n) : value);
export const isTrue = (value: Value): boolean => (typeof value.value === 'boolean' ? value.value : value.value !== 0n);

export function evaluateExpression(expression: Expression, names: Names): Value {
  switch (expression.kind) {
    case 'number':
      return { value: wrap(expression.value) };
    case 'name': {
      const found = names.lookup(expression.name);
      if (!found) throw expressionErrors.unknownName(expression.name, names.similar(expression.name));
      return found;
    }
    case 'unary': {
      const operand = evaluateExpression(expression.operand, names);
      if (expression.operator === '!') return { value: !isTrue(operand) };
      return { value: wrap(expression.operator === '-' ? -asNumber(operand.value) : ~asNumber(operand.value)) };
    }
    case 'binary':
      return binary(expression.operator, expression.left, expression.right, names);
    case 'memory': {
      const inner = evaluateExpression(expression.address, names);
      // [l2:gpa:0x1000] reads where the reference says; [symbol] and [rax] read linear memory of the frame's level.
      const place = inner.place ?? { space: 'gva', level: names.level, address: asNumber(inner.value) };
      const bytes = expression.bytes ?? names.pointerBytes;
      const data = names.read(place, bytes);
      if (data.length < bytes) throw expressionErrors.unreadable(formatPlace(place));
      return { value: littleEndian(data), origin: { kind: 'memory', place, bytes } };
    }
    case 'place': {
      const address = asNumber(evaluateExpression(expression.address, names).value);
      return { value: address, place: { space: expression.space, level: expression.level ?? names.level, address } };
    }
    case 'call':
      return call(expression.name, expression.argument, names);
    case 'log':
      if (!names.log) throw expressionErrors.logElsewhere();
      names.log(expression.text);
      return { value: false };
    case 'assign':
      throw expressionErrors.notHere();
  }
}

function call(name: string, argument: Expression | undefined, names: Names): Value {
  if (name !== 'gpa' && name !== 'hpa') throw expressionErrors.unknownFunction(name);
  if (!argument) throw expressionErrors.functionArgument(name);
  const inner = evaluateExpression(argument, names);
  const place = inner.place ?? { space: 'gva', level: names.level, address: asNumber(inner.value) };
  const translated = names.translate(place, name);
  return { value: translated.address, place: translated };
}

function binary(operator: BinaryOperator, left: Expression, right: Expression, names: Names): Value {
  const first = evaluateExpression(left, names);
  if (operator === '&&') return { value: isTrue(first) && isTrue(evaluateExpression(right, names)) };
  if (operator === '||') return { value: isTrue(first) || isTrue(evaluateExpression(right, names)) };
  const second = evaluateExpression(right, names);
  const [a, b] = [asNumber(first.value), asNumber(second.value)];
  const number = (value: bigint): Value => {
    const wrapped = wrap(value);
    // symbol + 4 is still an address of the symbol's space
    const base = operator === '+' ? (first.place ?? second.place) : operator === '-' ? first.place : undefined;
    return base && !(first.place && second.place) ? { value: wrapped, place: { ...base, address: wrapped } } : { value: wrapped };
  };
  switch (operator) {
    case '==':
      return { value: a === b };
    case '!=':
      return { value: a !== b };
    case '<':
      return { value: a < b };
    case '<=':
      return { value: a <= b };
    case '>':
      return { value: a > b };
    case '>=':
      return { value: a >= b };
    case '|':
      return number(a | b);
    case '^':
      return number(a ^ b);
    case '&':
      return number(a & b);
    case '<<':
      return number(b >= BigInt(WIDTH) ? 0n : a << b);
    case '>>':
      return number(b >= BigInt(WIDTH) ? 0n : a >> b);
    case '+':
      return number(a + b);
    case '-':
      return number(a - b);
    case '*':
      return number(a * b);
    case '/':
    case '%':
      if (b === 0n) throw expressionErrors.divisionByZero();
      return number(operator === '/' ? a / b : a % b);
  }
}

export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

export function toLittleEndian(value: bigint, bytes: number): Uint8Array {
  const result = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) result[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return result;
}

/** 0x1f (31), EPT_VIOLATION (48), true. */
export function formatValue(value: Value): string {
  if (typeof value.value === 'boolean') return String(value.value);
  if (value.label !== undefined) return `${value.label} (${value.value})`;
  if (value.place && value.origin?.kind !== 'symbol' && value.place.space !== 'gva') return formatPlace(value.place);
  return value.value > 9n && value.value < 1n << 32n ? `${hex(value.value)} (${value.value})` : hex(value.value);
}
