/**
 * How one processor is interrupted, and the devices of a PC: guests that check what the manuals and data sheets say, section by section, in both
 * tiers and at any slicing. Debian's bochs agrees but for the lines of BOCHS_DIFFERS.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../../emulator/index';
import { hasBochs, runBochs } from '../../../scripts/peers/bochs.mjs';
import { hasQemu, runQemu } from '../../../scripts/peers/qemu.mjs';
import { BOCHS_DIFFERS } from './bochs-differs';

const LAST_LINE = /^end\n/m;
/** The fewest checks of each guest, so that a section that is jumped over is noticed. */
const guests = { delivery: 84, devices: 90 } as const;
/** Checks of the guest of four processors. */
const BETWEEN = 32;

async function run(
  path: string,
  tier: 'interpreter' | 'jit',
  slice: () => number,
  cpus = 1,
  seed = 1,
): Promise<{ output: string; ended: string; hash: string }> {
  const machine = await createMachine({ image: readFileSync(path), imageName: path, memoryBytes: 32 << 20, tier, cpus, seed });
  let output = '';
  while (machine.ended === undefined && machine.steps < 20_000_000) {
    machine.runSlice({ maxSteps: slice() });
    output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  }
  const { ended } = machine;
  return { output, ended: ended === undefined ? 'no end' : 'sentence' in ended ? ended.sentence : ended.kind, hash: machine.hash() };
}
const wrong = (output: string): string[] => output.split('\n').filter((line) => / \[.*\]: (?!ok$)/.test(line));
const nameOf = (line: string): string => line.slice(0, line.indexOf(' ['));

describe('interrupt delivery and devices', function () {
  this.timeout(120_000);
  for (const [guest, checks] of Object.entries(guests)) {
    const path = join(import.meta.dirname, `${guest}.elf`);
    for (const tier of ['interpreter', 'jit'] as const)
      it(`${guest}: as the manuals say (${tier})`, async () => {
        const { output, ended } = await run(path, tier, () => 100_000);
        assert.deepEqual(wrong(output), [], output);
        assert.match(output, new RegExp(`^${checks} checks, 0 wrong\nend\n`, 'm'));
        assert.equal(ended, 'guest-exit');
      });

    it(`${guest}: the same in uneven slices`, async () => {
      const whole = await run(path, 'jit', () => 5_000_000);
      let x = 4711;
      const sliced = await run(path, 'interpreter', () => (x = (x * 48271) % 2147483647) % 97 || 1);
      assert.deepEqual(sliced, whole);
    });

    it(`${guest}: bochs agrees but for what is listed`, async function () {
      if (!hasBochs()) this.skip();
      const { output } = await runBochs(path, { until: LAST_LINE, timeoutMs: 90_000 });
      assert.match(output, LAST_LINE);
      assert.deepEqual(wrong(output).filter((line) => !(nameOf(line) in BOCHS_DIFFERS)), []); // prettier-ignore
    });
  }

  const between = join(import.meta.dirname, 'between.elf');
  for (const tier of ['interpreter', 'jit'] as const)
    it(`between processors: as the manual says, under five schedules (${tier})`, async () => {
      for (let seed = 1; seed <= 5; seed++) {
        const { output, ended } = await run(between, tier, () => 100_000, 4, seed);
        assert.deepEqual(wrong(output), [], output);
        assert.match(output, new RegExp(`^${BETWEEN} checks, 0 wrong\nend\n`, 'm'));
        assert.equal(ended, 'guest-exit');
      }
    });

  it('between processors: QEMU agrees, but that its firmware has started them before, and that HLT and MWAIT may go on', async function () {
    if (!hasQemu()) this.skip();
    const { output } = await runQemu(between, { args: ['-smp', '4'] });
    assert.match(output, LAST_LINE);
    const differ = wrong(output).filter(
      (line) =>
        !/\[(MP Initialization Protocol Algorithm|MONITOR\/MWAIT Instruction|HLT.*)\]/.test(line) &&
        !line.startsWith('a processor that runs ignores'),
    );
    // The number of starts is one less from there on.
    assert.deepEqual(differ.filter((line) => !/^(and again|all others: the second) \[same\]/.test(line)), []); // prettier-ignore
  });

  it('lists no difference that is not there', async function () {
    if (!hasBochs()) this.skip();
    const seen = new Set<string>();
    for (const guest of Object.keys(guests)) {
      const { output } = await runBochs(join(import.meta.dirname, `${guest}.elf`), { until: LAST_LINE, timeoutMs: 90_000 });
      for (const line of wrong(output)) seen.add(nameOf(line));
    }
    assert.deepEqual(Object.keys(BOCHS_DIFFERS).filter((name) => !seen.has(name)), []); // prettier-ignore
  });
});
