/** How conversations begin and end: wrong configurations, a client that vanishes, pausing, failed entries, a triple fault. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, example, matchesGolden } from './transcript';

/** Flat 32-bit code in a file of its own. */
function flatGuest(bytes: readonly number[]): { readonly program: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'nestscope-'));
  const program = join(folder, 'guest.bin');
  writeFileSync(program, Uint8Array.from(bytes));
  return { program, remove: () => rmSync(folder, { recursive: true }) };
}
const FOR_EVER = [0xeb, 0xfe];
/** LIDT of a limit 0 IDT, then UD2: nothing can be delivered. */
const TRIPLE_FAULT = [0x0f, 0x01, 0x1d, 0x0a, 0x00, 0x10, 0x00, 0x0f, 0x0b, 0x90, 0, 0, 0, 0, 0, 0];

describe('conversation: beginning and end', function () {
  this.timeout(60_000);

  it('refuses wrong configurations with a sentence', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.ask('initialize', { adapterID: 'nestscope', pathFormat: 'path' });
      for (const wrong of [
        {},
        { program: 7 },
        { program: 'no-such-file.elf' },
        { program: 'package.json' },
        { program: example('hello64'), memory: 'lots' },
        { program: example('hello64'), mode: 'hosted', cpus: 2 },
        { program: example('hello64'), memry: '1G' },
      ]) {
        await talk.ask('launch', wrong);
      }
      await talk.ask('continue', { threadId: 1 });
      await talk.ask('unheard of');
    } finally {
      await talk.end();
    }
    talk.matches('wrong-configurations');
  });

  it('pauses a guest that runs for ever, within 50 ms', async () => {
    const guest = flatGuest(FOR_EVER);
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: guest.program, format: 'flat', flat: { address: '0x100000', mode: 32 }, stopOnEntry: false });
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        const before = performance.now();
        await talk.ask('pause', { threadId: 1 });
        await talk.event('stopped');
        times.push(performance.now() - before);
        await talk.ask('continue', { threadId: 1 });
      }
      times.sort((a, b) => a - b);
      assert.ok(times[2]! < 50, `the median pause took ${times[2]} ms`);
    } finally {
      await talk.end();
      guest.remove();
    }
  });

  it('leaves nothing running when the client vanishes in the middle of a run', async () => {
    const guest = flatGuest(FOR_EVER);
    const talk = Conversation.overStdio();
    await talk.launch({ program: guest.program, format: 'flat', flat: { address: '0x100000', mode: 32 }, stopOnEntry: false });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await talk.vanish();
    guest.remove();
  });

  it('stops at a triple fault with the chain that led to it', async () => {
    const guest = flatGuest(TRIPLE_FAULT);
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: guest.program, format: 'flat', flat: { address: '0x100000', mode: 32 }, stopOnEntry: false });
      await talk.event('stopped');
      await talk.ask('exceptionInfo', { threadId: 1 });
      await talk.stack();
      await talk.ask('continue', { threadId: 1 });
    } finally {
      await talk.end();
      guest.remove();
    }
    const path = guest.program;
    talk.matches('triple-fault', (text) => text.replaceAll(path, 'guest.bin'));
  });

  it('ends well: halted, not modelled, limited, without debugging', async () => {
    const heading = {
      halted: [0xfa, 0xf4],
      'not modelled (an x87 instruction)': [0xd9, 0xe8],
      'limit of steps': FOR_EVER,
    };
    const names: string[] = [];
    const texts: string[] = [];
    for (const [name, bytes] of Object.entries(heading)) {
      const guest = flatGuest(bytes);
      const talk = Conversation.overStdio();
      try {
        const limit = bytes === FOR_EVER ? { maxSteps: 1000 } : {};
        await talk.launch({
          program: guest.program,
          format: 'flat',
          flat: { address: '0x100000', mode: 32 },
          stopOnEntry: false,
          ...limit,
        });
        await talk.event('stopped');
        await talk.stack();
        await talk.ask('continue', { threadId: 1 });
      } finally {
        await talk.end();
        guest.remove();
      }
      names.push(guest.program);
      texts.push(`# ${name}`, talk.text);
    }
    const run = Conversation.overStdio();
    try {
      await run.launch({ program: example('nested-hello'), stopOnEntry: true, noDebug: true }, () =>
        run.ask('setExceptionBreakpoints', { filters: ['vm-exit'] }),
      );
      await run.event('terminated');
    } finally {
      await run.end();
    }
    const golden = [...texts, '# without debugging', run.text].join('\n');
    matchesGolden(
      'ends',
      names.reduce((text, path) => text.replaceAll(path, 'guest.bin'), golden),
    );
  });

  it('stops at an exception, at its handler', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: example('hello64'), stopOnEntry: false }, () =>
        talk.ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'exception', condition: 'vector == 14' }] }),
      );
      await talk.event('stopped');
      await talk.stack();
      await talk.ask('evaluate', { expression: 'cr2', context: 'watch' });
      await talk.ask('stepIn', { threadId: 1, granularity: 'instruction' });
      await talk.event('stopped');
      await talk.stack();
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      await talk.ask('continue', { threadId: 1 });
      await talk.event('terminated');
    } finally {
      await talk.end();
    }
    talk.matches('exception');
  });

  it('steps over an instruction that faults, through its handler', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: example('hello64'), stopOnEntry: false }, async () => {
        await talk.ask('setExceptionBreakpoints', { filters: [] });
        await talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'store_unmapped' }] });
      });
      await talk.event('stopped');
      await talk.ask('setFunctionBreakpoints', { breakpoints: [] });
      for (const granularity of ['instruction', 'line']) {
        await talk.ask('next', { threadId: 1, granularity });
        await talk.event('stopped');
        await talk.stack();
      }
      await talk.ask('nestscope/position', {}, ({ steps }) => steps);
    } finally {
      await talk.end();
    }
    talk.matches('step-over-a-fault');
  });

  it('stops at a refused VM entry with the check and its values', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: example('entry-failure'), stopOnEntry: true }, () =>
        talk.ask('setExceptionBreakpoints', { filters: ['vm-entry-failure'] }),
      );
      await talk.event('stopped');
      for (let i = 0; i < 3; i++) {
        await talk.ask('continue', { threadId: 1 });
        await talk.event('stopped');
        await talk.ask('exceptionInfo', { threadId: 1 }, ({ exceptionId, description }) => [
          String(exceptionId),
          ...String(description).split('\n'),
        ]);
        await talk.stack();
      }
    } finally {
      await talk.end();
    }
    talk.matches('entry-failure');
  });
});
