/** The port bus and the devices on it, through the platform as the machine uses it. */
import { strict as assert } from 'node:assert';
import { createPlatform, type Platform, type PlatformOptions } from '../../../emulator/devices/platform';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { UserError } from '../../../emulator/user-error';

const parts = (): PlatformOptions => ({
  memory: new PhysicalMemory(1 << 20),
  vcpuCount: 1,
  model: defaultCpuModel,
  time: { now: () => 0 },
  signals: { interruptsChanged: none, nmi: none, smi: none, init: none, startUp: none },
});
const none = (): void => undefined;

/** The platform with a stand-in for the processor that notes why it was told to stop. */
function bench(): {
  p: Platform;
  exits: number[];
  stops: string[];
  in(port: number, size?: number): number;
  out(port: number, value: number, size?: number): void;
} {
  const exits: number[] = [];
  const stops: string[] = [];
  const p = createPlatform({ ...parts(), guestExit: (value) => exits.push(value), reset: (by) => stops.push(`reset by ${by}`) });
  const cpu = { notModelled: (sentence: string) => (stops.push(sentence), 4) } as unknown as Parameters<Platform['io']['in']>[0];
  return {
    p,
    exits,
    stops,
    in: (port, size = 1) => p.io.in(cpu, port, size),
    out: (port, value, size = 1) => p.io.out(cpu, port, size, value),
  };
}
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const COM1 = 0x3f8;

describe('devices: port bus', () => {
  it('answers like a PC where nothing is', () => {
    const b = bench();
    assert.equal(b.in(0x1234, 2), 0xffff);
    assert.equal(b.in(0x1234, 4), 0xffff_ffff);
    b.out(0x80, 0x55);
    b.out(0x1234, 1, 4);
    assert.deepEqual(b.stops, []);
  });

  it('splits an access that is wider than the device, and wraps at the last port', () => {
    const b = bench();
    b.out(COM1 + 7, 0x77);
    assert.equal(b.in(COM1 + 6, 2), 0x77b0); // modem status, scratch
    assert.equal(b.in(COM1 + 7, 4) >>> 0, 0xe9ff_ff77); // scratch, nothing, nothing, the debug console's other port
    assert.equal(b.in(0xe8, 2), 0xe900); // a byte of pc-testdev, the debug console
    assert.equal(b.in(0xffff, 2), 0x00ff); // behind the last port is the first: an address of the DMA controller
  });

  it('stops with a sentence at devices that are not modelled yet', () => {
    const b = bench();
    b.out(0x09, 4);
    assert.match(b.stops[0], /^Not modelled: DMA transfers/);
  });

  it('takes what is harmless: interrupt controller set-up, fast A20, choosing a CMOS register', () => {
    const b = bench();
    for (const [port, value] of [
      [0x20, 0x11],
      [0xa0, 0x11],
      [0x21, 0x20],
      [0xa1, 0x28],
      [0x21, 4],
      [0xa1, 2],
      [0x21, 1],
      [0xa1, 1],
    ])
      b.out(port, value);
    assert.equal(b.in(0x21), 0);
    b.out(0x21, 0xfb);
    b.out(0xa1, 0xff);
    b.out(0x20, 0x20);
    assert.deepEqual([b.in(0x21), b.in(0xa1)], [0xfb, 0xff]);
    b.out(0x92, b.in(0x92) | 2);
    b.out(0x70, 0x8f);
    assert.deepEqual(b.stops, []);
    b.out(0x92, 1);
    assert.deepEqual(b.stops, ['reset by system control port A (port 0x92)']);
    b.out(0x92, 1);
    assert.equal(b.stops.length, 1, 'only the edge resets');
  });

  it('has the registers of the APICs and of the HPET', () => {
    const stops: string[] = [];
    const { mmio } = createPlatform({ ...parts(), notModelled: (sentence) => stops.push(sentence) });
    assert.equal(mmio.read(0xfee00020, 4, 0), 0n);
    mmio.write(0xfec00000, 4, 0x10n, 0);
    assert.equal(mmio.read(0xfed00000, 4, 0), 0x8086a201n);
    assert.equal(mmio.nameAt(0xfee00000, 0), 'local APIC');
    assert.equal(mmio.nameAt(0xfd000000, 0), undefined);
    assert.deepEqual(stops, []);
  });
});

describe('devices: debug exit and debug console', () => {
  it('ends the machine with what is written, whatever the size', () => {
    for (const [size, value] of [
      [1, 0x21],
      [2, 0x1234],
      [4, 0x89abcdef],
    ] as const) {
      const b = bench();
      assert.equal(b.p.exitValue, undefined);
      b.out(0xf4, value, size);
      assert.deepEqual([b.p.exitValue, b.exits], [value, [value]]);
      b.out(0xf4, 0, size);
      assert.deepEqual(b.exits, [value]);
    }
  });

  it('shows itself at 0xe9 and passes bytes on', () => {
    const b = bench();
    assert.equal(b.in(0xe9), 0xe9);
    for (const c of 'hi') b.out(0xe9, c.charCodeAt(0));
    assert.equal(text(b.p.debugOutput()), 'hi');
    assert.equal(b.p.debugOutput().length, 0);
  });
});

