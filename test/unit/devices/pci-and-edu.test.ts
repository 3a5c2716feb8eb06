/**
 * PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2 and 6.2.5.1), the PIIX3's interrupt routing, and QEMU's edu device
 * against its documentation.
 */
import { strict as assert } from 'node:assert';
import { Edu, EDU_BASE } from '../../../emulator/devices/edu/edu';
import { PciBus } from '../../../emulator/devices/pci/pci-bus';
import { SharedLines } from '../../../emulator/devices/shared-lines';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { HandTime, runTo } from './device-bench';

const [ADDRESS, DATA] = [0xcf8, 0xcfc];
const EDU_SLOT = 4;

function bench() {
  const time = new HandTime();
  const levels = new Map<number, boolean>();
  const resets: string[] = [];
  const messages: [number, number][] = [];
  const memory = new PhysicalMemory(1 << 20);
  const make = () => {
    const lines = new SharedLines((line, level) => levels.set(line, level));
    const bus = new PciBus({ lines, reset: () => resets.push('reset') });
    const edu = new Edu({ time, memory, bus, message: (address, data) => messages.push([address, data]) });
    return { lines, bus, edu };
  };
  const { bus, edu, lines } = make();
  const select = (device: number, register: number, fn = 0): void =>
    bus.write(ADDRESS, 4, 0x8000_0000 + (device << 11) + (fn << 8) + (register & 0xfc));
  return {
    time,
    levels,
    resets,
    messages,
    memory,
    bus,
    edu,
    lines,
    make,
    config: (device: number, register: number, size = 4, fn = 0) => {
      select(device, register, fn);
      return bus.read(DATA + (register & 3), size);
    },
    setConfig: (device: number, register: number, value: number, size = 4, fn = 0) => {
      select(device, register, fn);
      bus.write(DATA + (register & 3), size, value);
    },
    read: (offset: number, size = 4) => edu.readMmio(offset, size),
    write: (offset: number, value: bigint, size = 4) => edu.writeMmio(offset, size, value),
    /** Which IRQ the device's pin is asserted on. */
    irqs: () => [...levels].filter(([, level]) => level).map(([line]) => line),
  };
}

describe('devices: PCI', () => {
  it('lists the functions of bus 0, and nothing elsewhere', () => {
    const b = bench();
    const found: string[] = [];
    for (let device = 0; device < 32; device++)
      for (let fn = 0; fn < 8; fn++) {
        const id = b.config(device, 0, 4, fn);
        if (id !== 0xffff_ffff) found.push(`${device}.${fn} ${id.toString(16)}`);
      }
    assert.deepEqual(found, ['0.0 12378086', '1.0 70008086', '1.3 71138086', '4.0 11e81234']);
    b.bus.write(ADDRESS, 4, 0x8001_0000); // bus 1
    assert.equal(b.bus.read(DATA, 4), 0xffff_ffff);
    b.bus.write(ADDRESS, 4, 0x0000_0000); // not enabled
    assert.equal(b.bus.read(DATA, 4), 0xffff_ffff);
  });

  it('shows the size of a base address register, and moves the device with it', () => {
    const b = bench();
    assert.equal(b.config(EDU_SLOT, 0x10), EDU_BASE);
    b.setConfig(EDU_SLOT, 0x10, 0xffff_ffff);
    assert.equal(b.config(EDU_SLOT, 0x10) >>> 0, 0xfff0_0000); // 1 MiB of memory, 32 bits, not prefetchable
    b.setConfig(EDU_SLOT, 0x10, 0xfd00_0000);
    assert.deepEqual(b.edu.mmio, { first: 0xfd00_0000, last: 0xfd0f_ffff });
    b.setConfig(EDU_SLOT, 0x04, 0, 2); // no answer in memory
    assert.ok(b.edu.mmio.last < b.edu.mmio.first);
  });

  it('resets the machine by port 0xcf9, on the edge of its bit 2', () => {
    const b = bench();
    b.bus.write(0xcf9, 1, 0x02);
    assert.deepEqual(b.resets, []);
    assert.equal(b.bus.read(0xcf9, 1), 0x02);
    b.bus.write(0xcf9, 1, 0x06);
    assert.deepEqual(b.resets, ['reset']);
  });
});

