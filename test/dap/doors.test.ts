/** The same short conversation through every door: inline, a worker of node, and the browser's worker without anything of node's. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createContext, runInContext } from 'node:vm';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { createInlineAdapter } from '../../debug-adapter/doors/inline';
import type { WorkerMessage } from '../../debug-adapter/protocol';
import { example, root } from './transcript';

interface Message {
  readonly type: string;
  readonly command?: string;
  readonly event?: string;
  readonly success?: boolean;
  readonly message?: string;
  readonly request_seq?: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body?: any;
}

/** An adapter behind messages, whatever lies between. */
interface Door {
  send(message: object): void;
  listen(listener: (message: Message) => void): void;
  close(): Promise<unknown> | void;
}

function inline(): Door {
  const adapter = createInlineAdapter({ readFile });
  return {
    send: (message) => adapter.handleMessage(message),
    listen: (listener) => void adapter.onDidSendMessage((message) => listener(message as Message)),
    close: () => adapter.dispose(),
  };
}

/** What the extension does for a worker: passes messages and reads files. */
function served(
  post: (message: WorkerMessage) => void,
  subscribe: (listener: (message: WorkerMessage) => void) => void,
  close: Door['close'],
): Door {
  let heard: (message: Message) => void = () => undefined;
  subscribe((message) => {
    if (message.kind === 'dap') heard(message.message as Message);
    else if (message.kind === 'read') {
      readFile(message.path).then(
        (bytes) => post({ kind: 'read-result', id: message.id, bytes: new Uint8Array(bytes) }),
        (error: Error) => post({ kind: 'read-result', id: message.id, error: error.message }),
      );
    }
  });
  return { send: (message) => post({ kind: 'dap', message }), listen: (listener) => (heard = listener), close };
}

function nodeWorker(): Door {
  const worker = new Worker(join(root, 'dist', 'worker.js'));
  return served(
    (message) => worker.postMessage(message),
    (listener) => worker.on('message', listener),
    () => worker.terminate(),
  );
}

/** The browser's bundle in a context that has what a Web Worker has and nothing of node's: no require, process, Buffer, setImmediate. */
function webWorker(): Door {
  const inside: ((event: { data: WorkerMessage }) => void)[] = [];
  const outside: ((message: WorkerMessage) => void)[] = [];
  const channels: MessageChannel[] = [];
  class Channel extends MessageChannel {
    constructor() {
      super();
      channels.push(this);
    }
  }
  const globals = {
    WebAssembly,
    performance,
    MessageChannel: Channel,
    TextDecoder,
    TextEncoder,
    btoa,
    atob,
    URL,
    setTimeout,
    clearTimeout,
    queueMicrotask,
    console,
  };
  const context = createContext({
    ...globals,
    postMessage: (message: WorkerMessage) => outside.forEach((listener) => listener(structuredClone(message))),
    addEventListener: (_type: string, listener: (event: { data: WorkerMessage }) => void) => inside.push(listener),
  });
  runInContext('globalThis.self = globalThis', context);
  runInContext(readFileSync(join(root, 'dist', 'web', 'worker.js'), 'utf8'), context, { filename: 'web/worker.js' });
  return served(
    (message) => inside.forEach((listener) => listener({ data: structuredClone(message) })),
    (listener) => outside.push(listener),
    () => channels.forEach(({ port1 }) => port1.close()),
  );
}

async function converse(door: Door): Promise<string[]> {
  const waiting = new Map<number, (message: Message) => void>();
  const events: Message[] = [];
  let wake: () => void = () => undefined;
  door.listen((message) => {
    if (message.type === 'response') waiting.get(message.request_seq!)?.(message);
    else events.push(message);
    wake();
  });
  let seq = 0;
  const ask = (command: string, args: object = {}): Promise<Message> =>
    new Promise((resolve, reject) => {
      const id = ++seq;
      waiting.set(id, (answer) => (answer.success ? resolve(answer) : reject(new Error(`${command}: ${answer.message}`))));
      door.send({ seq: id, type: 'request', command, arguments: args });
    });
  const event = async (name: string): Promise<Message> => {
    for (;;) {
      const index = events.findIndex((message) => message.event === name);
      if (index >= 0) return events.splice(index, 1)[0]!;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  await ask('initialize', { adapterID: 'nestscope', pathFormat: 'path' });
  await assert.rejects(ask('launch', { program: join(root, 'no-such-file') }), /cannot be read/);
  await ask('launch', { program: example('nested-hello') });
  await event('initialized');
  await ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION' }] });
  await ask('configurationDone');
  await event('stopped');
  await ask('continue', { threadId: 1 });
  const stop = await event('stopped');
  const frames = (await ask('stackTrace', { threadId: 1 })).body.stackFrames as { name: string; instructionPointerReference: string }[];
  const code = (await ask('disassemble', { memoryReference: frames[0]!.instructionPointerReference, instructionCount: 1 })).body
    .instructions[0];
  await ask('disconnect');
  return [stop.body.description, ...frames.map(({ name }) => name), code.instruction];
}

describe('doors', function () {
  this.timeout(60_000);
  let expected: string[] | undefined;
  for (const [name, open] of [
    ['inline', inline],
    ['worker of node', nodeWorker],
    ['worker of the browser', webWorker],
  ] as const) {
    it(`${name}: the same conversation`, async () => {
      const door = open();
      try {
        const heard = await converse(door);
        expected ??= heard;
        assert.deepEqual(heard, expected);
        assert.equal(heard[0], 'VM exit: EPT_VIOLATION');
      } finally {
        await door.close();
      }
    });
  }
});
