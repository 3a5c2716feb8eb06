/** The 8254 and port B against the Intel 8254 data sheet ("Mode Definitions", "Read Operations") and the PIIX3's NMISC register. */
import { strict as assert } from 'node:assert';
import { Oscillator } from '../../../emulator/devices/oscillator';
import { Pit } from '../../../emulator/devices/pit/pit';
import { HandTime, LineLog, runTo } from './device-bench';

const clock = new Oscillator(1_193_182);

function bench() {
  const time = new HandTime();
  const irq = new LineLog(time);
  const pit = new Pit({ time, irq: irq.line });
  const b = {
    time,
    irq,
    pit,
    out: (port: number, value: number) => pit.write(port, 1, value),
    in: (port: number) => pit.read(port),
    /** Time to the start of a cycle, with the acts before it. */
    to: (cycle: number) => runTo(time, pit, clock.tickOf(cycle)),
    /** Mode control word with two-byte access. */
    program: (channel: number, mode: number, count: number, bcd = 0) => {
      pit.write(0x43, 1, (channel << 6) | 0x30 | (mode << 1) | bcd);
      pit.write(0x40 + channel, 1, count & 0xff);
      pit.write(0x40 + channel, 1, count >> 8);
    },
    /** The counting element by a latch command. */
    count: (channel: number) => {
      pit.write(0x43, 1, channel << 6);
      return pit.read(0x40 + channel) | (pit.read(0x40 + channel) << 8);
    },
    /** Status by read-back. */
    status: (channel: number) => {
      pit.write(0x43, 1, 0xe0 | (2 << channel));
      return pit.read(0x40 + channel);
    },
    out2: () => (pit.read(0x61) >> 5) & 1,
  };
  return b;
}
/** OUT and count of channel 2 at a run of cycles. */
function trace(b: ReturnType<typeof bench>, from: number, cycles: number): string {
  return Array.from({ length: cycles }, (_, i) => {
    b.to(from + i);
    return `${b.out2() ? 'H' : 'L'}${b.count(2).toString(16)}`;
  }).join(' ');
}

describe('devices: oscillator', () => {
  it('divides the nanosecond clock exactly and without drift', () => {
    // 1,193,182 cycles a second: the first cycle has passed after 838.095…, the third after 2514.2… ns.
    assert.deepEqual([837, 838, 839, 2514, 2515].map((t) => clock.cyclesAt(t)), [0, 0, 1, 2, 3]); // prettier-ignore
    assert.equal(clock.tickOf(1), 839);
    for (const days of [1, 100]) assert.equal(clock.cyclesAt(days * 86_400e9), days * 86_400 * 1_193_182);
    for (const cycle of [1, 2, 1_193_181, 1_193_182, 1e13 + 7]) {
      assert.equal(clock.cyclesAt(clock.tickOf(cycle)), cycle);
      assert.equal(clock.cyclesAt(clock.tickOf(cycle) - 1), cycle - 1);
    }
  });
});

