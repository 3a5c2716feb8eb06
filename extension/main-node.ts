/** The extension's entry on desktop and on servers: the adapter and its machine run in a node worker thread. */
import { Worker } from 'node:worker_threads';
import type * as vscode from 'vscode';
import { activateNestscope, type NestscopeApi } from './activate';
import type { WorkerPort } from './worker-adapter';

export function activate(context: vscode.ExtensionContext): NestscopeApi {
  return activateNestscope(context, `node ${process.versions.node}`, () =>
    Promise.resolve(startThread(context.asAbsolutePath('dist/worker.js'))),
  );
}

function startThread(file: string): WorkerPort {
  const worker = new Worker(file);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on('message', listener),
    onEnd: (listener) => {
      worker.on('error', (error) => listener(error.message));
      worker.on('exit', () => listener(undefined));
    },
    stop: () => void worker.terminate(),
  };
}
