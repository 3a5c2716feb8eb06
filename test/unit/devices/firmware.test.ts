/**
 * What the firmware leaves in memory, read as a kernel reads it, with offsets taken from the ACPI Specification 6.0 (5.2) and the MultiProcessor
 * Specification 1.4 (chapter 4); and the same tables linked by the script of the firmware configuration device.
 */
import { strict as assert } from 'node:assert';
import { type FirmwareMachine } from '../../../emulator/devices/firmware/acpi-tables';
import { firmwareFiles, writeFirmwareArea } from '../../../emulator/devices/firmware/firmware-area';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';

const machine: FirmwareMachine = { memoryBytes: 16 << 20, vcpuCount: 3, cpuSignature: 0x50654 };
function firmware(): { bytes: Uint8Array; view: DataView } {
  const memory = new PhysicalMemory(1 << 20);
  writeFirmwareArea(memory, machine);
  const bytes = memory.physRead(0, 1 << 20);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}
const text = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));
const sum = (bytes: Uint8Array, at: number, length: number): number => bytes.subarray(at, at + length).reduce((a, b) => (a + b) & 0xff, 0);
const scan = (bytes: Uint8Array, signature: string): number => {
  for (let at = 0xe0000; at < 0x100000; at += 16) if (text(bytes, at, signature.length) === signature) return at;
  assert.fail(`no ${signature}`);
};

/** Tables by signature: those of the XSDT, which must be those of the RSDT, and the DSDT. */
function tablesBelow(bytes: Uint8Array, root: number): Map<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  assert.equal(text(bytes, root, 8), 'RSD PTR ');
  assert.equal(sum(bytes, root, 20), 0);
  assert.equal(sum(bytes, root, 36), 0);
  const entries = (table: number, signature: string, size: number): number[] => {
    assert.equal(text(bytes, table, 4), signature);
    const count = (view.getUint32(table + 4, true) - 36) / size;
    return Array.from({ length: count }, (_, i) =>
      size === 8 ? Number(view.getBigUint64(table + 36 + i * 8, true)) : view.getUint32(table + 36 + i * 4, true),
    );
  };
  const list = entries(Number(view.getBigUint64(root + 24, true)), 'XSDT', 8);
  assert.deepEqual(entries(view.getUint32(root + 16, true), 'RSDT', 4), list);
  const found = new Map(list.map((at) => [text(bytes, at, 4), at]));
  const fadt = found.get('FACP') ?? assert.fail();
  assert.equal(view.getUint32(fadt + 40, true), Number(view.getBigUint64(fadt + 140, true)));
  found.set('DSDT', view.getUint32(fadt + 40, true));
  for (const [signature, at] of found) assert.equal(sum(bytes, at, view.getUint32(at + 4, true)), 0, signature);
  const facs = view.getUint32(fadt + 36, true);
  assert.equal(text(bytes, facs, 4), 'FACS');
  assert.equal(facs % 64, 0);
  return found;
}

