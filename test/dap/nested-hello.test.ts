/** Golden conversations over nested-hello: a hypervisor and its guest, from the stop at entry to the EPT violation and on. */
import { strict as assert } from 'node:assert';
import { Conversation, example } from './transcript';

type Scope = { name: string; variablesReference: number };
type Variable = { name: string; value: string; variablesReference: number };
const shownVariables = (body: Record<string, unknown>): unknown =>
  (body.variables as Variable[]).map(({ name, value }) => `${name} = ${value}`);

const program = example('nested-hello');

async function toEptViolation(talk: Conversation): Promise<void> {
  await talk.launch({ program, stopOnEntry: true }, () =>
    talk.ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION' }] }),
  );
  await talk.event('stopped');
  await talk.stack();
  await talk.ask('continue', { threadId: 1 });
  await talk.event('stopped');
}

describe('conversation: nested-hello', function () {
  this.timeout(60_000);

  it('stops at the EPT violation and looks around', async () => {
    const talk = Conversation.overStdio();
    try {
      await toEptViolation(talk);
      await talk.ask('threads');
      await talk.ask('exceptionInfo', { threadId: 1 });
      const frames = await talk.stack();
      assert.match(frames[0]!.name, /^L2 /);
      assert.match(frames.at(-1)!.name, /^L1 /);

      talk.heading('scopes of the guest and of the hypervisor');
      for (const frame of [frames[0]!, frames.at(-1)!]) {
        const { scopes } = (await talk.ask('scopes', { frameId: frame.id }, (body) =>
          (body.scopes as Scope[]).map(({ name }) => name),
        )) as { scopes: Scope[] };
        for (const scope of scopes.filter(({ name }) => !name.startsWith('MSRs'))) {
          await talk.ask('variables', { variablesReference: scope.variablesReference }, shownVariables);
        }
      }

      talk.heading('hovers');
      const top = frames[0]!.id;
      const results = (body: Record<string, unknown>): unknown => body.result;
      for (const expression of [
        'rip',
        '0x40020000',
        '0x40010000',
        'l2:gpa:0x20000',
        'hpa:0xa10000',
        'GUEST_CR3',
        'EPT_VIOLATION',
        'gpa',
        'reason',
        'nonsense',
        '12',
      ]) {
        await talk.ask('evaluate', { expression, context: 'hover', frameId: top }, results);
      }
      const { variablesReference } = await talk.ask('evaluate', { expression: '0x40020000', context: 'watch', frameId: top }, results);
      assert.equal(variablesReference, 0);
      const walk = await talk.ask('evaluate', { expression: 'l2:gva:0x40020000', context: 'watch', frameId: top }, results);
      await talk.ask('variables', { variablesReference: walk.variablesReference as number }, shownVariables);

      talk.heading('watch, repl, clipboard');
      for (const expression of [
        'reason == EPT_VIOLATION && gpa >= 0x20000',
        'gpa(0x40010000)',
        'hpa(rip)',
        'dword [rip]',
        'qualification & 7',
        'hpa(0x40020000)',
        'no_such_name',
        'rax +',
      ]) {
        await talk.ask('evaluate', { expression, context: 'watch', frameId: top }, results);
      }
      await talk.ask('evaluate', { expression: 'rip', context: 'clipboard', frameId: top }, results);

      talk.heading('memory and instructions');
      await talk.ask('readMemory', { memoryReference: frames[0]!.instructionPointerReference, count: 16 });
      await talk.ask('readMemory', { memoryReference: 'l2:gva:0x40020000', count: 16 });
      const rows = (body: Record<string, unknown>): unknown =>
        (body.instructions as { address: string; instruction: string; symbol?: string; line?: number }[]).map(
          ({ address, instruction, symbol, line }) => `${address} ${instruction}${symbol ? ` <${symbol}>` : ''}${line ? ` :${line}` : ''}`,
        );
      await talk.ask(
        'disassemble',
        { memoryReference: frames[0]!.instructionPointerReference, instructionOffset: -4, instructionCount: 8 },
        rows,
      );

      talk.heading('our own requests');
      await talk.ask('nestscope/resolve', { level: 2, address: '0x40010000' });
      await talk.ask('nestscope/inspect', { id: 'vmcs' }, (body) =>
        (body.nodes as { id: string; label: string }[]).map(({ id, label }) => `${id} ${label}`),
      );
      await talk.ask('nestscope/exits', { limit: 2 });
      await talk.ask('nestscope/position');
    } finally {
      await talk.end();
    }
    talk.matches('ept-violation');
  });

  it('steps across the levels', async () => {
    const talk = Conversation.overStdio();
    const step = async (command: string): Promise<string> => {
      await talk.ask(command, { threadId: 1, granularity: 'instruction' });
      await talk.event('stopped');
      return (await talk.stack())[0]!.name;
    };
    try {
      await toEptViolation(talk);
      const entry = (await talk.stack()).find(({ presentationHint }) => presentationHint === 'label')!;
      talk.heading('from the exit into the hypervisor: the view moves, then an instruction runs');
      assert.match(await step('stepIn'), /^L1 /);
      await step('stepIn');
      talk.heading('to VMRESUME');
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      await talk.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference: entry.instructionPointerReference }] });
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      await talk.stack();
      talk.heading('into VMRESUME: the guest; then an instruction of the guest');
      assert.match(await step('stepIn'), /^L2 /);
      assert.match(await step('stepIn'), /^L2 /);
      talk.heading("out of the guest: its hypervisor's exit handler");
      assert.match(await step('stepOut'), /^L1 /);
    } finally {
      await talk.end();
    }
    talk.matches('stepping-across-levels');
  });

  it('steps over what changes the level', async () => {
    const talk = await Conversation.overTcp();
    const over = async (): Promise<string> => {
      await talk.ask('next', { threadId: 1, granularity: 'instruction' });
      await talk.event('stopped');
      return (await talk.stack())[0]!.name;
    };
    try {
      await talk.launch({ program, stopOnEntry: true }, () =>
        talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'vmexit:CPUID' }, { name: 'vmexit:CPUIDD' }] }),
      );
      await talk.event('stopped');
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      talk.heading('over the exit: the instruction of the guest after it');
      assert.match(await over(), /^L2 /);
      talk.heading('over an instruction that exits');
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      for (let i = 0; i < 6; i++) assert.match(await over(), /^L2 /);
    } finally {
      await talk.end();
    }
    talk.matches('stepping-over-levels');
  });

  it('logs, counts, conditions, refusals', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program, stopOnEntry: true }, async () => {
        await talk.ask('setExceptionBreakpoints', {
          filters: ['nonsense'],
          filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATON' }],
        });
        await talk.ask('setFunctionBreakpoints', {
          breakpoints: [
            { name: 'vmexit:RDMSR', logMessage: 'RDMSR of {rcx} at {rip}, qualification {qualification}, {{braces}' },
            { name: 'no_such_symbol' },
            { name: 'vmexit:HLT', hitCondition: 'often' },
            { name: 'vmexit:VMCALL', condition: 'rdi ==' },
          ],
        });
        await talk.ask('setInstructionBreakpoints', {
          breakpoints: [{ instructionReference: 'hpa:0x1000' }, { instructionReference: 'here' }],
        });
        await talk.ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'vm-exit', condition: 'hits >= 5' }] });
      });
      await talk.event('stopped');
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      await talk.ask('evaluate', { expression: 'hits', context: 'watch' });
      await talk.ask('evaluate', { expression: 'VM_EXIT_REASON == reason', context: 'watch' });
    } finally {
      await talk.end();
    }
    talk.matches('breakpoints-and-refusals');
  });

  it('writes through the host-physical address what the guest reads at its linear one', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program, stopOnEntry: true }, () =>
        talk.ask('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'vm-exit', condition: 'reason == VMCALL' }] }),
      );
      await talk.event('stopped');
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      const { memoryReference } = await talk.ask('evaluate', {
        expression: 'hpa(l2:gpa:rdi) + 1',
        context: 'watch',
        frameId: (await talk.stack())[0]!.id,
      });
      await talk.ask('writeMemory', { memoryReference, data: Buffer.from('I ran').toString('base64') });
      await talk.ask('readMemory', { memoryReference: 'l2:gva:0x40010096', count: 5 });
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      await talk.ask('continue', { threadId: 1 });
      await talk.event('terminated');
      assert.match(talk.printed, /"I ran under/, 'the guest hands the changed text to its hypervisor, which prints it');
    } finally {
      await talk.end();
    }
    talk.matches('write-through-hpa');
  });

  it('restarts from the beginning, with its breakpoints', async () => {
    const talk = Conversation.overStdio();
    try {
      await toEptViolation(talk);
      await talk.ask('restart');
      await talk.event('stopped');
      await talk.ask('nestscope/position');
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      await talk.ask('terminate');
      await talk.event('terminated');
    } finally {
      await talk.end();
    }
    talk.matches('restart');
  });

  it('runs to the end', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program, stopOnEntry: false });
      await talk.event('terminated');
      assert.match(talk.printed, /nested-hello/);
    } finally {
      await talk.end();
    }
    talk.matches('to-the-end');
  });
});
