/**
 * Guests of random bytes: whatever they do is a guest outcome or a `Not modelled:` stop, never an error of ours, and two runs of one seed agree,
 * however they are sliced. The seed is printed; NESTSCOPE_SEED and NESTSCOPE_GUESTS choose others.
 */
import { strict as assert } from 'node:assert';
import { type Machine, createMachine } from '../../emulator/index';
import { randomSource } from '../random-source';

const firstSeed = Number(process.env.NESTSCOPE_SEED ?? 1);
const guests = Number(process.env.NESTSCOPE_GUESTS ?? 10_000);
const STEPS = 400;
const CODE = 0x100000;

function flatMachine(mode: 32 | 64): Promise<Machine> {
  return createMachine({
    image: new Uint8Array(4096),
    imageName: 'random',
    format: 'flat',
    flat: { address: CODE, mode },
    memoryBytes: 4 << 20,
  });
}

/** Opcode bytes that random streams would seldom hit in a useful order. */
const SPICE: readonly (readonly number[])[] = [
  [0x0f, 0x01, 0xc2], [0x0f, 0x01, 0xc4], [0xf3, 0x0f, 0xc7, 0x30], [0x0f, 0xc7, 0x30], [0x0f, 0x78, 0xc1], [0x0f, 0x79, 0xc1], [0x0f, 0x20, 0xc0], [0x0f, 0x22, 0xc0], [0x0f, 0x22, 0xe0], [0x0f, 0x32],
  [0x0f, 0x30], [0x0f, 0xa2], [0xf3, 0xa4], [0xf3, 0xab], [0xf2, 0xae], [0x0f, 0x01, 0x10], [0x0f, 0x01, 0x18], [0x8e, 0xd8], [0xcf], [0xcd, 0x20], [0x9d], [0xcb], [0x0f, 0x05], [0x0f, 0x07], [0xf0, 0x0f, 0xb1, 0x08],
  [0x0f, 0xc7, 0x08], [0x88, 0x05, 0, 0, 0, 0], [0xe8, 0xf0, 0xff, 0xff, 0xff], [0x48, 0xf7, 0xf9], [0x66, 0x90], [0x67, 0x8b, 0x04, 0x08], [0x64, 0x8b, 0x00], [0xe4, 0x60], [0xee], [0x6c], [0x0f, 0x01, 0xf8],
]; // prettier-ignore

function plant(machine: Machine, seed: number): void {
  const random = randomSource(seed);
  const code = new Uint8Array(512);
  for (let i = 0; i < code.length;) {
    const pick = random();
    if (pick % 7 === 0) for (const b of SPICE[(pick >>> 8) % SPICE.length]) code[i++ % code.length] = b;
    else code[i++] = pick >>> 16;
  }
  machine.writeMemory(0, 1, 'hpa', BigInt(CODE), code);
  const cpu = machine.cpu(0);
  for (const name of ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r8', 'r9'])
    cpu.setRegister(name, random() % 3 === 0 ? BigInt(random()) << 20n : BigInt(CODE + (random() % 8192)));
}

/** Runs in slices of the given sizes and says how it ended. */
function run(machine: Machine, slices: () => number): string {
  let left = STEPS;
  while (left > 0) {
    const before = machine.steps;
    const stop = machine.runSlice({ maxSteps: Math.min(left, slices()) });
    assert.notEqual(stop.kind, 'internal-error', stop.kind === 'internal-error' ? stop.sentence : '');
    if (stop.kind !== 'step-limit') return `${stop.kind} ${machine.steps} ${machine.hash()}`;
    left -= machine.steps - before;
  }
  return `ran ${machine.steps} ${machine.hash()}`;
}

describe(`guests of random bytes (seeds ${firstSeed} to ${firstSeed + guests - 1})`, function () {
  this.timeout(20 * 60_000);
  for (const mode of [64, 32] as const)
    it(`${mode}-bit: ${guests / 2} guests end in a clean outcome, the same in one slice and in many`, async () => {
      const machine = await flatMachine(mode);
      const start = machine.save();
      const outcomes = new Map<string, number>();
      for (let seed = firstSeed; seed < firstSeed + guests / 2; seed++) {
        const again = (): void => {
          machine.restore(start);
          plant(machine, seed);
        };
        again();
        const whole = run(machine, () => STEPS);
        const kind = whole.split(' ')[0];
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
        // Every eighth guest is run again in small slices: stopping must not show.
        if (seed % 8 !== 0) continue;
        again();
        const random = randomSource(seed + 77);
        assert.equal(run(machine, () => 1 + (random() % 9)), whole, `seed ${seed}`); // prettier-ignore
      }
      console.log(`      ${[...outcomes].map(([k, n]) => `${k} ${n}`).join(', ')}`);
      assert.ok((outcomes.get('triple-fault') ?? 0) > 0 && outcomes.size >= 3, 'the guests did not do much');
    });
});
