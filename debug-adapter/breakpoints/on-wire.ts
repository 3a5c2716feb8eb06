/** Breakpoints as the protocol shows them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { formatPlace, hex } from '../memory-reference';
import type { SymbolSource } from '../symbol-source';
import { type AddressBreakpoint, isVerified } from './address-breakpoints';

export function onWire(breakpoint: AddressBreakpoint, lineBase: number): DebugProtocol.Breakpoint {
  const { id, line, path, message, places, kind } = breakpoint;
  const verified = isVerified(breakpoint);
  const result: DebugProtocol.Breakpoint = { id, verified };
  if (message !== undefined) result.message = message;
  if (kind !== 'function' && line !== undefined && verified) result.line = line - 1 + lineBase;
  if (path !== undefined) result.source = { path };
  const first = places[0];
  if (first)
    result.instructionReference = first.level
      ? formatPlace({ space: 'gva', level: first.level, address: first.address })
      : hex(first.address);
  return result;
}

const MOST_LINES = 2000;

/** The lines of a range that have code. */
export function breakpointLocations(
  symbols: SymbolSource,
  path: string,
  first: number,
  last: number,
  lineBase: number,
): DebugProtocol.BreakpointLocation[] {
  const lines: DebugProtocol.BreakpointLocation[] = [];
  if (!symbols.knowsFile(path)) return lines;
  for (let line = first; line <= last && line < first + MOST_LINES; line++) {
    const rows = symbols.rowsAt(path, line);
    if (rows.length === 0) break;
    const found = rows[0]!.line;
    if (found > last) break;
    lines.push({ line: found - 1 + lineBase });
    line = found;
  }
  return lines;
}