describe('devices: 8254 modes', () => {
  it('mode 0: OUT goes high N + 1 clocks after the count is written, and counting goes on', () => {
    const b = bench();
    b.out(0x61, 1);
    b.to(100);
    b.program(2, 0, 4);
    // Figure 15: the count is loaded at the first clock after the write.
    assert.equal(trace(b, 101, 7), 'L4 L3 L2 L1 H0 Hffff Hfffe');
  });

  it('mode 0: the gate stops counting; a new count starts anew, its first byte stops and sets OUT low', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 0, 4);
    b.to(2);
    assert.equal(b.count(2), 3);
    b.out(0x61, 0);
    b.to(9);
    assert.deepEqual([b.count(2), b.out2()], [3, 0]);
    b.out(0x61, 1);
    assert.equal(trace(b, 10, 4), 'L2 L1 H0 Hffff');
    b.out(0x42, 3); // first byte
    assert.equal(trace(b, 14, 3), 'Lffff Lffff Lffff');
    b.out(0x42, 0);
    assert.equal(trace(b, 17, 5), 'L3 L2 L1 H0 Hffff');
  });

  it('mode 1: one-shot of N clocks from the trigger, retriggerable; a new count waits for the next trigger', () => {
    const b = bench();
    b.program(2, 1, 3);
    b.to(10);
    assert.equal(b.out2(), 1);
    b.out(0x61, 1);
    assert.equal(trace(b, 11, 5), 'L3 L2 L1 H0 Hffff');
    b.out(0x61, 0);
    b.out(0x61, 1);
    assert.equal(trace(b, 16, 2), 'L3 L2');
    b.out(0x61, 0); // no effect of a low gate
    b.out(0x42, 5);
    b.out(0x42, 0);
    assert.equal(trace(b, 18, 2), 'L1 H0');
    b.out(0x61, 1);
    assert.equal(trace(b, 20, 7), 'L5 L4 L3 L2 L1 H0 Hffff');
  });

  it('mode 2: low for the last clock of every N; a new count waits for the end of the period', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 2, 3);
    assert.equal(trace(b, 1, 7), 'H3 H2 L1 H3 H2 L1 H3');
    b.out(0x42, 4);
    b.out(0x42, 0);
    assert.equal(b.status(2) & 0x40, 0x40);
    assert.equal(trace(b, 8, 7), 'H2 L1 H4 H3 H2 L1 H4');
    assert.equal(b.status(2) & 0x40, 0);
  });

  it('mode 2: a low gate sets OUT high at once and stops; its rising edge loads the count', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 2, 3);
    b.to(3);
    assert.equal(b.out2(), 0);
    b.out(0x61, 0);
    assert.equal(b.out2(), 1);
    b.to(7);
    assert.equal(b.count(2), 1);
    b.out(0x61, 1);
    assert.equal(trace(b, 8, 4), 'H3 H2 L1 H3');
  });

  it('mode 3: even counts by two in both halves', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 3, 4);
    assert.equal(trace(b, 1, 8), 'H4 H2 L4 L2 H4 H2 L4 L2');
  });

  it('mode 3: an odd count is high for (N + 1) / 2 clocks, low for (N - 1) / 2', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 3, 5);
    assert.equal(trace(b, 1, 10), 'H4 H2 H0 L4 L2 H4 H2 H0 L4 L2');
  });

  it('mode 3: a new count waits for the end of the half-cycle; a low gate sets OUT high', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 3, 4);
    assert.equal(trace(b, 1, 3), 'H4 H2 L4');
    b.out(0x42, 6);
    b.out(0x42, 0);
    assert.equal(trace(b, 4, 8), 'L2 H6 H4 H2 L6 L4 L2 H6');
    b.to(14);
    assert.equal(b.out2(), 0);
    b.out(0x61, 0);
    assert.equal(b.out2(), 1);
    b.to(20);
    b.out(0x61, 1);
    assert.equal(trace(b, 21, 4), 'H6 H4 H2 L6');
  });

  it('mode 4: a strobe of one clock N + 1 after the count is written', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 4, 3);
    assert.equal(trace(b, 1, 6), 'H3 H2 H1 L0 Hffff Hfffe');
    b.program(2, 4, 3);
    b.to(8);
    b.out(0x61, 0);
    b.to(12);
    assert.equal(b.count(2), 2);
    b.out(0x61, 1);
    assert.equal(trace(b, 13, 3), 'H1 L0 Hffff');
  });

  it('mode 5: the same from the trigger', () => {
    const b = bench();
    b.program(2, 5, 2);
    b.to(5);
    b.out(0x61, 1);
    assert.equal(trace(b, 6, 4), 'H2 H1 L0 Hffff');
    b.out(0x61, 0);
    b.out(0x61, 1);
    assert.equal(trace(b, 10, 3), 'H2 H1 L0');
  });

  it('counts in BCD, and zero is the largest count', () => {
    const b = bench();
    b.out(0x61, 1);
    b.program(2, 0, 0x1000, 1);
    assert.equal(trace(b, 1, 2), 'L1000 L999');
    b.to(1001);
    assert.equal(trace(b, 1001, 2), 'H0 H9999');
    b.to(2000);
    b.program(2, 0, 0, 1);
    b.to(2001 + 9999);
    assert.deepEqual([b.out2(), b.count(2)], [0, 1]);
    b.to(2001 + 10000);
    assert.equal(b.out2(), 1);
    b.program(2, 2, 0);
    assert.equal(trace(b, 12002, 2), 'H0 Hffff');
  });
});

describe('devices: 8254 reading', () => {
  it('reads one byte, or two in turn, of the counting element or of the latch', () => {
    const b = bench();
    b.program(0, 2, 0x1234);
    b.to(1);
    assert.deepEqual([b.in(0x40), b.in(0x40)], [0x34, 0x12]);
    b.out(0x43, 0x00); // latch
    b.to(0x100);
    b.out(0x43, 0x00); // ignored: the latch has not been read
    assert.deepEqual([b.in(0x40), b.in(0x40)], [0x34, 0x12]);
    assert.deepEqual([b.in(0x40), b.in(0x40)], [0x35, 0x11]);
    b.out(0x43, 0x14); // low byte only
    b.out(0x40, 0x80);
    b.to(0x101);
    assert.deepEqual([b.in(0x40), b.in(0x40)], [0x80, 0x80]);
    b.out(0x43, 0x24); // high byte only
    b.out(0x40, 0x02);
    b.to(0x102);
    assert.equal(b.in(0x40), 0x02);
    b.to(0x103);
    assert.equal(b.in(0x40), 0x01);
    assert.equal(b.in(0x43), 0);
  });

  it('gives status by read-back: OUT, null count, control word; status first, then the count', () => {
    const b = bench();
    b.out(0x43, 0xb0); // counter 2, two bytes, mode 0
    assert.equal(b.status(2), 0x70);
    b.out(0x42, 5);
    assert.equal(b.status(2), 0x70);
    b.out(0x42, 0);
    assert.equal(b.status(2), 0x70);
    b.to(1);
    assert.equal(b.status(2), 0x30); // loaded, gate or not
    b.out(0x61, 1);
    b.to(6);
    b.out(0x43, 0xc8); // count and status of counter 2
    b.to(20);
    b.out(0x43, 0xc8); // both ignored
    assert.deepEqual([b.in(0x42), b.in(0x42), b.in(0x42)], [0xb0, 0, 0]);
    b.out(0x43, 0xde); // the counts of all three
    assert.equal(b.in(0x42) | (b.in(0x42) << 8), 0xfff2);
  });

  it('reads back the mode bits exactly as written', () => {
    const b = bench();
    b.out(0x43, 0x7e); // counter 1, two bytes, mode 7: 3 with a don't-care bit
    assert.equal(b.status(1), 0xfe);
  });
});