describe('devices: edu', () => {
  it('identifies itself, and inverts what the liveness check is given', () => {
    const b = bench();
    assert.equal(b.read(0x00), 0x0100_00edn);
    b.write(0x04, 0x1234_5678n);
    assert.equal(b.read(0x04), 0xedcb_a987n);
    assert.equal(b.read(0x00, 1), 0xffn); // dwords alone below 0x80
  });

  it('computes factorials, and interrupts when asked to', () => {
    const b = bench();
    b.write(0x20, 0x80n);
    b.write(0x08, 10n);
    assert.equal(b.read(0x20) & 1n, 1n);
    runTo(b.time, b.edu, 1_000_000);
    assert.equal(b.read(0x20) & 1n, 0n);
    assert.equal(b.read(0x08), 3_628_800n);
    assert.equal(b.read(0x24), 1n);
    assert.equal(b.irqs().length, 1);
    b.write(0x64, 1n);
    assert.deepEqual(b.irqs(), []);
  });

  it('raises INTA# by register 0x60, on the IRQ that the bridge routes it to', () => {
    const b = bench();
    b.write(0x60, 0x10n);
    const [irq] = b.irqs();
    assert.equal(irq, b.config(EDU_SLOT, 0x3c, 1)); // where firmware says that it goes
    // Slot 4, INTA#: PIRQ D, whose route control register is 0x63 of the ISA bridge.
    b.setConfig(1, 0x63, 5, 1);
    assert.deepEqual(b.irqs(), [5]);
    b.setConfig(1, 0x63, 0x80, 1);
    assert.deepEqual(b.irqs(), []);
    b.setConfig(1, 0x63, 9, 1);
    b.setConfig(EDU_SLOT, 0x04, 0x0403, 2); // interrupt disable
    assert.deepEqual(b.irqs(), []);
    assert.equal(b.config(EDU_SLOT, 0x06, 2) & 8, 8); // interrupt status
  });

  it('sends a message instead, when MSI is enabled', () => {
    const b = bench();
    assert.equal(b.config(EDU_SLOT, 0x34, 1), 0x40);
    assert.equal(b.config(EDU_SLOT, 0x40, 1), 0x05);
    b.setConfig(EDU_SLOT, 0x04, 0x0006, 2);
    b.setConfig(EDU_SLOT, 0x44, 0xfee0_1000);
    b.setConfig(EDU_SLOT, 0x4c, 0x0041, 2);
    b.setConfig(EDU_SLOT, 0x42, 0x0001, 2);
    b.write(0x60, 1n);
    assert.deepEqual(b.messages, [[0xfee0_1000, 0x41]]);
    assert.deepEqual(b.irqs(), []);
  });

  it('moves memory by DMA while it is bus master', () => {
    const b = bench();
    b.memory.physWrite(0x3000, Uint8Array.of(1, 2, 3, 4));
    const transfer = (source: bigint, destination: bigint, count: bigint, command: bigint): void => {
      b.write(0x80, source, 8);
      b.write(0x88, destination, 8);
      b.write(0x90, count, 8);
      b.write(0x98, command, 8);
      runTo(b.time, b.edu, b.time.tick + 1_000_000_000);
      assert.equal(b.read(0x98) & 1n, 0n);
    };
    b.setConfig(EDU_SLOT, 0x04, 0x0006, 2);
    transfer(0x3000n, 0x4_0010n, 4n, 1n); // from memory
    transfer(0x4_0010n, 0x5000n, 4n, 3n | 4n); // to memory, interrupt
    assert.deepEqual([...b.memory.physRead(0x5000, 4)], [1, 2, 3, 4]);
    assert.equal(b.read(0x24), 0x100n);
    transfer(0x4_0ffen, 0x6000n, 4n, 3n); // beyond the buffer
    assert.deepEqual([...b.memory.physRead(0x6000, 4)], [0, 0, 0, 0]);
    b.setConfig(EDU_SLOT, 0x04, 0x0002, 2);
    transfer(0x4_0010n, 0x7000n, 4n, 3n); // not bus master
    assert.deepEqual([...b.memory.physRead(0x7000, 4)], [0, 0, 0, 0]);
  });

  it('goes on from a saved state', () => {
    const b = bench();
    b.write(0x08, 5n);
    b.write(0x60, 3n);
    const copy = b.make();
    const plain = JSON.parse(JSON.stringify([b.lines.save(), b.bus.save(), b.edu.save()])) as unknown[];
    copy.lines.restore(plain[0]);
    copy.bus.restore(plain[1]);
    copy.edu.restore(plain[2]);
    assert.deepEqual([copy.lines.save(), copy.bus.save(), copy.edu.save()], [b.lines.save(), b.bus.save(), b.edu.save()]);
    runTo(b.time, copy.edu, 10_000_000);
    assert.equal(copy.edu.readMmio(0x08, 4), 120n);
  });
});
