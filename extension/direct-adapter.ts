/**
 * The session's debug adapter, which the extension's own views and hovers ask directly: a request by way of the editor would cross to the
 * editor's window and back. What views ask waits in a lane of its own, one at a time, so that no step or hover ever queues behind them.
 */
import * as vscode from 'vscode';

/** Requests of ours are told from the editor's by their numbers. */
const firstSequence = 1_000_000_000;
/** What makes the machine go on: answers that views wait for are void then. */
const resuming = new Set([
  'continue',
  'next',
  'stepIn',
  'stepOut',
  'stepBack',
  'reverseContinue',
  'restart',
  'goto',
  'terminate',
  'disconnect',
]);

interface Message {
  readonly type: string;
  readonly command?: string;
  readonly success?: boolean;
  readonly request_seq?: number;
  readonly message?: string;
  readonly body?: { readonly error?: { readonly format?: string; readonly variables?: Readonly<Record<string, string>> } };
}
interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}
interface Queued extends Waiting {
  readonly command: string;
  readonly args: object;
}

export class DirectAdapter implements vscode.DebugAdapter {
  private readonly messages = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.messages.event;
  private readonly waiting = new Map<number, Waiting>();
  private queue: Queued[] = [];
  private viewsAsking = false;
  private sequence = firstSequence;
  private over = false;

  constructor(private readonly inner: vscode.DebugAdapter) {
    inner.onDidSendMessage((message) => this.receive(message));
  }

  /** From the editor. */
  handleMessage(message: vscode.DebugProtocolMessage): void {
    if (resuming.has((message as unknown as Message).command ?? '')) this.dropQueue();
    this.inner.handleMessage(message);
  }

  /** Asks at once: for hovers and what a user waits for. */
  request<T>(command: string, args: object): Promise<T> {
    if (this.over) return Promise.reject(new Error('The session is over.'));
    return new Promise((resolve, reject) => {
      const seq = this.sequence++;
      this.waiting.set(seq, { resolve: resolve as (body: unknown) => void, reject });
      this.inner.handleMessage({ type: 'request', seq, command, arguments: args } as vscode.DebugProtocolMessage);
    });
  }

  /** Asks when nothing else that views asked is under way; rejected when the machine goes on before its turn. */
  requestForView<T>(command: string, args: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.queue.push({ command, args, resolve: resolve as (body: unknown) => void, reject });
      void this.work();
    });
  }

  dispose(): void {
    this.over = true;
    this.dropQueue();
    for (const { reject } of this.waiting.values()) reject(new Error('The session is over.'));
    this.waiting.clear();
    this.inner.dispose();
    this.messages.dispose();
  }

  private async work(): Promise<void> {
    if (this.viewsAsking) return;
    this.viewsAsking = true;
    for (let next = this.queue.shift(); next; next = this.queue.shift()) {
      await this.request(next.command, next.args).then(next.resolve, next.reject);
    }
    this.viewsAsking = false;
  }

  private dropQueue(): void {
    const dropped = this.queue;
    this.queue = [];
    for (const { reject } of dropped) reject(new Error('The machine went on.'));
  }

  private receive(raw: vscode.DebugProtocolMessage): void {
    const message = raw as unknown as Message;
    const ours = message.type === 'response' ? this.waiting.get(message.request_seq ?? 0) : undefined;
    if (!ours) return this.messages.fire(raw);
    this.waiting.delete(message.request_seq ?? 0);
    if (message.success) ours.resolve(message.body);
    else ours.reject(new Error(sentenceOf(message)));
  }
}

/** As the editor shows it: the format with its variables put in. */
function sentenceOf({ message, body }: Message): string {
  const error = body?.error;
  return error?.format?.replace(/\{(\w+)\}/g, (whole, name: string) => error.variables?.[name] ?? whole) ?? message ?? '';
}
