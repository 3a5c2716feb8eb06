/** A panel that draws how an address is translated, and draws it again at every stop. */
import * as vscode from 'vscode';
import type { ResolveArguments, ResolveResult } from '../debug-adapter/protocol';
import type { Sessions } from './sessions';
import { messageHtml, translationHtml } from './translation-html';

export class TranslationView implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private expression = '';
  private stale = false;
  private readonly subscription: vscode.Disposable;

  constructor(private readonly sessions: Sessions) {
    this.subscription = sessions.onDidSettle(() => void this.drawIfSeen());
  }

  /** Asks for an address, then shows it. */
  async ask(suggestion: string | undefined): Promise<void> {
    const expression = await vscode.window.showInputBox({
      title: 'Translate an address',
      prompt: 'An address, a register, a symbol, or a memory reference such as l2:gva:0x40020000',
      value: suggestion ?? (this.expression || 'rip'),
    });
    if (expression) await this.show(expression);
  }

  async show(expression: string | undefined): Promise<void> {
    if (!expression) return this.ask(undefined);
    this.expression = expression;
    if (!this.panel) {
      this.panel = vscode.window.createWebviewPanel(
        'nestscope.translation',
        'Address Translation',
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        {},
      );
      this.panel.onDidDispose(() => (this.panel = undefined));
      this.panel.onDidChangeViewState(({ webviewPanel }) => webviewPanel.visible && this.stale && void this.draw());
    }
    this.panel.title = `Translation: ${expression}`;
    this.panel.reveal(undefined, true);
    await this.draw();
  }

  /** What the panel shows, for tests: a webview's content cannot be read back. */
  get html(): string {
    return this.panel?.webview.html ?? '';
  }

  dispose(): void {
    this.subscription.dispose();
    this.panel?.dispose();
  }

  /** A panel behind another one is drawn when it comes to the front. */
  private async drawIfSeen(): Promise<void> {
    this.stale = this.panel?.visible === false;
    if (!this.stale) await this.draw();
  }

  private async draw(): Promise<void> {
    const { panel, expression } = this;
    if (!panel) return;
    this.stale = false;
    const html = await this.content(expression);
    if (panel === this.panel && expression === this.expression && panel.webview.html !== html) panel.webview.html = html;
  }

  private async content(expression: string): Promise<string> {
    const session = this.sessions.stoppedSession;
    if (!session) return messageHtml('The machine is running, or there is none.');
    const frame = { vcpu: this.sessions.vcpu, frameId: this.sessions.frameId };
    try {
      const request: ResolveArguments = { ...frame, address: await this.referenceOf(session, expression) };
      return translationHtml(expression, await this.sessions.askForView<ResolveResult>(session, 'nestscope/resolve', request));
    } catch (error) {
      return messageHtml(error instanceof Error ? error.message : String(error));
    }
  }

  /** The selected frame says which level's address an expression is: its value comes with a memory reference. */
  private async referenceOf(session: vscode.DebugSession, expression: string): Promise<string> {
    const request = { expression, context: 'watch', frameId: this.sessions.frameId };
    const answer = await this.sessions.askForView<{ memoryReference?: string }>(session, 'evaluate', request);
    return answer.memoryReference ?? expression;
  }
}
