/** The 8259 pair: expectations from the Intel 8259A data sheet ("Programming the 8259A", "Interrupt Sequence") and the wiring of a PC. */
import { strict as assert } from 'node:assert';
import { type InterruptBench, interruptBench, takeAll } from './interrupt-bench';

const MASTER = 0x20;
const SLAVE = 0xa0;
const NON_SPECIFIC_END = 0x20;
const READ_IRR = 0x0a;
const READ_ISR = 0x0b;

/** Vectors 20H to 2FH, nothing masked. */
function initialised(icw4 = 0x01): InterruptBench {
  const b = interruptBench();
  b.out(MASTER, 0x11);
  b.out(MASTER + 1, 0x20, 0x04, icw4);
  b.out(SLAVE, 0x11);
  b.out(SLAVE + 1, 0x28, 0x02, icw4 & ~0x10);
  return b;
}
function registers(b: InterruptBench): { irr: number; isr: number } {
  b.out(MASTER, READ_ISR);
  b.out(SLAVE, READ_ISR);
  const isr = b.in(MASTER) | (b.in(SLAVE) << 8);
  b.out(MASTER, READ_IRR);
  b.out(SLAVE, READ_IRR);
  return { irr: b.in(MASTER) | (b.in(SLAVE) << 8), isr };
}
const raise = (b: InterruptBench, ...irqs: number[]): void => irqs.forEach((irq) => b.system.setLine(irq, true));
const lower = (b: InterruptBench, ...irqs: number[]): void => irqs.forEach((irq) => b.system.setLine(irq, false));
const end = (b: InterruptBench): void => {
  b.out(SLAVE, NON_SPECIFIC_END);
  b.out(MASTER, NON_SPECIFIC_END);
};

