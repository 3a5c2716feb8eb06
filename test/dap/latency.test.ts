/** How long a user waits: stepping with the stack after it, and hovering, over stdio (95th percentiles). */
import { strict as assert } from 'node:assert';
import { Conversation, example } from './transcript';

const SAMPLES = 200;
const STEP_MS = 10;
const HOVER_MS = 20;

function percentile95(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)]!;
}

describe('latency', function () {
  this.timeout(60_000);

  it(`a step takes less than ${STEP_MS} ms, a hover less than ${HOVER_MS} ms`, async () => {
    const talk = Conversation.overStdio();
    try {
      await talk.launch({ program: example('nested-hello'), stopOnEntry: true }, () =>
        talk.ask('setExceptionBreakpoints', {
          filters: [],
          filterOptions: [{ filterId: 'vm-exit', condition: 'reason == EPT_VIOLATION' }],
        }),
      );
      await talk.event('stopped');
      await talk.ask('continue', { threadId: 1 });
      await talk.event('stopped');
      const steps: number[] = [];
      const hovers: number[] = [];
      for (let i = 0; i < SAMPLES; i++) {
        const before = performance.now();
        await talk.ask('stepIn', { threadId: 1, granularity: 'instruction' });
        await talk.event('stopped');
        const between = performance.now();
        steps.push(between - before);
        const [frame] = await talk.stack();
        const looked = performance.now();
        await talk.ask('evaluate', { expression: i % 2 ? 'rsp' : '0x40010000', context: 'hover', frameId: frame!.id });
        hovers.push(performance.now() - looked);
      }
      const [step, hover] = [percentile95(steps), percentile95(hovers)];
      assert.ok(step < STEP_MS, `95 % of the steps took up to ${step.toFixed(1)} ms`);
      assert.ok(hover < HOVER_MS, `95 % of the hovers took up to ${hover.toFixed(1)} ms`);
      if (process.env.VERBOSE === '1') console.log(`      step ${step.toFixed(2)} ms, hover ${hover.toFixed(2)} ms (95th percentiles)`);
    } finally {
      await talk.end();
    }
  });
});
