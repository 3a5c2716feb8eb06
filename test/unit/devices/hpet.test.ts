/** The HPET against the IA-PC HPET Specification 1.0a: registers (2.3), timer operation (2.3.9), legacy replacement (2.3.3). */
import { strict as assert } from 'node:assert';
import { Hpet } from '../../../emulator/devices/hpet/hpet';
import { HandTime, LineLog, runTo } from './device-bench';

const GENERAL_CONFIGURATION = 0x10;
const STATUS = 0x20;
const COUNTER = 0xf0;
const timer = (n: number): number => 0x100 + 0x20 * n;
const ENABLE = 1n;
const [LEVEL, INTERRUPT, PERIODIC, SET_VALUE, FSB] = [1n << 1n, 1n << 2n, 1n << 3n, 1n << 6n, 1n << 14n];
const route = (input: number): bigint => BigInt(input) << 9n;

function bench() {
  const time = new HandTime();
  const lines = new Map<number, LineLog>();
  const line = (input: number): LineLog => {
    if (!lines.has(input)) lines.set(input, new LineLog(time));
    return lines.get(input)!;
  };
  const legacy = [new LineLog(time), new LineLog(time)] as const;
  const replaced: boolean[] = [];
  const messages: [number, number][] = [];
  const make = (): Hpet =>
    new Hpet({
      time,
      route: (input) => line(input).line,
      legacy: [legacy[0].line, legacy[1].line],
      legacyReplacement: (on) => replaced.push(on),
      message: (address, data) => messages.push([address, data]),
    });
  const hpet = make();
  return {
    time,
    line,
    legacy,
    replaced,
    messages,
    hpet,
    make,
    write: (offset: number, value: bigint, size = 8) => hpet.writeMmio(offset, size, value),
    read: (offset: number, size = 8) => hpet.readMmio(offset, size),
  };
}

describe('devices: HPET', () => {
  it('says that it has three timers, 64 bits and 10 ns a count', () => {
    const b = bench();
    // Revision 01H, NUM_TIM_CAP 2 (three), COUNT_SIZE_CAP, LEG_RT_CAP; period 10,000,000 fs.
    assert.equal(b.read(0), (10_000_000n << 32n) | 0x8086a201n);
    assert.equal(b.read(4, 4), 10_000_000n);
    b.write(0, 0n);
    assert.equal(b.read(0, 4), 0x8086a201n);
  });

  it('counts while it is enabled, and can be set while it is not', () => {
    const b = bench();
    b.time.tick = 1000;
    assert.equal(b.read(COUNTER), 0n);
    b.write(COUNTER, 0xffff_fff0n);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    b.time.tick = 1000 + 320;
    assert.equal(b.read(COUNTER), 0x1_0000_0010n);
    assert.equal(b.read(COUNTER + 4, 4), 1n);
    b.write(GENERAL_CONFIGURATION, 0n);
    b.time.tick = 90_000;
    assert.equal(b.read(COUNTER), 0x1_0000_0010n);
  });

  it('raises an edge once when the counter comes to the comparator', () => {
    const b = bench();
    b.write(timer(0), INTERRUPT | route(16));
    b.write(timer(0) + 8, 100n);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    assert.equal(b.hpet.deadline, 1000);
    runTo(b.time, b.hpet, 5000);
    assert.deepEqual(b.line(16).edges.slice(0, 1), [[1000, true]]);
    assert.equal(b.read(STATUS), 0n); // an edge leaves no status
  });

  it('repeats by the period that is written after the comparator', () => {
    const b = bench();
    b.write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | LEVEL | route(17));
    b.write(timer(0) + 8, 50n);
    b.write(timer(0) + 8, 20n);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    const seen: number[] = [];
    for (let n = 0; n < 4; n++) {
      runTo(b.time, b.hpet, b.hpet.deadline);
      seen.push(b.time.tick);
      assert.equal(b.line(17).level, true);
      assert.equal(b.read(STATUS), 1n);
      b.write(STATUS, 1n);
      assert.equal(b.line(17).level, false);
    }
    assert.deepEqual(seen, [500, 700, 900, 1100]);
  });

  it('sends a message where it is told to', () => {
    const b = bench();
    b.write(timer(2) + 0x10, (0xfee0_0000n << 32n) | 0x51n);
    b.write(timer(2), INTERRUPT | FSB);
    b.write(timer(2) + 8, 7n);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    runTo(b.time, b.hpet, 1000);
    assert.equal((b.read(timer(2)) >> 15n) & 1n, 1n); // Tn_FSB_INT_DEL_CAP
    assert.deepEqual(b.messages, [[0xfee0_0000, 0x51]]);
  });

  it("takes the 8254's and the RTC's lines by legacy replacement", () => {
    const b = bench();
    b.write(timer(0), INTERRUPT);
    b.write(timer(0) + 8, 10n);
    b.write(timer(1), INTERRUPT);
    b.write(timer(1) + 8, 20n);
    b.write(GENERAL_CONFIGURATION, ENABLE | 2n);
    runTo(b.time, b.hpet, 1000);
    assert.deepEqual(b.replaced, [true]);
    assert.deepEqual(b.legacy[0].edges[0], [100, true]);
    assert.deepEqual(b.legacy[1].edges[0], [200, true]);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    assert.deepEqual(b.replaced, [true, false]);
    assert.deepEqual([b.legacy[0].level, b.legacy[1].level], [false, false]);
  });

  it('goes on from a saved state', () => {
    const b = bench();
    b.write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | LEVEL | route(20));
    b.write(timer(0) + 8, 30n);
    b.write(timer(0) + 8, 30n);
    b.write(GENERAL_CONFIGURATION, ENABLE);
    runTo(b.time, b.hpet, 450);
    const copy = b.make();
    copy.restore(JSON.parse(JSON.stringify(b.hpet.save())));
    assert.deepEqual(copy.save(), b.hpet.save());
    assert.equal(copy.deadline, b.hpet.deadline);
    assert.equal(copy.readMmio(COUNTER, 8), 45n);
  });
});
