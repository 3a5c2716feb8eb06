/**
 * VS Code selects the first frame that has a source, and none where no frame has one: registers, views and disassembly would stay empty
 * for an image without line numbers. Here the top frame is selected then.
 */
import * as vscode from 'vscode';

/** How long VS Code may take to ask for the stack and select a frame, in milliseconds. */
const patience = 400;

export function focusFramesWithoutSource(): vscode.Disposable {
  return vscode.debug.registerDebugAdapterTrackerFactory('nestscope', {
    createDebugAdapterTracker: (session) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const forget = (): void => clearTimeout(timer);
      return {
        onDidSendMessage: (message: unknown) => {
          const { type, event, command, body } = message as {
            type?: string;
            event?: string;
            command?: string;
            body?: { stackFrames?: readonly { source?: unknown }[] };
          };
          if (type === 'event' && (event === 'stopped' || event === 'terminated')) forget();
          // VS Code asks for the top frame first, then for all.
          if (
            type !== 'response' ||
            command !== 'stackTrace' ||
            !body?.stackFrames?.length ||
            body.stackFrames.some(({ source }) => source)
          )
            return;
          forget();
          timer = setTimeout(() => {
            const item = vscode.debug.activeStackItem;
            if (vscode.debug.activeDebugSession?.id !== session.id || item instanceof vscode.DebugStackFrame) return;
            void vscode.commands.executeCommand('workbench.action.debug.callStackTop');
          }, patience);
        },
        onWillStopSession: forget,
        onExit: forget,
      };
    },
  });
}
