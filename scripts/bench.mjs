// npm run bench: the same guests on Nestscope, on Debian's bochs and on QEMU's TCG, in one run; medians and ratios.
//   npm run bench -- [--runs N] [--scale N] [kernels|cold|exits|trips]...
// Time runs from the guest's first line on COM1 to its last, on every machine alike: neither boot loader nor start-up counts.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeColdImage } from '../test/guests/cold/make-cold-image.mjs';
import { hasBochs, runBochs } from './peers/bochs.mjs';
import { hasQemu, runQemu } from './peers/qemu.mjs';
import { build } from './build.mjs';
import { root } from './bundles.mjs';

const args = process.argv.slice(2);
const numberAfter = (name, otherwise) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : otherwise);
const runs = numberAfter('--runs', 3);
const scale = numberAfter('--scale', 10);
const timeoutMs = 120_000;

/** Runs a guest on dist/cli.js: { output, seconds, matched, stats }. */
function runOurs(elf, { cmdline = '', from, until, tier = 'jit' }) {
  return new Promise((settle) => {
    const options = ['run', elf, '--stats', '--tier', tier, ...(cmdline ? ['--cmdline', cmdline] : [])];
    const child = spawn(process.execPath, [join(root, 'dist/cli.js'), ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let begun;
    let done;
    const look = (data) => {
      output += data;
      const now = performance.now();
      if (begun === undefined && from.test(output)) begun = now;
      if (done === undefined && until.test(output)) done = now;
    };
    child.stdout.setEncoding('latin1').on('data', look);
    child.stderr.setEncoding('latin1').on('data', (data) => (errors += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('close', () => {
      clearTimeout(timer);
      const stats = /stats: .*/.exec(output + errors)?.[0];
      const matched = done !== undefined;
      settle({ output, matched, seconds: matched ? (done - (begun ?? done)) / 1000 : 0, stats, errors });
    });
  });
}

const machines = [
  { name: 'Nestscope', run: runOurs, there: () => existsSync(join(root, 'dist/cli.js')) },
  {
    name: 'interpreter',
    run: (elf, options) => runOurs(elf, { ...options, tier: 'interpreter' }),
    there: () => existsSync(join(root, 'dist/cli.js')),
  },
  { name: 'bochs', run: (elf, options) => runBochs(elf, { ...options, timeoutMs }), there: hasBochs },
  { name: 'QEMU TCG', run: (elf, options) => runQemu(elf, { ...options, timeoutMs }), there: hasQemu },
];

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The lines that must be the same on every machine. */
const answer = (output, from) => output.slice(output.search(from)).replace(/\r/g, '').trim();

async function measure({ name, elf, cmdline, from, until, instructions, trips, without = [] }) {
  console.log(`\n${name}${instructions ? `, ${instructions} instructions` : ''}`);
  const medians = {};
  let expected;
  for (const machine of machines.filter((candidate) => candidate.there() && !without.includes(candidate.name))) {
    const seconds = [];
    let stats;
    for (let run = 0; run < runs; run++) {
      const result = await machine.run(elf, { cmdline, from, until });
      if (!result.matched) {
        console.log(`  ${machine.name}: did not come to its end\n${(result.errors ?? '').slice(-500)}`);
        process.exitCode = 1;
        break;
      }
      const text = answer(result.output, from);
      expected ??= text;
      if (text !== expected) {
        console.log(`  ${machine.name}: printed something else`);
        process.exitCode = 1;
      }
      stats = result.stats;
      seconds.push(result.seconds);
    }
    if (seconds.length === 0) continue;
    medians[machine.name] = median(seconds);
    const spread = seconds.map((value) => value.toFixed(2)).join(' ');
    const rate = trips ? `  ${Math.round(trips / median(seconds) / 1000)} thousand round trips a second` : '';
    console.log(`  ${machine.name.padEnd(10)} ${median(seconds).toFixed(2)} s  (${spread})${rate}${stats ? `  ${stats}` : ''}`);
  }
  const { Nestscope: jit, interpreter, ...others } = medians;
  for (const [name, ours] of [
    ['Nestscope', jit],
    ['its interpreter alone', interpreter],
  ]) {
    if (ours === undefined) continue;
    for (const [other, theirs] of Object.entries(others)) {
      if (ours === 0) console.log(`  ${name}: too short to compare with ${other}`);
      else console.log(`  ${name} is ${(theirs / ours).toFixed(2)} × as fast as ${other}`);
    }
  }
}

await build({ quiet: true });
const chosen = args.filter((arg, index) => !arg.startsWith('--') && !args[index - 1]?.startsWith('--'));
const wants = (name) => chosen.length === 0 || chosen.includes(name);
const scratch = mkdtempSync(join(tmpdir(), 'nestscope-bench-'));
try {
  console.log(`medians of ${runs} runs`);
  if (wants('kernels')) {
    await measure({
      name: `kernels, scale ${scale}`,
      elf: join(root, 'test/guests/kernels/kernels.elf'),
      cmdline: `scale=${scale}`,
      from: /kernels scale/,
      until: /^DONE [0-9a-f]{16}/m,
    });
  }
  if (wants('cold')) {
    const elf = join(scratch, 'cold.elf');
    const { image, checksum, instructions } = makeColdImage({ blocks: 100_000 });
    writeFileSync(elf, image);
    await measure({ name: 'cold code', elf, from: /cold: begin/, until: new RegExp(`^.*${checksum}.*$`, 'm'), instructions });
  }
  if (wants('exits')) {
    await measure({
      name: 'VM exits (VMCALL, VMRESUME)',
      elf: join(root, 'test/guests/bench/exit-loop.elf'),
      cmdline: 'count=1000000',
      from: /^begin/m,
      until: /^DONE \d+$/m,
      without: ['QEMU TCG'],
    });
  }
  if (wants('trips')) {
    const trips = 500_000;
    for (const [name, words] of [
      ['CPUID, with EPT and VPID', 'kind=cpuid'],
      ['CPUID, with neither, so that every entry and exit flushes', 'kind=cpuid plain'],
      ['OUT', 'kind=io'],
      ['RDMSR', 'kind=rdmsr'],
      ['EPT violation', 'kind=ept'],
    ]) {
      await measure({
        name: `VM exit and entry: ${name}`,
        elf: join(root, 'test/guests/bench/round-trips.elf'),
        cmdline: `count=${trips} ${words}`,
        from: /^begin/m,
        until: /^DONE \d+$/m,
        trips,
        without: ['QEMU TCG'],
      });
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
