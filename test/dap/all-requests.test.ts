/** The requests that no other golden conversation asks: what changes the machine, what is not available yet, and nonsense over a real stream. */
import { strict as assert } from 'node:assert';
import { randomSource } from '../random-source';
import { Conversation, example } from './transcript';

const SEED = 20261121;
const NONSENSE = 400;

describe('conversation: the other requests', function () {
  this.timeout(60_000);

  it('changes registers and memory, types into the guest, and refuses what is not there', async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.ask('attach', { program: example('hello64') });
      await talk.launch({ program: example('hello64'), stopOnEntry: true });
      await talk.event('stopped');
      const frameId = (await talk.stack())[0]!.id;
      const scopes = (await talk.ask('scopes', { frameId }, () => '…')).scopes as { variablesReference: number }[];
      const { variablesReference } = scopes[0]!;
      await talk.ask('setVariable', { variablesReference, name: 'rsi', value: '0x1234 + 1' });
      await talk.ask('setVariable', { variablesReference, name: 'no_such_register', value: '1' });
      await talk.ask('setExpression', { expression: 'rdi', value: 'rsi * 2', frameId });
      const { result } = await talk.ask('evaluate', { expression: 'rdi', context: 'watch', frameId });
      assert.match(String(result), /0x246a/);
      await talk.ask('setExpression', { expression: 'rdi + 1', value: '1', frameId });
      await talk.ask('nestscope/serialInput', { text: 'typed' });
      await talk.ask('cancel', { progressId: 'load-1' });
      await talk.ask('cancel', { requestId: 1 });
      talk.heading("lines of the extension's disassembly documents, with and without what the extension tells of them");
      const source = { path: 'nestscope-disasm:/1/L1/0x100000.asm' };
      const rip = (await talk.stack())[0]!.instructionPointerReference;
      await talk.ask('setBreakpoints', {
        source,
        breakpoints: [{ line: 1 }, { line: 2, instructionReference: rip }, { line: 99, instructionReference: '' }],
      });
      await talk.ask('gotoTargets', { source, line: 2, instructionReference: rip });
      talk.heading('jumps, and where a value points to');
      const here = (await talk.ask('stackTrace', { threadId: 1 }, () => '…')).stackFrames as { line: number; source: { path: string } }[];
      await talk.ask('gotoTargets', { source: { path: 'no-such.asm' }, line: 1 });
      const { targets } = (await talk.ask('gotoTargets', { source: here[0]!.source, line: here[0]!.line + 1 })) as {
        targets: { id: number }[];
      };
      await talk.ask('goto', { threadId: 1, targetId: 999 });
      await talk.ask('goto', { threadId: 1, targetId: targets[0]!.id });
      await talk.event('stopped');
      const [frame] = await talk.stack();
      const [general] = (await talk.ask('scopes', { frameId: frame!.id }, () => '…')).scopes as { variablesReference: number }[];
      const { variables } = (await talk.ask('variables', { variablesReference: general!.variablesReference }, () => '…')) as {
        variables: { name: string; valueLocationReference?: number }[];
      };
      const { valueLocationReference } = variables.find(({ name }) => name === 'rip')!;
      await talk.ask('locations', { locationReference: valueLocationReference });
      await talk.ask('locations', { locationReference: 0 });
      talk.heading('levels of breakpoints, and conditions that write');
      await talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'main', condition: 'log("main with RDI {rdi}")' }] });
      await talk.ask('setInstructionBreakpoints', {
        breakpoints: [
          { instructionReference: rip, mode: 'l1' },
          { instructionReference: rip, mode: 'l2' },
          { instructionReference: rip, mode: 'l7' },
        ],
      });
      await talk.ask('setExceptionBreakpoints', {
        filters: [],
        filterOptions: [
          { filterId: 'exception', mode: 'l1' },
          { filterId: 'vm-exit', mode: 'l1' },
          { filterId: 'exception', condition: 'log(rax)' },
        ],
      });
      await talk.ask('evaluate', { expression: 'log("x")', context: 'repl' });
      await talk.ask('setInstructionBreakpoints', { breakpoints: [] });
      await talk.ask('pause', { threadId: 1 });
      talk.heading('not available yet');
      await talk.ask('stepBack', { threadId: 1 });
      await talk.ask('reverseContinue', { threadId: 1 });
    } finally {
      await talk.end();
    }
    talk.matches('other-requests');
  });

  it('breaks on data: fields of the VMCS, page-table entries, addresses of every space', async () => {
    const talk = Conversation.overStdio();
    const toStop = async (): Promise<string> => {
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      return (await talk.stack())[0]!.name;
    };
    try {
      await talk.launch({ program: example('nested-hello'), stopOnEntry: true }, () =>
        talk.ask('setExceptionBreakpoints', {
          filters: [],
          filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION' }],
        }),
      );
      await talk.event('stopped');
      assert.match(await toStop(), /^L2 guest_touch/);
      const [frame] = await talk.stack();
      const frameId = frame!.id;
      talk.heading('what can be watched');
      const { scopes } = (await talk.ask('scopes', { frameId }, () => '…')) as { scopes: { name: string; variablesReference: number }[] };
      const within = async (reference: number, name: string | RegExp): Promise<number> => {
        const { variables } = (await talk.ask('variables', { variablesReference: reference }, () => '…')) as {
          variables: { name: string; variablesReference: number }[];
        };
        return variables.find((variable) => (typeof name === 'string' ? variable.name === name : name.test(variable.name)))!
          .variablesReference;
      };
      const vmcs = scopes.find(({ name }) => name.startsWith('VMCS'))!.variablesReference;
      const guest = await within(vmcs, /^Guest-state area/);
      const registers = await within(guest, 'Guest register state');
      const field = await talk.ask('dataBreakpointInfo', { variablesReference: registers, name: 'GUEST_RIP' });
      await talk.ask('dataBreakpointInfo', { variablesReference: scopes[0]!.variablesReference, name: 'rdi' });
      await talk.ask('dataBreakpointInfo', { name: 'rdi', frameId });
      await talk.ask('dataBreakpointInfo', { name: '[rdi]', frameId });
      await talk.ask('dataBreakpointInfo', { name: 'guest_revision', bytes: 1, frameId });
      await talk.ask('dataBreakpointInfo', { name: '0x40020000', bytes: 8, asAddress: true, frameId });
      await talk.ask('dataBreakpointInfo', { name: 'no_such_name', frameId });
      const hole = await talk.ask('evaluate', { expression: 'l2:gpa:0x20000', context: 'watch', frameId }, ({ result }) => result);
      const entry = await talk.ask('dataBreakpointInfo', { variablesReference: hole.variablesReference as number, name: 'EPT PT[32]' });
      talk.heading('what cannot be');
      await talk.ask('setDataBreakpoints', {
        breakpoints: [
          { dataId: 'here' },
          { dataId: 'hpa:0x0/0' },
          { dataId: 'hpa:0x0/8', mode: 'l9' },
          { dataId: 'hpa:0x0/8', condition: 'nonsense' },
        ],
      });
      talk.heading("the hypervisor fills the hole: its entry changes, then the guest's store is made again");
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      await talk.ask('setDataBreakpoints', {
        breakpoints: [
          { dataId: entry.dataId, accessType: 'write' },
          { dataId: 'l1:gva:0x20000/8', mode: 'l2:gpa', accessType: 'write', condition: 'new == 0x4E6573745363 && old == 0' },
        ],
      });
      assert.match(await toStop(), /^L1 on_ept_violation/);
      await talk.ask('evaluate', { expression: 'new', context: 'watch' });
      assert.match(await toStop(), /^L2 guest_touch/);
      talk.heading('reads, with a condition that only writes a line; as function breakpoints; and a field that the processor writes');
      await talk.ask('setDataBreakpoints', {
        breakpoints: [{ dataId: 'l2:gpa:0x20000/8', accessType: 'read', condition: 'log("read {old} at {rip}")' }],
      });
      const dataId = String(field.dataId);
      await talk.ask('setFunctionBreakpoints', {
        breakpoints: [{ name: `change:${dataId} GUEST_RIP` }, { name: 'change:hpa:0x10' }],
      });
      assert.match(await toStop(), /^L1 vm_exit_handler/);
      await talk.ask('setFunctionBreakpoints', { breakpoints: [] });
      await talk.ask('continue', { threadId: 1 });
      await talk.event('terminated');
    } finally {
      await talk.end();
    }
    talk.matches('data-breakpoints');
  });

  it(`answers ${NONSENSE} nonsense requests over stdio (seed ${SEED}), and works afterwards`, async () => {
    const random = randomSource(SEED);
    const one = <T>(list: readonly T[]): T => list[random() % list.length]!;
    const commands = [
      'setBreakpoints', 'setFunctionBreakpoints', 'setExceptionBreakpoints', 'scopes', 'variables', 'evaluate', 'readMemory', 'writeMemory', 'disassemble',
      'stackTrace', 'stepIn', 'next', 'stepOut', 'pause', 'setVariable', 'completions', 'nestscope/inspect', 'nestscope/resolve', 'nestscope/exits', 'goto', '',
    ]; // prettier-ignore
    const names = ['threadId', 'frameId', 'variablesReference', 'expression', 'memoryReference', 'count', 'instructionCount', 'breakpoints', 'filters', 'source', 'address', 'data', 'text', 'column']; // prettier-ignore
    const values = [0, 1, -1, 1.5, 2 ** 40, null, true, '', 'rax', '[[', 'hpa:0x0', 'l9:gva:0x1', 'AAAA', '=', [], [null], [{}], {}, { path: 'a.asm' }, 'x'.repeat(5000)]; // prettier-ignore
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: example('hello64'), stopOnEntry: true });
      await talk.event('stopped');
      for (let i = 0; i < NONSENSE; i++) {
        const args = Object.fromEntries(Array.from({ length: random() % 5 }, () => [one(names), one(values)]));
        await talk.ask(one(commands), args, () => '…');
      }
      assert.doesNotMatch(talk.text, /made a mistake/);
      assert.doesNotMatch(talk.text, /^← refused: *$/m);
      const { threads } = await talk.ask('threads');
      assert.equal((threads as unknown[]).length, 1);
    } finally {
      await talk.end();
    }
  });
});
