/** The worker door in a browser (Web Worker). */
import type { WorkerMessage } from '../protocol';
import { serveWorker } from './worker';

/** The part of DedicatedWorkerGlobalScope that is used here; the DOM's own types describe a window. */
interface WorkerScope {
  postMessage(message: WorkerMessage): void;
  addEventListener(type: 'message', listener: (event: { readonly data: WorkerMessage }) => void): void;
}
const scope = globalThis as unknown as WorkerScope;

serveWorker({
  post: (message) => scope.postMessage(message),
  onMessage: (listener) => scope.addEventListener('message', (event) => listener(event.data)),
});
