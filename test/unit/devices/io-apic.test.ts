/** The I/O APIC: expectations from the 82093AA data sheet ("Register Description") and the wiring of a PC. */
import { strict as assert } from 'node:assert';
import { type InterruptBench, interruptBench, takeAll } from './interrupt-bench';

const SVR = 0xf0, EOI = 0xb0, LDR = 0xd0, TMR = 0x180; // prettier-ignore
const MASKED = 0x10000;
const LEVEL = 0x8000;
const LOGICAL = 0x800;
const REMOTE_IRR = 0x4000;
const STATUS = 0x1000;

function machine(vcpus = 2): InterruptBench {
  const b = interruptBench(vcpus);
  for (let n = 0; n < vcpus; n++) b.apicWrite(SVR, 0x1ff, n);
  return b;
}
function redirect(b: InterruptBench, pin: number, low: number, destination = 0): void {
  b.ioApicWrite(0x11 + 2 * pin, (destination << 24) >>> 0);
  b.ioApicWrite(0x10 + 2 * pin, low);
}
const entry = (b: InterruptBench, pin: number): number => b.ioApicRead(0x10 + 2 * pin);
const pulse = (b: InterruptBench, line: number): void => {
  b.system.setLine(line, true);
  b.system.setLine(line, false);
};
const end = (b: InterruptBench, vcpu = 0): void => b.apicWrite(EOI, 0, vcpu);

describe('devices: I/O APIC registers', () => {
  it('are after power-up as the data sheet says', () => {
    const b = machine();
    assert.deepEqual([b.ioApicRead(0), b.ioApicRead(1), b.ioApicRead(2)], [0, 0x00170020, 0]);
    for (let pin = 0; pin < 24; pin++) assert.deepEqual([entry(b, pin), b.ioApicRead(0x11 + 2 * pin)], [MASKED, 0]);
    assert.deepEqual([b.ioApicRead(0x40), b.ioApicRead(0xff), b.ioApicRead(3)], [0, 0, 0]);
  });

  it('keep the bits that are writable', () => {
    const b = machine();
    b.ioApicWrite(0, 0xffffffff);
    assert.deepEqual([b.ioApicRead(0), b.ioApicRead(2)], [0x0f000000, 0x0f000000]);
    b.ioApicWrite(1, 0);
    assert.equal(b.ioApicRead(1), 0x00170020);
    for (const pin of [0, 5, 23]) {
      redirect(b, pin, 0xffffffff, 0xff);
      assert.deepEqual([entry(b, pin), b.ioApicRead(0x11 + 2 * pin)], [0x1afff, 0xff000000]);
    }
  });

  it('are reached by an index and a window of 32 bits', () => {
    const b = machine();
    const { ioApic } = b.system;
    ioApic.writeMmio(0, 1, 0x01n);
    assert.deepEqual([ioApic.readMmio(0, 4), ioApic.readMmio(0x10, 2), ioApic.readMmio(0x12, 1)], [1n, 0x20n, 0x17n]);
    assert.deepEqual([ioApic.readMmio(0x10, 8), ioApic.readMmio(0x14, 4), ioApic.readMmio(0x20, 4)], [0x170020n, 0n, 0n]);
    ioApic.writeMmio(0, 4, 0xffff_ff16n);
    assert.equal(ioApic.readMmio(0, 4), 0x16n);
    ioApic.writeMmio(0x10, 1, 0x55n);
    ioApic.writeMmio(0x10, 8, 0x55n);
    assert.equal(entry(b, 3), MASKED);
  });
});

