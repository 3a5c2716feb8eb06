/**
 * Four processors that disturb each other (locks, interrupts between them, changed translations) make the same steps whenever they are run:
 * ten million of them, twice, over a snapshot in the middle, in both tiers, in uneven slices; and what they do is right under any schedule.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../../emulator/index';
import { hasQemu, runQemu } from '../../../scripts/peers/qemu.mjs';

const path = join(import.meta.dirname, 'shoot-down.elf');
const image = readFileSync(path);
const STEPS = 10_000_000;
const ROUNDS = 4000;
const CHANGE_EVERY = 16;

type Machine = Awaited<ReturnType<typeof createMachine>>;
const make = (seed: number, tier: 'jit' | 'interpreter' = 'jit', cpus = 4): Promise<Machine> =>
  createMachine({ image, imageName: path, memoryBytes: 32 << 20, cpus, seed, tier });

function runTo(machine: Machine, step: number, slice = (): number => 1_000_000): void {
  while (machine.ended === undefined && machine.steps < step) machine.runSlice({ maxSteps: Math.min(slice(), step - machine.steps) });
  assert.equal(machine.ended, undefined, 'the guest is still at work');
  assert.equal(machine.steps, step);
}
async function hashAfter(seed: number, tier: 'jit' | 'interpreter'): Promise<string> {
  const machine = await make(seed, tier);
  runTo(machine, STEPS);
  return machine.hash();
}
function runToEnd(machine: Machine): string {
  let output = '';
  while (machine.ended === undefined && machine.steps < 300_000_000) {
    machine.runSlice({ maxSteps: 1_000_000 });
    output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  }
  return output;
}
function assertRight(output: string, cpus: number): void {
  const found = /^(\d+) processors\ncounted (\d+), changed (\d+), sent (\d+), received (\d+)\nend\n/.exec(output);
  assert.ok(found, output);
  const [there, counted, changed, sent, received] = found.slice(1).map(Number);
  assert.deepEqual([there, counted, changed], [cpus, cpus * ROUNDS, (cpus * ROUNDS) / CHANGE_EVERY]);
  assert.equal(sent, received);
  assert.ok(cpus === 1 || sent >= cpus, `${sent} interrupts to neighbours`);
}

describe('processors that disturb each other', function () {
  this.timeout(120_000);

  for (const seed of [1, 2026]) {
    it(`make the same ten million steps twice, in both tiers, and over a snapshot (seed ${seed})`, async () => {
      const first = await hashAfter(seed, 'jit');
      assert.equal(await hashAfter(seed, 'jit'), first, 'again');
      assert.equal(await hashAfter(seed, 'interpreter'), first, 'in the interpreter');

      const before = await make(seed);
      runTo(before, STEPS / 2 + 137);
      const snapshot = structuredClone(before.save());
      const after = await make(seed, 'interpreter');
      after.restore(snapshot);
      runTo(after, STEPS);
      assert.equal(after.hash(), first, 'restored in the middle, in a new machine');
      before.restore(snapshot);
      runTo(before, STEPS);
      assert.equal(before.hash(), first, 'taken back to the middle');
    });
  }

  it('make the same steps in uneven slices', async () => {
    const steps = 1_500_000;
    const whole = await make(5);
    runTo(whole, steps);
    const sliced = await make(5);
    let x = 4711;
    runTo(sliced, steps, () => (x = (x * 48271) % 2147483647) % 701 || 1);
    assert.equal(sliced.hash(), whole.hash());
  });

  it('go different ways with different seeds', async () => {
    const hashes = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const machine = await make(seed);
      runTo(machine, 1_000_000);
      hashes.add(machine.hash());
    }
    assert.equal(hashes.size, 3);
  });

  for (const [cpus, seed] of [
    [1, 1],
    [2, 9],
    [4, 1],
    [4, 17],
    [8, 3],
  ] as const)
    // prettier-ignore
    it(`lose nothing: ${cpus} processors, seed ${seed}`, async () => {
      const machine = await make(seed, 'jit', cpus);
      assertRight(runToEnd(machine), cpus);
      assert.equal(machine.ended?.kind, 'guest-exit');
    });

  it('lose nothing on QEMU either', async function () {
    if (!hasQemu()) this.skip();
    const { output } = await runQemu(path, { args: ['-smp', '4'] });
    assertRight(output, 4);
  });
});
