/** The debug session against a machine without a processor: stops, stepping, hovers, writes, refusals. */
import { strict as assert } from 'node:assert';
import { FakeMachine, fakeHost, type Position } from './fake-machine';
import { Talk } from './talk';

const L1 = 0x100000n;
const L2 = 0x40000000n;
/** L1 enters its guest, which runs two instructions and exits; the handler returns by the next entry. */
const nested: readonly Position[] = [
  { level: 1, rip: L1 },
  { level: 1, rip: L1 + 3n, event: 'entry' },
  { level: 2, rip: L2 },
  { level: 2, rip: L2 + 2n, event: 'exit' },
  { level: 1, rip: 0x100100n },
  { level: 1, rip: 0x100103n, event: 'entry' },
  { level: 2, rip: L2 + 5n },
  { level: 2, rip: L2 + 7n, end: { kind: 'guest-exit', value: 0x10 } },
];
const code = new Map([
  [L1 + 3n, [0x0f, 0x01, 0xc3]],
  [0x100103n, [0x0f, 0x01, 0xc3]],
]);

async function nestedTalk(filter?: object): Promise<{ talk: Talk; machine: FakeMachine }> {
  const machine = new FakeMachine({ positions: nested, code });
  const talk = new Talk(fakeHost(machine));
  await talk.start({}, () => talk.ask('setExceptionBreakpoints', filter ?? { filters: [] }));
  assert.equal((await talk.event('stopped')).body.reason, 'entry');
  return { talk, machine };
}

