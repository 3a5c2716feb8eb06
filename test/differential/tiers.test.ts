/** The two tiers do the same, step for step: full-state hashes after any number of steps agree between interpreter and compiled regions, and the test asserts that regions ran. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, createMachine } from '../../emulator/index';

const guests = join(import.meta.dirname, '../guests');
const cases = [
  { name: 'kernels', path: join(guests, 'kernels/kernels.elf'), cmdline: 'scale=1', last: 40_000_000 },
  { name: 'exit-loop', path: join(guests, 'bench/exit-loop.elf'), cmdline: 'count=3000', last: 60_000 },
  { name: 'round-trips', path: join(guests, 'bench/round-trips.elf'), cmdline: 'count=1000 plain', last: 30_000 },
];

const machineOf = (path: string, cmdline: string, tier: 'interpreter' | 'jit'): Promise<Machine> =>
  createMachine({ image: readFileSync(path), imageName: path, cmdline, memoryBytes: 32 << 20, tier });
function runTo(machine: Machine, steps: number): void {
  while (machine.steps < steps && machine.ended === undefined) machine.runSlice({ maxSteps: steps - machine.steps });
}

describe('interpreter and compiled regions', function () {
  this.timeout(300_000);
  for (const { name, path, cmdline, last } of cases)
    it(`agree on ${name} at random positions`, async () => {
      const slow = await machineOf(path, cmdline, 'interpreter');
      const fast = await machineOf(path, cmdline, 'jit');
      let x = 4711;
      let n = 0;
      let compared = 0;
      while (n < last && slow.ended === undefined) {
        x = (x * 48271) % 2147483647;
        // Mostly long ways, sometimes a few steps at a time, so that stops fall everywhere in loops.
        n += x % 3 === 0 ? 1 + (x % 40) : 1 + (x % (last / 40));
        runTo(slow, n);
        runTo(fast, n);
        assert.equal(fast.steps, slow.steps);
        assert.equal(fast.hash(), slow.hash(), `after ${n} steps`);
        compared++;
      }
      assert.ok(compared > 30);
      assert.equal(slow.tiers.compiled, 0, 'the interpreter alone');
      assert.ok(fast.tiers.compiled >= (name === 'kernels' ? 8 : 3), `${fast.tiers.compiled} regions were compiled`);
    });
});