describe('devices: 8259 pair', () => {
  it('is left by firmware initialised, with every input masked', () => {
    const b = interruptBench();
    assert.deepEqual([b.in(MASTER + 1), b.in(SLAVE + 1)], [0xff, 0xff]);
    raise(b, 0, 9);
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER + 1, 0xfe);
    assert.equal(b.system.pending(0), 0x08);
    b.out(MASTER + 1, 0xfb);
    b.out(SLAVE + 1, 0xfd);
    assert.equal(b.system.pending(0), 0x71);
  });

  it('takes an acknowledge cycle from request to service, and ends it', () => {
    const b = initialised();
    raise(b, 1);
    assert.deepEqual(registers(b), { irr: 0x02, isr: 0 });
    assert.equal(b.system.pending(0), 0x21);
    assert.equal(b.system.acknowledge(0), 0x21);
    assert.deepEqual(registers(b), { irr: 0, isr: 0x02 });
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.deepEqual(registers(b), { irr: 0, isr: 0 });
    assert.equal(b.system.pending(0), -1, 'an edge asks once');
    lower(b, 1);
    raise(b, 1);
    assert.equal(b.system.pending(0), 0x21);
  });

  it('is fully nested: input 0 highest, the slave between inputs 1 and 3, and what is in service holds back its equals and lower ones', () => {
    const b = initialised();
    raise(b, 7, 3, 8, 15, 1, 0);
    const order: number[] = [];
    while (b.system.pending(0) >= 0) {
      order.push(b.system.acknowledge(0));
      assert.equal(b.system.pending(0), -1);
      end(b);
    }
    assert.deepEqual(order, [0x20, 0x21, 0x28, 0x2f, 0x23, 0x27]);
    lower(b, 0, 1, 3);
    raise(b, 3);
    assert.equal(b.system.acknowledge(0), 0x23);
    raise(b, 1);
    assert.equal(b.system.acknowledge(0), 0x21, 'a higher one interrupts');
    assert.equal(registers(b).isr, 0x0a);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(registers(b).isr, 0x08, 'the highest in service ends');
  });

  it('cascades: both are in service, both must be ended', () => {
    const b = initialised();
    raise(b, 12);
    assert.deepEqual(registers(b), { irr: 0x1004, isr: 0 });
    assert.equal(b.system.acknowledge(0), 0x2c);
    assert.deepEqual(registers(b), { irr: 0, isr: 0x1004 });
    raise(b, 9); // higher at the slave, but the master holds its input 2 back
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(b.system.acknowledge(0), 0x29);
    b.out(SLAVE, NON_SPECIFIC_END);
    assert.equal(registers(b).isr, 0x1004);
  });

  it('lets the slave interrupt itself in special fully nested mode', () => {
    const b = initialised(0x11);
    raise(b, 12);
    assert.equal(b.system.acknowledge(0), 0x2c);
    raise(b, 9);
    assert.equal(b.system.acknowledge(0), 0x29);
    raise(b, 14);
    assert.equal(b.system.pending(0), -1);
    b.out(SLAVE, NON_SPECIFIC_END);
    b.out(SLAVE, READ_ISR);
    assert.equal(b.in(SLAVE), 0x10, 'not the last one: the master is not ended yet');
  });

  it('masks in IMR, not in IRR', () => {
    const b = initialised();
    b.out(MASTER + 1, 0x02);
    raise(b, 1);
    assert.equal(b.system.pending(0), -1);
    assert.equal(registers(b).irr, 0x02);
    b.out(MASTER + 1, 0);
    assert.equal(b.system.pending(0), 0x21);
  });

  it('ends a level by its number', () => {
    const b = initialised();
    raise(b, 3);
    b.system.acknowledge(0);
    raise(b, 1);
    b.system.acknowledge(0);
    b.out(MASTER, 0x63);
    assert.equal(registers(b).isr, 0x02);
    b.out(MASTER, 0x65); // not in service
    assert.equal(registers(b).isr, 0x02);
  });

  it('rotates on a non-specific end of interrupt', () => {
    const b = initialised();
    raise(b, 3, 4);
    assert.equal(b.system.acknowledge(0), 0x23);
    lower(b, 3);
    raise(b, 3);
    b.out(MASTER, 0xa0);
    assert.equal(b.system.acknowledge(0), 0x24, 'input 3 has the lowest priority now, 4 the highest');
    b.out(MASTER, 0xa0);
    assert.equal(b.system.acknowledge(0), 0x23);
  });

  it('rotates on a specific end, and by the set-priority command', () => {
    const b = initialised();
    raise(b, 5);
    b.system.acknowledge(0);
    b.out(MASTER, 0xe5); // ends 5, which becomes lowest
    assert.equal(registers(b).isr, 0);
    raise(b, 6, 0);
    assert.deepEqual(takeAll(b), [0x26]);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.deepEqual(takeAll(b), [0x20]);
    b.out(MASTER, NON_SPECIFIC_END);
    lower(b, 0, 5, 6);
    b.out(MASTER, 0xc0); // 0 lowest: 1 highest
    raise(b, 0, 7);
    assert.equal(b.system.pending(0), 0x27);
  });

  it('ends by itself in automatic mode, and rotates there when told to', () => {
    const b = initialised(0x03);
    raise(b, 1, 3);
    assert.deepEqual(takeAll(b), [0x21, 0x23]);
    assert.deepEqual(registers(b), { irr: 0, isr: 0 });
    raise(b, 8);
    assert.deepEqual(takeAll(b), [0x28]);
    assert.equal(registers(b).isr, 0);
    b.out(MASTER, 0x80); // rotate in automatic mode: set
    lower(b, 1, 3);
    raise(b, 3);
    takeAll(b);
    lower(b, 3);
    raise(b, 1, 3, 4);
    assert.deepEqual(takeAll(b), [0x24, 0x21, 0x23]);
    b.out(MASTER, 0x00); // clear: the order stays where it is, input 3 lowest
    lower(b, 1, 4);
    raise(b, 1, 4);
    assert.deepEqual(takeAll(b), [0x24, 0x21]);
  });

  it('in special mask mode lets every input interrupt that is not masked', () => {
    const b = initialised();
    raise(b, 1);
    b.system.acknowledge(0);
    raise(b, 5);
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER + 1, 0x02);
    b.out(MASTER, 0x68);
    assert.equal(b.system.acknowledge(0), 0x25);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(registers(b).isr, 0x02, 'a masked input is not ended by a non-specific command');
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(registers(b).isr, 0x02);
    b.out(MASTER, 0x48); // special mask off
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(registers(b).isr, 0);
  });

  it('is polled: the read acknowledges', () => {
    const b = initialised();
    raise(b, 4, 10);
    b.out(MASTER, 0x0c);
    assert.equal(b.in(MASTER), 0x82);
    b.out(SLAVE, 0x0c);
    assert.equal(b.in(SLAVE), 0x82);
    assert.equal(registers(b).isr, 0x0404);
    end(b);
    b.out(MASTER, 0x0c);
    assert.equal(b.in(MASTER + 1), 0x84);
    b.out(MASTER, NON_SPECIFIC_END);
    b.out(MASTER, 0x0c);
    assert.equal(b.in(MASTER), 0x07, 'no request');
    assert.equal(registers(b).isr, 0);
  });

  it('gives the vector of input 7 when a request does not wait for its acknowledge cycle', () => {
    const b = initialised();
    raise(b, 3);
    lower(b, 3);
    assert.equal(b.system.pending(0), -1);
    assert.equal(b.system.pic.acknowledge(), 0x27);
    assert.equal(registers(b).isr, 0, 'nothing is in service for it');
  });

  it('requests by level where ELCR says so', () => {
    const b = initialised();
    b.out(0x4d0, 0xff);
    b.out(0x4d1, 0xff);
    assert.deepEqual([b.in(0x4d0), b.in(0x4d1)], [0xf8, 0xde], 'timer, keyboard, cascade, clock and coprocessor are edge-triggered');
    assert.equal(b.in(0x4d0, 2), 0xdef8);
    raise(b, 5);
    assert.equal(b.system.acknowledge(0), 0x25);
    assert.deepEqual(registers(b), { irr: 0x20, isr: 0x20 });
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(b.system.acknowledge(0), 0x25, 'the level is still there');
    lower(b, 5);
    b.out(MASTER, NON_SPECIFIC_END);
    assert.equal(b.system.pending(0), -1);
    raise(b, 11);
    assert.equal(b.system.acknowledge(0), 0x2b);
    end(b);
    assert.equal(b.system.acknowledge(0), 0x2b);
  });

  it('forgets with ICW1 what was masked, in service, requested by an edge, and the rotation', () => {
    const b = initialised();
    b.out(MASTER + 1, 0xc0);
    b.out(MASTER, 0xc3);
    b.out(MASTER, 0x68);
    raise(b, 1, 4);
    b.system.acknowledge(0);
    b.out(MASTER, READ_ISR);
    b.out(MASTER, 0x11);
    assert.equal(b.in(MASTER), 0, 'reads IRR again: edges are forgotten');
    assert.equal(b.system.pending(0), -1);
    b.out(MASTER + 1, 0x40, 0x04, 0x01);
    assert.equal(b.in(MASTER + 1), 0);
    assert.equal(b.system.pending(0), -1, 'an input must rise anew');
    lower(b, 1, 4);
    raise(b, 1, 4);
    assert.equal(b.system.acknowledge(0), 0x41);
    assert.equal(registers(b).isr, 0x02);
  });

  it('without ICW4 has its functions off; single has no ICW3 and no cascade', () => {
    const b = initialised(0x03);
    b.out(MASTER, 0x10);
    b.out(MASTER + 1, 0x20, 0x04);
    raise(b, 1);
    b.system.acknowledge(0);
    assert.equal(registers(b).isr, 0x02, 'no automatic end');
    b.out(MASTER + 1, 0xaa);
    assert.equal(b.in(MASTER + 1), 0xaa);
    b.out(MASTER, 0x13);
    b.out(MASTER + 1, 0x60, 0x01);
    b.out(MASTER + 1, 0x00);
    raise(b, 9);
    assert.equal(b.system.acknowledge(0), 0x62, 'input 2 is an input like the others');
  });

  it('tells of a slave whose number nobody calls by an empty bus', () => {
    const b = initialised();
    b.out(SLAVE, 0x11);
    b.out(SLAVE + 1, 0x28, 0x05, 0x01);
    raise(b, 9);
    assert.equal(b.system.acknowledge(0), 0xff);
  });
});
