/**
 * Watchpoints leave no mark on the guest: the full-state hash after N steps is the same with and without them, in both tiers, however the run
 * is sliced; and both tiers stop at the same accesses. NESTSCOPE_SEED chooses other places to watch.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, type Watchpoint, createMachine } from '../../emulator/index';
import { randomSource } from '../random-source';

const seed = Number(process.env.NESTSCOPE_SEED ?? 1);
const root = join(import.meta.dirname, '../..');
const cases = [
  { name: 'nested-hello', path: 'examples/nested-hello/nested-hello.elf', cmdline: '', last: 27_000 },
  { name: 'kernels', path: 'test/guests/kernels/kernels.elf', cmdline: 'scale=1', last: 400_000 },
  { name: 'tasks', path: 'test/guests/modes/tasks.elf', cmdline: '', last: 40_000 },
  { name: 'virtual-8086', path: 'test/guests/modes/virtual-8086.elf', cmdline: '', last: 40_000 },
  { name: 'real-mode', path: 'test/guests/modes/real-mode.elf', cmdline: '', last: 40_000 },
  { name: 'exit-loop', path: 'test/guests/bench/exit-loop.elf', cmdline: 'count=300', last: 20_000 },
];

const machineOf = (path: string, cmdline: string, tier: 'interpreter' | 'jit'): Promise<Machine> =>
  createMachine({ image: readFileSync(join(root, path)), imageName: path, cmdline, memoryBytes: 16 << 20, tier, hotAfter: 20 });

/** Runs to a step and lists what was met on the way. */
function runTo(machine: Machine, n: number, slice: () => number, met: string[]): void {
  while (machine.steps < n && machine.ended === undefined) {
    const stop = machine.runSlice({ maxSteps: Math.min(slice(), n - machine.steps) });
    if (stop.kind === 'watchpoint') met.push(`${machine.steps} ${stop.access} ${stop.address.toString(16)} ${stop.others.length}`);
  }
}
const ALL = (): number => Number.MAX_SAFE_INTEGER;

describe(`watchpoints and state (seed ${seed})`, function () {
  this.timeout(240_000);
  for (const { name, path, cmdline, last } of cases)
    it(`${name}: the same hashes and steps with and without them, in both tiers and at any slicing`, async () => {
      const random = randomSource(seed * 31 + last);
      const plain = await machineOf(path, cmdline, 'interpreter');
      // Where the guest is at some moments says where it is worth while to watch: around its stack and its data.
      const points: number[] = [];
      const hashes: string[] = [];
      const places: bigint[] = [];
      for (let n = 0; points.length < 8;) {
        n += 1 + (random() % (last / 8));
        runTo(plain, n, ALL, []);
        points.push(plain.steps);
        hashes.push(plain.hash());
        const cpu = plain.cpu(0);
        for (const register of ['rsp', 'rdi', 'rsi', 'rbx']) places.push(cpu.register(register) ?? 0n);
        if (plain.ended !== undefined) break;
      }
      const watchpoints: Watchpoint[] = places
        .map((address) => (address < 0x4000n ? address + 0x8000n : address))
        .map((address, i) => ({
          space: (['gva', 'hpa', 'gva', 'gpa'] as const)[i % 4],
          address: address - BigInt(random() % 64),
          length: i % 7 === 6 ? 1 + (random() % 10_000) : 1 + (random() % 16),
          access: (['write', 'readWrite', 'read'] as const)[random() % 3],
        }))
        .filter(({ address }) => address > 0n && address < 0xffff_ffff_0000_0000n);
      // Nobody's memory, but as wide as it can be.
      watchpoints.push({ space: 'gva', address: 1n << 62n, length: 2 ** 50, access: 'readWrite' });
      const lists: string[][] = [];
      const ways: { tier: 'interpreter' | 'jit'; slice: () => number }[] = [
        { tier: 'interpreter', slice: ALL },
        { tier: 'jit', slice: ALL },
        { tier: 'jit', slice: () => 1 + (random() % 50) },
      ];
      for (const { tier, slice } of ways) {
        const machine = await machineOf(path, cmdline, tier);
        machine.setWatchpoints(watchpoints);
        const met: string[] = [];
        for (const [i, n] of points.entries()) {
          runTo(machine, n, slice, met);
          assert.equal(machine.steps, n);
          assert.equal(machine.hash(), hashes[i], `${tier} after ${n} steps`);
        }
        lists.push(met);
      }
      assert.ok(lists[0].length > 0, 'something was met');
      assert.deepEqual(lists[1], lists[0], 'the compiled tier meets the same');
      assert.deepEqual(lists[2], lists[0], 'so does a run in small slices');
      // Set and taken away on the way.
      const machine = await machineOf(path, cmdline, 'jit');
      for (const [i, n] of points.entries()) {
        machine.setWatchpoints(i % 2 === 0 ? watchpoints : []);
        runTo(machine, n, ALL, []);
        assert.equal(machine.hash(), hashes[i]);
      }
    });
});
