/** Local APICs: expectations from SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)". */
import { strict as assert } from 'node:assert';
import { interruptBench, takeAll } from './interrupt-bench';

const ID = 0x20, VERSION = 0x30, TPR = 0x80, APR = 0x90, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0; // prettier-ignore
const ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310; // prettier-ignore
const LVT_TIMER = 0x320, LVT_THERMAL = 0x330, LVT_PERFORMANCE = 0x340, LINT0 = 0x350, LINT1 = 0x360, LVT_ERROR = 0x370; // prettier-ignore
const INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0; // prettier-ignore
const SELF = 0x40000;
const MASKED = 0x10000;

function enabled(vcpus = 1, model: Parameters<typeof interruptBench>[1] = {}) {
  const b = interruptBench(vcpus, model);
  for (let n = 0; n < vcpus; n++) b.apicWrite(SVR, 0x1ff, n);
  return b;
}
const selfIpi = (b: ReturnType<typeof enabled>, ...vectors: number[]): void => vectors.forEach((vector) => b.apicWrite(ICR, SELF | vector));

describe('devices: local APIC registers', () => {
  it('are after power-up as the manual says; the boot processor is in virtual wire mode', () => {
    const b = interruptBench(2);
    const at = (offset: number) => b.apicRead(offset, 1);
    assert.deepEqual(
      [at(ID), at(VERSION), at(TPR), at(PPR), at(LDR), at(DFR), at(SVR)],
      [0x01000000, 0x01050014, 0, 0, 0, 0xffffffff, 0xff],
    );
    for (let n = 0; n < 8; n++) assert.deepEqual([at(ISR + 16 * n), at(TMR + 16 * n), at(IRR + 16 * n)], [0, 0, 0]);
    for (const lvt of [LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LINT0, LINT1, LVT_ERROR]) assert.equal(at(lvt), MASKED);
    assert.deepEqual([at(INITIAL), at(CURRENT), at(DIVIDE), at(ICR), at(ICR_HIGH)], [0, 0, 0, 0, 0]);
    assert.deepEqual([b.system.apicBase(0), b.system.apicBase(1)], [0xfee00900n, 0xfee00800n]);
    assert.deepEqual([b.apicRead(SVR), b.apicRead(LINT0), b.apicRead(LINT1)], [0x1ff, 0x8700, 0x8400]);
  });

  it('keep the bits that are writable', () => {
    const b = enabled();
    for (const [offset, value] of [
      [TPR, 0xff],
      [LDR, 0xff000000],
      [DFR, 0xffffffff],
      [SVR, 0x13ff],
      [LVT_TIMER, 0x700ff],
      [LVT_THERMAL, 0x107ff],
      [LVT_PERFORMANCE, 0x107ff],
      [LINT0, 0x1a7ff],
      [LINT1, 0x1a7ff],
      [LVT_ERROR, 0x100ff],
      [ICR_HIGH, 0xff000000],
      [INITIAL, 0xffffffff],
      [DIVIDE, 0xb],
    ]) {
      if (offset === INITIAL) b.apicWrite(LVT_TIMER, MASKED);
      b.apicWrite(offset, 0xffffffff);
      assert.equal(b.apicRead(offset), value, offset.toString(16));
    }
    b.apicWrite(DFR, 0);
    assert.equal(b.apicRead(DFR), 0x0fffffff);
    b.apicWrite(ID, 0x05000000);
    b.apicWrite(VERSION, 0);
    assert.deepEqual([b.apicRead(ID), b.apicRead(VERSION)], [0, 0x01050014]);
  });

  it('are 32 bits wide; other accesses see the bytes that are there and write nothing', () => {
    const b = enabled();
    const m = b.system.mmio[0];
    assert.equal(m.readMmio(VERSION, 1, 0), 0x14n);
    assert.equal(m.readMmio(VERSION + 2, 2, 0), 0x0105n);
    assert.equal(m.readMmio(VERSION + 3, 4, 0), 0x01n);
    assert.equal(m.readMmio(VERSION, 8, 0), 0x01050014n);
    assert.equal(m.readMmio(VERSION + 8, 4, 0), 0n);
    for (const [offset, size] of [
      [TPR, 1],
      [TPR, 2],
      [TPR, 8],
      [TPR + 4, 4],
    ])
      m.writeMmio(offset, size, 0x50n, 0);
    assert.equal(b.apicRead(TPR), 0);
  });

  it('that are reserved set an error bit', () => {
    for (const offset of [0x00, 0x40, 0x290, 0x2f0, 0x3a0, 0x3f0, 0x400, 0xff0]) {
      const b = enabled();
      assert.equal(b.apicRead(offset), 0);
      assert.equal(b.apicRead(ESR), 0, 'latched by a write only');
      b.apicWrite(ESR, 0);
      assert.equal(b.apicRead(ESR), 0x80, offset.toString(16));
      b.apicWrite(ESR, 0);
      assert.equal(b.apicRead(ESR), 0);
      b.apicWrite(offset, 1);
      b.apicWrite(ESR, 0xffffffff);
      assert.equal(b.apicRead(ESR), 0x80);
    }
  });

  it('have a CMCI entry where the model reports CMCI', () => {
    const b = enabled(1, { cmci: true });
    assert.equal(b.apicRead(VERSION), 0x01060014);
    b.apicWrite(0x2f0, 0x4f1);
    assert.equal(b.apicRead(0x2f0), 0x4f1);
  });
});

