/**
 * Records a conversation with the adapter as golden text: one line for each request, answer and event, in the order in which they were seen.
 * Golden text: missing → written, UPDATE=1 → rewritten, mismatch → .actual beside it.
 */
import { strict as assert } from 'node:assert';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';

// Tests are bundled into out/test; the working directory is the project's.
export const root = process.cwd();
export const example = (name: string): string => join(root, 'examples', name, `${name}.elf`);
const adapter = join(root, 'dist', 'debug-adapter.js');
const PATIENCE_MS = 20_000;

type Body = Record<string, unknown>;

export class Conversation {
  private readonly lines: string[] = [];
  private readonly events: DebugProtocol.Event[] = [];
  private seen = 0;
  private wake: (() => void) | undefined;

  private constructor(
    private readonly client: DebugClient,
    private readonly server: ChildProcess | undefined,
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

  static async overStdio(): Promise<Conversation> {
    const client = new DebugClient('node', adapter, 'nestscope');
    await client.start();
    return new Conversation(client, undefined);
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
    const client = new DebugClient('node', adapter, 'nestscope');
    await client.start(port);
    return new Conversation(client, server);
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
  async stack(): Promise<DebugProtocol.StackFrame[]> {
    const frames = (body: Body): DebugProtocol.StackFrame[] => body.stackFrames as DebugProtocol.StackFrame[];
    const body = await this.ask('stackTrace', { threadId: 1 }, (answer) =>
      frames(answer).map(
        ({ name, source, line, instructionPointerReference }) =>
          `${name} | ${instructionPointerReference}${source ? ` | ${source.name}:${line}` : ''}`,
      ),
    );
    return frames(body);
  }

  async end(): Promise<void> {
    try {
      await this.ask('disconnect');
    } finally {
      this.client.stopAdapter();
      this.server?.kill();
    }
  }

  private write(mark: string, shown: unknown): void {
    if (Array.isArray(shown)) {
      this.lines.push(`${mark}`, ...shown.map((row) => `    ${typeof row === 'string' ? row : text(row)}`));
    } else {
      this.lines.push(`${mark} ${typeof shown === 'string' ? shown : text(shown)}`);
    }
  }

  /** Compares with test/dap/golden/NAME.txt. */
  matches(name: string): void {
    const path = join(root, 'test', 'dap', 'golden', `${name}.txt`);
    const actual = `${this.lines.join('\n').trim().replaceAll(root, '${root}')}\n`;
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
}

/** Numbers that the adapter makes up: they would change with every new frame or scope before them. */
const MADE_UP = new Set(['frameId', 'variablesReference']);

/** Keys in the order in which the adapter wrote them. */
function text(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => (MADE_UP.has(key) && inner !== 0 ? '…' : inner)) ?? 'nothing';
}
