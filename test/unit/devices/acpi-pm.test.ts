/** The ACPI power-management registers against the ACPI Specification 5.0, 4.8.3, and the PIIX4's places of them. */
import { strict as assert } from 'node:assert';
import { AcpiPm } from '../../../emulator/devices/acpi/acpi-pm';
import { HandTime, LineLog, runTo } from './device-bench';

function bench() {
  const time = new HandTime();
  const sci = new LineLog(time);
  const b = { offs: 0, stops: [] as string[] };
  const pm = new AcpiPm({ time, sci: sci.line, powerOff: () => b.offs++ });
  return Object.assign(b, {
    time,
    sci,
    pm,
    in: (port: number, size = 4) => pm.read(port, size) >>> 0,
    out: (port: number, value: number, size = 2) => pm.write(port, size, value, (sentence) => b.stops.push(sentence)),
    to: (tick: number) => runTo(time, pm, tick),
  });
}

describe('devices: ACPI power management', () => {
  it('has a timer of 24 bits at 3.579545 MHz that takes every size', () => {
    const b = bench();
    assert.equal(b.in(0x608), 0);
    b.to(1e9);
    assert.equal(b.in(0x608), 3_579_545);
    assert.equal(b.in(0x608, 1), 3_579_545 & 0xff);
    assert.equal(b.in(0x60a, 2), 3_579_545 >> 16);
    b.to(5e9);
    assert.equal(b.in(0x608), 17_897_725 - 0x100_0000);
    b.out(0x608, 0xffff_ffff, 4);
    assert.equal(b.in(0x608), 17_897_725 - 0x100_0000);
  });

  it('sets TMR_STS when bit 23 changes; a one clears it', () => {
    const b = bench();
    b.to(2_343_484_437); // 0x80_0000 cycles: 2,343,484,437.27 ns
    assert.equal(b.in(0x600, 2), 0);
    b.to(2_343_484_438);
    assert.equal(b.in(0x600, 2), 1);
    b.out(0x600, 0xfffe);
    assert.equal(b.in(0x600, 2), 1);
    b.out(0x600, 1);
    assert.equal(b.in(0x600, 2), 0);
    assert.equal(b.pm.deadline, Infinity);
    b.to(5e9);
    assert.equal(b.in(0x600, 2), 1);
  });

  it('raises the SCI for an enabled status in ACPI mode only', () => {
    const b = bench();
    b.out(0x602, 0x0001);
    assert.equal(b.in(0x602, 2), 1);
    assert.equal(b.pm.deadline, Infinity);
    b.out(0xb2, 0xf1, 1); // ACPI_ENABLE
    assert.equal(b.in(0x604, 2), 1);
    assert.equal(b.pm.deadline, 2_343_484_438);
    b.to(3e9);
    assert.deepEqual(b.sci.edges, [[2_343_484_438, true]]);
    b.out(0x600, 1);
    assert.equal(b.sci.level, false);
    assert.equal(b.pm.deadline, 4_686_968_875); // 0x100_0000 cycles: …874.54
    b.to(5e9);
    assert.equal(b.sci.level, true);
    b.out(0xb2, 0xf0, 1);
    assert.equal(b.sci.level, false);
    assert.equal(b.in(0x604, 2), 0);
  });

  it('switches off with SLP_EN and SLP_TYP 0; other sleep states stop with a sentence', () => {
    const b = bench();
    b.out(0x604, 0x1c00); // the type alone does nothing
    assert.equal(b.in(0x604, 2), 0x1c00);
    b.out(0x604, 0x2001);
    assert.equal(b.offs, 1);
    assert.equal(b.in(0x604, 2), 1); // SLP_EN reads as zero
    b.out(0x605, 0x20, 1);
    assert.equal(b.offs, 2);
    b.out(0x604, 0x2400);
    assert.equal(b.offs, 2);
    assert.match(b.stops[0], /^Not modelled: sleep state with SLP_TYP 1 \(port 0x604\)/);
  });

  it('stores the SMI command and data, and the general-purpose enables', () => {
    const b = bench();
    b.out(0xb2, 0x5533);
    assert.deepEqual([b.in(0xb2, 1), b.in(0xb3, 1)], [0x33, 0x55]);
    b.out(0xafe2, 0x1234);
    assert.deepEqual([b.in(0xafe0, 2), b.in(0xafe2, 2)], [0, 0x1234]);
    assert.equal(b.in(0xafe0, 4), 0x1234_0000);
  });

  it('goes on alike after saving', () => {
    const a = bench();
    a.out(0x602, 1);
    a.out(0xb2, 0xf1, 1);
    a.to(1e9);
    const b = bench();
    b.time.tick = 1e9;
    b.pm.restore(JSON.parse(JSON.stringify(a.pm.save())));
    for (const x of [a, b]) x.to(9e9);
    assert.deepEqual(b.sci.edges, a.sci.edges);
    assert.deepEqual(b.pm.save(), a.pm.save());
  });
});
