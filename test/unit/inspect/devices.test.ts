/**
 * What the Devices and Interrupts views say: local APIC (SDM volume 3, "Task and Processor Priorities"), I/O APIC (82093AA data sheet,
 * "IOREDTBL"), 8259A ("OCW3", "Interrupt sequence"), 8254 and the rest, from states written here by hand and from a whole machine.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceRow, textOf } from '../../../emulator/devices/description/device-row';
import { ioApicRows, localApicRows, picRows } from '../../../emulator/devices/description/interrupt-controllers';
import { pitRows } from '../../../emulator/devices/description/timers';
import { IoApic } from '../../../emulator/devices/io-apic/io-apic';
import { Pit } from '../../../emulator/devices/pit/pit';
import { picAfterFirmware } from '../../../emulator/devices/pic/pic-8259';
import type { LocalApicState } from '../../../emulator/devices/local-apic/local-apic';
import { type InspectNode, type Machine, createMachine } from '../../../emulator/index';

const root = join(import.meta.dirname, '../../..');
const bank = (...vectors: number[]): number[] => {
  const words = new Array<number>(8).fill(0);
  for (const vector of vectors) words[vector >> 5] |= 1 << (vector & 31);
  return words;
};
const APIC: LocalApicState = {
  version: 1, apicBase: 0xfee0_0900, tpr: 0, ldr: 0, dfr: 0xffff_ffff, svr: 0x1ff, icr: 0, icrHigh: 0, esr: 0, errors: 0, errorSignalled: 0,
  extInt: 0, lint0: 0, lint1: 0, lvt: new Array<number>(7).fill(0x1_0000), irr: bank(), isr: bank(), tmr: bank(),
  timer: { mode: 0, divide: 0xb, initialCount: 0, count: 0, since: 0, deadlineLow: 0, deadlineHigh: 0 },
}; // prettier-ignore
const text = (rows: readonly DeviceRow[], name: string): string => {
  const row = rows.find((one) => one.name === name);
  assert.ok(row !== undefined, name);
  return `${textOf(row) ?? ''} ${row.words ?? ''}`.trim();
};

describe('devices for a person', () => {
  it('says of the local APIC what is requested, in service, and held back', () => {
    const s = { ...APIC, tpr: 0x20, irr: bank(0x31, 0x45), isr: bank(0x48), tmr: bank(0x45) };
    const rows = localApicRows(s, 2, 0);
    assert.equal(text(rows, 'State'), 'xAPIC registers at 0xfee00000, boot processor');
    assert.equal(text(rows, 'IRR'), '0x45 0x31');
    assert.equal(text(rows, 'ISR'), '0x48');
    assert.equal(text(rows, 'PPR'), '0x40 class 4');
    assert.equal(text(rows, 'Next'), "0x45 held back: class 4 is not above PPR's class 4");
    assert.equal(text(rows.find(({ name }) => name === 'IRR')!.rows!, '0x45'), '69 priority class 4, level-triggered');
    assert.equal(text(localApicRows({ ...s, isr: bank() }, 2, 0), 'Next'), '0x45 goes to the processor');
    assert.match(text(localApicRows({ ...s, apicBase: 0xfee0_0000 }, 2, 0), 'State'), /^disabled/);
    assert.match(text(localApicRows({ ...s, apicBase: 0xfee0_0c00 }, 2, 0), 'State'), /^x2APIC/);
  });

  it('says when its timer expires', () => {
    const timer = { ...APIC.timer, mode: 1, initialCount: 1000, count: 1000, since: 500 };
    const rows = localApicRows({ ...APIC, timer }, 0, 700);
    // Divided by 1 (1011B): it expires at tick 1500.
    assert.equal(text(rows, 'Timer'), 'periodic expires in 800 ns, masked');
    assert.equal(text(rows.find(({ name }) => name === 'Timer')!.rows!, 'Current count'), '0x00000320');
  });

  it('says of the I/O APIC where each input goes', () => {
    const s = new IoApic(() => true).save();
    const low = [...s.low];
    const high = [...s.high];
    low[4] = 0x0000_a921; // vector 21H, lowest priority, logical, active low, level
    high[4] = 0x0300_0000;
    const rows = ioApicRows({ ...s, low, high, levels: 1 << 4 });
    assert.equal(
      text(rows, 'Pin 4 (COM1)'),
      '0x030000000000a921 vector 0x21, delivery mode: lowest priority, destination mode: logical, polarity: active low, trigger: level to 0x03, the line is asserted',
    );
    assert.match(text(rows, 'Pin 5 (IRQ 5)'), /masked$/);
  });

  it('says of the 8259s what they ask for', () => {
    const master = { ...picAfterFirmware(0x20, 4), irr: 0b0001_0010, imr: 0b0000_0010, lines: 0b0001_0010 };
    const rows = picRows({ version: 1, master, slave: picAfterFirmware(0x28, 2), output: 1 });
    assert.equal(text(rows, 'Master'), 'asks for COM1: vector 0x24');
    assert.equal(text(rows, 'Slave'), 'asks for nothing');
    assert.equal(text(rows.find(({ name }) => name === 'Master')!.rows!, 'IRR'), '0x12 keyboard, COM1');
  });

  it('says where a counter of the 8254 stands now', () => {
    const pit = new Pit({ time: { now: () => 0 }, irq: () => undefined });
    pit.write(0x43, 1, 0x34);
    pit.write(0x40, 1, 0xe8);
    pit.write(0x40, 1, 0x03);
    // 1000 cycles of 1.193182 MHz a period; loaded at cycle 1, so that at cycle 201 (168,458 ns) 800 are left.
    const row = pitRows(pit.save(), 168_458).find(({ name }) => name === 'Counter 0 (IRQ 0)')!;
    assert.equal(textOf(row), '0x0320');
    assert.equal(row.words, 'mode 2, rate generator, every 838.095 µs');
  });
});

describe('devices of a machine', () => {
  const walk = (machine: Machine, id: string, visit: (node: InspectNode) => void): void => {
    for (const node of machine.inspect.children(0, id)) {
      visit(node);
      if (node.expandable) walk(machine, node.id, visit);
    }
  };
  it('shows every device, each row once, and changes nothing', async () => {
    const image = readFileSync(join(root, 'test/guests/delivery/devices.elf'));
    const machine = await createMachine({ image, imageName: 'devices', memoryBytes: 32 << 20, cpus: 4 });
    machine.runSlice({ maxSteps: 30_000 });
    const before = machine.hash();
    const saved = machine.save().parts;
    const devices = Object.keys((saved.platform as { devices: Record<string, unknown> }).devices);
    const shown = machine.inspect.children(0, 'devices').map(({ id }) => id.replace('devices/', ''));
    assert.deepEqual([...shown].sort(), [...devices].sort());
    const ids = new Set<string>();
    let rows = 0;
    walk(machine, 'devices', ({ id }) => {
      assert.ok(!ids.has(id), id);
      ids.add(id);
      rows++;
    });
    assert.ok(rows > 150, `${rows}`);
    assert.deepEqual(machine.inspect.children(0, 'devices/none'), []);
    assert.deepEqual(machine.inspect.children(0, 'devices/pit/none'), []);
    assert.equal(machine.hash(), before);
  });

  it('shows gates, pending events and the controllers of a processor under Interrupts', async () => {
    const image = readFileSync(join(root, 'test/guests/delivery/devices.elf'));
    const machine = await createMachine({ image, imageName: 'devices', memoryBytes: 32 << 20, cpus: 2 });
    machine.runSlice({ maxSteps: 1000 });
    const labels = (vcpu: number): string[] => machine.inspect.children(vcpu, 'interrupts').map(({ label }) => label);
    assert.deepEqual(labels(0).slice(-4), ['Pending events', 'Local APIC 0', 'I/O APIC', '8259 interrupt controllers']);
    assert.deepEqual(labels(1).slice(-4), ['Pending events', 'Local APIC 1', 'I/O APIC', '8259 interrupt controllers']);
    const pending = machine.inspect.children(1, 'interrupts/pending').map(({ label }) => label);
    assert.deepEqual(pending.slice(-2), ['Interruptibility', 'RFLAGS.IF']);
  });

  it('says what holds an interrupt back', async () => {
    // The guest keeps IF clear while an interrupt waits; the view must name the reason at some stop.
    const image = readFileSync(join(root, 'test/guests/delivery/delivery.elf'));
    const machine = await createMachine({ image, imageName: 'delivery', memoryBytes: 32 << 20 });
    const seen = new Set<string>();
    for (let n = 0; n < 100_000 && machine.ended === undefined; n++) {
      machine.runSlice({ maxSteps: 7 });
      const node = machine.inspect.children(0, 'interrupts/pending').find(({ label }) => label === 'External interrupt');
      if (node) seen.add(node.description ?? 'is taken');
      if (seen.has('held back: RFLAGS.IF is 0')) break;
    }
    assert.ok(seen.has('held back: RFLAGS.IF is 0'), [...seen].join(' | '));
  });
});
