/**
 * Guests that walk through the processor's modes print on this machine what Debian's bochs printed (NAME.expected.txt was captured from it),
 * at any slicing; and where bochs is installed, what it prints still is that text.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../../emulator/index';
import { hasBochs, runBochs } from '../../../scripts/peers/bochs.mjs';

const folder = import.meta.dirname;
const guests = ['real-mode', 'segments', 'tasks', 'virtual-8086', 'long-mode-gates', 'address-line-20'];
/** The peer's text up to its last line. */
const LAST_LINE = /^end\n/m;

async function run(path: string, slice: () => number): Promise<{ output: string; ended: string; hash: string }> {
  const machine = await createMachine({ image: readFileSync(path), imageName: path, memoryBytes: 32 << 20 });
  let output = '';
  while (machine.ended === undefined && machine.steps < 5_000_000) {
    machine.runSlice({ maxSteps: slice() });
    output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  }
  const { ended } = machine;
  return { output, ended: ended === undefined ? 'no end' : 'sentence' in ended ? ended.sentence : ended.kind, hash: machine.hash() };
}

describe('modes of the processor', function () {
  this.timeout(120_000);
  for (const guest of guests) {
    const path = join(folder, `${guest}.elf`);
    const expected = readFileSync(join(folder, `${guest}.expected.txt`), 'latin1');

    it(`${guest}: as bochs printed it`, async () => {
      assert.match(expected, LAST_LINE);
      const { output, ended } = await run(path, () => 100_000);
      assert.equal(output, expected, ended);
      assert.equal(ended, 'guest-exit');
    });

    it(`${guest}: the same in uneven slices`, async () => {
      const whole = await run(path, () => 5_000_000);
      let x = 4711;
      const sliced = await run(path, () => (x = (x * 48271) % 2147483647) % 23 || 1);
      assert.deepEqual(sliced, whole);
    });

    it(`${guest}: bochs still prints it`, async function () {
      if (!hasBochs()) this.skip();
      const peer = await runBochs(path, { until: LAST_LINE, timeoutMs: 60_000 });
      assert.equal(peer.output, expected);
    });
  }
});
