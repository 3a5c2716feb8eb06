/** The firmware configuration device against QEMU's documentation of it ("QEMU Firmware Configuration (fw_cfg) Device"). */
import { strict as assert } from 'node:assert';
import { FwCfg } from '../../../emulator/devices/fw-cfg/fw-cfg';
import { fwCfgItems } from '../../../emulator/devices/fw-cfg/fw-cfg-items';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';

function bench() {
  const memory = new PhysicalMemory(1 << 20);
  const items = fwCfgItems({
    memoryBytes: 0x1234_5000,
    vcpuCount: 3,
    kernel: { address: 0x10_0000, entry: 0x10_0010, bytes: Uint8Array.of(1, 2, 3) },
    initrd: { address: 0x9500, bytes: Uint8Array.of(9, 8) },
    cmdline: 'a b',
    files: [{ name: 'opt/nested/flag', bytes: Uint8Array.of(0x42) }],
  });
  const device = new FwCfg(items, memory);
  const select = (key: number): void => device.write(0x510, 2, key);
  const bytes = (n: number): number[] => Array.from({ length: n }, () => device.read(0x511, 1));
  return {
    memory,
    device,
    select,
    bytes,
    item: (key: number, n: number) => (select(key), bytes(n)),
    /** Address of the structure, big endian halves as a guest writes them. */
    dma: (address: number) => {
      const swapped = new DataView(new ArrayBuffer(4));
      swapped.setUint32(0, address);
      device.write(0x514, 4, 0);
      device.write(0x518, 4, swapped.getUint32(0, true));
    },
  };
}
/** FWCfgDmaAccess at 0x8000. */
function structure(memory: PhysicalMemory, control: number, length: number, address: number): void {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, control);
  view.setUint32(4, length);
  view.setUint32(12, address);
  memory.physWrite(0x8000, new Uint8Array(view.buffer));
}

describe('devices: fw_cfg', () => {
  it('tells who it is, how much memory and how many processors there are', () => {
    const b = bench();
    assert.deepEqual(b.item(0x00, 5), [0x51, 0x45, 0x4d, 0x55, 0]); // QEMU, then zeros
    assert.deepEqual(b.item(0x01, 4), [3, 0, 0, 0]); // traditional and DMA
    assert.deepEqual(b.item(0x03, 8), [0x00, 0x50, 0x34, 0x12, 0, 0, 0, 0]);
    assert.deepEqual(b.item(0x05, 2), [3, 0]);
    assert.deepEqual(b.item(0x0f, 2), [3, 0]);
    assert.deepEqual(b.item(0x7777, 2), [0, 0]);
    b.device.write(0x511, 1, 0xff); // nothing is written
    assert.deepEqual(b.item(0x05, 2), [3, 0]);
  });

  it('has kernel, boot information and command line', () => {
    const b = bench();
    assert.deepEqual(b.item(0x07, 4), [0, 0, 0x10, 0]);
    assert.deepEqual(b.item(0x10, 4), [0x10, 0, 0x10, 0]);
    assert.deepEqual([b.item(0x08, 4), b.item(0x11, 4)], [[3, 0, 0, 0], [1, 2, 3, 0]]); // prettier-ignore
    assert.deepEqual([b.item(0x0a, 2), b.item(0x0b, 1), b.item(0x12, 2)], [[0x00, 0x95], [2], [9, 8]]);
    assert.deepEqual([b.item(0x14, 1), b.item(0x15, 4)], [[4], [0x61, 0x20, 0x62, 0]]);
  });

  it('lists its files by name, big endian', () => {
    const b = bench();
    assert.deepEqual(b.item(0x19, 4), [0, 0, 0, 2]);
    const entry = b.bytes(64);
    assert.deepEqual(entry.slice(0, 8), [0, 0, 0, 20, 0, 0x20, 0, 0]);
    assert.equal(String.fromCharCode(...entry.slice(8, 17)), 'etc/e820\0');
    assert.deepEqual(b.bytes(8), [0, 0, 0, 1, 0, 0x21, 0, 0]);
    assert.deepEqual(b.item(0x21, 1), [0x42]);
    assert.deepEqual(b.item(0x20, 20), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x34, 0x12, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  it('copies by DMA: select, read, skip; its address register says QEMU CFG', () => {
    const b = bench();
    assert.deepEqual([b.device.read(0x514, 4), b.device.read(0x518, 4)], [0x554d_4551, 0x4746_4320]);
    b.memory.physWrite(0x9000, new Uint8Array(8).fill(0xee));
    structure(b.memory, 0x0000_000a, 6, 0x9000); // select item 0, read
    b.dma(0x8000);
    assert.deepEqual([...b.memory.physRead(0x8000, 4)], [0, 0, 0, 0]);
    assert.deepEqual([...b.memory.physRead(0x9000, 8)], [0x51, 0x45, 0x4d, 0x55, 0, 0, 0xee, 0xee]);
    structure(b.memory, (0x03 << 16) | 0x0c, 1, 0); // select the memory size, skip a byte
    b.dma(0x8000);
    assert.deepEqual(b.bytes(2), [0x50, 0x34]);
    structure(b.memory, 0x02, 2, 0x9000); // go on
    b.dma(0x8000);
    assert.deepEqual([...b.memory.physRead(0x9000, 2)], [0x12, 0]);
  });

  it('answers with the error bit where it cannot copy, and leaves items alone', () => {
    const b = bench();
    for (const [control, address] of [
      [0x0a, 0xf_fffe],
      [0x18, 0x9000],
    ] as const) {
      // prettier-ignore
      structure(b.memory, control, 4, address);
      b.dma(0x8000);
      assert.deepEqual([...b.memory.physRead(0x8000, 4)], [0, 0, 0, 1]);
    }
    assert.deepEqual(b.item(0, 4), [0x51, 0x45, 0x4d, 0x55]);
    b.dma(0x7fff_fff0); // no structure there
  });

  it('goes on alike after saving', () => {
    const a = bench();
    a.item(0x00, 2);
    const b = bench();
    b.device.restore(JSON.parse(JSON.stringify(a.device.save())));
    assert.deepEqual(b.bytes(2), [0x4d, 0x55]);
  });
});
