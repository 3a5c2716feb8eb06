/**
 * Steps that move one virtual CPU and hold the others ("Step Into This Virtual CPU Only" …), from a thread's menu and from the palette. The editor's own
 * buttons have no such choice; the protocol has (singleThread).
 */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

const REQUESTS: Readonly<Record<string, string>> = { stepThisCpu: 'stepIn', stepOverThisCpu: 'next', continueThisCpu: 'continue' };

export function registerOneCpuCommands(sessions: Sessions): vscode.Disposable[] {
  return Object.entries(REQUESTS).map(([name, request]) =>
    vscode.commands.registerCommand(`nestscope.${name}`, async (given?: unknown) => {
      const session = sessions.stoppedSession;
      if (!session) return;
      // A thread's menu gives its number.
      const threadId = typeof given === 'number' ? given : sessions.vcpu + 1;
      await session.customRequest(request, { threadId, singleThread: true });
    }),
  );
}
