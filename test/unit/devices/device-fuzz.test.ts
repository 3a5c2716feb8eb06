/**
 * Random accesses to everything that the platform has (ports, memory-mapped registers, sizes, time that passes), seeded: they never throw, two
 * runs never differ, and going on from a saved state in the middle changes nothing. 50,000 operations, `npm run test:long` a million;
 * NESTSCOPE_SEED chooses others.
 */
import { strict as assert } from 'node:assert';
import type { Cpu } from '../../../emulator/cpu/cpu';
import { createPlatform, type Platform } from '../../../emulator/devices/platform';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { randomSource } from '../../random-source';
import { HandTime } from './device-bench';

const seed = Number(process.env.NESTSCOPE_SEED ?? 1);
const OPERATIONS = process.env.NESTSCOPE_LONG === '1' ? 1_000_000 : 50_000;
const VCPUS = 2;

/** First port and how many. */
const PORTS: readonly (readonly [number, number])[] = [
  [0x00, 16], [0x20, 2], [0x40, 4], [0x60, 8], [0x70, 2], [0x80, 20], [0xa0, 2], [0xb2, 2], [0xc0, 32], [0xe0, 10], [0xf4, 4], [0x2f8, 8], [0x3f8, 8],
  [0x402, 1], [0x4d0, 2], [0x510, 8], [0x600, 64], [0xcf8, 8], [0xfff8, 8], [0x8900, 1],
]; // prettier-ignore
const REGIONS = [0xfec0_0000, 0xfed0_0000, 0xfee0_0000, 0xfea0_0000] as const;

interface Bench {
  readonly time: HandTime;
  readonly memory: PhysicalMemory;
  readonly platform: Platform;
  readonly events: string[];
}

function bench(): Bench {
  const time = new HandTime();
  const memory = new PhysicalMemory(1 << 20);
  const events: string[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]): void =>
      void events.push(`${name} ${args.join(' ')}`);
  const platform = createPlatform({
    memory,
    vcpuCount: VCPUS,
    model: defaultCpuModel,
    time,
    signals: { interruptsChanged: () => undefined, nmi: note('nmi'), smi: note('smi'), init: note('init'), startUp: note('start-up') },
    guestExit: note('exit'),
    powerOff: note('off'),
    reset: note('reset'),
    notModelled: note('not modelled'),
  });
  return { time, memory, platform, events };
}

/** One random operation; what it gives back is what a guest could see. */
function operate({ time, platform, events }: Bench, random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[random() % list.length]!;
  const vcpu = random() % VCPUS;
  const cpu = { index: vcpu, notModelled: (sentence: string) => (events.push(sentence), 4) } as unknown as Cpu;
  const value = pick([random(), random() & 0xff, random() & 0x1ff, 0, 0xffff_ffff]);
  time.tick += random() % 16 === 0 ? random() % 10_000_000 : random() % 300;
  while (platform.timeline.deadline <= time.tick) platform.timeline.advance(time.tick);
  const [first, count] = pick(PORTS);
  const port = random() % 32 === 0 ? random() & 0xffff : first + (random() % count);
  const region = pick(REGIONS);
  const offset = random() % 4 === 0 ? random() & 0xfff : random() & 0x3f8;
  const size = pick([1, 2, 4, 4, 8]);
  switch (random() % 8) {
    case 0:
    case 1:
      return `in ${port} ${platform.io.in(cpu, port, Math.min(size, 4))}`;
    case 2:
    case 3:
      platform.io.out(cpu, port, Math.min(size, 4), value >>> (32 - 8 * Math.min(size, 4)));
      return 'out';
    case 4:
      return platform.mmio.nameAt(region + offset, vcpu) === undefined
        ? 'nothing'
        : `read ${platform.mmio.read(region + offset, size, vcpu)}`;
    case 5:
    case 6:
      if (platform.mmio.nameAt(region + offset, vcpu) !== undefined)
        platform.mmio.write(region + offset, size, BigInt.asUintN(8 * size, (BigInt(random()) << 32n) | BigInt(value)), vcpu);
      return 'write';
    default: {
      const pending = platform.interrupts.pending(vcpu);
      if (pending >= 0 && random() % 2 === 0) {
        platform.interrupts.acknowledge(vcpu);
        platform.interrupts.endOfInterrupt(vcpu);
      }
      if (random() % 64 === 0) platform.sendSerial(Uint8Array.of(value & 0xff));
      return `pending ${pending}`;
    }
  }
}

describe('devices: random accesses', function () {
  this.timeout(600_000);
  it(`${OPERATIONS} of them (seed ${seed}) never throw, repeat exactly, and go on from a saved state`, () => {
    const [one, two] = [bench(), bench()];
    let third: Bench | undefined;
    let randoms = [randomSource(seed), randomSource(seed)];
    const kinds = new Map<string, number>();
    for (let n = 0; n < OPERATIONS; n++) {
      const seen = operate(one, randoms[0]!);
      const kind = seen.split(' ')[0]!;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      assert.equal(operate(two, randoms[1]!), seen, `operation ${n}`);
      if (third) assert.equal(operate(third, randoms[2]!), seen, `operation ${n}, from the saved state`);
      if (n === OPERATIONS >> 1) {
        third = bench();
        third.time.tick = one.time.tick;
        third.memory.physWrite(0, one.memory.physRead(0, 1 << 20));
        third.platform.restore(structuredClone(one.platform.save()));
        one.events.length = two.events.length = 0;
        assert.deepEqual(third.platform.save(), one.platform.save());
        randoms = [0, 1, 2].map(() => randomSource(seed + 1_000_000));
      }
    }
    assert.deepEqual(two.platform.save(), one.platform.save());
    assert.deepEqual(third!.platform.save(), one.platform.save());
    assert.deepEqual(two.events, one.events);
    assert.deepEqual(third!.events, one.events);
    for (const kind of ['in', 'out', 'read', 'write', 'pending'])
      assert.ok((kinds.get(kind) ?? 0) > OPERATIONS / 20, `${kind}: ${kinds.get(kind)}`);
  });
});
