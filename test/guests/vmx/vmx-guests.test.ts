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
const guests = ['controls', 'ept', 'events'];
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
  'single-step trap: VM exit in the shadow of STI': 'The interruptibility state is that before the exit: an exception that exits directly ends no blocking by STI ("Architectural State Before a VM Exit").',
  'instruction breakpoint: VM exit with RF': 'RFLAGS is saved as delivery would push it, with RF for an instruction breakpoint ("Saving RIP, RSP, RFLAGS, and SSP").',
  'single-step on branches': 'With BTF, TF traps behind branches only ("Single-Stepping on Branches").',
  'NMI window: a pending debug exception comes first': 'The exit comes before execution of any instruction, the first of a handler too ("Other Causes of VM Exits").',
  'NMI: VM exit': 'NMIs are blocked, but only after the VM exit completes ("Architectural State Before a VM Exit").',
  'external interrupt: VM exit although IF is 0': 'With “external-interrupt exiting” RFLAGS.IF does not control their blocking ("Event Blocking").',
  'external interrupt: pending at VM entry, wakes from HLT': 'The activity state is that before the VM exit ("Saving Non-Register State").',
  'preemption timer: blocked by nothing: MOV SS': 'With 0 the VM exit comes immediately after VM entry, unlike NMI windows whatever is blocked ("VMX-Preemption Timer").',
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
      const peer = cases((await runBochs(path, { until: PEER_LAST[guest] ?? LAST_LINE, cmdline: 'peer', timeoutMs: 60_000 })).output);
      const ours = cases((await run(path, 'jit', () => 20_000_000)).output);
      assert.ok(peer.size > 10);
      // The same cases in the same order; the peer is spared those in which it hangs, or lacks a control that several need.
      assert.deepEqual([...peer.keys()], [...ours.keys()].filter((name) => peer.has(name)));
      const different = [...peer].filter(([name, line]) => line !== ours.get(name) && !LACKS.test(line)).map(([name]) => name);
      assert.deepEqual(different.filter((name) => !(name in BOCHS_DIFFERS)), []);
    }); // prettier-ignore
  }
});