describe('devices: firmware tables', () => {
  it('has ACPI tables that sum up to zero and say what the machine is', () => {
    const { bytes, view } = firmware();
    const tables = tablesBelow(bytes, scan(bytes, 'RSD PTR '));
    assert.deepEqual([...tables.keys()], ['FACP', 'APIC', 'HPET', 'DSDT']);
    const fadt = tables.get('FACP')!;
    assert.equal(view.getUint32(fadt + 4, true), 244);
    const ports = [48, 56, 64, 76, 80].map((at) => view.getUint32(fadt + at, true));
    assert.deepEqual(ports, [0xb2, 0x600, 0x604, 0x608, 0xafe0]);
    assert.deepEqual([view.getUint16(fadt + 46, true), bytes[fadt + 52], bytes[fadt + 53]], [9, 0xf1, 0xf0]);
    // Reset register: eight bits of I/O space at 0xcf9, value 6.
    assert.deepEqual([...bytes.subarray(fadt + 116, fadt + 129)], [1, 8, 0, 0, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6]);
    const hpet = tables.get('HPET')!;
    assert.deepEqual([view.getUint32(hpet + 36, true), view.getUint32(hpet + 44, true)], [0x8086a201, 0xfed00000]);
    assert.equal(text(bytes, tables.get('DSDT')! + 36, 1), '\x10'); // begins with a scope
  });

  it('lists processors, the I/O APIC and its overrides in the MADT', () => {
    const { bytes, view } = firmware();
    const madt = tablesBelow(bytes, scan(bytes, 'RSD PTR ')).get('APIC')!;
    assert.deepEqual([view.getUint32(madt + 36, true), view.getUint32(madt + 40, true)], [0xfee00000, 1]);
    const entries: number[][] = [];
    const end = madt + view.getUint32(madt + 4, true);
    for (let at = madt + 44; at < end; at += bytes[at + 1]) entries.push([...bytes.subarray(at, at + bytes[at + 1])]);
    assert.deepEqual(entries, [
      [0, 8, 0, 0, 1, 0, 0, 0],
      [0, 8, 1, 1, 1, 0, 0, 0],
      [0, 8, 2, 2, 1, 0, 0, 0],
      [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
      [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
      ...[5, 9, 10, 11].map((irq) => [2, 10, 0, irq, irq, 0, 0, 0, 0x0d, 0]),
      [4, 6, 0xff, 0, 0, 1],
    ]);
  });

  it('has an MP table that agrees', () => {
    const { bytes, view } = firmware();
    const pointer = scan(bytes, '_MP_');
    assert.equal(sum(bytes, pointer, 16), 0);
    const table = view.getUint32(pointer + 4, true);
    assert.equal(text(bytes, table, 4), 'PCMP');
    assert.equal(sum(bytes, table, view.getUint16(table + 4, true)), 0);
    assert.equal(view.getUint32(table + 36, true), 0xfee00000);
    const counts = [0, 0, 0, 0, 0];
    let at = table + 44;
    for (let i = 0; i < view.getUint16(table + 34, true); i++) {
      counts[bytes[at]]++;
      at += bytes[at] === 0 ? 20 : 8;
    }
    assert.equal(at, table + view.getUint16(table + 4, true));
    // ISA's lines but the cascade and the two that PCI uses.
    assert.deepEqual(counts, [3, 2, 1, 31 * 4 + 13, 2]);
  });

  it('gives the same tables through the linker script, wherever a firmware puts them', () => {
    const files = new Map(firmwareFiles(machine).map(({ name, bytes }) => [name, bytes.slice()]));
    const script = files.get('etc/table-loader') ?? assert.fail();
    const memory = new Uint8Array(0x10000);
    const places = new Map<string, number>();
    let free = 0x3000;
    const name = (at: number): string => text(script, at, 56).replace(/\0.*/s, '');
    for (let at = 0; at < script.length; at += 128) {
      const view = new DataView(script.buffer, script.byteOffset + at, 128);
      const file = name(at + 4);
      const place = places.get(file) ?? 0;
      const out = new DataView(memory.buffer);
      switch (view.getUint32(0, true)) {
        case 1: {
          const alignment = view.getUint32(60, true);
          free = Math.ceil(free / alignment) * alignment;
          places.set(file, free);
          memory.set(files.get(file)!, free);
          free += files.get(file)!.length;
          break;
        }
        case 2: {
          const offset = place + view.getUint32(116, true);
          const target = places.get(name(at + 60))!;
          if (view.getUint8(120) === 8) out.setBigUint64(offset, out.getBigUint64(offset, true) + BigInt(target), true);
          else out.setUint32(offset, out.getUint32(offset, true) + target, true);
          break;
        }
        case 3: {
          const [offset, first, length] = [60, 64, 68].map((field) => view.getUint32(field, true));
          memory[place + offset] = -sum(memory, place + first, length);
          break;
        }
        default:
          assert.fail('unknown command');
      }
    }
    assert.deepEqual([...tablesBelow(memory, places.get('etc/acpi/rsdp')!).keys()], ['FACP', 'APIC', 'HPET', 'DSDT']);
  });

  it('fills the words of the BIOS data area that kernels read', () => {
    const { view } = firmware();
    assert.deepEqual([0x400, 0x402, 0x40e, 0x413].map((at) => view.getUint16(at, true)), [0x3f8, 0x2f8, 0x9fc0, 639]); // prettier-ignore
  });
});
