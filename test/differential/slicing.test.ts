/** Stopping, breakpoints, views and snapshots leave no mark: the full-state hash after N steps is the same however the machine got there. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, createMachine } from '../../emulator/index';

const examples = join(import.meta.dirname, '../../examples');
const guests = join(import.meta.dirname, '../guests');

const machineOf = (path: string, cmdline = ''): Promise<Machine> =>
  createMachine({ image: readFileSync(path), imageName: path, cmdline, memoryBytes: 32 << 20 });

function runTo(machine: Machine, steps: number, slice: () => number): void {
  while (machine.steps < steps && machine.ended === undefined)
    machine.runSlice({ maxSteps: Math.min(slice(), steps - machine.steps), ignoreFirstBreakpoint: true });
}

const cases = [
  {
    name: 'nested-hello',
    path: join(examples, 'nested-hello/nested-hello.elf'),
    cmdline: '',
    points: [1, 2, 777, 8535, 8536, 8806, 9000, 18922, 18923, 21000, 27049],
  },
  { name: 'entry-failure', path: join(examples, 'entry-failure/entry-failure.elf'), cmdline: '', points: [5000, 30001, 60007] },
  { name: 'kernels', path: join(guests, 'kernels/kernels.elf'), cmdline: 'scale=1', points: [10_001, 300_007, 1_234_567] },
];

describe('position and state', function () {
  this.timeout(120_000);
  for (const { name, path, cmdline, points } of cases) {
    describe(name, () => {
      const hashes = new Map<number, string>();
      before(async () => {
        const machine = await machineOf(path, cmdline);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          assert.equal(machine.steps, n);
          hashes.set(n, machine.hash());
        }
        assert.equal(new Set(hashes.values()).size, points.length, 'the hash tells states apart');
      });
      const check = (machine: Machine, n: number): void => {
        assert.equal(machine.steps, n);
        assert.equal(machine.hash(), hashes.get(n), `after ${n} steps`);
      };

      it('is the same in uneven slices', async () => {
        const machine = await machineOf(path, cmdline);
        let x = 12345;
        for (const n of points) {
          runTo(machine, n, () => (x = (x * 48271) % 2147483647) % (n < 50_000 ? 7 : 5000) || 1);
          check(machine, n);
        }
      });

      it('is the same with breakpoints that stop or only look like it', async () => {
        const machine = await machineOf(path, cmdline);
        const first = machine.cpu(0).rip;
        machine.setBreakpoints([{ address: first + 0x20n }, { address: first + 0x1_0000_0040n }, { address: 0x40010028n, level: 2 }]);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          check(machine, n);
        }
      });

      it('is the same when everything is looked at along the way', async () => {
        const machine = await machineOf(path, cmdline);
        for (const n of points) {
          runTo(machine, n, () => Number.MAX_SAFE_INTEGER);
          for (const root of ['vmcs', 'idt', 'page-tables', 'exits', 'registers'])
            for (const node of machine.inspect.children(0, root)) machine.inspect.children(0, node.id);
          for (const level of [1, 2] as const)
            for (const space of ['gva', 'gpa', 'hpa'] as const) {
              machine.resolve(0, level, space, machine.cpu(0).rip);
              machine.readMemory(0, level, space, 0x100000n, 9000);
            }
          check(machine, n);
        }
      });

      it('is the same after saving in the middle and going on in another machine', async () => {
        const machine = await machineOf(path, cmdline);
        for (const [i, n] of points.entries()) {
          const at = Math.max(1, Math.floor(n / 2), points[i - 1] ?? 0);
          runTo(machine, at, () => Number.MAX_SAFE_INTEGER);
          const other = await machineOf(path, cmdline);
          runTo(other, 100, () => 33);
          // Through a structured clone, as a file or a worker message would carry it.
          other.restore(structuredClone(machine.save()));
          assert.equal(other.hash(), machine.hash());
          runTo(other, n, () => Number.MAX_SAFE_INTEGER);
          check(other, n);
        }
      });

      it('is the same when going back and forward again in one machine', async () => {
        const machine = await machineOf(path, cmdline);
        const middle = points[Math.floor(points.length / 2)];
        runTo(machine, middle, () => Number.MAX_SAFE_INTEGER);
        const saved = machine.save();
        const last = points[points.length - 1];
        runTo(machine, last, () => Number.MAX_SAFE_INTEGER);
        check(machine, last);
        machine.restore(saved);
        check(machine, middle);
        runTo(machine, last, () => 999);
        check(machine, last);
      });
    });
  }
});
