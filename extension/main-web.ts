/** The extension's entry in a browser: the adapter and its machine run in a Web Worker. */
import * as vscode from 'vscode';
import { activateNestscope, type NestscopeApi } from './activate';
import type { WorkerPort } from './worker-adapter';

export function activate(context: vscode.ExtensionContext): NestscopeApi {
  return activateNestscope(context, 'web worker', () => startWorker(vscode.Uri.joinPath(context.extensionUri, 'dist', 'web', 'worker.js')));
}

/** The bundle is read as a file and started from a blob, since the extension's own address may be of another origin. */
async function startWorker(file: vscode.Uri): Promise<WorkerPort> {
  const source = await vscode.workspace.fs.readFile(file);
  const address = URL.createObjectURL(new Blob([source.slice()], { type: 'text/javascript' }));
  const worker = new Worker(address);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', (event) => listener(event.data)),
    onEnd: (listener) => worker.addEventListener('error', (event) => listener(event.message ?? 'the worker could not start')),
    stop: () => {
      worker.terminate();
      URL.revokeObjectURL(address);
    },
  };
}
