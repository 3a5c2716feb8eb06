/** The worker door on node (worker_threads): the extension starts this file as a worker on the desktop and in code-server. */
import { parentPort } from 'node:worker_threads';
import type { WorkerMessage } from '../protocol';
import { serveWorker } from './worker';

if (parentPort) {
  const port = parentPort;
  serveWorker({
    post: (message) => port.postMessage(message),
    onMessage: (listener) => port.on('message', (message: WorkerMessage) => listener(message)),
  });
}
