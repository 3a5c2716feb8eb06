/** The real-time clock against the MC146818 data sheet ("Time, Calendar, and Alarm Locations", "Update Cycle", "Interrupts", "Registers"). */
import { strict as assert } from 'node:assert';
import { civilFromDays, dayOfWeek, daysFromCivil } from '../../../emulator/devices/rtc/calendar';
import { firmwareCells } from '../../../emulator/devices/rtc/firmware-cells';
import { Rtc } from '../../../emulator/devices/rtc/rtc';
import { HandTime, LineLog, runTo } from './device-bench';

const S = 1e9;
/** 1999-12-31 23:59:58, a Friday. */
const NEARLY_2000 = 946_684_798;

function bench(unixSeconds = NEARLY_2000) {
  const time = new HandTime();
  const irq = new LineLog(time);
  const rtc = new Rtc({ time, irq: irq.line, unixSeconds, cells: firmwareCells(128 << 20, 4) });
  return {
    time,
    irq,
    rtc,
    get: (index: number) => {
      rtc.write(0x70, 1, index);
      return rtc.read(0x71);
    },
    set: (index: number, value: number) => {
      rtc.write(0x70, 1, index);
      rtc.write(0x71, 1, value);
    },
    to: (tick: number) => runTo(time, rtc, tick),
  };
}
const clockOf = (b: ReturnType<typeof bench>): number[] => [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => b.get(index));

describe('devices: calendar', () => {
  it('knows days, leap years and weekdays', () => {
    for (const [days, year, month, day, weekday] of [
      [0, 1970, 1, 1, 5],
      [59, 1970, 3, 1, 1],
      [789, 1972, 2, 29, 3],
      [11_016, 2000, 2, 29, 3],
      [10_956, 1999, 12, 31, 6],
      [47_541, 2100, 3, 1, 2],
      [47_540, 2100, 2, 28, 1],
    ] as const) {
      assert.deepEqual(civilFromDays(days), { year, month, day });
      assert.equal(daysFromCivil({ year, month, day }), days);
      assert.equal(dayOfWeek(days), weekday, `${year}-${month}-${day}`);
    }
  });
});

