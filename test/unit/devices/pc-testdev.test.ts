/** QEMU's pc-testdev: its port registers, interrupt lines and scratch memory; lines that devices share. */
import { strict as assert } from 'node:assert';
import { PcTestdev } from '../../../emulator/devices/pc-testdev/pc-testdev';
import { PortBus } from '../../../emulator/devices/port-bus/port-bus';
import { SharedLines } from '../../../emulator/devices/shared-lines';

function bench() {
  const edges: [number, boolean][] = [];
  const device = new PcTestdev(Array.from({ length: 24 }, (_, i) => (level: boolean) => void edges.push([i, level])));
  const bus = new PortBus([device]);
  const never = (): void => assert.fail();
  return {
    device,
    edges,
    in: (port: number, size: number) => bus.read(port, size, never),
    out: (port: number, size: number, value: number) => bus.write(port, size, value, never),
  };
}

describe('devices: pc-testdev', () => {
  it('has a register that takes every size', () => {
    const b = bench();
    b.out(0xe0, 4, 0x1234_5678);
    assert.deepEqual([b.in(0xe0, 4), b.in(0xe2, 2), b.in(0xe1, 1)], [0x1234_5678, 0x1234, 0x56]);
    b.out(0xe1, 2, 0xabcd);
    b.out(0xe3, 1, 0xff);
    assert.equal(b.in(0xe0, 4), 0xffab_cd78);
    b.out(0xe4, 4, 0x1000); // flush: nothing to see
    assert.equal(b.in(0xe0, 4), 0xffab_cd78);
    b.out(0xe8, 1, 0x11);
    assert.equal(b.in(0xe8, 1), 0x11);
  });

  it('sets the level of a line by its port', () => {
    const b = bench();
    b.out(0x2004, 1, 1);
    b.out(0x2004, 1, 2);
    b.out(0x2017, 1, 1);
    b.out(0x2004, 1, 0);
    assert.deepEqual(b.edges, [[4, true], [23, true], [4, false]]); // prettier-ignore
  });

  it('has 64 KiB of memory that takes every size', () => {
    const { device } = bench();
    assert.equal(device.mmio.last - device.mmio.first, 0xffff);
    device.writeMmio(0x10, 8, 0x1122_3344_5566_7788n);
    assert.deepEqual([device.readMmio(0x10, 8), device.readMmio(0x13, 2), device.readMmio(0x17, 1)], [0x1122_3344_5566_7788n, 0x4455n, 0x11n]); // prettier-ignore
    device.writeMmio(0xfffe, 4, 0xffff_ffffn); // over the end
    assert.equal(device.readMmio(0xfffe, 4), 0xffff_ffffn);
    const other = bench().device;
    other.restore(JSON.parse(JSON.stringify(device.save())));
    assert.deepEqual(other.save(), device.save());
    assert.equal(other.readMmio(0x10, 8), 0x1122_3344_5566_7788n);
    other.restore(bench().device.save());
    assert.equal(other.readMmio(0x10, 8), 0n);
  });
});

describe('devices: shared lines', () => {
  it('are asserted while one of their sources asserts them', () => {
    const edges: [number, boolean][] = [];
    const lines = new SharedLines((line, level) => edges.push([line, level]));
    const [a, b, other] = [lines.source(9), lines.source(9), lines.source(10)];
    a(true);
    b(true);
    a(true);
    a(false);
    other(true);
    b(false);
    assert.deepEqual(edges, [[9, true], [10, true], [9, false]]); // prettier-ignore
    const saved = lines.save();
    other(false);
    lines.restore(saved);
    other(true);
    assert.equal(edges.length, 4); // it was asserted
  });
});
