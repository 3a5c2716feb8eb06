/** What the worker doors of node and of the browser share: an inline adapter behind messages; files come from the other side. */
import type { WorkerMessage } from '../protocol';
import { createInlineAdapter } from './inline';

export interface WorkerSide {
  post(message: WorkerMessage, transfer?: ArrayBuffer[]): void;
  onMessage(listener: (message: WorkerMessage) => void): void;
}

export function serveWorker(side: WorkerSide): void {
  const reads = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>();
  let nextRead = 1;
  const adapter = createInlineAdapter({
    readFile: (path) =>
      new Promise((resolve, reject) => {
        const id = nextRead++;
        reads.set(id, { resolve, reject });
        side.post({ kind: 'read', id, path });
      }),
  });
  adapter.onDidSendMessage((message) => side.post({ kind: 'dap', message }));
  side.onMessage((message) => {
    switch (message.kind) {
      case 'dap':
        adapter.handleMessage(message.message);
        break;
      case 'read-result': {
        const read = reads.get(message.id);
        reads.delete(message.id);
        if (message.bytes) read?.resolve(message.bytes);
        else read?.reject(new Error(message.error ?? 'no reason was given'));
        break;
      }
      case 'read':
        break;
    }
  });
}