describe('devices: 16550 UART', () => {
  const print = (b: ReturnType<typeof bench>, s: string): void => {
    for (const c of s) b.out(COM1, c.charCodeAt(0));
  };

  it('prints, with an empty transmitter at any time', () => {
    const b = bench();
    assert.equal(b.in(COM1 + 5), 0x60);
    print(b, 'x'.repeat(1000));
    assert.equal(b.in(COM1 + 5), 0x60);
    assert.equal(text(b.p.serialOutput()), 'x'.repeat(1000));
  });

  it('has the divisor latch behind DLAB', () => {
    const b = bench();
    b.out(COM1 + 1, 0x05);
    b.out(COM1 + 3, 0x83);
    b.out(COM1, 0x01);
    b.out(COM1 + 1, 0x02);
    assert.deepEqual([b.in(COM1), b.in(COM1 + 1)], [1, 2]);
    b.out(COM1 + 3, 0x03);
    assert.deepEqual([b.in(COM1 + 1), b.in(COM1 + 3)], [0x05, 0x03]);
    assert.equal(b.p.serialOutput().length, 0);
  });

  it('receives in order, through one register or a FIFO, and loses nothing', () => {
    for (const fifo of [0, 1]) {
      const b = bench();
      b.out(COM1 + 2, fifo);
      const sent = Uint8Array.from({ length: 100 }, (_, i) => i);
      b.p.sendSerial(sent.subarray(0, 60));
      b.p.sendSerial(sent.subarray(60));
      const got: number[] = [];
      while (b.in(COM1 + 5) & 1) got.push(b.in(COM1));
      assert.deepEqual(got, [...sent]);
      assert.equal(b.in(COM1 + 5), 0x60); // no overrun
    }
  });

  it('says in the identification register that it is a 16550A, and why it would interrupt', () => {
    const b = bench();
    assert.equal(b.in(COM1 + 2), 0x01);
    b.out(COM1 + 2, 0x81); // FIFO, trigger level 8
    assert.equal(b.in(COM1 + 2), 0xc1);
    b.out(COM1 + 1, 0x03);
    assert.equal(b.in(COM1 + 2), 0xc2); // transmitter empty …
    assert.equal(b.in(COM1 + 2), 0xc1); // … answered by the read
    print(b, 'a');
    assert.equal(b.in(COM1 + 2), 0xc2);
    b.p.sendSerial(new Uint8Array(7));
    assert.equal(b.in(COM1 + 2), 0xcc); // below the trigger level: time-out
    b.p.sendSerial(new Uint8Array(1));
    assert.equal(b.in(COM1 + 2), 0xc4);
    b.out(COM1 + 2, 0x83); // clear the receiver
    assert.equal(b.in(COM1 + 5) & 1, 0);
    b.out(COM1 + 2, 0);
    assert.equal(b.in(COM1 + 2), 0x01);
  });

  it('loops back data and modem lines, with overrun when nobody reads', () => {
    const b = bench();
    assert.equal(b.in(COM1 + 6), 0xb0);
    b.out(COM1 + 4, 0x10);
    assert.equal(b.in(COM1 + 6), 0x0b); // all lines dropped: deltas of CTS, DSR, DCD
    assert.equal(b.in(COM1 + 6), 0x00);
    b.out(COM1 + 4, 0x1f);
    assert.equal(b.in(COM1 + 6), 0xfb);
    b.out(COM1 + 4, 0x1b); // OUT1 off: trailing edge of the ring indicator
    assert.equal(b.in(COM1 + 6), 0xb4);
    b.p.sendSerial(new Uint8Array([0x99]));
    assert.equal(b.in(COM1 + 5), 0x60); // the line is cut
    b.out(COM1, 0xae);
    assert.equal(b.in(COM1 + 5), 0x61);
    b.out(COM1, 0xaf);
    b.out(COM1 + 1, 0x05);
    assert.equal(b.in(COM1 + 2), 0x06);
    assert.equal(b.in(COM1 + 5), 0x63);
    assert.equal(b.in(COM1 + 5), 0x61); // reading the status cleared it
    assert.equal(b.in(COM1), 0xaf);
    assert.equal(b.p.serialOutput().length, 0);
    b.out(COM1 + 4, 0x03);
    assert.equal(b.in(COM1), 0x99); // what waited on the line arrives now
  });
});

describe('devices: saved state', () => {
  it('is plain data from which another platform goes on alike', () => {
    const a = bench();
    a.out(COM1 + 2, 0x41);
    a.out(COM1 + 1, 0x07);
    a.out(COM1 + 7, 0x5a);
    a.out(0x21, 0xfe);
    a.p.sendSerial(Uint8Array.from({ length: 40 }, (_, i) => i * 3));
    a.in(COM1);
    a.out(0x20, 0x11); // in the middle of an initialisation
    const saved = JSON.parse(JSON.stringify(a.p.save())) as unknown;
    const b = bench();
    b.out(COM1, 0x41);
    b.p.restore(saved);
    assert.equal(b.p.serialOutput().length, 0);
    assert.deepEqual(b.p.save(), a.p.save());
    const play = (x: typeof a): number[] => {
      const seen: number[] = [];
      for (let i = 0; i < 60; i++) seen.push(x.in(COM1 + (i % 8)), x.in(COM1));
      x.out(0x21, 0x20);
      x.out(0x21, 0x04);
      x.out(0x21, 0x01);
      x.out(0x21, 0x77);
      x.out(0xf4, 3);
      return [...seen, x.in(0x21), x.p.exitValue ?? -1];
    };
    assert.deepEqual(play(b), play(a));
    assert.deepEqual(b.p.save(), a.p.save());
  });

  it('of another version is refused with a sentence', () => {
    const b = bench();
    const saved = b.p.save() as { version: number; devices: Record<string, object> };
    assert.throws(() => b.p.restore({ ...saved, version: 1 }), UserError);
    assert.throws(
      () => b.p.restore({ ...saved, devices: { ...saved.devices, uart: { version: 9 } } }),
      /serial port state has version 9, expected 1/,
    );
  });
});