describe('devices: local APIC priorities', () => {
  it('takes the highest vector first and holds back its class until its end', () => {
    const b = enabled();
    selfIpi(b, 0x31, 0x52, 0x55, 0xe0);
    assert.equal(b.apicRead(IRR + 0x10), 0x20000);
    assert.equal(b.apicRead(IRR + 0x20), 0x240000);
    assert.equal(b.system.pending(0), 0xe0);
    assert.deepEqual(takeAll(b), [0xe0]);
    assert.deepEqual([b.apicRead(ISR + 0x70), b.apicRead(IRR + 0x70), b.apicRead(PPR)], [1, 0, 0xe0]);
    b.apicWrite(EOI, 0);
    assert.deepEqual(takeAll(b), [0x55]);
    assert.equal(b.apicRead(PPR), 0x50);
    selfIpi(b, 0x60);
    assert.deepEqual(takeAll(b), [0x60], 'a higher class interrupts');
    b.apicWrite(EOI, 0);
    assert.deepEqual(takeAll(b), []);
    b.apicWrite(EOI, 0);
    assert.deepEqual(takeAll(b), [0x52]);
    b.apicWrite(EOI, 0);
    assert.deepEqual(takeAll(b), [0x31]);
    b.apicWrite(EOI, 0);
    b.apicWrite(EOI, 0); // nothing in service
    assert.equal(b.apicRead(PPR), 0);
  });

  it('holds back classes up to the task priority', () => {
    const b = enabled();
    selfIpi(b, 0x45);
    b.apicWrite(TPR, 0x4f);
    assert.equal(b.system.pending(0), -1);
    assert.equal(b.apicRead(PPR), 0x4f);
    b.apicWrite(TPR, 0x3f);
    assert.equal(b.system.pending(0), 0x45);
    b.system.acknowledge(0);
    assert.equal(b.apicRead(PPR), 0x40, 'the class in service is higher: its class alone');
    b.apicWrite(TPR, 0x4a);
    assert.equal(b.apicRead(PPR), 0x4a);
  });

  it('shares the task priority with CR8', () => {
    const b = enabled();
    b.system.writeCr8(0, 0xb);
    assert.equal(b.apicRead(TPR), 0xb0);
    b.apicWrite(TPR, 0x7c);
    assert.equal(b.system.readCr8(0), 7);
  });

  it('has an arbitration priority', () => {
    const b = enabled();
    b.apicWrite(TPR, 0x35);
    assert.equal(b.apicRead(APR), 0x35);
    selfIpi(b, 0x61);
    assert.equal(b.apicRead(APR), 0x60);
  });

  it('says when the answer changed, and only then', () => {
    const b = enabled();
    b.changes.length = 0;
    selfIpi(b, 0x61);
    assert.deepEqual(b.changes, [0]);
    selfIpi(b, 0x41);
    assert.deepEqual(b.changes, [0]);
    b.apicWrite(TPR, 0xf0);
    assert.deepEqual(b.changes, [0, 0]);
  });
});

describe('devices: local APIC errors', () => {
  it('has illegal vectors sent and received', () => {
    const b = enabled(2);
    const errors = (vcpu: number) => {
      b.apicWrite(ESR, 0, vcpu);
      return b.apicRead(ESR, vcpu);
    };
    b.apicWrite(ICR_HIGH, 0x01000000);
    b.apicWrite(ICR, 0x0f);
    assert.deepEqual([errors(0), errors(1)], [0x20, 0], 'not sent');
    selfIpi(b, 0x05);
    assert.equal(errors(0), 0x60);
    b.system.deliverMsi(0xfee01000, 0x0003);
    assert.deepEqual([errors(0), errors(1)], [0, 0x40]);
    b.apicWrite(LVT_TIMER, 0x02);
    b.apicWrite(INITIAL, 10);
    assert.equal(errors(0), 0, 'the entry alone is no error');
    b.runTo(20);
    assert.equal(errors(0), 0x40);
    for (let n = 0; n < 2; n++) assert.equal(b.apicRead(IRR, n), 0);
  });

  it('interrupts once until the status register is written', () => {
    const b = enabled();
    b.apicWrite(LVT_ERROR, 0x77);
    b.apicRead(0x40);
    assert.deepEqual(takeAll(b), [0x77]);
    b.apicWrite(EOI, 0);
    b.apicRead(0x50);
    assert.deepEqual(takeAll(b), []);
    b.apicWrite(ESR, 0);
    b.apicRead(0x50);
    assert.deepEqual(takeAll(b), [0x77]);
  });
});

