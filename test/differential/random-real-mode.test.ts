/**
 * Random code in real-address mode: the real-mode guest with random bytes in the place of its program ends in a clean outcome, the same in one
 * slice and in many. Every run is named by its seed.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StopReason, createMachine } from '../../emulator/index';

const guest = readFileSync(join(import.meta.dirname, '../guests/modes/real-mode.elf'));
/** XOR AX, AX; MOV DS, ES, FS, GS, SS, AX; MOV ESP, imm32: where the guest goes on in real-address mode. */
const BEGIN = Buffer.from([0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd0, 0x66, 0xbc]);
const AFTER_SEGMENTS = 12;
const RANDOM_BYTES = 700;
const STEPS = 6000;
const [first, last] = process.env.NESTSCOPE_LONG ? [1, 5000] : [1, 40];

function image(seed: number): Buffer {
  let x = (seed * 2654435761) >>> 0;
  const at = guest.indexOf(BEGIN);
  assert.ok(at > 0);
  const bytes = Buffer.from(guest);
  for (let i = AFTER_SEGMENTS; i < RANDOM_BYTES; i++) {
    x = (x ^ (x << 13)) >>> 0;
    x ^= x >>> 17;
    x = (x ^ (x << 5)) >>> 0;
    bytes[at + i] = x;
  }
  return bytes;
}

async function run(bytes: Buffer, slice: () => number): Promise<{ hash: string; steps: number; ended: StopReason | undefined }> {
  const machine = await createMachine({ image: bytes, imageName: 'random', memoryBytes: 8 << 20 });
  while (machine.ended === undefined && machine.steps < STEPS) machine.runSlice({ maxSteps: Math.min(slice(), STEPS - machine.steps) });
  return { hash: machine.hash(), steps: machine.steps, ended: machine.ended };
}

describe(`random code in real-address mode (seeds ${first} to ${last})`, function () {
  this.timeout(600_000);
  it('ends in a clean outcome, the same in one slice and in many', async () => {
    let wentFar = 0;
    for (let seed = first; seed <= last; seed++) {
      const bytes = image(seed);
      const whole = await run(bytes, () => STEPS);
      assert.notEqual(whole.ended?.kind, 'internal-error', `seed ${seed}`);
      let x = seed;
      const sliced = await run(bytes, () => ((x = (x * 48271) % 2147483647) % 7) + 1);
      assert.deepEqual(sliced, whole, `seed ${seed}`);
      if (whole.steps > 3000) wentFar++;
    }
    assert.ok(wentFar > (last - first) / 4, `${wentFar} guests went far`);
  });
});
