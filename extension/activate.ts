/** Registers everything that Nestscope adds to the editor; the same in every host, but for how a worker starts. */
import * as vscode from 'vscode';
import type { InspectedNode } from '../debug-adapter/protocol';
import { AdapterFactory } from './adapter-factory';
import { ConfigurationProvider, FoundConfigurations } from './configuration';
import { DisassemblyDocuments } from './disassembly-documents';
import { EvaluateHover, expressionAt, hoverLanguages } from './hover';
import { InspectView } from './inspect-view';
import { MemoryViews } from './memory-view';
import { SerialConsoles } from './serial-console';
import { Sessions } from './sessions';
import { TranslationView } from './translation-view';
import type { WorkerPort } from './worker-adapter';

/** What tests and other extensions may use. */
export interface NestscopeApi {
  readonly host: string;
  readonly views: Readonly<Record<string, InspectView>>;
  readonly adapters: AdapterFactory;
  readonly configurations: ConfigurationProvider;
  readonly translation: TranslationView;
}

/** View id → root of the adapter's inspection. */
const viewRoots: Readonly<Record<string, string>> = {
  'nestscope.controlStructures': 'vmcs',
  'nestscope.exits': 'exits',
  'nestscope.interrupts': 'idt',
  'nestscope.pageTables': 'page-tables',
};

export function activateNestscope(context: vscode.ExtensionContext, host: string, startWorker: () => Promise<WorkerPort>): NestscopeApi {
  const log = vscode.window.createOutputChannel('Nestscope', { log: true });
  const sessions = new Sessions();
  const disassembly = new DisassemblyDocuments();
  const adapters = new AdapterFactory(startWorker, disassembly, log);
  const configurations = new ConfigurationProvider();
  const memory = new MemoryViews(sessions, context.extensionUri);
  const consoles = new SerialConsoles();
  const translation = new TranslationView(sessions);
  const hover = new EvaluateHover(sessions);
  const views: Record<string, InspectView> = {};
  for (const [id, root] of Object.entries(viewRoots)) {
    const view = new InspectView(sessions, root);
    views[id] = view;
    context.subscriptions.push(view, vscode.window.createTreeView(id, { treeDataProvider: view, showCollapseAll: true }));
  }
  context.subscriptions.push(
    log,
    sessions,
    memory,
    consoles,
    translation,
    vscode.debug.registerDebugConfigurationProvider('nestscope', configurations),
    vscode.debug.registerDebugConfigurationProvider(
      'nestscope',
      new FoundConfigurations(),
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    vscode.debug.registerDebugAdapterDescriptorFactory('nestscope', adapters),
    vscode.workspace.registerTextDocumentContentProvider(DisassemblyDocuments.scheme, disassembly),
    vscode.languages.registerHoverProvider(hoverLanguages, hover),
    vscode.languages.registerEvaluatableExpressionProvider(hoverLanguages, hover),
    vscode.commands.registerCommand('nestscope.copyValue', (node: InspectedNode) => vscode.env.clipboard.writeText(node.value ?? '')),
    vscode.commands.registerCommand('nestscope.copyRow', (node: InspectedNode) =>
      vscode.env.clipboard.writeText([node.label, node.value, node.description].filter(Boolean).join('  ')),
    ),
    vscode.commands.registerCommand('nestscope.goToMemory', (node: InspectedNode) =>
      node.memoryReference ? memory.show(node.memoryReference) : undefined,
    ),
    vscode.commands.registerCommand('nestscope.serialConsole', () => consoles.show(sessions.current)),
    vscode.commands.registerCommand('nestscope.translate', (given?: unknown) =>
      // An expression from another command; a URI from the editor's menu; nothing from the palette, which asks.
      typeof given === 'string'
        ? translation.show(given)
        : given === undefined
          ? translation.ask(wordInFront())
          : translation.show(wordInFront()),
    ),
    vscode.commands.registerCommand('nestscope.translateNode', (node: InspectedNode) =>
      node.memoryReference ? translation.show(node.memoryReference) : undefined,
    ),
    vscode.commands.registerCommand('nestscope.memory', (given?: unknown) => memory.show(typeof given === 'string' ? given : undefined)),
    vscode.commands.registerCommand('nestscope.refreshViews', () => Object.values(views).forEach((view) => view.refresh())),
  );
  log.info(`Nestscope in ${host}`);
  return { host, views, adapters, configurations, translation };
}

/** The expression under the cursor, for commands that were not given one; undefined asks the user. */
function wordInFront(): string | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor && !editor.selection.isEmpty
    ? editor.document.getText(editor.selection)
    : editor && expressionAt(editor.document, editor.selection.active)?.expression;
}