describe('devices: local APIC enabling', () => {
  it('when disabled by software is masked, keeps what it holds, accepts messages that are no interrupts, and can send', () => {
    const b = enabled(2);
    selfIpi(b, 0x61);
    b.apicWrite(LVT_TIMER, 0x40);
    b.apicWrite(SVR, 0xff);
    assert.equal(b.apicRead(LVT_TIMER), 0x10040);
    b.apicWrite(LVT_TIMER, 0x41);
    assert.equal(b.apicRead(LVT_TIMER), 0x10041, 'the mask stays');
    assert.equal(b.system.pending(0), 0x61, 'held, to be handled by the processor');
    selfIpi(b, 0x71);
    b.system.deliverMsi(0xfee00000, 0x0081);
    assert.deepEqual([b.apicRead(IRR + 0x30), b.apicRead(IRR + 0x40)], [2, 0]);
    for (const mode of [0x200, 0x400, 0x500]) b.system.deliverMsi(0xfee00000, mode);
    assert.deepEqual(b.take(), ['smi 0', 'nmi 0', 'init 0']);
    b.apicWrite(ICR_HIGH, 0x01000000);
    b.apicWrite(ICR, 0x4099);
    assert.equal(b.system.pending(1), 0x99);
  });

  it('takes the transitions of IA32_APIC_BASE that the manual allows, and no others', () => {
    const DISABLED = 0x000n, XAPIC = 0x800n, X2APIC = 0xc00n, INVALID = 0x400n; // prettier-ignore
    const path: Record<string, bigint[]> = { disabled: [DISABLED], xapic: [XAPIC], x2apic: [XAPIC, X2APIC] };
    const allowed: Record<string, bigint[]> = {
      disabled: [DISABLED, XAPIC],
      xapic: [DISABLED, XAPIC, X2APIC],
      x2apic: [DISABLED, X2APIC],
    };
    for (const from of Object.keys(path))
      for (const to of [DISABLED, XAPIC, X2APIC, INVALID]) {
        const b = interruptBench();
        for (const step of path[from]) assert.ok(b.system.writeApicBase(0, 0xfee00100n | step));
        const before = b.system.apicBase(0);
        assert.equal(b.system.writeApicBase(0, 0xfee00100n | to), allowed[from].includes(to), `${from} to ${to.toString(16)}`);
        assert.equal(b.system.apicBase(0), allowed[from].includes(to) ? 0xfee00100n | to : before);
      }
  });

  it('refuses reserved bits of IA32_APIC_BASE, and x2APIC where the model has none', () => {
    const b = interruptBench();
    for (const bad of [0x1n, 0x80n, 0x200n, 1n << 46n, 1n << 63n]) assert.equal(b.system.writeApicBase(0, 0xfee00900n | bad), false);
    assert.equal(interruptBench(1, { x2apic: false }).system.writeApicBase(0, 0xfee00d00n), false);
  });

  it('moves its registers with its base, and has none in x2APIC mode or disabled', () => {
    const b = interruptBench();
    assert.deepEqual(b.system.mmio[0].mmio, { first: 0xfee00000, last: 0xfee00fff });
    b.system.writeApicBase(0, 0x3_f000_0900n);
    assert.deepEqual(b.system.mmio[0].mmio, { first: 0x3_f000_0000, last: 0x3_f000_0fff });
    b.system.writeApicBase(0, 0x3_f000_0d00n);
    assert.deepEqual(b.system.mmio[0].mmio, { first: -1, last: -2 });
    b.system.writeApicBase(0, 0x3_f000_0100n);
    assert.deepEqual(b.system.mmio[0].mmio, { first: -1, last: -2 });
  });

  it('is after a global disable as after reset, and the pins are INTR and NMI', () => {
    const b = enabled();
    b.apicWrite(TPR, 0x20);
    selfIpi(b, 0x61);
    b.system.writeApicBase(0, 0xfee00100n);
    assert.equal(b.system.pending(0), -1);
    b.system.deliverMsi(0xfee00000, 0x400);
    assert.deepEqual(b.take(), []);
    b.out(0x21, 0xfe);
    b.system.setLine(0, true);
    assert.equal(b.system.pending(0), 0x08);
    assert.equal(b.system.acknowledge(0), 0x08);
    b.system.nmiLine(true);
    assert.deepEqual(b.take(), ['nmi 0']);
    b.system.writeApicBase(0, 0xfee00900n);
    assert.deepEqual([b.apicRead(SVR), b.apicRead(TPR), b.apicRead(LINT0), b.apicRead(IRR + 0x30)], [0xff, 0, MASKED, 0]);
  });

  it('goes with its processor through INIT, but keeps its base and mode', () => {
    const b = enabled();
    b.apicWrite(TPR, 0x20);
    b.apicWrite(LDR, 0x01000000);
    b.system.writeApicBase(0, 0xfee00d00n);
    b.system.initialize(0);
    assert.equal(b.system.apicBase(0), 0xfee00d00n);
    assert.deepEqual([0x802, 0x808, 0x80d, 0x80f].map((msr) => b.system.readMsr(0, msr)), [0n, 0n, 1n, 0xffn]); // prettier-ignore
  });
});

