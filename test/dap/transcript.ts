/**
 * Records a conversation with the adapter as golden text: one line for each request, answer and event, in the order in which they were seen.
 * Golden text: missing → written, UPDATE=1 → rewritten, mismatch → .actual beside it.
 */
import { strict as assert } from 'node:assert';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';

// Tests are bundled into out/test; the working directory is the project's.
export const root = process.cwd();
export const example = (name: string): string => join(root, 'examples', name, `${name}.elf`);
const adapter = join(root, 'dist', 'debug-adapter.js');
const PATIENCE_MS = 20_000;
const LEAVING_MS = 3_000;

type Body = Record<string, unknown>;

/** A client over streams of our own making, so that we see how the adapter's process ends. */
class StreamClient extends DebugClient {
  constructor(output: Readable, input: Writable) {
    super('node', adapter, 'nestscope');
    this.connect(output, input);
  }
}

export class Conversation {
  private readonly lines: string[] = [];
  private readonly events: DebugProtocol.Event[] = [];
  private seen = 0;
  private wake: (() => void) | undefined;

  private constructor(
    private readonly client: DebugClient,
    private readonly adapter: ChildProcess,
    private readonly socket: Socket | undefined,
  ) {
    for (const name of [
      'initialized',
      'stopped',
      'continued',
      'exited',
      'terminated',
      'output',
      'invalidated',
      'memory',
      'breakpoint',
      'nestscope/serial',
    ]) {
      client.on(name, (event: DebugProtocol.Event) => {
        this.events.push(event);
        this.wake?.();
      });
    }
  }

  static overStdio(): Conversation {
    const child = spawn('node', [adapter], { stdio: ['pipe', 'pipe', 'inherit'] });
    return new Conversation(new StreamClient(child.stdout, child.stdin), child, undefined);
  }

  /** Starts the adapter as a server on a port of the system's choice and connects to it. */
  static async overTcp(): Promise<Conversation> {
    const server = spawn('node', [adapter, '--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await new Promise<number>((resolve, reject) => {
      server.on('exit', () => reject(new Error('the adapter ended before it listened')));
      server.stderr!.on('data', (data: Buffer) => {
        const match = /listening on 127\.0\.0\.1:(\d+)/.exec(data.toString());
        if (match) resolve(Number(match[1]));
      });
    });
    const socket = connect(port, '127.0.0.1');
    return new Conversation(new StreamClient(socket, socket), server, socket);
  }

  /** A blank line and a heading. */
  heading(text: string): void {
    this.lines.push('', `# ${text}`);
  }

  /** Asks and writes down what was asked and answered; `shown` leaves out what is not the point. */
  async ask(command: string, args: Body = {}, shown: (body: Body) => unknown = (body) => body): Promise<Body> {
    this.lines.push(`→ ${command} ${text(args)}`);
    try {
      const response = await this.client.send(command, args);
      const body = (response.body ?? {}) as Body;
      this.write('←', shown(body));
      return body;
    } catch (error) {
      this.lines.push(`← refused: ${(error as Error).message}`);
      return {};
    }
  }

  /** Waits for the next event of that name and writes down all events until it, other than what the guest prints. */
  async event(name: string): Promise<Body> {
    const limit = Date.now() + PATIENCE_MS;
    for (;;) {
      while (this.seen < this.events.length) {
        const event = this.events[this.seen++]!;
        const body = (event.body ?? {}) as Body;
        const isSerial = event.event === 'nestscope/serial' || (event.event === 'output' && body.category === 'stdout');
        if (!isSerial) this.write(`! ${event.event}`, body);
        if (event.event === name) return body;
      }
      const left = limit - Date.now();
      if (left <= 0) throw new Error(`no event '${name}' came; the conversation so far:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** What the guest has printed so far. */
  get printed(): string {
    return this.events
      .filter(({ event, body }) => event === 'output' && (body as Body).category === 'stdout')
      .map(({ body }) => String((body as Body).output))
      .join('');
  }

  /** initialize and launch, the breakpoints given, configurationDone. */
  async launch(args: Body, configure: () => Promise<unknown> = async () => undefined): Promise<void> {
    await this.ask(
      'initialize',
      { adapterID: 'nestscope', linesStartAt1: true, columnsStartAt1: true, pathFormat: 'path' },
      () => 'capabilities',
    );
    await this.ask('launch', args);
    await this.event('initialized');
    await configure();
    await this.ask('configurationDone');
  }

  /** The top of the stack, written down by name; gives the frames. */
  async stack(threadId = 1): Promise<DebugProtocol.StackFrame[]> {
    const frames = (body: Body): DebugProtocol.StackFrame[] => body.stackFrames as DebugProtocol.StackFrame[];
    const body = await this.ask('stackTrace', { threadId }, (answer) =>
      frames(answer).map(
        ({ name, source, line, instructionPointerReference }) =>
          `${name} | ${instructionPointerReference}${source ? ` | ${source.name}:${line}` : ''}`,
      ),
    );
    return frames(body);
  }

  /** Says goodbye; an adapter on stdio must leave by itself, a server is ended by us. */
  async end(): Promise<void> {
    if (process.env.VERBOSE === '1') console.log(this.lines.join('\n'));
    await this.ask('disconnect');
    this.socket?.destroy();
    if (this.socket) this.adapter.kill();
    else await this.left();
  }

  /** The client vanishes in the middle of whatever goes on; resolves when the adapter's process is gone. */
  async vanish(): Promise<void> {
    this.adapter.stdin!.destroy();
    this.adapter.stdout!.destroy();
    await this.left();
  }

  private async left(): Promise<void> {
    if (this.adapter.exitCode !== null) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.adapter.kill('SIGKILL');
        reject(new Error(`the adapter was still running ${LEAVING_MS} ms after its client had gone`));
      }, LEAVING_MS);
      this.adapter.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private write(mark: string, shown: unknown): void {
    if (Array.isArray(shown)) {
      this.lines.push(`${mark}`, ...shown.map((row) => `    ${typeof row === 'string' ? row : text(row)}`));
    } else {
      this.lines.push(`${mark} ${typeof shown === 'string' ? shown : text(shown)}`);
    }
  }

  get text(): string {
    return this.lines.join('\n').trim();
  }

  matches(name: string, tidy: (text: string) => string = (lines) => lines): void {
    matchesGolden(name, tidy(this.text));
  }
}

/** Compares with test/dap/golden/NAME.txt. */
export function matchesGolden(name: string, conversation: string): void {
  const path = join(root, 'test', 'dap', 'golden', `${name}.txt`);
  const actual = `${conversation.replaceAll(root, '${root}')}\n`;
  if (!existsSync(path) || process.env.UPDATE === '1') {
    writeFileSync(path, actual);
    return;
  }
  const expected = readFileSync(path, 'utf8');
  if (actual === expected) {
    rmSync(`${path}.actual`, { force: true });
    return;
  }
  writeFileSync(`${path}.actual`, actual);
  assert.equal(actual, expected, `the conversation differs from ${path}; see the .actual file beside it, or run with UPDATE=1`);
}

/** Numbers that the adapter makes up: they would change with every new frame or scope before them. */
const MADE_UP = new Set(['frameId', 'variablesReference']);

/** Keys in the order in which the adapter wrote them. */
function text(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => (MADE_UP.has(key) && inner !== 0 ? '…' : inner)) ?? 'nothing';
}
