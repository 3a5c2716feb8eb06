/** The expression language's grammar: text to tree. Bit operations bind tighter than comparisons, unlike in C. */
import type { AddressSpace, Level } from '../../emulator/api';
import { expressionErrors } from '../errors';

export type Expression =
  | { readonly kind: 'number'; readonly value: bigint; readonly decimal: boolean }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: '-' | '~' | '!'; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'memory'; readonly bytes?: 1 | 2 | 4 | 8; readonly address: Expression }
  | { readonly kind: 'place'; readonly space: AddressSpace; readonly level?: Level; readonly address: Expression }
  | { readonly kind: 'call'; readonly name: string; readonly argument?: Expression }
  /** log("text with {expressions}"): writes a line, and is false. */
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'assign'; readonly target: Expression; readonly value: Expression };

export type BinaryOperator =
  '||' | '&&' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '|' | '^' | '&' | '<<' | '>>' | '+' | '-' | '*' | '/' | '%';

const PRECEDENCE: Readonly<Record<BinaryOperator, number>> = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '|': 4,
  '^': 5,
  '&': 6,
  '<<': 7,
  '>>': 7,
  '+': 8,
  '-': 8,
  '*': 9,
  '/': 9,
  '%': 9,
};

const SIZES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { byte: 1, word: 2, dword: 4, qword: 8 };

type Token =
  | { readonly kind: 'number'; readonly value: bigint; readonly decimal: boolean; readonly at: number }
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  | { readonly kind: 'space'; readonly space: AddressSpace; readonly level?: Level; readonly at: number }
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number };

const SPACES = /\s+/y;
const PLACE = /(?:l([12]):)?(gva|gpa|hpa):/iy;
const NUMBER = /0x[0-9a-f_]+|0b[01_]+|[0-9][0-9a-f]*h\b|[0-9][0-9_]*/iy;
const NAME = /[$%]?[A-Za-z_.?@][\w.?@$]*/y;
/** In double quotes; \\" stands for a quote. */
const TEXT = /"((?:[^"\\]|\\.)*)"/y;
const SIGN = /\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%|^&~!<>()[\]=]/y;
/** Deeper nesting than anybody writes; keeps nonsense from exhausting the stack. */
const DEEPEST = 100;
const LONGEST = 4000;

