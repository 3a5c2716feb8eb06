/** What the adapter wants to know of a program's symbols and source lines. Line numbers start at 1. */
import type { Level } from '../emulator/api';

export interface SymbolPosition {
  readonly name: string;
  readonly address: bigint;
  /** From the symbol to the address asked for. */
  readonly offset: bigint;
}

export interface LineRow {
  /** As the debug information names it. */
  readonly file: string;
  readonly line: number;
  /** Addresses of the row: start included, end not. */
  readonly start: bigint;
  readonly end: bigint;
  readonly isStatement: boolean;
}

export interface SymbolModule {
  readonly name: string;
  readonly path: string;
  readonly symbols: number;
  readonly lines: number;
  readonly low?: bigint;
  readonly high?: bigint;
}

export interface SymbolSource {
  symbolAt(level: Level, address: bigint): SymbolPosition | undefined;
  /** Every level that has the symbol. */
  addressOf(name: string): { readonly address: bigint; readonly level?: Level } | undefined;
  symbolNames(): Iterable<string>;
  rowAt(level: Level, address: bigint): LineRow | undefined;
  /** Rows that begin a statement of this file at the line, or at the next line that has code. */
  rowsAt(file: string, line: number): readonly (LineRow & { readonly level?: Level })[];
  /** Does the debug information know the file at all? */
  knowsFile(file: string): boolean;
  readonly modules: readonly SymbolModule[];
}

export const noSymbols: SymbolSource = {
  symbolAt: () => undefined,
  addressOf: () => undefined,
  symbolNames: () => [],
  rowAt: () => undefined,
  rowsAt: () => [],
  knowsFile: () => false,
  modules: [],
};

/** Of a return address: the function that called, also when the CALL is its last instruction. */
export function returnText(symbols: SymbolSource, level: Level, address: bigint): string {
  const found = symbols.symbolAt(level, address - 1n);
  return found ? `${found.name}+0x${(found.offset + 1n).toString(16)}` : `0x${address.toString(16)}`;
}

/** main, main+0x4; the address itself when no symbol is near. */
export function symbolText(symbols: SymbolSource, level: Level, address: bigint): string {
  const found = symbols.symbolAt(level, address);
  if (!found) return `0x${address.toString(16)}`;
  return found.offset === 0n ? found.name : `${found.name}+0x${found.offset.toString(16)}`;
}
