/** Slices: how long they last by a clock of our own, and what the run loop makes of breakpoints and the step limit. */
import { strict as assert } from 'node:assert';
import { AddressBreakpoints } from '../../../debug-adapter/breakpoints/address-breakpoints';
import { ExceptionFilters } from '../../../debug-adapter/breakpoints/exception-filters';
import type { Names } from '../../../debug-adapter/evaluate/evaluate';
import { continuePlan, Runner } from '../../../debug-adapter/running';
import type { Stop } from '../../../debug-adapter/stops';
import { noSymbols } from '../../../debug-adapter/symbol-source';
import { FakeMachine } from './fake-machine';

/** A machine of a given speed under a clock that only its own slices move. */
function setUp(stepsPerMs: (now: number) => number, lastStep?: number) {
  let now = 0;
  const machine = new FakeMachine({
    positions: [{ level: 1, rip: 1n }],
    endless: true,
    onSlice: (steps) => (now += steps / stepsPerMs(now)),
  });
  const waiting: (() => void)[] = [];
  const breakpoints = new AddressBreakpoints();
  breakpoints.attach(machine, noSymbols);
  const stops: Stop[] = [];
  const limits: number[] = [];
  const runner = new Runner(
    machine,
    { now: () => now, defer: (work) => waiting.push(work), later: (_, work) => waiting.push(work) },
    breakpoints,
    new ExceptionFilters(),
    {
      stopped: (stop) => stops.push(stop),
      sliceEnded: () => undefined,
      output: () => undefined,
      limitReached: (steps) => limits.push(steps),
      namesAt: () => undefined as unknown as Names,
    },
    lastStep,
  );
  const turn = (): number => {
    const before = now;
    waiting.shift()?.();
    return now - before;
  };
  return { machine, runner, stops, limits, turn, waiting, now: () => now };
}

describe('the run loop', () => {
  it('keeps slices below 8 ms and does not waste them, at any speed and when the speed changes', () => {
    for (const speed of [300, 5_000, 100_000]) {
      const { runner, turn } = setUp((now) => (now > 500 && now < 1000 ? speed / 3 : speed));
      runner.start(continuePlan, { vcpu: 0 });
      const slices = Array.from({ length: 300 }, turn);
      const settled = slices.slice(20);
      const tooLong = settled.filter((ms) => ms > 8).length;
      // One slice may be caught by the change of speed: its length was guessed from the time before.
      assert.ok(
        tooLong <= 2,
        `${tooLong} of ${settled.length} slices were longer than 8 ms at ${speed} steps/ms; the longest ${Math.max(...settled)} ms`,
      );
      const mean = settled.reduce((sum, ms) => sum + ms, 0) / settled.length;
      assert.ok(mean > 2, `slices of ${mean} ms on the average spend too much on switching`);
    }
  });

  it('stops between slices when asked to pause', () => {
    const { runner, turn, stops, waiting } = setUp(() => 10_000);
    runner.start(continuePlan, { vcpu: 0 });
    turn();
    assert.equal(stops.length, 0);
    runner.pause(0);
    turn();
    assert.deepEqual(stops, [{ reason: 'pause', vcpu: 0, exitView: false }]);
    assert.equal(waiting.length, 0);
    assert.equal(runner.running, false);
  });

  it('ends exactly at the limit of steps', () => {
    const { runner, turn, stops, limits, machine } = setUp(() => 10_000, 123_456);
    runner.start(continuePlan, { vcpu: 0 });
    for (let i = 0; i < 50 && stops.length === 0; i++) turn();
    assert.equal(machine.steps, 123_456);
    assert.deepEqual(limits, [123_456]);
  });

  it('does nothing more once it is disposed of', () => {
    const { runner, turn, stops, machine } = setUp(() => 10_000);
    runner.start(continuePlan, { vcpu: 0 });
    turn();
    runner.dispose();
    const { steps } = machine;
    turn();
    assert.equal(machine.steps, steps);
    assert.equal(stops.length, 0);
  });
});
