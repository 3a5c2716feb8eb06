/** The keyboard controller against the IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller". */
import { strict as assert } from 'node:assert';
import { I8042 } from '../../../emulator/devices/i8042/i8042';
import { HandTime, LineLog } from './device-bench';

const [DATA, COMMAND] = [0x60, 0x64];
const [FULL, AUXILIARY] = [0x01, 0x20];

function bench() {
  const time = new HandTime();
  const [keyboard, mouse] = [new LineLog(time), new LineLog(time)];
  const resets: string[] = [];
  const a20 = { enabled: true, set: (on: boolean) => void (a20.enabled = on) };
  const make = (): I8042 => new I8042({ keyboardIrq: keyboard.line, mouseIrq: mouse.line, a20, reset: () => resets.push('reset') });
  const i8042 = make();
  return {
    i8042,
    make,
    keyboard,
    mouse,
    resets,
    a20,
    command: (value: number) => i8042.write(COMMAND, 1, value),
    data: (value: number) => i8042.write(DATA, 1, value),
    status: () => i8042.read(COMMAND),
    /** All bytes that wait. */
    take: () => {
      const bytes: number[] = [];
      while (i8042.read(COMMAND) & FULL) bytes.push(i8042.read(DATA));
      return bytes;
    },
  };
}

describe('devices: keyboard controller', () => {
  it('passes its self-test and the tests of both interfaces', () => {
    const b = bench();
    assert.equal(b.status() & FULL, 0);
    b.command(0xaa);
    assert.deepEqual(b.take(), [0x55]);
    b.command(0xab);
    assert.deepEqual(b.take(), [0x00]);
    b.command(0xa9);
    assert.deepEqual(b.take(), [0x00]);
  });

  it('keeps its command byte, and interrupts by it', () => {
    const b = bench();
    b.command(0x60);
    b.data(0x00);
    b.command(0x20);
    assert.deepEqual(b.take(), [0x00]);
    b.data(0xee); // echo, no interrupt wanted
    assert.equal(b.keyboard.level, false);
    assert.deepEqual(b.take(), [0xee]);
    b.command(0x60);
    b.data(0x01);
    b.data(0xee);
    assert.equal(b.keyboard.level, true);
    assert.deepEqual(b.take(), [0xee]);
    assert.equal(b.keyboard.level, false);
  });

  it('has a keyboard that resets, identifies itself and refuses what it does not know', () => {
    const b = bench();
    b.command(0x60);
    b.data(0x00); // no translation
    b.data(0xff);
    assert.deepEqual(b.take(), [0xfa, 0xaa]);
    b.data(0xf2);
    assert.deepEqual(b.take(), [0xfa, 0xab, 0x83]);
    b.data(0xed);
    b.take();
    b.data(0x02);
    assert.deepEqual(b.take(), [0xfa]);
    b.data(0x12);
    assert.deepEqual(b.take(), [0xfe]);
  });

  it('has a mouse behind command D4, with its own interrupt and status bit', () => {
    const b = bench();
    b.command(0x60);
    b.data(0x02);
    b.command(0xd4);
    b.data(0xff);
    assert.equal(b.status() & (FULL | AUXILIARY), FULL | AUXILIARY);
    assert.equal(b.mouse.level, true);
    assert.deepEqual(b.take(), [0xfa, 0xaa, 0x00]);
    assert.equal(b.mouse.level, false);
  });

  it('holds the A20 gate and the reset line in its output port', () => {
    const b = bench();
    b.command(0xd0);
    assert.equal(b.take()[0]! & 3, 3);
    b.command(0xd1);
    b.data(0xdd); // A20 low, reset high
    assert.equal(b.a20.enabled, false);
    b.command(0xdf);
    assert.equal(b.a20.enabled, true);
    assert.deepEqual(b.resets, []);
    b.command(0xfe);
    assert.deepEqual(b.resets, ['reset']);
  });

  it('goes on from a saved state', () => {
    const b = bench();
    b.command(0xd4);
    b.data(0xf2);
    const copy = b.make();
    copy.restore(JSON.parse(JSON.stringify(b.i8042.save())));
    assert.deepEqual(copy.save(), b.i8042.save());
    assert.deepEqual([copy.read(DATA), copy.read(DATA)], [0xfa, 0x00]);
  });
});