describe('devices: real-time clock, time', () => {
  it('goes from 1999 to 2000 in BCD and 24 hours, as firmware leaves it', () => {
    const b = bench();
    assert.deepEqual([b.get(10), b.get(11), b.get(13)], [0x26, 0x02, 0x80]);
    assert.deepEqual(clockOf(b), [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58]);
    b.to(S);
    assert.deepEqual(clockOf(b), [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59]);
    b.to(2 * S - 1);
    assert.equal(b.get(0), 0x59);
    b.to(2 * S);
    assert.deepEqual(clockOf(b), [0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00]);
    assert.equal(b.get(0x37), 0x20); // the other name of the century
    b.to(2 * S + 60 * 86_400 * S); // 29 February
    assert.deepEqual(clockOf(b), [0x20, 0x00, 0x03, 0x01, 4, 0x00, 0x00, 0x00]);
  });

  it('keeps binary and 12-hour time: 12 comes before 1, bit 7 says PM', () => {
    const b = bench();
    b.set(11, 0x84); // SET, binary, 12 hours
    for (const [index, value] of [[0, 59], [2, 59], [4, 12], [6, 2], [7, 28], [8, 2], [9, 23], [0x32, 20]]) b.set(index, value); // prettier-ignore
    b.set(11, 0x04);
    b.to(S);
    assert.deepEqual(clockOf(b), [20, 23, 2, 28, 2, 1, 0, 0]);
    b.to(11 * 3600 * S);
    assert.equal(b.get(4), 11);
    b.to((11 * 3600 + 1) * S);
    assert.deepEqual([b.get(4), b.get(6)], [0x8c, 2]); // 12 PM
    b.to((23 * 3600 + 1) * S);
    assert.deepEqual(clockOf(b), [20, 23, 3, 1, 3, 12, 0, 0]); // midnight is 12 AM
    b.set(11, 0x80); // BCD, 12 hours
    b.set(4, 0x91); // 11 PM
    b.set(0, 0x59);
    b.set(2, 0x59);
    b.set(11, 0x00);
    b.to((23 * 3600 + 2) * S);
    assert.equal(b.get(4), 0x12); // midnight
  });

  it('shows an update in progress 244 + 1984 microseconds before it is done, and none while SET', () => {
    const b = bench();
    const uip = (): number => b.get(10) >> 7;
    b.to(S - 2_228_001);
    assert.equal(uip(), 0);
    b.to(S - 2_228_000);
    assert.equal(uip(), 1);
    b.set(11, 0x82);
    assert.equal(uip(), 0);
    b.to(5 * S);
    assert.equal(b.get(0), 0x58);
    assert.equal(b.get(12) & 0x10, 0); // no UF either
    b.set(11, 0x02);
    b.to(6 * S);
    assert.equal(b.get(0), 0x59);
    assert.equal(b.get(12) & 0x10, 0x10);
  });

  it('begins anew half a second after the divider has been reset', () => {
    const b = bench();
    b.to(0.7 * S);
    b.set(10, 0x76);
    b.to(9 * S);
    assert.equal(b.get(0), 0x58);
    b.set(10, 0x26);
    b.to(9 * S + 0.5 * S + 1_984_000 - 1);
    assert.equal(b.get(0), 0x58);
    b.to(9 * S + 0.5 * S + 1_984_000);
    assert.equal(b.get(0), 0x59);
  });

  it('reads bytes that make no sense as the nearest that do', () => {
    const b = bench();
    for (let index = 0; index < 10; index++) b.set(index, 0xff);
    assert.equal(b.get(8), 0xff);
    b.to(86_400 * S);
    for (const [index, most] of [[0, 0x59], [2, 0x59], [4, 0x23], [6, 7], [7, 0x31], [8, 0x12]]) assert.ok(b.get(index) <= most); // prettier-ignore
  });
});

describe('devices: real-time clock, interrupts', () => {
  it('periodic: flag without enable, line with it, until register C is read', () => {
    const b = bench();
    b.to(976_562); // 1024 Hz: 976,562.5 ns
    assert.equal(b.get(12), 0);
    b.to(976_563);
    assert.equal(b.get(12), 0x40);
    assert.equal(b.get(12), 0);
    assert.equal(b.rtc.deadline, Infinity);
    b.set(11, 0x42);
    assert.equal(b.rtc.deadline, 1_953_125);
    b.to(10_000_000);
    assert.deepEqual(b.irq.edges, [[1_953_125, true]]);
    assert.equal(b.rtc.deadline, Infinity); // asserted: nothing changes before it is read
    assert.equal(b.get(12), 0xc0);
    assert.equal(b.irq.level, false);
    assert.equal(b.rtc.deadline, 10_742_188); // the eleventh: 10,742,187.5
  });

  it('has the rates of the data sheet', () => {
    // RS 1 and 2 are 256 and 128 Hz at 32.768 kHz, from 3 on 8192 Hz, halved each time; 15 is 2 Hz.
    for (const [rate, hertz] of [
      [1, 256],
      [2, 128],
      [3, 8192],
      [6, 1024],
      [15, 2],
    ]) {
      // prettier-ignore
      const b = bench();
      b.set(10, 0x20 | rate);
      b.set(11, 0x42);
      let count = 0;
      for (; b.rtc.deadline <= S; count++) {
        b.to(b.rtc.deadline);
        assert.equal(b.get(12) & 0xc0, 0xc0);
      }
      assert.equal(count, hertz);
    }
    const b = bench();
    b.set(10, 0x20);
    b.set(11, 0x42);
    assert.equal(b.rtc.deadline, Infinity);
  });

  it('update-ended: once a second; SET clears its enable bit', () => {
    const b = bench();
    b.set(11, 0x12);
    b.to(3 * S);
    assert.deepEqual(b.irq.edges, [[S, true]]);
    assert.equal(b.get(12) & 0x90, 0x90);
    assert.equal(b.rtc.deadline, 4 * S);
    b.set(11, 0x92);
    assert.equal(b.get(11), 0x82);
    assert.equal(b.rtc.deadline, Infinity);
  });

  it('alarm: at a time, with bytes that match anything, or never', () => {
    const b = bench();
    b.set(1, 0x05);
    b.set(3, 0x01);
    b.set(5, 0x00);
    b.set(11, 0x22);
    assert.equal(b.rtc.deadline, (2 + 65) * S); // 00:01:05
    b.set(5, 0xc0);
    b.set(3, 0xff);
    assert.equal(b.rtc.deadline, 7 * S); // second 5 of every minute
    b.set(1, 0xc1);
    assert.equal(b.rtc.deadline, S); // every second
    b.set(1, 0x58);
    assert.equal(b.rtc.deadline, 60 * S); // 23:59:58 is now: the next one
    b.set(1, 0x60);
    assert.equal(b.rtc.deadline, Infinity);
    b.set(1, 0x59);
    b.set(5, 0x23);
    b.set(3, 0x58);
    assert.equal(b.rtc.deadline, (86_400 - 59) * S);
    b.to(86_400 * S);
    assert.equal(b.irq.level, true);
    assert.equal(b.get(12) & 0xa0, 0xa0);
  });

  it('interrupts at once when a flag that is set is enabled', () => {
    const b = bench();
    b.to(1.5 * S);
    assert.equal(b.irq.level, false);
    b.set(11, 0x12);
    assert.deepEqual(b.irq.edges, [[1.5 * S, true]]);
    b.set(11, 0x02);
    assert.equal(b.irq.level, false);
  });
});

