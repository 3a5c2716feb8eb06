/** Registers everything that Nestscope adds to the editor; the same in every host, but for how a worker starts. */
import * as vscode from 'vscode';
import type { InspectedNode } from '../debug-adapter/protocol';
import { AdapterFactory } from './adapter-factory';
import { ConfigurationProvider, FoundConfigurations } from './configuration';
import { EvaluateHover, hoverLanguages } from './hover';
import { InspectView } from './inspect-view';
import { MemoryDocuments } from './memory-document';
import { Sessions } from './sessions';
import type { WorkerPort } from './worker-adapter';

/** What tests and other extensions may use. */
export interface NestscopeApi {
  readonly host: string;
  readonly views: Readonly<Record<string, InspectView>>;
  readonly adapters: AdapterFactory;
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
  const adapters = new AdapterFactory(startWorker, log);
  const memory = new MemoryDocuments(sessions);
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
    vscode.debug.registerDebugConfigurationProvider('nestscope', new ConfigurationProvider()),
    vscode.debug.registerDebugConfigurationProvider(
      'nestscope',
      new FoundConfigurations(),
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    vscode.debug.registerDebugAdapterDescriptorFactory('nestscope', adapters),
    vscode.languages.registerHoverProvider(hoverLanguages, hover),
    vscode.languages.registerEvaluatableExpressionProvider(hoverLanguages, hover),
    vscode.workspace.registerTextDocumentContentProvider(MemoryDocuments.scheme, memory),
    vscode.commands.registerCommand('nestscope.copyValue', (node: InspectedNode) => vscode.env.clipboard.writeText(node.value ?? '')),
    vscode.commands.registerCommand('nestscope.copyRow', (node: InspectedNode) =>
      vscode.env.clipboard.writeText([node.label, node.value, node.description].filter(Boolean).join('  ')),
    ),
    vscode.commands.registerCommand('nestscope.goToMemory', (node: InspectedNode) =>
      node.memoryReference ? memory.show(node.memoryReference) : undefined,
    ),
    vscode.commands.registerCommand('nestscope.refreshViews', () => Object.values(views).forEach((view) => view.refresh())),
  );
  log.info(`Nestscope in ${host}`);
  return { host, views, adapters };
}
