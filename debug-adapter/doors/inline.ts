/** The inline door: an adapter in the caller's own thread, for hosts that deny workers. Has the shape of vscode.DebugAdapter. */
import { createMachine } from '../../emulator';
import type { Scheduler } from '../host';
import { NestscopeSession } from '../session';
import { threadScheduler } from './scheduler';

export interface InlineAdapter {
  readonly onDidSendMessage: (listener: (message: unknown) => void) => { dispose(): void };
  handleMessage(message: unknown): void;
  dispose(): void;
}

export interface InlineOptions {
  /** Paths as the client writes them, or URIs. */
  readonly readFile: (pathOrUri: string) => Promise<Uint8Array>;
  readonly scheduler?: Scheduler;
  readonly onEnd?: () => void;
}

export function createInlineAdapter({ readFile, scheduler = threadScheduler(), onEnd = () => undefined }: InlineOptions): InlineAdapter {
  const session = new NestscopeSession({ readFile, scheduler, createMachine, onEnd });
  return {
    onDidSendMessage: (listener) => session.onDidSendMessage((message) => listener(message)),
    handleMessage: (message) => session.handleMessage(message as Parameters<NestscopeSession['handleMessage']>[0]),
    dispose: () => session.dispose(),
  };
}