describe('devices: I/O APIC interrupts', () => {
  it('come by edge once for each rise', () => {
    const b = machine();
    redirect(b, 4, 0x44);
    b.system.setLine(4, true);
    assert.deepEqual(takeAll(b), [0x44]);
    end(b);
    assert.deepEqual(takeAll(b), []);
    b.system.setLine(4, false);
    b.system.setLine(4, true);
    assert.deepEqual(takeAll(b), [0x44]);
    assert.equal(entry(b, 4), 0x44);
    assert.equal(b.apicRead(TMR + 0x20), 0);
  });

  it('come by level as long as the line is asserted, one at a time', () => {
    const b = machine();
    redirect(b, 16, LEVEL | 0x52, 1);
    b.system.setLine(16, true);
    assert.equal(entry(b, 16), LEVEL | REMOTE_IRR | 0x52);
    assert.equal(b.apicRead(TMR + 0x20, 1), 1 << 18);
    assert.deepEqual(takeAll(b, 1), [0x52]);
    end(b, 1);
    assert.deepEqual(takeAll(b, 1), [0x52], 'still asserted');
    b.system.setLine(16, false);
    assert.equal(entry(b, 16), LEVEL | REMOTE_IRR | 0x52);
    end(b, 1);
    assert.equal(entry(b, 16), LEVEL | 0x52);
    assert.deepEqual(takeAll(b, 1), []);
  });

  it('share a vector at several inputs', () => {
    const b = machine();
    redirect(b, 17, LEVEL | 0x52);
    redirect(b, 18, LEVEL | 0x52);
    b.system.setLine(17, true);
    b.system.setLine(18, true);
    assert.deepEqual(takeAll(b), [0x52]);
    b.system.setLine(17, false);
    end(b);
    assert.deepEqual([entry(b, 17), entry(b, 18)], [LEVEL | 0x52, LEVEL | REMOTE_IRR | 0x52]);
    assert.deepEqual(takeAll(b), [0x52]);
  });

  it('at a masked input are forgotten by edge, held by level', () => {
    const b = machine();
    redirect(b, 5, MASKED | 0x45);
    redirect(b, 19, MASKED | LEVEL | 0x53);
    b.system.setLine(5, true);
    b.system.setLine(19, true);
    redirect(b, 5, 0x45);
    assert.deepEqual(takeAll(b), []);
    redirect(b, 19, LEVEL | 0x53);
    assert.deepEqual(takeAll(b), [0x53]);
  });

  it('go to physical and logical destinations', () => {
    const b = machine(4);
    for (let n = 0; n < 4; n++) b.apicWrite(LDR, (1 << (24 + n)) >>> 0, n);
    const got = (low: number, destination: number): number[] => {
      redirect(b, 7, low, destination);
      pulse(b, 7);
      return [0, 1, 2, 3].filter((vcpu) => takeAll(b, vcpu).map(() => end(b, vcpu)).length > 0);
    };
    assert.deepEqual(got(0x47, 2), [2]);
    assert.deepEqual(got(0x47, 0xff), [0, 1, 2, 3]);
    assert.deepEqual(got(0x47 | LOGICAL, 0x0a), [1, 3]);
    assert.deepEqual(got(0x147 | LOGICAL, 0x0e), [1], 'lowest priority');
    assert.deepEqual(got(0x47, 7), []);
  });

  it('have every delivery mode; reserved ones deliver nothing', () => {
    const b = machine();
    for (const mode of [2, 3, 4, 5, 6]) {
      redirect(b, 7, mode << 8, 1);
      pulse(b, 7);
    }
    assert.deepEqual(b.take(), ['smi 1', 'nmi 1', 'init 1']);
  });

  it('wait for a local APIC that accepts them', () => {
    const b = machine();
    b.apicWrite(SVR, 0xff, 1);
    redirect(b, 4, 0x44, 1);
    redirect(b, 20, LEVEL | 0x54, 1);
    pulse(b, 4);
    b.system.setLine(20, true);
    assert.deepEqual([entry(b, 4), entry(b, 20)], [STATUS | 0x44, LEVEL | STATUS | 0x54]);
    b.apicWrite(SVR, 0x1ff, 1);
    assert.deepEqual([entry(b, 4), entry(b, 20)], [0x44, LEVEL | REMOTE_IRR | 0x54]);
    assert.deepEqual(takeAll(b, 1), [0x54]);
  });

  it('end by the EOI register where the broadcast is suppressed', () => {
    const b = machine();
    b.apicWrite(SVR, 0x11ff);
    redirect(b, 21, LEVEL | 0x55);
    b.system.setLine(21, true);
    assert.deepEqual(takeAll(b), [0x55]);
    end(b);
    assert.equal(entry(b, 21), LEVEL | REMOTE_IRR | 0x55, 'nobody told the I/O APIC');
    assert.deepEqual(takeAll(b), []);
    b.system.ioApic.writeMmio(0x40, 4, 0x54n);
    assert.deepEqual(takeAll(b), []);
    b.system.ioApic.writeMmio(0x40, 4, 0x55n);
    assert.deepEqual(takeAll(b), [0x55]);
  });

  it('lose their remote IRR by a change to edge', () => {
    const b = machine();
    redirect(b, 21, LEVEL | 0x55);
    b.system.setLine(21, true);
    redirect(b, 21, MASKED | 0x55);
    assert.equal(entry(b, 21), MASKED | 0x55);
    redirect(b, 21, LEVEL | 0x55);
    assert.equal(entry(b, 21), LEVEL | REMOTE_IRR | 0x55, 'asserted: delivered again');
  });

  it('come in at the inputs of a PC: the timer at 2, others at their numbers, the 8259s at 0', () => {
    const b = machine();
    for (let pin = 0; pin < 24; pin++) redirect(b, pin, 0x40 + pin);
    const vectorOf = (line: number): number[] => {
      pulse(b, line);
      const vectors = takeAll(b);
      vectors.forEach(() => end(b));
      return vectors;
    };
    assert.deepEqual(vectorOf(0), [0x42]);
    assert.deepEqual(vectorOf(1), [0x41]);
    assert.deepEqual(vectorOf(2), []);
    for (let line = 3; line < 24; line++) assert.deepEqual(vectorOf(line), [0x40 + line]);
    redirect(b, 2, MASKED);
    b.apicWrite(0x350, MASKED);
    b.out(0x21, 0xfe); // the 8259s' own timer input
    assert.deepEqual(vectorOf(0), [0x40]);
  });

  it('let the 8259s through an input in ExtINT mode, with their spurious vector when the request has gone', () => {
    const b = machine();
    b.apicWrite(0x350, MASKED);
    redirect(b, 0, 0x700, 1);
    b.out(0x21, 0x00);
    b.system.setLine(3, true);
    assert.deepEqual([b.system.pending(0), b.system.pending(1)], [-1, 0x0b]);
    assert.equal(b.system.acknowledge(1), 0x0b);
    assert.equal(b.system.pending(1), -1);
    b.out(0x20, 0x20);
    b.system.setLine(3, false);
    b.system.setLine(3, true);
    b.system.setLine(3, false);
    assert.equal(b.system.pending(1), 0x0f, 'the message stays; input 7 answers');
    assert.equal(b.system.acknowledge(1), 0x0f);
    b.out(0x20, 0x0b);
    assert.equal(b.in(0x20), 0, 'and is not in service');
  });

  it('say that a waiting processor may be interrupted', () => {
    const b = machine();
    assert.equal(b.system.mayInterrupt(0), false);
    redirect(b, 9, LEVEL | 0x49);
    assert.equal(b.system.mayInterrupt(0), true);
  });
});
