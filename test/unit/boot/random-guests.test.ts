/** Guests of random bytes: whatever they do, the machine ends with a guest's outcome or a named gap, and nothing is thrown out of the emulator. */
import { strict as assert } from 'node:assert';
import { createMachine, type Machine, type MachineSnapshot } from '../../../emulator';

const SEEDS = 10_000;
const PARTS = 4;
const OUTCOMES = ['triple-fault', 'not-modelled', 'step-limit', 'halted', 'guest-exit'];

function bytesOf(seed: number): Uint8Array {
  let state = (Math.imul(seed + 1, 2654435761) ^ 0x5bd1e995) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return Uint8Array.from({ length: 64 + (next() % 4096) }, () => next());
}

describe('guests of random bytes', () => {
  const benches: { machine: Machine; start: MachineSnapshot }[] = [];
  const counts = new Map<string, number>();

  before(async () => {
    for (const mode of [32, 64] as const) {
      const machine = await createMachine({
        image: new Uint8Array(8192),
        imageName: 'random',
        format: 'flat',
        flat: { address: 0x10_0000, mode },
        memoryBytes: 2 * 2 ** 20,
      });
      benches.push({ machine, start: machine.save() });
    }
  });

  for (let part = 0; part < PARTS; part++) {
    const [first, end] = [(SEEDS / PARTS) * part, (SEEDS / PARTS) * (part + 1)];
    it(`seeds ${first} to ${end - 1}`, () => {
      for (let seed = first; seed < end; seed++) {
        const { machine, start } = benches[seed % 2];
        machine.restore(start);
        machine.writeMemory(0, 1, 'hpa', 0x10_0000n, bytesOf(seed));
        const stop = machine.runSlice({ maxSteps: 5000 });
        counts.set(stop.kind, (counts.get(stop.kind) ?? 0) + 1);
        assert.ok(
          OUTCOMES.includes(stop.kind),
          `seed ${seed}: ${JSON.stringify(stop, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
        );
        if (stop.kind === 'not-modelled') assert.match(stop.sentence, /^Not modelled: /, `seed ${seed}`);
      }
    });
  }

  it('come out the same when run again', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { machine, start } = benches[seed % 2];
      const [once, again] = [1, 2].map(() => {
        machine.restore(start);
        machine.writeMemory(0, 1, 'hpa', 0x10_0000n, bytesOf(seed));
        const stop = machine.runSlice({ maxSteps: 1000 });
        return `${stop.kind} ${machine.steps} ${machine.cpu(0).rip} ${machine.cpu(0).register('rax')}`;
      });
      assert.equal(again, once, `seed ${seed}`);
    }
  });

  it('meet every kind of outcome', () => assert.deepEqual([...counts.keys()].sort(), [...OUTCOMES].sort()));
});
