/** Breakpoints that a view's row or a byte stands for, as function breakpoints: an extension cannot set the editor's data breakpoints itself. */
import * as vscode from 'vscode';
import type { InspectedNode } from '../debug-adapter/protocol';

/** The breakpoint that stops when a row changes: of an exit's count when it happens again. */
export function changeBreakpoint({ id, label, dataId }: InspectedNode): string | undefined {
  const reason = /^exits\/count\/(\w+)$/.exec(id)?.[1];
  if (reason !== undefined) return `vmexit:${reason}`;
  return dataId === undefined ? undefined : `change:${dataId} ${label}`;
}

/** The breakpoint at a gate's handler. */
export function handlerBreakpoint({ id, value }: InspectedNode): string | undefined {
  const level = /^idt\/(l[12])\/\d+$/.exec(id)?.[1];
  return level !== undefined && value !== undefined && BigInt(value) !== 0n ? `${level}:gva:${value}` : undefined;
}

/** Sets a function breakpoint, or takes it away where it is set already. */
export function toggleFunctionBreakpoint(name: string): void {
  const there = vscode.debug.breakpoints.filter(
    (breakpoint) => breakpoint instanceof vscode.FunctionBreakpoint && breakpoint.functionName === name,
  );
  if (there.length > 0) vscode.debug.removeBreakpoints(there);
  else vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint(name)]);
}
