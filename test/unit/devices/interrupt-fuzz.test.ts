/**
 * Random accesses to the interrupt controllers, seeded: they never throw, two runs never differ, saving and restoring in the middle changes
 * nothing, and what is cached is what the state says. `NESTSCOPE_FUZZ` sets the number of operations (default 50,000).
 */
import { strict as assert } from 'node:assert';
import { randomSource } from '../../random-source';
import { type InterruptBench, interruptBench } from './interrupt-bench';

const operations = Number(process.env.NESTSCOPE_FUZZ ?? 50_000);
const VCPUS = 4;
const PORTS = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1];

/** One random operation; what it gives back is what a guest could see. */
function operate(b: InterruptBench, random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[random() % list.length];
  const vcpu = random() % VCPUS;
  const size = pick([1, 2, 4, 4, 4, 4, 8]);
  const value = (): bigint => {
    const word = BigInt(random());
    return pick([word, word & 0xffn, word & 0x1ffn, word & 0x1_a7ffn, (BigInt(random()) << 32n) | word, 0n]);
  };
  const offset = (): number => (random() % 8 === 0 ? random() % 0x1000 : (random() % 0x40) << 4);
  const { system } = b;
  b.now += random() % 16 === 0 ? random() % 100_000 : random() % 16;
  switch (random() % 16) {
    case 0:
      return `in ${b.in(pick(PORTS), size === 8 ? 4 : size)}`;
    case 1:
    case 2:
      b.out(pick(PORTS), random() & 0xff);
      return 'out';
    case 3:
      return `read ${system.mmio[vcpu].readMmio(offset(), size, vcpu)}`;
    case 4:
    case 5:
      system.mmio[vcpu].writeMmio(offset(), size, value(), vcpu);
      return 'write';
    case 6:
      return `io read ${system.ioApic.readMmio(pick([0, 0x10, 0x10, 0x40, random() % 0x1000]), size)}`;
    case 7:
    case 8:
      system.ioApic.writeMmio(0, 4, BigInt(random() % 0x44));
      system.ioApic.writeMmio(pick([0x10, 0x10, 0x10, 0x40, random() % 0x1000]), size, value());
      return 'io write';
    case 9:
      return `rdmsr ${system.readMsr(vcpu, pick([0x6e0, 0x800 + (random() % 0x40), 0x800 + (random() & 0xff)]))}`;
    case 10:
      return `wrmsr ${system.writeMsr(vcpu, pick([0x6e0, 0x800 + (random() % 0x40)]), value())}`;
    case 11:
      if (random() % 2) return recover(b, vcpu);
      return random() % 8 === 0
        ? `base ${system.writeApicBase(vcpu, 0xfee0_0000n | BigInt(pick([0x100, 0x800, 0x800, 0xc00, 0x900, 0x400])))}`
        : `cr8 ${system.writeCr8(vcpu, random() & 15) ?? system.readCr8(vcpu)}`;
    case 12:
      system.setLine(random() % 26, random() % 2 === 0);
      if (random() % 8 === 0) system.nmiLine(random() % 2 === 0);
      return 'line';
    case 13:
      system.deliverMsi(0xfee0_0000 + (random() & 0xfffff), random() & 0xffff);
      if (random() % 32 === 0) system.initialize(vcpu);
      return 'message';
    case 14:
      b.runTo(b.now + (random() % 1000));
      return 'time';
    default:
      if (system.pending(vcpu) < 0) return 'none';
      return `taken ${system.acknowledge(vcpu)} ${random() % 2 ? system.endOfInterrupt(vcpu) : ''}`;
  }
}
/** What random accesses rarely hit: a local APIC that takes interrupts again, and some source of them. */
function recover(b: InterruptBench, vcpu: number): string {
  const { system } = b;
  if ((system.apicBase(vcpu) & 0xc00n) === 0n) system.writeApicBase(vcpu, 0xfee0_0800n);
  if ((system.apicBase(vcpu) & 0x400n) === 0n) b.apicWrite(0xf0, 0x1ff, vcpu);
  else system.writeMsr(vcpu, 0x80f, 0x1ffn);
  system.writeCr8(vcpu, 0);
  for (let n = 0; n < 4; n++) system.endOfInterrupt(vcpu);
  system.deliverMsi(0xfee0_0000 | (vcpu << 12), 0x50 + vcpu);
  return `recovered ${system.pending(vcpu)}`;
}
const saved = (b: InterruptBench): unknown => b.system.stateful.map((device) => device.save());
const pending = (b: InterruptBench): number[] => b.system.localApics.map(({ vcpu }) => b.system.pending(vcpu));
function restore(b: InterruptBench, state: unknown): void {
  b.system.stateful.forEach((device, n) => device.restore((state as unknown[])[n]));
  b.system.restored();
}

describe('devices: random accesses to the interrupt controllers', function () {
  this.timeout(120_000);
  for (const seed of [1, 2, 3, 4])
    it(`of seed ${seed} leave no mark`, () => {
      const random = randomSource(seed);
      const again = randomSource(seed);
      const a = interruptBench(VCPUS);
      let b = interruptBench(VCPUS);
      let taken = 0;
      for (let n = 0; n < operations / 4; n++) {
        const where = `seed ${seed}, operation ${n}`;
        const seen = operate(a, random);
        assert.equal(operate(b, again), seen, where);
        if (seen.startsWith('taken')) taken++;
        if (n % 50 !== 0) continue;
        assert.deepEqual(a.take(), b.take(), where);
        const state = saved(a);
        assert.deepEqual(saved(b), state, where);
        assert.deepEqual(structuredClone(state), JSON.parse(JSON.stringify(state)), 'plain data');
        // Another machine goes on from the saved state.
        const { now } = b;
        b = interruptBench(VCPUS);
        b.now = now;
        restore(b, JSON.parse(JSON.stringify(state)));
        assert.deepEqual(saved(b), state, where);
        assert.deepEqual(pending(b), pending(a), `${where}: what is cached is derived from the state`);
      }
      assert.ok(taken > operations / 4 / 200, `only ${taken} interrupts were taken`);
    });
});
