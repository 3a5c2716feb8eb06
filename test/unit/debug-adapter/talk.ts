/** Talks to a session without a stream: sends requests, collects answers and events. */
import { NestscopeSession } from '../../../debug-adapter/session';
import type { Host } from '../../../debug-adapter/host';

export interface Answer {
  readonly success: boolean;
  readonly command: string;
  readonly message?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body?: any;
}
interface Told {
  readonly event: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body?: any;
}

export class Talk {
  readonly events: Told[] = [];
  readonly session: NestscopeSession;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private readonly listeners: (() => void)[] = [];
  private seq = 1;
  private seen = 0;

  constructor(host: Host) {
    this.session = new NestscopeSession(host);
    this.session.onDidSendMessage((message) => {
      const sent = message as unknown as { type: string; request_seq: number } & Answer & Told;
      if (sent.type === 'response') {
        this.waiting.get(sent.request_seq)?.(sent);
        this.waiting.delete(sent.request_seq);
      } else {
        this.events.push(sent);
        for (const listener of this.listeners.splice(0)) listener();
      }
    });
  }

  get unanswered(): number {
    return this.waiting.size;
  }

  ask(command: unknown, args?: unknown): Promise<Answer> {
    const seq = this.seq++;
    return new Promise((resolve) => {
      this.waiting.set(seq, resolve);
      this.session.handleMessage({ seq, type: 'request', command, arguments: args } as never);
    });
  }

  /** The next event of that name which has not been waited for yet. */
  async event(name: string): Promise<Told> {
    for (;;) {
      for (; this.seen < this.events.length; this.seen++) {
        if (this.events[this.seen]!.event === name) return this.events[this.seen++]!;
      }
      await new Promise<void>((resolve) => this.listeners.push(resolve));
    }
  }

  /** Up to the stop at entry. */
  async start(launch: object = {}, configure: () => Promise<unknown> = async () => undefined): Promise<void> {
    await this.ask('initialize', { adapterID: 'nestscope', linesStartAt1: true, columnsStartAt1: true, pathFormat: 'path' });
    const launched = await this.ask('launch', { program: 'fake.elf', ...launch });
    if (!launched.success) throw new Error(launched.message);
    await configure();
    await this.ask('configurationDone');
  }
}
