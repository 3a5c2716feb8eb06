/** Hovers over addresses, registers and symbols in sources: what the adapter's evaluate says of the text under the pointer. */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

/** NASM and C names, AT&T registers and constants, numbers in every notation. */
const word = /\$?[%]?[A-Za-z_.$?@][\w.$?@]*|\$?-?[0-9][\w]*/;

export const hoverLanguages: vscode.DocumentSelector = [
  'x86-asm',
  'asm',
  'nasm',
  'gas',
  'asm-intel-x86-generic',
  'assembly',
  'c',
  'cpp',
  'log',
];

export function expressionAt(
  document: vscode.TextDocument,
  position: vscode.Position,
): { range: vscode.Range; expression: string } | undefined {
  const range = document.getWordRangeAtPosition(position, word);
  if (!range) return undefined;
  const before = document.lineAt(position.line).text.slice(0, range.start.character);
  if (isComment(before)) return undefined;
  const text = document
    .getText(range)
    .replace(/^\$(?=[0-9-])/, '')
    .replace(/^%/, '');
  return /^[0-9]$/.test(text) ? undefined : { range, expression: asNumber(text) };
}

/** A comment's words mean nothing to the machine. */
function isComment(before: string): boolean {
  return /(^|\s)(;|\/\/|#\s)/.test(before.replace(/"[^"]*"|'[^']*'/g, ''));
}

/** NASM's 1000h and 0x1000 are one number. */
function asNumber(text: string): string {
  const hex = /^([0-9][0-9a-f]*)h$/i.exec(text);
  return hex ? `0x${hex[1]}` : text;
}

export class EvaluateHover implements vscode.HoverProvider, vscode.EvaluatableExpressionProvider {
  constructor(private readonly sessions: Sessions) {}

  /** The debugger's own hover, in the file where the machine stands. */
  provideEvaluatableExpression(document: vscode.TextDocument, position: vscode.Position): vscode.EvaluatableExpression | undefined {
    const found = expressionAt(document, position);
    return found && new vscode.EvaluatableExpression(found.range, found.expression);
  }

  /** The editor's hover, in every other file. */
  async provideHover(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.Hover | undefined> {
    const session = this.sessions.stoppedSession;
    const found = session && expressionAt(document, position);
    if (!session || !found) return undefined;
    try {
      const request = { expression: found.expression, context: 'hover', frameId: this.sessions.frameId };
      const answer = await this.sessions.ask<{ result?: string; variablesReference: number }>(session, 'evaluate', request);
      if (!answer.result) return undefined;
      const text = new vscode.MarkdownString().appendCodeblock(answer.result, 'text');
      if (answer.variablesReference > 0) text.appendCodeblock(await this.walk(session, answer.variablesReference), 'text');
      return new vscode.Hover(text, found.range);
    } catch {
      return undefined; // The text means nothing to the machine.
    }
  }

  /** The entries of an address's walk, one to a line: what the debugger's own hover lets one unfold. */
  private async walk(session: vscode.DebugSession, variablesReference: number): Promise<string> {
    const { variables } = await this.sessions.ask<{ variables: { name: string; value: string }[] }>(session, 'variables', {
      variablesReference,
    });
    const width = Math.max(...variables.map(({ name }) => name.length));
    return variables.map(({ name, value }) => `${name.padEnd(width)}  ${value}`).join('\n');
  }
}