describe('devices: virtual wire mode and LINT pins', () => {
  const pic = (b: ReturnType<typeof enabled>): void => b.out(0x21, 0x00);

  it('passes the 8259s through LINT0, past the task priority, after the own interrupts', () => {
    const b = interruptBench(2);
    pic(b);
    b.apicWrite(TPR, 0xf0);
    b.system.setLine(1, true);
    assert.deepEqual([b.system.pending(0), b.system.pending(1)], [0x09, -1]);
    b.apicWrite(TPR, 0);
    selfIpi(b, 0x40);
    assert.equal(b.system.pending(0), 0x40);
    assert.deepEqual(takeAll(b), [0x40, 0x09]);
    assert.equal(b.apicRead(ISR), 0, 'no in-service bit for ExtINT');
    b.out(0x20, 0x20);
    b.apicWrite(LINT0, 0x18700);
    b.system.setLine(0, true);
    assert.equal(b.system.pending(0), -1);
    b.apicWrite(LINT0, 0x8700);
    assert.equal(b.system.pending(0), 0x08);
    b.system.setLine(0, false);
    assert.equal(b.system.pending(0), -1);
  });

  it('delivers by the mode of LINT1: NMI, SMI, INIT, fixed', () => {
    const b = interruptBench(2);
    const press = (lvt: number): string[] => {
      b.apicWrite(LINT1, lvt);
      b.system.nmiLine(true);
      b.system.nmiLine(true);
      b.system.nmiLine(false);
      return b.take();
    };
    assert.deepEqual(press(0x8400), ['nmi 0']);
    assert.deepEqual(press(0x10400), []);
    assert.deepEqual(press(0x200), ['smi 0']);
    assert.deepEqual(press(0x500), ['init 0']);
    assert.deepEqual(press(0x300), []);
    assert.deepEqual(press(0x0c7), []);
    assert.deepEqual(takeAll(b), [0xc7]);
  });

  it('has level-triggered fixed interrupts at LINT0 with remote IRR', () => {
    const b = enabled();
    pic(b);
    b.apicWrite(LINT0, 0x8055);
    b.system.setLine(1, true);
    assert.equal(b.apicRead(LINT0), 0xc055);
    assert.equal(b.apicRead(TMR + 0x20), 1 << 21);
    assert.deepEqual(takeAll(b), [0x55]);
    b.apicWrite(EOI, 0);
    assert.equal(b.apicRead(LINT0), 0xc055, 'still asserted: again');
    assert.deepEqual(takeAll(b), [0x55]);
    b.out(0x21, 0xff);
    b.apicWrite(EOI, 0);
    assert.deepEqual([b.apicRead(LINT0), b.system.pending(0)], [0x8055, -1]);
  });

  it('makes an edge at LINT0 of each rise of the line', () => {
    const b = enabled();
    pic(b);
    b.apicWrite(LINT0, 0x0055);
    b.system.setLine(1, true);
    assert.deepEqual(takeAll(b), [0x55]);
    b.apicWrite(EOI, 0);
    assert.deepEqual(takeAll(b), []);
    b.system.setLine(1, false);
    b.system.setLine(1, true);
    assert.deepEqual(takeAll(b), [0x55]);
    assert.equal(b.apicRead(TMR + 0x20), 0);
  });

  it('delivers local events by their entries; a performance interrupt masks its own', () => {
    const b = enabled();
    const apic = b.system.localApics[0];
    b.apicWrite(LVT_PERFORMANCE, 0x400);
    apic.raise(3);
    apic.raise(3);
    assert.deepEqual(b.take(), ['nmi 0']);
    assert.equal(b.apicRead(LVT_PERFORMANCE), 0x10400);
    b.apicWrite(LVT_THERMAL, 0xfa);
    apic.raise(2);
    apic.raise(2);
    assert.deepEqual(takeAll(b), [0xfa]);
    b.apicWrite(LVT_THERMAL, 0x200);
    apic.raise(2);
    assert.deepEqual(b.take(), ['smi 0']);
  });
});
