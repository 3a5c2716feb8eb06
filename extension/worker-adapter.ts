/**
 * A debug adapter that lives in a worker: passes DAP messages to it and back, and reads files for it, which a worker cannot do in a browser.
 * A worker that ends before its first message was refused by the host: what it was sent goes to another adapter then.
 */
import * as vscode from 'vscode';
import type { WorkerMessage } from '../debug-adapter/protocol';
import { readFile } from './workspace-files';

/** A worker of node or of the browser, seen alike. */
export interface WorkerPort {
  post(message: WorkerMessage): void;
  onMessage(listener: (message: WorkerMessage) => void): void;
  /** Called with a sentence when it failed, with undefined when it ended. */
  onEnd(listener: (failure: string | undefined) => void): void;
  stop(): void;
}

export class WorkerAdapter implements vscode.DebugAdapter {
  private readonly messages = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.messages.event;
  private ended = false;
  /** What was sent before the worker's first message; undefined after it. */
  private unanswered: vscode.DebugProtocolMessage[] | undefined = [];
  private other: vscode.DebugAdapter | undefined;

  constructor(
    private readonly port: WorkerPort,
    private readonly instead: (failure: string) => Promise<vscode.DebugAdapter>,
  ) {
    port.onMessage((message) => this.receive(message));
    port.onEnd((failure) => this.end(failure));
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    if (this.other) return this.other.handleMessage(message);
    this.unanswered?.push(message);
    if (!this.ended) this.port.post({ kind: 'dap', message });
  }

  dispose(): void {
    this.ended = true;
    this.unanswered = undefined;
    this.port.stop();
    this.other?.dispose();
    this.messages.dispose();
  }

  private receive(message: WorkerMessage): void {
    if (this.ended) return;
    this.unanswered = undefined;
    if (message.kind === 'dap') this.messages.fire(message.message as vscode.DebugProtocolMessage);
    else if (message.kind === 'read') void this.read(message.id, message.path);
  }

  private async read(id: number, path: string): Promise<void> {
    try {
      const bytes = await readFile(path);
      if (!this.ended) this.port.post({ kind: 'read-result', id, bytes });
    } catch (error) {
      if (!this.ended) this.port.post({ kind: 'read-result', id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The editor waits for ever for an adapter that fell silent: end the session with a sentence instead. */
  private end(failure: string | undefined): void {
    if (this.ended) return;
    this.ended = true;
    if (this.unanswered) {
      this.port.stop();
      void this.replace(failure ?? 'it ended at once');
      return;
    }
    if (failure !== undefined) this.send('output', { category: 'important', output: `Nestscope's worker ended: ${failure}\n` });
    this.send('terminated', {});
  }

  private async replace(failure: string): Promise<void> {
    const other = await this.instead(failure);
    if (!this.unanswered) return other.dispose(); // The session ended meanwhile.
    other.onDidSendMessage((message) => this.messages.fire(message));
    for (const message of this.unanswered) other.handleMessage(message);
    this.unanswered = undefined;
    this.other = other;
  }

  private send(event: string, body: object): void {
    this.messages.fire({ type: 'event', seq: 0, event, body } as vscode.DebugProtocolMessage);
  }
}