function tokenize(text: string): Token[] {
  if (text.length > LONGEST) throw expressionErrors.tooLong(LONGEST);
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const before = tokens.at(-1);
    const operandBefore =
      before !== undefined && (before.kind === 'number' || before.kind === 'name' || (before.kind === 'sign' && /[)\]]/.test(before.text)));
    let found: RegExpExecArray | null;
    if ((found = match(SPACES))) {
      at += found[0].length;
      continue;
    }
    if ((found = match(PLACE))) {
      const level = found[1] === undefined ? undefined : (Number(found[1]) as Level);
      tokens.push({ kind: 'space', space: found[2]!.toLowerCase() as AddressSpace, level, at });
    } else if ((found = match(NUMBER))) {
      tokens.push(number(found[0], at));
    } else if (!(operandBefore && text[at] === '%') && (found = match(NAME))) {
      tokens.push({ kind: 'name', text: found[0].replace(/^[$%]/, ''), at });
    } else if ((found = match(TEXT))) {
      tokens.push({ kind: 'text', text: found[1]!.replace(/\\(["\\])/g, '$1'), at });
    } else if ((found = match(SIGN))) {
      tokens.push({ kind: 'sign', text: found[0], at });
    } else {
      throw expressionErrors.unexpected(text[at]!, at);
    }
    at += found[0].length;
  }
  return tokens;
}

function number(text: string, at: number): Token {
  const digits = text.replaceAll('_', '');
  try {
    if (/h$/i.test(digits) && !/^0x/i.test(digits))
      return { kind: 'number', value: BigInt(`0x${digits.slice(0, -1)}`), decimal: false, at };
    return { kind: 'number', value: BigInt(digits), decimal: /^[0-9]+$/.test(digits), at };
  } catch {
    throw expressionErrors.unexpected(text, at);
  }
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expression {
    if (this.tokens.length === 0) throw expressionErrors.empty();
    const left = this.binary(0);
    let result = left;
    if (this.take('=')) result = { kind: 'assign', target: left, value: this.binary(0) };
    const rest = this.tokens[this.position];
    if (rest) throw expressionErrors.unexpected(textOf(rest), rest.at);
    return result;
  }

  private take(sign: string): boolean {
    const token = this.tokens[this.position];
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.position++;
    return true;
  }

  private expect(sign: string): void {
    if (this.take(sign)) return;
    const token = this.tokens[this.position];
    throw expressionErrors.missing(sign, token ? textOf(token) : undefined);
  }

  private binary(lowest: number): Expression {
    if (++this.depth > DEEPEST) throw expressionErrors.tooDeep();
    let left = this.unary();
    for (;;) {
      const token = this.tokens[this.position];
      const precedence = token?.kind === 'sign' && Object.hasOwn(PRECEDENCE, token.text) ? PRECEDENCE[token.text as BinaryOperator] : 0;
      if (token?.kind !== 'sign' || precedence <= lowest) break;
      this.position++;
      left = { kind: 'binary', operator: token.text as BinaryOperator, left, right: this.binary(precedence) };
    }
    this.depth--;
    return left;
  }

  private unary(): Expression {
    if (++this.depth > DEEPEST) throw expressionErrors.tooDeep();
    const result = this.primary();
    this.depth--;
    return result;
  }

  private primary(): Expression {
    const token = this.tokens[this.position];
    if (!token) throw expressionErrors.endsEarly();
    this.position++;
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: token.value, decimal: token.decimal };
      case 'space':
        return { kind: 'place', space: token.space, level: token.level, address: this.unary() };
      case 'name':
        return this.named(token.text);
      case 'text':
        throw expressionErrors.unexpected(`"${token.text}"`, token.at);
      case 'sign':
        break;
    }
    if (token.text === '(') {
      const inner = this.binary(0);
      this.expect(')');
      return inner;
    }
    if (token.text === '[') return this.memory(undefined);
    if (token.text === '-' || token.text === '~' || token.text === '!')
      return { kind: 'unary', operator: token.text, operand: this.unary() };
    if (token.text === '+') return this.unary();
    throw expressionErrors.unexpected(token.text, token.at);
  }

  private named(name: string): Expression {
    const bytes = Object.hasOwn(SIZES, name.toLowerCase()) ? SIZES[name.toLowerCase()] : undefined;
    if (bytes !== undefined) {
      const next = this.tokens[this.position];
      if (next?.kind === 'name' && next.text.toLowerCase() === 'ptr') this.position++;
      if (this.take('[')) return this.memory(bytes);
    }
    if (!this.take('(')) return { kind: 'name', name };
    if (name === 'log') return this.log();
    if (this.take(')')) return { kind: 'call', name };
    const argument = this.binary(0);
    this.expect(')');
    return { kind: 'call', name, argument };
  }

  private log(): Expression {
    const token = this.tokens[this.position++];
    if (token?.kind !== 'text') throw expressionErrors.logText();
    this.expect(')');
    return { kind: 'log', text: token.text };
  }

  private memory(bytes: 1 | 2 | 4 | 8 | undefined): Expression {
    const address = this.binary(0);
    this.expect(']');
    return { kind: 'memory', bytes, address };
  }
}

function textOf(token: Token): string {
  switch (token.kind) {
    case 'number':
      return `0x${token.value.toString(16)}`;
    case 'space':
      return `${token.space}:`;
    default:
      return token.text;
  }
}

/** Throws a RequestError with a sentence when the text is no expression. */
export function parseExpression(text: string): Expression {
  return new Parser(tokenize(text)).whole();
}

/** Every name that an expression mentions, functions left out. */
export function namesIn(expression: Expression): string[] {
  switch (expression.kind) {
    case 'number':
    case 'log':
      return [];
    case 'name':
      return [expression.name];
    case 'unary':
      return namesIn(expression.operand);
    case 'binary':
      return [...namesIn(expression.left), ...namesIn(expression.right)];
    case 'memory':
    case 'place':
      return namesIn(expression.address);
    case 'call':
      return expression.argument ? namesIn(expression.argument) : [];
    case 'assign':
      return [...namesIn(expression.target), ...namesIn(expression.value)];
  }
}

/** The texts of every log() in an expression. */
export function logsIn(expression: Expression): string[] {
  switch (expression.kind) {
    case 'log':
      return [expression.text];
    case 'unary':
      return logsIn(expression.operand);
    case 'binary':
      return [...logsIn(expression.left), ...logsIn(expression.right)];
    default:
      return [];
  }
}
