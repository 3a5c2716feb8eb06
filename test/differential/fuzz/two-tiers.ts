/** Two machines, one for each tier, that run random programs side by side and are compared by the hash of their whole state. */
import { strict as assert } from 'node:assert';
import { type Machine, type MachineSnapshot, createMachine } from '../../../emulator/index';
import { randomSource } from '../../random-source';
import { BOOT, CODE, DATA, type RandomProgram, encodings, randomProgram } from './random-program';

const MEMORY = 3 << 20;

export interface FuzzCounts {
  programs: number;
  steps: number;
  exceptions: number;
  interrupts: number;
  compared: number;
  readonly ends: Map<string, number>;
}
export const noCounts = (): FuzzCounts => ({ programs: 0, steps: 0, exceptions: 0, interrupts: 0, compared: 0, ends: new Map() });

/** How a machine has ended (asked anew each time). */
const endOf = (machine: Machine): Machine['ended'] => machine.ended;

export class TwoTiers {
  private constructor(
    readonly mode: 64 | 32,
    readonly slow: Machine,
    readonly fast: Machine,
    private readonly start: MachineSnapshot,
    private readonly pool: readonly Uint8Array[],
  ) {}

  static async create(mode: 64 | 32): Promise<TwoTiers> {
    const config = {
      image: new Uint8Array(4096),
      imageName: 'fuzz',
      format: 'flat',
      flat: { address: BOOT, mode },
      memoryBytes: MEMORY,
      hotAfter: 3,
    } as const;
    const slow = await createMachine({ ...config, tier: 'interpreter' });
    const fast = await createMachine({ ...config, tier: 'jit' });
    return new TwoTiers(mode, slow, fast, slow.save(), encodings(mode));
  }

  /** Runs the program of a seed in both tiers; throws at the first difference, naming the seed. */
  compare(seed: number, most: number, counts: FuzzCounts): void {
    const { slow, fast, mode } = this;
    const random = randomSource(seed * 2 + (mode === 64 ? 0 : 1));
    const program = this.plant(random);
    const name = `${mode}-bit, seed ${seed}`;
    // Every fourth program meets breakpoints and watchpoints in the one tier and not in the other.
    this.arm(random() % 4 === 0, random, program);
    let n = 0;
    while (n < most && slow.ended === undefined) {
      n += 1 + (random() % (random() % 4 === 0 ? 60 : Math.ceil(most / 3)));
      runTo(slow, n, () => n);
      // Short ways are sometimes gone in the smallest slices.
      const slice = n - fast.steps < 100 && random() % 2 ? () => 1 + (random() % 3) : () => n;
      runTo(fast, n, slice);
      assert.equal(endOf(fast)?.kind, endOf(slow)?.kind, name);
      const end = endOf(slow);
      if (end?.kind === 'internal-error') assert.fail(`${name}: ${end.sentence}`);
      assert.equal(fast.steps, slow.steps, name);
      assert.equal(fast.hash(), slow.hash(), `${name}, after ${n} steps`);
      counts.compared++;
    }
    const kind = endOf(slow)?.kind ?? 'ran';
    counts.programs++;
    counts.steps += slow.steps;
    counts.ends.set(kind, (counts.ends.get(kind) ?? 0) + 1);
    const { records, dropped } = slow.takeTrace();
    fast.takeTrace();
    counts.exceptions += dropped;
    for (const { event } of records) {
      if (event === 'exception') counts.exceptions++;
      else if (event === 'interrupt') counts.interrupts++;
    }
  }

  private plant(random: () => number): RandomProgram {
    const { slow, fast, mode } = this;
    const loader = { cs: Number(slow.cpu(0).register('cs')), cr3: 0 };
    for (const m of [slow, fast]) m.restore(this.start);
    loader.cr3 = Number(slow.cpu(0).register('cr3'));
    // A quarter of the programs is computation and faults alone: there compiled code goes on for longest.
    const program = randomProgram(mode, random, this.pool, loader, random() % 4 !== 0);
    for (const m of [slow, fast])
      for (const { address, bytes } of program.pieces) assert.equal(m.writeMemory(0, 1, 'hpa', BigInt(address), bytes), bytes.length);
    return program;
  }

  private arm(armed: boolean, random: () => number, { blocks }: RandomProgram): void {
    const { fast } = this;
    fast.setBreakpoints(armed ? [0, 1].map(() => ({ address: BigInt(blocks[random() % blocks.length] + (random() % 40)) })) : []);
    const watch = (space: 'gva' | 'hpa', address: number) =>
      ({
        space,
        address: BigInt(address),
        length: 1 + (random() % 64),
        access: (['read', 'write', 'readWrite'] as const)[random() % 3],
      }) as const;
    fast.setWatchpoints(
      armed
        ? [watch('gva', DATA + (random() % 0x3000)), watch('hpa', DATA + (random() % 0x9000)), watch('gva', CODE + (random() % 0x400))]
        : [],
    );
  }
}

/** Most slices that may end without having come to the step: those that meet break- and watchpoints, and those that wait. */
const MOST_SLICES = 1_000_000;

export function runTo(machine: Machine, n: number, slice: () => number): void {
  for (let i = 0; machine.steps < n && machine.ended === undefined; i++) {
    assert.ok(i < MOST_SLICES, 'the machine does not come on');
    machine.runSlice({ maxSteps: Math.max(1, Math.min(slice(), n - machine.steps)), ignoreFirstBreakpoint: true });
  }
}
