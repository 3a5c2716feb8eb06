/** What can be done with a row of the inspection views, from its menu and from the keyboard: copy, memory, translation, breakpoints. */
import * as vscode from 'vscode';
import type { InspectedNode } from '../debug-adapter/protocol';
import type { InspectView } from './inspect-view';
import type { MemoryViews } from './memory-view';
import { changeBreakpoint, handlerBreakpoint, toggleFunctionBreakpoint } from './row-breakpoints';
import type { TranslationView } from './translation-view';

interface Surroundings {
  readonly views: Readonly<Record<string, InspectView>>;
  readonly memory: MemoryViews;
  readonly translation: TranslationView;
}

export function registerRowCommands({ views, memory, translation }: Surroundings): vscode.Disposable[] {
  const commands: Record<string, (node: InspectedNode) => unknown> = {
    copyValue: (node) => vscode.env.clipboard.writeText(node.value ?? ''),
    copyRow: ({ label, value, symbol, description }) =>
      vscode.env.clipboard.writeText([label, value, symbol && `<${symbol}>`, description].filter(Boolean).join('  ')),
    goToMemory: ({ memoryReference }) => memoryReference && memory.show(memoryReference),
    translateNode: ({ memoryReference }) => memoryReference && translation.show(memoryReference),
    breakOnChange: (node) => toggle(changeBreakpoint(node), `${node.label} has no place in memory that could be watched.`),
    breakAtHandler: (node) => toggle(handlerBreakpoint(node), `${node.label} has no handler.`),
  };
  return Object.entries(commands).map(([name, act]) =>
    vscode.commands.registerCommand(`nestscope.${name}`, (given?: InspectedNode | string) => {
      // A key names the view that has the focus; a menu gives the row.
      const node = typeof given === 'string' ? views[given]?.selected : given;
      return node && act(node);
    }),
  );
}

function toggle(name: string | undefined, otherwise: string): void {
  if (name !== undefined) toggleFunctionBreakpoint(name);
  else void vscode.window.showInformationMessage(otherwise);
}
