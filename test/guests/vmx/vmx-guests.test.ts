/**
 * Conformance guests of VMX: every case compares what the processor does with what the manual says and prints "ok", in both tiers and at any
 * slicing. Debian's bochs prints the same but for the cases of BOCHS_DIFFERS, each with the manual's words for our side, and for controls that it lacks.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_CHECKS } from '../../../emulator/vmx/checks/entry-checks';
import { createMachine } from '../../../emulator/index';
import { BOCHS_DIFFERS } from './bochs-differs';
import { hasBochs, runBochs } from '../../../scripts/peers/bochs.mjs';

const folder = import.meta.dirname;
const guests = ['controls', 'ept', 'events', 'entry-controls', 'entry-guest', 'exits', 'instructions', 'ept-levels', 'state'];
/** Where bochs is left: it panics when code is fetched from the APIC-access page. */
const PEER_LAST: Readonly<Record<string, RegExp>> = { controls: /^VMCS shadowing: a bit of the bitmap: \w+/m };
const listed = Object.keys(BOCHS_DIFFERS);
const LAST_LINE = /^end\n/m;
/** Rows that only a hypervisor outside IA-32e mode can break without breaking another first; test/unit/vmx/entry-checks breaks them. */
const ONLY_WITH_32_BIT_HOST = [
  'HOST_SS_SELECTOR: not null',
  '“IA-32e mode guest” outside IA-32e mode',
  '“host address-space size” outside IA-32e mode',
  '“IA-32e mode guest” with a 32-bit host',
  'HOST_CR4.PCIDE with a 32-bit host',
  'HOST_RIP with a 32-bit host',
];
const LACKS = /: this processor has no such control$/;

/** The guests print UTF-8, byte by byte. */
const decoded = (output: string): string => Buffer.from(output, 'latin1').toString('utf8');

async function run(
  path: string,
  tier: 'interpreter' | 'jit',
  slice: () => number,
  cpuModel?: string,
): Promise<{ output: string; ended: string; hash: string }> {
  const machine = await createMachine({ image: readFileSync(path), imageName: path, memoryBytes: 32 << 20, tier, cpuModel });
  let output = '';
  while (machine.ended === undefined && machine.steps < 20_000_000) {
    machine.runSlice({ maxSteps: slice() });
    output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  }
  const { ended } = machine;
  return {
    output: decoded(output),
    ended: ended === undefined ? 'no end' : 'sentence' in ended ? ended.sentence : ended.kind,
    hash: machine.hash(),
  };
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
      const peer = cases(decoded((await runBochs(path, { until: PEER_LAST[guest] ?? LAST_LINE, cmdline: 'peer', timeoutMs: 60_000 })).output));
      const ours = cases((await run(path, 'jit', () => 20_000_000)).output);
      assert.ok(peer.size > 10);
      // The same cases in the same order; the peer is spared those in which it hangs, or lacks a control that several need.
      assert.deepEqual([...peer.keys()], [...ours.keys()].filter((name) => peer.has(name)));
      const different = [...peer].filter(([name, line]) => line !== ours.get(name) && !LACKS.test(line)).map(([name]) => name);
      assert.deepEqual(different.filter((name) => !listed.some((beginning) => name.startsWith(beginning))), []);
    }); // prettier-ignore
  }

  it('every VM-entry check has a guest that it refuses and one that enters', async () => {
    const counts = new Map(ENTRY_CHECKS.map((row) => [row.name, { enters: 0, refused: 0 }]));
    // The last one lacks what its check is about.
    const runs = [['entry-controls'], ['entry-guest'], ['entry-controls', 'skylake-server,-ept-ad']] as const;
    for (const [guest, model] of runs) {
      const { output } = await run(join(folder, `${guest}.elf`), 'jit', () => 1_000_000, model);
      for (const [name, line] of cases(output)) {
        // “row: refused”; a variant of it in parentheses.
        const [, row, outcome] = /^(.*?)(?: \([^()]*\))?: (enters|refused)$/.exec(name) ?? [];
        const count = counts.get(row);
        if (line.endsWith(': ok') && count) count[outcome as 'enters' | 'refused']++;
      }
    }
    const without = [...counts].filter(([, n]) => n.enters === 0 || n.refused === 0).map(([name]) => name);
    const total = [...counts.values()].reduce((sum, n) => sum + n.enters + n.refused, 0);
    const table = process.env.VERBOSE ? [...counts].map(([name, n]) => `    ${name}: enters ${n.enters}, refused ${n.refused}`) : [];
    console.log(
      [
        `  VM-entry checks × guests: ${counts.size} rows, ${total} cases (VERBOSE=1 lists them)`,
        ...table,
        ...without.map((name) => `    without a test: ${name}`),
      ].join('\n'),
    );
    assert.deepEqual(without, ONLY_WITH_32_BIT_HOST);
  });
});
