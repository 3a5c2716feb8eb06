/**
 * Conformance guests of VMX: every case compares what the processor does with what the manual says and prints "ok", in both tiers and at any
 * slicing. Debian's bochs prints the same but for the cases of BOCHS_DIFFERS, each with the manual's words for our side, and for controls that it lacks.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../../emulator/index';
import { hasBochs, runBochs } from '../../../scripts/peers/bochs.mjs';

const folder = import.meta.dirname;
const guests = ['controls', 'ept'];
/** Where bochs is left: it panics when code is fetched from the APIC-access page. */
const PEER_LAST: Readonly<Record<string, RegExp>> = { controls: /^VMCS shadowing: a bit of the bitmap: \w+/m };
const LAST_LINE = /^end\n/m;
const LACKS = /: this processor has no such control$/;

/** Cases in which bochs 2.7 does something else, and what the manual (SDM volume 3) says. */
const BOCHS_DIFFERS: Readonly<Record<string, string>> = {
  'EPT: an accessed flag of the guest is written': 'An update of an accessed flag is a write to the guest paging-structure entry and needs EPT write permission ("EPT Violations").',
  'EPT accessed and dirty flags: guest paging structures are written': 'Such an access sets both bit 0 and bit 1 of the qualification (footnote of "Exit Qualification for EPT Violations").',
  'PML: a page is logged when it becomes dirty': 'The value written is the guest-physical address with bits 11:0 clear ("Page-Modification Logging").',
  'EPT-violation #VE: a convertible violation': 'Bytes 33:32 receive the EPTP-index VM-execution control ("Virtualization-Exception Information").',
}; // prettier-ignore

async function run(
  path: string,
  tier: 'interpreter' | 'jit',
  slice: () => number,
): Promise<{ output: string; ended: string; hash: string }> {
  const machine = await createMachine({ image: readFileSync(path), imageName: path, memoryBytes: 32 << 20, tier });
  let output = '';
  while (machine.ended === undefined && machine.steps < 20_000_000) {
    machine.runSlice({ maxSteps: slice() });
    output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  }
  const { ended } = machine;
  return { output, ended: ended === undefined ? 'no end' : 'sentence' in ended ? ended.sentence : ended.kind, hash: machine.hash() };
}
/** Lines by case, without those that say how a case went wrong. */
const cases = (output: string): ReadonlyMap<string, string> =>
  new Map(output.split('\n').filter((line) => /: (ok|WRONG|this processor.*)$/.test(line)).map((line) => [line.slice(0, line.lastIndexOf(': ')), line])); // prettier-ignore

describe('VMX conformance guests', function () {
  this.timeout(120_000);
  for (const guest of guests) {
    const path = join(folder, `${guest}.elf`);
    for (const tier of ['interpreter', 'jit'] as const) {
      it(`${guest}: as the manual says (${tier})`, async () => {
        const { output, ended } = await run(path, tier, () => 100_000);
        assert.match(output, LAST_LINE, ended);
        const wrong = output.split('\n').filter((line) => line.startsWith('    ') || /: (WRONG|this processor.*)$/.test(line));
        assert.deepEqual(wrong, []);
        assert.ok(cases(output).size > 10);
      });
    }
    it(`${guest}: the same in uneven slices`, async () => {
      const whole = await run(path, 'jit', () => 20_000_000);
      let x = 4711;
      const sliced = await run(path, 'jit', () => ((x = (x * 48271) % 2147483647) % 97) + 1);
      assert.deepEqual(sliced, whole);
    });
    it(`${guest}: bochs agrees but for the listed cases`, async function () {
      if (!hasBochs()) this.skip();
      const peer = cases((await runBochs(path, { until: PEER_LAST[guest] ?? LAST_LINE, timeoutMs: 60_000 })).output);
      const ours = cases((await run(path, 'jit', () => 20_000_000)).output);
      assert.ok(peer.size > 10);
      assert.deepEqual([...peer.keys()], [...ours.keys()].slice(0, peer.size));
      const different = [...peer].filter(([name, line]) => line !== ours.get(name) && !LACKS.test(line)).map(([name]) => name);
      assert.deepEqual(different.filter((name) => !(name in BOCHS_DIFFERS)), []);
    }); // prettier-ignore
  }
});
