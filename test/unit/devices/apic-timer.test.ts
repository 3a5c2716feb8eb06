/** The local APIC's timer: expectations from SDM volume 3, "APIC Timer"; its input clock is 1 GHz, a tick of the machine. */
import { strict as assert } from 'node:assert';
import { type InterruptBench, interruptBench, takeAll } from './interrupt-bench';

const SVR = 0xf0, EOI = 0xb0, LVT_TIMER = 0x320, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0; // prettier-ignore
const PERIODIC = 0x20000;
const TSC_DEADLINE = 0x40000;
const MASKED = 0x10000;
const DEADLINE_MSR = 0x6e0;

function timer(lvt: number, divide = 0xb): InterruptBench {
  const b = interruptBench();
  b.now = 1000;
  b.apicWrite(SVR, 0x1ff);
  b.apicWrite(DIVIDE, divide);
  b.apicWrite(LVT_TIMER, lvt);
  return b;
}
/** Interrupts up to a tick, each taken at once and ended: the ticks at which they came. */
function ticks(b: InterruptBench, until: number): number[] {
  const seen: number[] = [];
  const [apic] = b.system.localApics;
  while (apic.deadline <= until) {
    b.runTo(apic.deadline);
    for (const _ of takeAll(b)) {
      seen.push(b.now);
      b.apicWrite(EOI, 0);
    }
  }
  b.runTo(until);
  return seen;
}

describe('devices: local APIC timer', () => {
  it('counts down once', () => {
    const b = timer(0x40);
    assert.equal(b.system.localApics[0].deadline, Infinity);
    b.apicWrite(INITIAL, 500);
    assert.equal(b.apicRead(CURRENT), 500);
    b.runTo(1499);
    assert.equal(b.apicRead(CURRENT), 1);
    assert.deepEqual(ticks(b, 5000), [1500]);
    assert.deepEqual([b.apicRead(CURRENT), b.apicRead(INITIAL)], [0, 500]);
  });

  it('divides its clock', () => {
    for (const [configuration, divisor] of [[0, 2], [1, 4], [2, 8], [3, 16], [8, 32], [9, 64], [10, 128], [11, 1]]) {
      const b = timer(0x40, configuration);
      b.apicWrite(INITIAL, 100);
      b.runTo(1000 + 10 * divisor - 1);
      assert.equal(b.apicRead(CURRENT), 91);
      b.runTo(1000 + 10 * divisor);
      assert.equal(b.apicRead(CURRENT), 90);
      assert.deepEqual(ticks(b, 1_000_000), [1000 + 100 * divisor]);
    }
  }); // prettier-ignore

  it('counts periodically without drift', () => {
    const b = timer(PERIODIC | 0x40);
    b.apicWrite(INITIAL, 300);
    assert.deepEqual(ticks(b, 2300), [1300, 1600, 1900, 2200]);
    assert.equal(b.apicRead(CURRENT), 200);
    b.now = 4005; // nobody looked in the meantime
    b.system.localApics[0].advance(4005);
    assert.equal(b.system.localApics[0].deadline, 4300);
    assert.deepEqual(takeAll(b), [0x40]);
    assert.equal(b.apicRead(CURRENT), 295);
  });

  it('is seen to have expired by an access that comes before the machine advances it', () => {
    const b = timer(0x40);
    b.apicWrite(INITIAL, 5);
    b.now = 1005;
    assert.equal(b.apicRead(CURRENT), 0);
    assert.equal(b.system.pending(0), 0x40);
    assert.equal(b.system.localApics[0].deadline, Infinity);
  });

  it('goes on counting while masked', () => {
    const b = timer(PERIODIC | MASKED | 0x40);
    b.apicWrite(INITIAL, 100);
    assert.deepEqual(ticks(b, 1250), []);
    assert.equal(b.apicRead(CURRENT), 50);
    b.apicWrite(LVT_TIMER, PERIODIC | 0x40);
    assert.deepEqual(ticks(b, 1450), [1300, 1400]);
  });

  it('stops with an initial count of zero, starts anew with any other', () => {
    const b = timer(0x40);
    b.apicWrite(INITIAL, 100);
    b.runTo(1050);
    b.apicWrite(INITIAL, 0);
    assert.deepEqual(ticks(b, 2000), []);
    b.apicWrite(INITIAL, 100);
    b.runTo(2050);
    b.apicWrite(INITIAL, 100);
    assert.deepEqual(ticks(b, 3000), [2150]);
  });

  it('goes on at another rate when the divisor changes', () => {
    const b = timer(0x40);
    b.apicWrite(INITIAL, 100);
    b.runTo(1040);
    b.apicWrite(DIVIDE, 0);
    assert.equal(b.apicRead(CURRENT), 60);
    assert.deepEqual(ticks(b, 3000), [1160]);
  });

  it('is disarmed by a change of its mode', () => {
    for (const mode of [PERIODIC, TSC_DEADLINE]) {
      const b = timer(0x40);
      b.apicWrite(INITIAL, 100);
      b.apicWrite(LVT_TIMER, mode | 0x40);
      assert.equal(b.system.localApics[0].deadline, Infinity);
      assert.equal(b.apicRead(CURRENT), 0);
    }
  });

  it('waits for a tick of the time-stamp counter', () => {
    const b = timer(TSC_DEADLINE | 0x40);
    const write = (value: bigint) => assert.ok(b.system.writeMsr(0, DEADLINE_MSR, value));
    write(1234n);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), 1234n);
    b.apicWrite(INITIAL, 5);
    assert.deepEqual([b.apicRead(CURRENT), b.apicRead(INITIAL)], [0, 0], 'ignored in this mode');
    assert.deepEqual(ticks(b, 3000), [1234]);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), 0n);
    write(5000n);
    write(4000n);
    write(6000n);
    write(0n);
    assert.deepEqual(ticks(b, 7000), [], 'disarmed by zero');
    write(6500n);
    assert.deepEqual(takeAll(b), [0x40], 'at once when it has passed');
    write(0xffff_ffff_ffff_fff0n);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), 0xffff_ffff_ffff_fff0n);
    b.apicWrite(LVT_TIMER, 0x40);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), 0n);
    write(8000n);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), 0n, 'without effect in another mode');
  });

  it('knows no TSC deadline where the model has none', () => {
    const b = interruptBench(1, { tscDeadline: false });
    b.apicWrite(SVR, 0x1ff);
    assert.equal(b.system.readMsr(0, DEADLINE_MSR), undefined);
    assert.equal(b.system.writeMsr(0, DEADLINE_MSR, 5n), false);
    b.apicWrite(LVT_TIMER, TSC_DEADLINE | 0x40);
    b.apicWrite(INITIAL, 50);
    assert.equal(b.apicRead(CURRENT), 50);
  });
});
