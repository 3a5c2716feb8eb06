/** What the editor's suite sees of a debug session: stops, output, refusals. And waiting, without sleeping. */
import * as vscode from 'vscode';

export function ok(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function equal<T>(actual: T, expected: T): void {
  if (actual !== expected) throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

export async function until<T>(ask: () => T | Promise<T>, what: string, milliseconds = 15_000, every = 25): Promise<NonNullable<T>> {
  const limit = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > limit) throw new Error(`waited in vain: ${what}`);
    await new Promise((settle) => setTimeout(settle, every));
  }
}

export interface Stop {
  readonly reason: string;
  readonly description?: string;
  readonly text?: string;
}
export interface Frame {
  readonly id: number;
  readonly name: string;
  readonly line: number;
  readonly source?: { readonly name?: string; readonly path?: string };
}

interface Message {
  readonly type: string;
  readonly event?: string;
  readonly success?: boolean;
  readonly command?: string;
  readonly message?: string;
  readonly body?: {
    readonly breakpoints?: Conversation['functionBreakpoints'];
    readonly output?: string;
    readonly error?: { readonly format?: string };
  } & Stop;
}

/** Listens to every Nestscope session. */
export class Conversation {
  readonly stops: Stop[] = [];
  readonly outputs: string[] = [];
  readonly errors: string[] = [];
  /** What the adapter said of the function breakpoints that were set last. */
  functionBreakpoints: readonly { readonly verified: boolean; readonly message?: string }[] = [];
  private readonly tracker: vscode.Disposable;

  constructor() {
    this.tracker = vscode.debug.registerDebugAdapterTrackerFactory('nestscope', {
      createDebugAdapterTracker: () => ({ onDidSendMessage: (message: unknown) => this.hear(message as Message) }),
    });
  }

  /** Waits until there are more stops than before and the editor shows the last one. */
  async stop(before: number): Promise<void> {
    await until(() => this.stops.length > before, `a stop after ${this.errors.at(-1) ?? this.outputs.at(-1) ?? 'no output'}`);
    await until(() => vscode.debug.activeStackItem, 'the editor selects a frame');
  }

  async frames(session: vscode.DebugSession): Promise<readonly Frame[]> {
    return ((await session.customRequest('stackTrace', { threadId: 1 })) as { stackFrames: Frame[] }).stackFrames;
  }

  dispose(): void {
    this.tracker.dispose();
  }

  private hear(message: Message): void {
    if (message.type === 'event' && message.event === 'stopped') this.stops.push(message.body!);
    if (message.type === 'event' && message.event === 'output') this.outputs.push(message.body!.output ?? '');
    if (message.type === 'response' && message.command === 'setFunctionBreakpoints')
      this.functionBreakpoints = message.body?.breakpoints ?? [];
    if (message.type === 'response' && message.success === false)
      this.errors.push(`${message.command}: ${message.message ?? ''} ${message.body?.error?.format ?? ''}`);
  }
}
