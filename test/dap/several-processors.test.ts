/** Golden conversation with a machine of four virtual CPUs: a thread each, stops and steps of one of them, one of them alone, interrupts. */
import { strict as assert } from 'node:assert';
import { Conversation, example } from './transcript';

interface Vcpu {
  readonly vcpu: number;
  readonly rip: string;
  readonly steps: number;
}

describe('conversation: several processors', function () {
  this.timeout(60_000);

  it('stops, steps and looks by virtual CPU', async () => {
    const talk = Conversation.overStdio();
    const stopped = async (): Promise<number> => ((await talk.event('stopped')) as { threadId: number }).threadId;
    const positions = async (): Promise<readonly Vcpu[]> => ((await talk.ask('nestscope/position')) as { vcpus: readonly Vcpu[] }).vcpus;
    try {
      await talk.launch({ program: example('four-processors'), cpus: 4, stopOnEntry: true }, () =>
        talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'ap_main', condition: 'vcpu == 2' }] }),
      );
      assert.equal(await stopped(), 1);
      await talk.ask('threads');

      talk.heading('a breakpoint of one of them');
      await talk.ask('continue', { threadId: 1 });
      const thread = await stopped();
      assert.equal(thread, 3);
      await talk.ask('threads');
      for (let other = 1; other <= 4; other++) await talk.stack(other);

      talk.heading('a step of it: the others run meanwhile');
      await talk.ask('stepIn', { threadId: thread });
      assert.equal(await stopped(), thread);
      await talk.ask('next', { threadId: 2, granularity: 'instruction' });
      assert.equal(await stopped(), 2);

      talk.heading('a step of one alone: the others stand');
      const before = await positions();
      for (let step = 0; step < 3; step++) {
        await talk.ask('next', { threadId: 4, granularity: 'instruction', singleThread: true });
        assert.equal(await stopped(), 4);
      }
      const after = await positions();
      for (const { vcpu, rip, steps } of after.filter((cpu) => cpu.vcpu !== 3))
        assert.deepEqual({ rip, steps }, { rip: before[vcpu]!.rip, steps: before[vcpu]!.steps }, `vCPU ${vcpu} has moved`);
      assert.equal(after[3]!.steps, before[3]!.steps + 3);

      talk.heading('an interrupt by its vector');
      await talk.ask('setFunctionBreakpoints', { breakpoints: [] });
      await talk.ask('setExceptionBreakpoints', {
        filters: [],
        filterOptions: [{ filterId: 'interrupt', condition: 'vector == 0x41 && vcpu == 1' }],
      });
      await talk.ask('continue', { threadId: 4 });
      assert.equal(await stopped(), 2);
      await talk.ask('exceptionInfo', { threadId: 2 });
      const [top, interrupted] = await talk.stack(2);
      assert.match(top!.name, /^L1 forget_handler/);
      assert.match(interrupted!.name, /^L1 .*\(interrupted by 0x41\)$/);
      assert.equal(
        ((await talk.ask('evaluate', { expression: 'vector', frameId: top!.id, context: 'watch' })) as { result: string }).result,
        '0x41 (65)',
      );

      talk.heading('to the end');
      await talk.ask('setExceptionBreakpoints', { filters: [] });
      await talk.ask('continue', { threadId: 1 });
      await talk.event('terminated');
    } finally {
      await talk.end();
    }
    talk.matches('several-processors');
  });
});
