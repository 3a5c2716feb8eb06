/**
 * Random programs in both tiers (see fuzz/): the full-state hashes must agree at random positions. Finds errors of lowering, not of
 * semantics. NESTSCOPE_SEED chooses the first seed, NESTSCOPE_PROGRAMS how many; `npm run test:long` makes NESTSCOPE_STEPS (1 G) steps, on
 * every core.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { type FuzzCounts, TwoTiers, noCounts } from './fuzz/two-tiers';

const firstSeed = Number(process.env.NESTSCOPE_SEED ?? 1);
const programs = Number(process.env.NESTSCOPE_PROGRAMS ?? 400);
const long = process.env.NESTSCOPE_LONG === '1';
const total = Number(process.env.NESTSCOPE_STEPS ?? 1e9);
/** In a process that makes a share of a long run: which one, of how many. */
const share = process.env.NESTSCOPE_SHARE?.split('/').map(Number);
const STEPS = 6000;
const LONG_STEPS = 150_000;
/** A share of a long run, in steps: a process of its own, so that none grows old. */
const SHARE_STEPS = 5_000_000;
/** Of each mode, where nothing else is asked for: a million in all. */
const LEAST = 500_000;

const words = ({ programs: made, steps, exceptions, interrupts, compared, ends }: FuzzCounts): string =>
  `${made} programs, ${steps} steps, ${compared} hashes compared, ${exceptions} exceptions, ${interrupts} interrupts; ${[...ends].map(([k, n]) => `${k} ${n}`).join(', ')}`;

/** This process's share of a long run; its last line is read by the process that started it. */
async function makeShare(index: number, of: number): Promise<void> {
  const both = [await TwoTiers.create(64), await TwoTiers.create(32)];
  const counts = noCounts();
  let seed = firstSeed + index;
  for (; counts.steps < total / of; seed += of) {
    for (const tiers of both) tiers.compare(seed, LONG_STEPS, counts);
    if (counts.programs % 200 === 0) console.log(`      share ${index}: ${words(counts)}`);
  }
  const regions = both.reduce((sum, { fast }) => sum + fast.tiers.compiled, 0);
  assert.ok(regions > counts.programs, 'regions ran');
  console.log(
    `SHARE ${JSON.stringify({ steps: counts.steps, programs: counts.programs, interrupts: counts.interrupts, regions, last: seed - of })}`,
  );
}

function startShare(
  index: number,
  of: number,
): Promise<{ steps: number; programs: number; interrupts: number; regions: number; last: number }> {
  const [mocha, bundle] = [process.argv[1], process.argv.find((arg) => arg.endsWith('program-fuzz.test.cjs')) ?? ''];
  return new Promise((settle, fail) => {
    const child = spawn(process.execPath, ['--enable-source-maps', mocha, '--no-config', '--timeout', '0', bundle], {
      env: { ...process.env, NESTSCOPE_SHARE: `${index}/${of}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    child.on('close', (status) => {
      const line = /^SHARE (.*)$/m.exec(text);
      if (status === 0 && line !== null) settle(JSON.parse(line[1]));
      else fail(new Error(`share ${index} of ${of} failed:\n${text.slice(-4000)}`));
    });
  });
}

describe(`random programs in both tiers (seeds from ${firstSeed})`, function () {
  this.timeout(long ? 10 * 3600_000 : 240_000);
  if (share !== undefined) {
    it('a share of a long run', () => makeShare(share[0], share[1]));
    return;
  }
  if (long) {
    it(`${total} steps on every core`, async () => {
      const begun = Date.now();
      const cores = availableParallelism();
      const of = Math.max(cores, Math.ceil(total / SHARE_STEPS));
      const shares: Awaited<ReturnType<typeof startShare>>[] = [];
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < of) {
          const share = await startShare(next++, of);
          shares.push(share);
          console.log(`      ${shares.length} of ${of} shares, ${((Date.now() - begun) / 1000).toFixed(0)} s: ${share.steps} steps, clean`);
        }
      };
      await Promise.all(Array.from({ length: cores }, work));
      const sum = (key: 'steps' | 'programs' | 'interrupts' | 'regions'): number => shares.reduce((a, s) => a + s[key], 0);
      const last = Math.max(...shares.map((s) => s.last));
      console.log(
        `      seeds ${firstSeed} to ${last}: ${sum('programs')} programs, ${sum('steps')} steps, ${sum('interrupts')} interrupts, ${sum('regions')} regions, ${((Date.now() - begun) / 1000).toFixed(0)} s on ${cores} cores`,
      );
      assert.ok(sum('steps') >= total);
    });
    return;
  }
  for (const mode of [64, 32] as const)
    it(`${mode}-bit: interpreter and compiled regions agree at random positions`, async () => {
      const tiers = await TwoTiers.create(mode);
      const counts = noCounts();
      for (let seed = firstSeed; seed < firstSeed + programs / 2; seed++) tiers.compare(seed, STEPS, counts);
      const { compiled, dropped } = tiers.fast.tiers;
      console.log(`      ${words(counts)}; ${compiled} regions compiled, ${dropped} dropped`);
      assert.ok(compiled > programs, 'regions ran');
      assert.ok(counts.interrupts > programs, 'interrupts came');
      assert.ok(counts.steps >= (LEAST * programs) / 400, `only ${counts.steps} steps`);
    });
});
