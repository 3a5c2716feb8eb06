/**
 * Stopping after exactly N steps, for random N, gives the same full-state hash in both tiers, across them, in any slices, with breakpoints and
 * watchpoints set, and with them set and taken away on the way: guests with a nested guest, with task switches, with interrupts and timers, and
 * with two vCPUs. NESTSCOPE_SEED chooses other positions.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Breakpoint, type Machine, type MachineConfig, type Watchpoint, createMachine } from '../../emulator/index';
import { randomSource } from '../random-source';
import { BOOT, type Piece, encodings, randomProgram } from './fuzz/random-program';
import { runTo } from './fuzz/two-tiers';
import { randomPair } from './fuzz/two-vcpu-program';

const seed = Number(process.env.NESTSCOPE_SEED ?? 1);
const root = join(import.meta.dirname, '../..');
const POINTS = 10;

type Random = () => number;
interface Guest {
  readonly name: string;
  readonly config: MachineConfig;
  readonly last: number;
  readonly plant?: (machine: Machine, random: Random) => readonly Piece[];
}
const built = (name: string, path: string, last: number, cmdline = ''): Guest => ({
  name,
  last,
  config: { image: readFileSync(join(root, path)), imageName: name, cmdline, memoryBytes: 16 << 20 },
});
const flat = (mode: 32 | 64, cpus: number): MachineConfig => ({
  image: new Uint8Array(4096),
  imageName: 'random',
  format: 'flat',
  flat: { address: BOOT, mode },
  memoryBytes: 3 << 20,
  cpus,
  seed,
});
const loader = (m: Machine): { cs: number; cr3: number } => ({
  cs: Number(m.cpu(0).register('cs')),
  cr3: Number(m.cpu(0).register('cr3')),
});
const guests: readonly Guest[] = [
  built('kernels', 'test/guests/kernels/kernels.elf', 1_500_000, 'scale=1'),
  built('nested-hello', 'examples/nested-hello/nested-hello.elf', 27_000),
  built('exit-loop', 'test/guests/bench/exit-loop.elf', 30_000, 'count=500'),
  built('tasks', 'test/guests/modes/tasks.elf', 40_000),
  ...([64, 32] as const).map((mode): Guest => ({
    name: `timers and faults, ${mode}-bit`,
    config: flat(mode, 1),
    last: 20_000,
    plant: (m, random) => randomProgram(mode, random, encodings(mode), loader(m), true).pieces,
  })),
  { name: 'two vCPUs', config: flat(32, 2), last: 20_000, plant: (m, random) => randomPair(random, encodings(32), loader(m).cs) },
];

interface Way {
  readonly tier: 'interpreter' | 'jit';
  readonly slices: 'whole' | 'random';
  readonly stops: 'none' | 'set' | 'by turns';
}
const ways: readonly Way[] = [
  { tier: 'jit', slices: 'whole', stops: 'none' },
  { tier: 'interpreter', slices: 'random', stops: 'none' },
  { tier: 'jit', slices: 'random', stops: 'none' },
  { tier: 'interpreter', slices: 'whole', stops: 'set' },
  { tier: 'jit', slices: 'whole', stops: 'set' },
  { tier: 'jit', slices: 'random', stops: 'by turns' },
  { tier: 'interpreter', slices: 'random', stops: 'by turns' },
];

describe(`state after N steps, for random N (seed ${seed})`, function () {
  this.timeout(240_000);
  for (const { name, config, last, plant } of guests)
    it(name, async () => {
      const machineOf = async (tier: Way['tier']): Promise<Machine> => {
        const machine = await createMachine({ ...config, tier, hotAfter: 10 });
        for (const { address, bytes } of plant?.(machine, randomSource(seed * 13 + 5)) ?? [])
          machine.writeMemory(0, 1, 'hpa', BigInt(address), bytes);
        return machine;
      };
      const random = randomSource(seed * 97 + last + name.length);
      // Some programs end before `last`.
      const probe = await machineOf('interpreter');
      runTo(probe, last, () => last);
      const most = probe.steps - 1;
      const points = Array.from({ length: POINTS }, () => 1 + (random() % most)).sort((a, b) => a - b);
      const reference = await machineOf('interpreter');
      const expected: { steps: number; hash: string }[] = [];
      const breakpoints: Breakpoint[] = [];
      const watchpoints: Watchpoint[] = [];
      for (const n of points) {
        runTo(reference, n, () => n);
        if (reference.ended === undefined) assert.equal(reference.steps, n);
        expected.push({ steps: reference.steps, hash: reference.hash() });
        const cpu = reference.cpu(0);
        breakpoints.push({ address: cpu.rip }, { address: cpu.rip + 3n });
        for (const register of ['rsp', 'rdi', 'rbx']) {
          const address = (cpu.register(register) ?? 0n) & 0xffff_fff8n;
          if (address < 0x4000n) continue;
          const access = (['read', 'write', 'readWrite'] as const)[random() % 3];
          watchpoints.push({ space: random() % 2 ? 'gva' : 'hpa', address, length: 1 + (random() % 64), access });
        }
      }
      assert.ok(new Set(expected.map(({ hash }) => hash)).size > POINTS / 2, 'the positions differ');
      for (const { tier, slices, stops } of ways) {
        const machine = await machineOf(tier);
        const arm = (on: boolean): void => {
          machine.setBreakpoints(on ? breakpoints : []);
          machine.setWatchpoints(on ? watchpoints : []);
        };
        arm(stops === 'set');
        points.forEach((n, i) => {
          if (stops === 'by turns') arm(i % 2 === 0);
          const few = n - machine.steps < 3000;
          runTo(machine, n, slices === 'whole' ? () => n : () => 1 + (random() % (few ? 5 : 20_000)));
          assert.deepEqual(
            { steps: machine.steps, hash: machine.hash() },
            expected[i],
            `${tier}, ${slices} slices, stops ${stops}, N = ${n}`,
          );
        });
        if (tier === 'interpreter') assert.equal(machine.tiers.compiled, 0);
        if (tier === 'jit' && name !== 'tasks' && name !== 'nested-hello') assert.ok(machine.tiers.compiled > 0, 'regions ran');
      }
    });

  it('at every N in a row across changes of page, faults and interrupts', async () => {
    const [slow, fast] = await Promise.all(
      (['interpreter', 'jit'] as const).map((tier) => createMachine({ ...flat(64, 1), tier, hotAfter: 3 })),
    );
    const again = await createMachine({ ...flat(64, 1), tier: 'jit', hotAfter: 3 });
    for (const m of [slow, fast, again])
      for (const { address, bytes } of randomProgram(64, randomSource(seed * 5 + 1), encodings(64), loader(m), true).pieces)
        m.writeMemory(0, 1, 'hpa', BigInt(address), bytes);
    const start = slow.save();
    for (let n = 1; n <= 400; n++) {
      fast.restore(start);
      runTo(fast, n, () => n);
      runTo(slow, n, () => 1);
      // Breakpoints that come and go throw decoded code away.
      again.setBreakpoints(n % 2 ? [{ address: BigInt(0x200000 + n) }] : []);
      runTo(again, n, () => n);
      assert.equal(fast.hash(), slow.hash(), `in one slice and step by step, N = ${n}`);
      assert.equal(again.hash(), slow.hash(), `with breakpoints on the way, N = ${n}`);
    }
  });
});
