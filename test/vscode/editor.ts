/** What the editor's suites share: the extension, the examples, and the way to the stops that they look at. */
import * as vscode from 'vscode';
import type { InspectedNode } from '../../debug-adapter/protocol';
import type { NestscopeApi } from '../../extension/activate';
import { Conversation, ok, until } from './conversation';

export class Editor {
  readonly conversation = new Conversation();
  private given: NestscopeApi | undefined;

  /** Activates the extension before the suite and ends what each test has started. */
  constructor() {
    before(async () => {
      const extension = vscode.extensions.getExtension<NestscopeApi>('nestscope.nestscope');
      ok(extension, 'the extension is installed');
      this.given = await extension.activate();
    });
    after(() => this.conversation.dispose());
    afterEach(async () => {
      await vscode.debug.stopDebugging();
      await until(() => vscode.debug.activeDebugSession === undefined, 'the session has ended');
      vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    });
  }

  get api(): NestscopeApi {
    return this.given!;
  }
  get folder(): vscode.WorkspaceFolder {
    return vscode.workspace.workspaceFolders![0]!;
  }
  file(...path: string[]): vscode.Uri {
    return vscode.Uri.joinPath(this.folder.uri, ...path);
  }
  /** As a launch configuration names a file: a path on disks, else a URI. */
  path(...path: string[]): string {
    const uri = this.file(...path);
    return uri.scheme === 'file' ? uri.fsPath : uri.toString();
  }

  async open(...path: string[]): Promise<vscode.TextDocument> {
    const document = await vscode.workspace.openTextDocument(this.file(...path));
    await vscode.window.showTextDocument(document);
    return document;
  }

  /** Starts a configuration of the examples, or one given, and waits for its first stop. */
  async start(configuration: string | vscode.DebugConfiguration = 'nested-hello'): Promise<vscode.DebugSession> {
    const stops = this.conversation.stops.length;
    ok(await vscode.debug.startDebugging(this.folder, configuration), 'startDebugging');
    await this.conversation.stop(stops);
    return vscode.debug.activeDebugSession!;
  }

  /** Does what makes the machine go on, and waits until it has stopped and the editor shows where; gives the name of the frame on top. */
  async toNextStop(session: vscode.DebugSession, act: () => Thenable<unknown>): Promise<string> {
    const stops = this.conversation.stops.length;
    await act();
    await this.conversation.stop(stops);
    return (await this.conversation.frames(session))[0]!.name;
  }
  /** A command of the editor's debug keys: continue, stepOver, stepInto, stepOut. */
  key(session: vscode.DebugSession, name: string): Promise<string> {
    return this.toNextStop(session, () => vscode.commands.executeCommand(`workbench.action.debug.${name}`));
  }

  async breakOnExit(session: vscode.DebugSession, condition: string | undefined): Promise<void> {
    const filterOptions = condition === undefined ? [] : [{ filterId: 'vm-exit', condition }];
    await session.customRequest('setExceptionBreakpoints', { filters: [], filterOptions });
  }
  async toExit(session: vscode.DebugSession, condition: string): Promise<string> {
    await this.breakOnExit(session, condition);
    return this.key(session, 'continue');
  }
  /** The EPT violation that nested-hello's guest causes. */
  async atEptViolation(): Promise<vscode.DebugSession> {
    const session = await this.start();
    await this.toExit(session, 'reason == EPT_VIOLATION');
    return session;
  }

  /** Runs on until the session ends; gives what was printed on the way. */
  async toEnd(session: vscode.DebugSession): Promise<string> {
    const ended = new Promise<void>((settle) => {
      const subscription = vscode.debug.onDidTerminateDebugSession(({ id }) => {
        if (id !== session.id) return;
        subscription.dispose();
        settle();
      });
    });
    const before = this.conversation.outputs.length;
    await vscode.commands.executeCommand('workbench.action.debug.continue');
    await ended;
    return this.conversation.outputs.slice(before).join('');
  }

  /** The rows of a view down to a depth. */
  async rows(id: string, depth: number, parent?: InspectedNode): Promise<InspectedNode[]> {
    if (depth === 0) return [];
    const nodes = await this.api.views[id]!.getChildren(parent);
    const below = await Promise.all(nodes.filter(({ expandable }) => expandable).map((node) => this.rows(id, depth - 1, node)));
    return [...nodes, ...below.flat()];
  }

  /** What the editor's hover says of a text in a document. */
  async hover(document: vscode.TextDocument, text: string): Promise<string> {
    const at = document.positionAt(document.getText().indexOf(text) + 2);
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', document.uri, at);
    return hovers.flatMap(({ contents }) => contents.map((content) => (typeof content === 'string' ? content : content.value))).join('\n');
  }
}