describe('devices: CMOS memory', () => {
  it('holds what firmware fills in: memory sizes, processors, a checksum', () => {
    const b = bench();
    const word = (index: number): number => b.get(index) | (b.get(index + 1) << 8);
    assert.deepEqual([0x15, 0x17, 0x30, 0x34].map(word), [640, 0xffff, 0xffff, 0x700]);
    assert.deepEqual([b.get(0x0f), b.get(0x10), b.get(0x5f)], [0, 0, 3]);
    let sum = 0;
    for (let index = 0x10; index <= 0x2d; index++) sum += b.get(index);
    assert.equal((b.get(0x2e) << 8) | b.get(0x2f), sum);
    assert.deepEqual(new Map(firmwareCells(2 << 20, 1)).get(0x17), 0x00);
    assert.deepEqual(new Map(firmwareCells(2 << 20, 1)).get(0x18), 0x04);
  });

  it('can be written, has 128 bytes, and bit 7 of the index masks NMI', () => {
    const b = bench();
    b.set(0x8f, 0x0a);
    assert.equal(b.rtc.masksNmi, true);
    assert.equal(b.get(0x0f), 0x0a);
    assert.equal(b.rtc.masksNmi, false);
    assert.equal(b.rtc.read(0x70), 0xff);
    b.set(12, 0xff);
    b.set(13, 0);
    assert.deepEqual([b.get(12), b.get(13)], [0, 0x80]);
  });
});

describe('devices: real-time clock, state', () => {
  it('is the same whenever it is looked at, saved or advanced', () => {
    const play = (cut: boolean): unknown => {
      let b = bench();
      const log: unknown[] = [];
      for (let i = 1; i < 80; i++) {
        b.set(11, [0x42, 0x12, 0x22, 0x02, 0x82][i % 5]);
        b.set(10, 0x20 | (i % 16));
        if (i % 4 === 0) b.set([1, 3, 5, 0, 9][i % 5], i);
        b.to(i * 317_123_457);
        if (cut) {
          b.rtc.advance(b.time.tick);
          const saved = structuredClone(b.rtc.save());
          const { tick } = b.time;
          b = bench();
          b.time.tick = tick;
          b.rtc.restore(saved);
        }
        log.push(b.rtc.deadline, b.get(12), clockOf(b));
      }
      return [log, b.rtc.save()];
    };
    assert.deepEqual(play(true), play(false));
  });
});