describe('devices: 8254 and IRQ 0', () => {
  it('runs as firmware leaves it: a rising edge every 65536 clocks', () => {
    const b = bench();
    runTo(b.time, b.pit, 1e9);
    const rises = b.irq.edges.filter(([, level]) => level).map(([tick]) => tick);
    assert.deepEqual(rises.slice(0, 2), [clock.tickOf(65537), clock.tickOf(131073)]);
    assert.equal(rises.length, 18);
  });

  it('makes exactly the rate that was asked for, over hours', () => {
    const b = bench();
    b.program(0, 2, 11932); // 99.998… Hz
    runTo(b.time, b.pit, 3600e9);
    const rises = b.irq.edges.filter(([, level]) => level);
    assert.equal(rises.length, Math.floor((3600 * 1_193_182 - 1) / 11932));
    assert.equal(rises[99_999][0], clock.tickOf(1 + 100_000 * 11932));
  });

  it('catches up with acts that were missed, in one go', () => {
    const b = bench();
    b.program(0, 3, 1000);
    b.time.tick = 1e7;
    b.pit.advance(b.time.tick);
    // OUT was high before: its first fall is none to the log, which begins low.
    assert.equal(b.irq.edges.length, Math.floor((clock.cyclesAt(1e7) - 1) / 500) - 1);
    assert.ok(b.pit.deadline > 1e7);
  });

  it('mode 0 interrupts once, mode 4 after its strobe; a new control word sets OUT', () => {
    const b = bench();
    b.to(10);
    b.program(0, 0, 100);
    assert.equal(b.irq.level, false);
    assert.equal(b.pit.deadline, clock.tickOf(111));
    b.to(200);
    assert.deepEqual(b.irq.edges, [[clock.tickOf(111), true]]);
    assert.equal(b.pit.deadline, Infinity);
    b.program(0, 4, 50);
    assert.equal(b.irq.level, true);
    b.to(1000);
    assert.deepEqual(b.irq.edges.slice(1), [[clock.tickOf(251), false], [clock.tickOf(252), true]]); // prettier-ignore
    assert.equal(b.pit.deadline, Infinity);
  });

  it('a forbidden count of 1 makes no edges and ends with the next count', () => {
    for (const mode of [2, 3]) {
      const b = bench();
      b.program(0, mode, 1);
      b.to(1000);
      assert.deepEqual([b.pit.deadline, b.irq.edges.length, b.count(0)], [Infinity, 0, mode === 2 ? 1 : 0]);
      b.out(0x40, 4);
      b.out(0x40, 0);
      b.to(1010);
      assert.ok(b.irq.edges.length >= 3, `mode ${mode}`);
    }
  });
});

describe('devices: port B', () => {
  it('reads back its four bits, OUT2 and a refresh bit that toggles every 18 clocks', () => {
    const b = bench();
    b.out(0x61, 0xff);
    assert.equal(b.in(0x61) & 0xcf, 0x0f);
    b.out(0x61, 0x02);
    assert.equal(b.in(0x61) & 0xcf, 0x02);
    const seen = [0, 17, 18, 35, 36, 54].map((cycle) => {
      b.to(cycle);
      return (b.in(0x61) >> 4) & 1;
    });
    assert.deepEqual(seen, [0, 0, 1, 1, 0, 1]);
  });
});

describe('devices: 8254 state', () => {
  it('goes on alike after saving, and advancing early changes nothing', () => {
    const play = (early: boolean, cut: boolean): unknown => {
      let b = bench();
      b.out(0x61, 1);
      const log: unknown[] = [];
      for (let i = 0; i < 60; i++) {
        b.program(i % 3, i % 6, 20 + 7 * i, i & 1);
        b.to(100 * i + (i % 17));
        if (early) for (let t = 0; t < 40; t++) b.pit.advance(b.time.tick);
        if (cut && i % 7 === 3) {
          const saved = structuredClone(b.pit.save());
          const { tick } = b.time;
          b = bench();
          b.time.tick = tick;
          b.pit.restore(saved);
        }
        b.out(0x61, i % 3);
        log.push(b.in(0x40), b.in(0x42), b.status(2), b.in(0x61), b.pit.deadline);
      }
      return [log, b.pit.save()];
    };
    assert.deepEqual(play(true, false), play(false, false));
    assert.deepEqual(play(false, true), play(false, false));
  });
});
