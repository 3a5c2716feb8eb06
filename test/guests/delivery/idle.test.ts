/** A guest that waits costs nothing: a second of its time, by whichever timer, takes less than a tenth of a second of ours, and passes whole. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMachine } from '../../../emulator/index';

const path = join(import.meta.dirname, 'idle.elf');
const MOST_MS = 100;
const KINDS = ['APIC-one-shot', 'APIC-periodic', 'TSC-deadline', '8254', 'HPET', 'RTC', 'MWAIT'];

describe('waiting', function () {
  this.timeout(60_000);
  for (const cpus of [1, 4])
    it(`one virtual second takes less than ${MOST_MS} ms, with each timer (${cpus} processors)`, async () => {
      // What the first run compiles is not what waiting costs.
      const once = async (): Promise<ReadonlyMap<string, { virtual: number; real: number }>> => {
        const machine = await createMachine({ image: readFileSync(path), imageName: path, memoryBytes: 16 << 20, cpus });
        const found = new Map<string, { virtual: number; real: number }>();
        let begun = performance.now();
        let output = '';
        while (machine.ended === undefined && machine.steps < 10_000_000) {
          machine.runSlice({ maxSteps: 2000 });
          output += Buffer.from(machine.takeSerialOutput()).toString('latin1');
          for (const [, kind, milliseconds] of output.matchAll(/^(\S+) (\d+)\n/gm)) {
            if (found.has(kind)) continue;
            found.set(kind, { virtual: Number(milliseconds), real: performance.now() - begun });
            begun = performance.now();
          }
        }
        assert.equal(machine.ended?.kind, 'guest-exit', output);
        return found;
      };
      await once();
      const found = await once();
      assert.deepEqual([...found.keys()], KINDS);
      for (const [kind, { virtual, real }] of found) {
        assert.ok(Math.abs(virtual - 1000) <= 1, `${kind}: ${virtual} ms of the guest's time`);
        assert.ok(real < MOST_MS, `${kind}: ${real.toFixed(1)} ms of ours`);
      }
      console.log(`    ${[...found].map(([kind, { real }]) => `${kind} ${real.toFixed(1)} ms`).join(', ')}`);
    });
});
