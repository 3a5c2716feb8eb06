/** Which Nestscope session the views and hovers speak of, and when it stopped. */
import * as vscode from 'vscode';

export class Sessions implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** The session in front changed, stopped, went on, or another of its frames was selected. */
  readonly onDidChange = this.changed.event;
  private readonly stopped = new Set<string>();
  private readonly stops = new Map<string, number>();
  private readonly subscriptions: vscode.Disposable[] = [];

  constructor() {
    const announce = (): void => this.changed.fire();
    this.subscriptions.push(
      vscode.debug.onDidChangeActiveDebugSession(announce),
      vscode.debug.onDidChangeActiveStackItem(announce),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.stopped.delete(session.id);
        this.stops.delete(session.id);
        announce();
      }),
      vscode.debug.registerDebugAdapterTrackerFactory('nestscope', {
        createDebugAdapterTracker: (session) => ({ onDidSendMessage: (message: unknown) => this.follow(session.id, message) }),
      }),
      this.changed,
    );
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

  dispose(): void {
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
    this.changed.fire();
  }
}

const resuming = new Set(['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'restart']);
