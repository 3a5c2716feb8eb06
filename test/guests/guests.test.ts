/**
 * The guests on this emulator, on Debian's bochs and rebuilt from source: the same text everywhere, and the committed images are what their
 * sources give (where the recorded tool versions are installed).
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StopReason, createMachine } from '../../emulator/index';
import * as exampleBuild from '../../examples/build.mjs';
import { hasBochs, runBochs } from '../../scripts/peers/bochs.mjs';
import { hasQemu, runQemu } from '../../scripts/peers/qemu.mjs';
import * as guestBuild from './build.mjs';
import { makeColdImage } from './cold/make-cold-image.mjs';

const root = join(import.meta.dirname, '../..');
const exampleImage = (name: string): string => join(root, 'examples', name, `${name}.elf`);
const expectedOutput = (name: string): string => readFileSync(join(root, 'examples', name, 'expected-output.txt'), 'utf8');
const cpusOf = (name: string): number => (exampleBuild.cpusOf as Record<string, number>)[name] ?? 1;
const normal = (text: string): string => text.replace(/\r/g, '').trimEnd();

async function play(
  image: Uint8Array,
  cmdline = '',
  tier: 'interpreter' | 'jit' = 'jit',
  { cpus = 1, seed = 1 } = {},
): Promise<{ text: string; stop: StopReason; compiled: number }> {
  const machine = await createMachine({ image, imageName: 'guest', cmdline, tier, cpus, seed });
  let text = '';
  let stop: StopReason;
  do {
    stop = machine.runSlice({ maxSteps: 50_000_000 });
    text += Buffer.from(machine.takeSerialOutput()).toString('latin1');
  } while (stop.kind === 'step-limit' && machine.steps < 2_000_000_000);
  return { text, stop, compiled: machine.tiers.compiled };
}

describe('examples', function () {
  this.timeout(180_000);
  for (const name of exampleBuild.examples) {
    it(`${name} prints the expected text in both tiers`, async () => {
      for (const tier of ['interpreter', 'jit'] as const) {
        const { text, stop } = await play(readFileSync(exampleImage(name)), '', tier, { cpus: cpusOf(name) });
        assert.equal(normal(text), normal(expectedOutput(name)));
        assert.deepEqual(stop, { kind: 'guest-exit', value: 0x10 });
      }
    });
    // Debian's bochs has one processor.
    if (cpusOf(name) > 1) continue;
    it(`${name} prints the same on Debian's bochs`, async function () {
      if (!hasBochs()) this.skip();
      const lines = normal(expectedOutput(name)).split('\n');
      const last = lines[lines.length - 1].replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      const { output } = await runBochs(exampleImage(name), { until: new RegExp(`^${last}\\r?\\n`, 'm'), timeoutMs: 90_000 });
      assert.equal(normal(output), normal(expectedOutput(name)));
    });
  }
  it('four-processors prints the same whoever is faster', async () => {
    for (let seed = 2; seed <= 12; seed++) {
      const { text } = await play(readFileSync(exampleImage('four-processors')), '', 'jit', { cpus: 4, seed });
      assert.equal(normal(text), normal(expectedOutput('four-processors')), `seed ${seed}`);
    }
  });
  it('four-processors prints the same on QEMU', async function () {
    if (!hasQemu()) this.skip();
    const { output, status } = await runQemu(exampleImage('four-processors'), { args: ['-smp', '4'] });
    assert.equal(normal(output), normal(expectedOutput('four-processors')));
    assert.equal(status, 33);
  });
  it('are what their sources give', function () {
    if (!exampleBuild.sameTools()) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'nestscope-examples-'));
    try {
      for (const name of exampleBuild.examples) {
        const output = join(folder, `${name}.elf`);
        exampleBuild.buildExample(name, output);
        assert.ok(
          readFileSync(output).equals(readFileSync(exampleImage(name))),
          `${name}.elf differs from its source: node examples/build.mjs`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('test guests', function () {
  this.timeout(180_000);
  it('C kernels built by gcc -O2 give the checksums of the native build, in both tiers', async () => {
    const image = readFileSync(join(import.meta.dirname, 'kernels/kernels.elf'));
    const expected = normal(readFileSync(join(import.meta.dirname, 'kernels/expected-scale-1.txt'), 'utf8'));
    for (const tier of ['interpreter', 'jit'] as const) {
      const { text, compiled } = await play(image, 'scale=1', tier);
      assert.equal(normal(text).slice(normal(text).indexOf('kernels scale')), expected.slice(expected.indexOf('kernels scale')));
      assert.equal(compiled > 0, tier === 'jit', 'which tier ran');
    }
  });
  it('cold code gives the checksum that its generator worked out', async () => {
    for (const seed of [1, 2, 3]) {
      const { image, checksum } = makeColdImage({ blocks: 3000, seed });
      const { text } = await play(image);
      assert.ok(text.includes(checksum), text);
    }
  });
  it('are what their sources give', function () {
    if (!guestBuild.sameTools()) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'nestscope-guests-'));
    try {
      for (const { path, build } of guestBuild.images) {
        const output = join(folder, 'built.elf');
        build(output);
        assert.ok(readFileSync(output).equals(readFileSync(path)), `${path} differs from its source: node test/guests/build.mjs`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
