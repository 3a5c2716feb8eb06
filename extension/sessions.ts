/** Which Nestscope session the views and hovers speak of, when it stopped, and how its adapter is asked. */
import * as vscode from 'vscode';
import type { DirectAdapter } from './direct-adapter';

/** How long nothing may change before views are drawn again: a user who holds F10 down gets stops, and the views when the key is up. */
const stoppedQuiet = 100;
/** A step is over long before: views keep what they show meanwhile. */
const runningQuiet = 400;

export class Sessions implements vscode.Disposable {
  private readonly settled = new vscode.EventEmitter<void>();
  /** A while ago the session in front changed, stopped, went on, or another of its frames was selected; nothing has happened since. */
  readonly onDidSettle = this.settled.event;
  private readonly stopped = new Set<string>();
  private readonly stops = new Map<string, number>();
  private readonly adapters = new Map<string, DirectAdapter>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const settle = (): void => this.settle();
    this.subscriptions.push(
      vscode.debug.onDidChangeActiveDebugSession(settle),
      vscode.debug.onDidChangeActiveStackItem(settle),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.stopped.delete(session.id);
        this.stops.delete(session.id);
        this.adapters.delete(session.id);
        settle();
      }),
      vscode.debug.registerDebugAdapterTrackerFactory('nestscope', {
        createDebugAdapterTracker: (session) => ({ onDidSendMessage: (message: unknown) => this.follow(session.id, message) }),
      }),
      this.settled,
    );
  }

  /** The adapter that this extension made for a session. */
  register(id: string, adapter: DirectAdapter): void {
    this.adapters.set(id, adapter);
  }

  get current(): vscode.DebugSession | undefined {
    const session = vscode.debug.activeDebugSession;
    return session?.type === 'nestscope' ? session : undefined;
  }

  /** The session in front, if its machine stands still. */
  get stoppedSession(): vscode.DebugSession | undefined {
    const session = this.current;
    return session && this.stopped.has(session.id) ? session : undefined;
  }

  /** How often a session has stopped. */
  stopsOf(session: vscode.DebugSession): number {
    return this.stops.get(session.id) ?? 0;
  }

  get frameId(): number | undefined {
    const item = vscode.debug.activeStackItem;
    return item instanceof vscode.DebugStackFrame && item.session.id === this.current?.id ? item.frameId : undefined;
  }

  /** The virtual CPU of the selected frame or thread: the adapter numbers threads from 1. */
  get vcpu(): number {
    const item = vscode.debug.activeStackItem;
    return item && item.session.id === this.current?.id ? item.threadId - 1 : 0;
  }

  /** Asks a session's adapter at once. An adapter that is not of our making (the attribute debugServer) is asked by way of the editor. */
  ask<T>(session: vscode.DebugSession, command: string, args: object): Promise<T> {
    const adapter = this.adapters.get(session.id);
    return adapter ? adapter.request<T>(command, args) : Promise.resolve(session.customRequest(command, args) as Thenable<T>);
  }

  /** Asks on behalf of a view: never in front of what the user does. */
  askForView<T>(session: vscode.DebugSession, command: string, args: object): Promise<T> {
    const adapter = this.adapters.get(session.id);
    return adapter ? adapter.requestForView<T>(command, args) : Promise.resolve(session.customRequest(command, args) as Thenable<T>);
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private follow(id: string, message: unknown): void {
    const { type, event, command, success } = message as { type?: string; event?: string; command?: string; success?: boolean };
    if (type === 'event' && event === 'stopped') {
      this.stopped.add(id);
      this.stops.set(id, (this.stops.get(id) ?? 0) + 1);
    } else if (
      (type === 'event' && (event === 'continued' || event === 'terminated')) ||
      (type === 'response' && success && resuming.has(command ?? ''))
    )
      this.stopped.delete(id);
    else if (!(type === 'event' && event === 'invalidated')) return;
    this.settle();
  }

  private settle(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settled.fire(), this.current && !this.stoppedSession ? runningQuiet : stoppedQuiet);
  }
}

const resuming = new Set(['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'restart', 'goto']);
