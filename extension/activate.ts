/** Registers everything that Nestscope adds to the editor; the same in every host, but for how a worker starts. */
import * as vscode from 'vscode';
import { AdapterFactory } from './adapter-factory';
import { ConfigurationProvider, FoundConfigurations } from './configuration';
import { DisassemblyDocuments } from './disassembly-documents';
import { EvaluateHover, expressionAt, hoverLanguages } from './hover';
import { InspectView, type InspectViewOptions } from './inspect-view';
import { MemoryViews } from './memory-view';
import { registerOneCpuCommands } from './one-cpu-commands';
import { registerRowCommands } from './row-commands';
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
  readonly hover: EvaluateHover;
  readonly memory: MemoryViews;
}

const inspectViews: readonly InspectViewOptions[] = [
  { id: 'nestscope.controlStructures', root: 'vmcs', empty: 'There is no current VMCS: the hypervisor has not executed VMPTRLD yet.' },
  { id: 'nestscope.exits', root: 'exits', live: true, empty: 'No VM exit has happened yet.' },
  { id: 'nestscope.interrupts', root: 'interrupts', empty: 'There is no interrupt descriptor table yet.' },
  { id: 'nestscope.pageTables', root: 'page-tables', empty: 'There are no page tables: paging is off.' },
  { id: 'nestscope.devices', root: 'devices', empty: 'The machine has no devices.' },
];

export function activateNestscope(context: vscode.ExtensionContext, host: string, startWorker: () => Promise<WorkerPort>): NestscopeApi {
  const log = vscode.window.createOutputChannel('Nestscope', { log: true });
  const sessions = new Sessions();
  const disassembly = new DisassemblyDocuments();
  const adapters = new AdapterFactory(startWorker, disassembly, sessions, log);
  const configurations = new ConfigurationProvider();
  const memory = new MemoryViews(sessions, context.extensionUri);
  const consoles = new SerialConsoles();
  const translation = new TranslationView(sessions);
  const hover = new EvaluateHover(sessions);
  const views: Record<string, InspectView> = {};
  for (const options of inspectViews) context.subscriptions.push((views[options.id] = new InspectView(sessions, options)));
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
    ...registerRowCommands({ views, memory, translation }),
    ...registerOneCpuCommands(sessions),
    vscode.commands.registerCommand('nestscope.serialConsole', () => consoles.show(sessions.current)),
    vscode.commands.registerCommand('nestscope.translate', (given?: unknown) =>
      // An expression from another command; a URI from the editor's menu; nothing from the palette, which asks.
      typeof given === 'string'
        ? translation.show(given)
        : given === undefined
          ? translation.ask(wordInFront())
          : translation.show(wordInFront()),
    ),
    vscode.commands.registerCommand('nestscope.memory', (given?: unknown) => memory.show(typeof given === 'string' ? given : undefined)),
    vscode.commands.registerCommand('nestscope.refreshViews', () => Object.values(views).forEach((view) => view.refresh())),
  );
  log.info(`Nestscope in ${host}`);
  return { host, views, adapters, configurations, translation, hover, memory };
}

/** The expression under the cursor, for commands that were not given one; undefined asks the user. */
function wordInFront(): string | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor && !editor.selection.isEmpty
    ? editor.document.getText(editor.selection)
    : editor && expressionAt(editor.document, editor.selection.active)?.expression;
}
