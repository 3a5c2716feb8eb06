/** JSON as VS Code writes its settings: RFC 8259 plus line and block comments and trailing commas. Reports where it went wrong. */

export class JsonSyntaxError extends Error {
  constructor(
    readonly what: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(`${what} at line ${line}, column ${column}`);
  }
}

const DEEPEST = 100;

export function parseJsonWithComments(text: string): unknown {
  let at = text.startsWith('\ufeff') ? 1 : 0;

  function fail(what: string, where = at): never {
    const before = text.slice(0, where).split('\n');
    throw new JsonSyntaxError(what, before.length, before[before.length - 1].length + 1);
  }

  function skip(): void {
    for (;;) {
      while (at < text.length && ' \t\r\n'.includes(text[at])) at++;
      if (text.startsWith('//', at)) {
        const end = text.indexOf('\n', at);
        at = end < 0 ? text.length : end;
      } else if (text.startsWith('/*', at)) {
        const end = text.indexOf('*/', at + 2);
        if (end < 0) fail('a comment is not closed');
        at = end + 2;
      } else return;
    }
  }

  function string(): string {
    const start = at;
    for (at++; at < text.length && text[at] !== '"'; at++) {
      if (text[at] === '\n') fail('a string is not closed', start);
      if (text[at] === '\\') at++;
    }
    if (at >= text.length) fail('a string is not closed', start);
    at++;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('a string has an invalid character or escape', start);
    }
  }

  /** Items up to `close`, each read by `item`; commas between them, one after the last is allowed. */
  function list(close: string, item: () => void): void {
    at++;
    for (;;) {
      skip();
      if (text[at] === close) break;
      item();
      skip();
      if (text[at] === ',') at++;
      else if (text[at] !== close) fail(at >= text.length ? `the file ends before '${close}'` : `expected ',' or '${close}'`);
    }
    at++;
  }

  function value(depth: number): unknown {
    if (depth > DEEPEST) fail('it is nested too deeply');
    skip();
    if (at >= text.length) fail('the file ends where a value was expected');
    if (text[at] === '"') return string();
    if (text[at] === '[') {
      const items: unknown[] = [];
      list(']', () => items.push(value(depth + 1)));
      return items;
    }
    if (text[at] === '{') {
      const members = new Map<string, unknown>();
      list('}', () => {
        if (text[at] !== '"') fail('expected a name in double quotes');
        const name = string();
        skip();
        if (text[at] !== ':') fail(`expected ':' after "${name}"`);
        at++;
        members.set(name, value(depth + 1));
      });
      return Object.fromEntries(members);
    }
    const word = /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)(?![\w.])/.exec(text.slice(at, at + 400));
    if (word === null) fail('expected a value');
    at += word[0].length;
    return JSON.parse(word[0]);
  }

  const result = value(0);
  skip();
  if (at < text.length) fail('something follows the end');
  return result;
}