describe('debug session', () => {
  it('stops on a VM exit that meets its condition, with the guest on top and the hypervisor below', async () => {
    const { talk } = await nestedTalk({
      filters: [],
      filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION && gpa == 0x20000 && level == 2' }],
    });
    assert.ok((await talk.ask('continue', { threadId: 1 })).success);
    const stop = await talk.event('stopped');
    assert.equal(stop.body.reason, 'exception');
    assert.equal(stop.body.description, 'VM exit: EPT_VIOLATION');
    const { body } = await talk.ask('stackTrace', { threadId: 1 });
    assert.deepEqual(
      body.stackFrames.map((frame: { name: string }) => frame.name),
      ['L2 0x40000002 (exited: EPT_VIOLATION)', 'VM entry: VMRESUME at 0x100003, VMCS 0x5000', 'L1 0x100100 (VM-exit handler)'],
    );
    assert.equal(body.stackFrames[0].instructionPointerReference, 'l2:gva:0x40000002');
    assert.equal(body.stackFrames[1].presentationHint, 'label');
    const info = await talk.ask('exceptionInfo', { threadId: 1 });
    assert.equal(info.body.exceptionId, 'EPT_VIOLATION');
    assert.match(info.body.description, /Guest-physical address 0x20000/);
  });

  it('writes a line where a condition says log(), and goes on', async () => {
    const { talk } = await nestedTalk({
      filters: [],
      filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION && log("exit \\"{reason}\\" at {rip}")', mode: 'l2' }],
    });
    await talk.ask('continue', { threadId: 1 });
    await talk.event('exited');
    const lines = talk.events.filter(({ event, body }) => event === 'output' && body.category === 'console').map(({ body }) => body.output);
    assert.deepEqual(lines, ['exit "EPT_VIOLATION (48)" at 0x40000002 (1073741826)\n']);
  });

  it('does not stop when the condition is false', async () => {
    const { talk } = await nestedTalk({ filters: [], filterOptions: [{ filterId: 'vm-exit', condition: 'reason == CPUID' }] });
    await talk.ask('continue', { threadId: 1 });
    assert.equal((await talk.event('exited')).body.exitCode, 33);
    await talk.event('terminated');
  });

  it('refuses a condition with an unknown name, and says which was meant', async () => {
    const { talk } = await nestedTalk();
    const { body } = await talk.ask('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATON' }],
    });
    assert.equal(body.breakpoints[0].verified, false);
    assert.match(body.breakpoints[0].message, /did you mean EPT_VIOLATION\?/);
  });

  it('steps into, over and out by the nesting rule', async () => {
    const { talk, machine } = await nestedTalk();
    const step = async (command: string): Promise<string> => {
      assert.ok((await talk.ask(command, { threadId: 1, granularity: 'instruction' })).success);
      assert.equal((await talk.event('stopped')).body.reason, 'step');
      const { level, rip } = machine.cpu();
      return `L${level} 0x${rip.toString(16)}`;
    };
    assert.equal(await step('stepIn'), 'L1 0x100003');
    assert.equal(await step('stepIn'), 'L2 0x40000000', 'into VMRESUME enters the guest');
    assert.equal(await step('stepOut'), 'L1 0x100100', "out of the guest is its hypervisor's exit handler");
    assert.equal(await step('next'), 'L1 0x100103');

    const again = await nestedTalk();
    await again.talk.ask('stepIn', { threadId: 1, granularity: 'instruction' });
    await again.talk.event('stopped');
    await again.talk.ask('next', { threadId: 1, granularity: 'instruction' });
    await again.talk.event('stopped');
    assert.equal(again.machine.cpu().rip, 0x100100n, "over VMRESUME is L1's next exit");
  });

  it('steps over an exiting instruction to the guest, and into it to the hypervisor', async () => {
    const over = await nestedTalk();
    for (let i = 0; i < 3; i++) await over.talk.ask('stepIn', { threadId: 1 }).then(() => over.talk.event('stopped'));
    assert.equal(over.machine.cpu().rip, L2 + 2n);
    await over.talk.ask('next', { threadId: 1 });
    await over.talk.event('stopped');
    assert.equal(over.machine.cpu().rip, L2 + 5n);
  });

  it('moves from the exited guest to host RIP without running the hypervisor', async () => {
    const { talk, machine } = await nestedTalk({ filters: ['vm-exit'] });
    await talk.ask('continue', { threadId: 1 });
    await talk.event('stopped');
    const { steps } = machine;
    await talk.ask('stepIn', { threadId: 1 });
    assert.equal((await talk.event('stopped')).body.reason, 'step');
    assert.equal(machine.steps, steps);
    const { body } = await talk.ask('stackTrace', { threadId: 1 });
    assert.equal(body.stackFrames[0].name, 'L1 0x100100');
  });

  it('answers a hover that means nothing with an empty success, and one on an address with its resolution', async () => {
    const { talk } = await nestedTalk();
    const hover = async (expression: string): Promise<string> => {
      const { success, body } = await talk.ask('evaluate', { expression, context: 'hover' });
      assert.ok(success);
      return body.result;
    };
    for (const nothing of ['nonsense', 'a b c', '((', 'mov', '12']) assert.equal(await hover(nothing), '');
    const late = await talk.ask('evaluate', { expression: 'rsp', context: 'hover', frameId: 9999 });
    assert.equal(late.body.result, await hover('rsp'), 'a hover with a frame of an earlier stop means the one on top');
    assert.equal((await talk.ask('evaluate', { expression: 'rsp', context: 'watch', frameId: 9999 })).success, false);
    assert.equal(await hover('0x1000'), 'L1 GVA 0x1000 → HPA 0xa01000 (rwx)');
    assert.match(await hover('rsp'), /^rsp = 0x8000 .*: L1 GVA 0x8000 → HPA 0xa08000/);
    assert.equal(await hover('GUEST_CR3'), 'GUEST_CR3 = 0x7000 (28672) PML4 at 0x7000');
  });

  it('sets registers and memory and says so', async () => {
    const machine = new FakeMachine({ positions: nested, code });
    const talk = new Talk(fakeHost(machine));
    await talk.ask('initialize', { adapterID: 'x', supportsInvalidatedEvent: true, supportsMemoryEvent: true });
    await talk.ask('launch', { program: 'fake.elf' });
    await talk.ask('configurationDone');
    await talk.event('stopped');
    const { body } = await talk.ask('stackTrace', { threadId: 1 });
    const { body: scopes } = await talk.ask('scopes', { frameId: body.stackFrames[0].id });
    assert.deepEqual(
      scopes.scopes.map((s: { name: string }) => s.name),
      ['General', 'Flags', 'Segment', 'Control', 'VMCS (current)'],
    );
    const general = scopes.scopes[0].variablesReference;
    assert.equal((await talk.ask('setVariable', { variablesReference: general, name: 'rax', value: '0x10 + 2' })).body.value, '0x12');
    assert.equal(machine.registers.get('rax'), 0x12n);
    await talk.event('invalidated');
    assert.equal((await talk.ask('setExpression', { expression: 'al', value: '0xff' })).body.value, '0xff');
    assert.equal(machine.registers.get('rax'), 0xffn);
    const refused = await talk.ask('setVariable', { variablesReference: general, name: 'rax', value: 'nonsense' });
    assert.equal(refused.success, false);
    const written = await talk.ask('writeMemory', { memoryReference: 'l1:gva:0x2000', data: 'AQID' });
    assert.equal(written.body.bytesWritten, 3);
    assert.deepEqual((await talk.event('memory')).body, { memoryReference: 'l1:gva:0x2000', offset: 0, count: 3 });
    const read = await talk.ask('readMemory', { memoryReference: 'l1:gva:0x2000', count: 3 });
    assert.deepEqual(read.body, { address: '0x2000', data: 'AQID' });
    assert.equal((await talk.ask('evaluate', { expression: 'word [0x2001]', context: 'watch' })).body.result, '0x302 (770)');
  });

  it('logs instead of stopping, and counts hits', async () => {
    const machine = new FakeMachine({
      positions: [
        { level: 1, rip: 1n },
        { level: 1, rip: 2n },
        { level: 1, rip: 3n },
      ],
      endless: true,
    });
    const talk = new Talk(fakeHost(machine));
    await talk.start({}, () =>
      talk.ask('setInstructionBreakpoints', {
        breakpoints: [
          { instructionReference: '0x2', logMessage: 'at {rip}' },
          { instructionReference: '0x3', hitCondition: '== 3' },
        ],
      }),
    );
    await talk.event('stopped');
    await talk.ask('continue', { threadId: 1 });
    const stop = await talk.event('stopped');
    assert.equal(stop.body.reason, 'instruction breakpoint');
    assert.equal(machine.steps, 8);
    assert.deepEqual(
      talk.events.filter(({ event }) => event === 'output').map(({ body }) => body.output),
      ['at 0x2\n', 'at 0x2\n', 'at 0x2\n'],
    );
  });

  it('pauses a running machine within 50 ms', async () => {
    const machine = new FakeMachine({ positions: [{ level: 1, rip: 1n }], endless: true });
    const talk = new Talk(fakeHost(machine));
    await talk.start();
    await talk.event('stopped');
    await talk.ask('continue', { threadId: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    assert.ok((await talk.ask('pause', { threadId: 1 })).success);
    assert.equal((await talk.event('stopped')).body.reason, 'pause');
    const elapsed = performance.now() - before;
    assert.ok(elapsed < 50, `pause took ${elapsed} ms`);
    assert.ok(machine.steps > 10_000);
  });

  it('answers every request, unknown and premature ones with a sentence', async () => {
    const talk = new Talk(fakeHost(new FakeMachine({ positions: nested })));
    for (const command of ['frobnicate', 'toString', '__proto__', 'stepBack', 'continue', 'attach', 'readMemory', 'nestscope/inspect']) {
      const { success, message } = await talk.ask(command, {});
      assert.equal(success, false, command);
      assert.ok(message && message.endsWith('.'), `${command}: ${message}`);
    }
  });

  it('refuses a wrong launch configuration with a sentence', async () => {
    const talk = new Talk(fakeHost(new FakeMachine({ positions: nested })));
    const { success, message } = await talk.ask('launch', { program: 7 });
    assert.equal(success, false);
    assert.match(message!, /program/);
  });
});
