/** Interprocessor interrupts, destinations and x2APIC registers: expectations from SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)". */
import { strict as assert } from 'node:assert';
import { type InterruptBench, interruptBench } from './interrupt-bench';

const LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, TPR = 0x80, ICR = 0x300, ICR_HIGH = 0x310, ESR = 0x280; // prettier-ignore
const LOGICAL = 0x800;
const LOWEST = 0x100;

function machine(vcpus = 4): InterruptBench {
  const b = interruptBench(vcpus);
  for (let n = 0; n < vcpus; n++) b.apicWrite(SVR, 0x1ff, n);
  return b;
}
function x2apic(vcpus = 4): InterruptBench {
  const b = machine(vcpus);
  for (let n = 0; n < vcpus; n++) assert.ok(b.system.writeApicBase(n, b.system.apicBase(n) | 0xc00n));
  return b;
}
function send(b: InterruptBench, destination: number, low: number, from = 0): void {
  b.apicWrite(ICR_HIGH, (destination << 24) >>> 0, from);
  b.apicWrite(ICR, low, from);
}
/** Which vCPUs have an interrupt pending; each is taken and ended. */
function receivers(b: InterruptBench): number[] {
  return b.system.localApics
    .map(({ vcpu }) => vcpu)
    .filter((vcpu) => {
      if (b.system.pending(vcpu) < 0) return false;
      b.system.acknowledge(vcpu);
      b.system.endOfInterrupt(vcpu);
      return true;
    });
}

describe('devices: interprocessor interrupts', () => {
  it('go to a physical destination or to all', () => {
    const b = machine();
    send(b, 2, 0x4040);
    assert.deepEqual(receivers(b), [2]);
    send(b, 0, 0x4040);
    assert.deepEqual(receivers(b), [0], 'oneself by number');
    send(b, 9, 0x4040);
    assert.deepEqual(receivers(b), []);
    send(b, 0xff, 0x4040, 3);
    assert.deepEqual(receivers(b), [0, 1, 2, 3]);
  });

  it('go by shorthand, whatever the destination says', () => {
    const b = machine();
    send(b, 2, 0x40040, 1);
    assert.deepEqual(receivers(b), [1]);
    send(b, 2, 0x80040, 1);
    assert.deepEqual(receivers(b), [0, 1, 2, 3]);
    send(b, 2, 0xc0040, 1);
    assert.deepEqual(receivers(b), [0, 2, 3]);
  });

  it('go to logical destinations of the flat model', () => {
    const b = machine();
    for (let n = 0; n < 4; n++) b.apicWrite(LDR, (1 << (24 + n)) >>> 0, n);
    send(b, 0x05, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), [0, 2]);
    send(b, 0xff, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), [0, 1, 2, 3]);
    send(b, 0xf0, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), []);
  });

  it('go to logical destinations of the cluster model', () => {
    const b = machine();
    for (let n = 0; n < 4; n++) {
      b.apicWrite(DFR, 0, n);
      b.apicWrite(LDR, (((n >> 1) << 28) | (1 << (24 + (n & 1)))) >>> 0, n);
    }
    send(b, 0x12, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), [3]);
    send(b, 0x03, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), [0, 1]);
    send(b, 0xf1, LOGICAL | 0x40); // the first of every cluster
    assert.deepEqual(receivers(b), [0, 2]);
    send(b, 0x23, LOGICAL | 0x40);
    assert.deepEqual(receivers(b), []);
  });

  it('find the processor of the lowest priority; of equals the first', () => {
    const b = machine();
    for (let n = 0; n < 4; n++) b.apicWrite(LDR, (1 << (24 + n)) >>> 0, n);
    send(b, 0x0e, LOGICAL | LOWEST | 0x40);
    assert.deepEqual(receivers(b), [1]);
    b.apicWrite(TPR, 0x30, 1);
    b.apicWrite(TPR, 0x20, 2);
    b.apicWrite(TPR, 0x20, 3);
    send(b, 0x0e, LOGICAL | LOWEST | 0x40);
    assert.deepEqual(receivers(b), [2]);
    b.apicWrite(SVR, 0xff, 2);
    send(b, 0x0e, LOGICAL | LOWEST | 0x40);
    assert.deepEqual(receivers(b), [3]);
  });

  it('signal NMI, SMI, INIT and start-up', () => {
    const b = machine();
    send(b, 1, 0x4400);
    send(b, 2, 0x4200);
    send(b, 3, 0xc500);
    send(b, 3, 0x8500); // INIT level de-assert does nothing
    send(b, 3, 0x0500);
    send(b, 3, 0x469a);
    assert.deepEqual(b.take(), ['nmi 1', 'smi 2', 'init 3', 'init 3', 'startUp 3 9a']);
    send(b, 0, 0xc4500);
    send(b, 0, 0xc4608);
    assert.deepEqual(b.take(), ['init 1', 'init 2', 'init 3', 'startUp 1 8', 'startUp 2 8', 'startUp 3 8']);
  });

  it('of reserved modes and combinations are not sent', () => {
    const b = machine();
    for (const low of [0x4300, 0x4700, 0x44400, 0x44500, 0x84400, 0x84601, 0x44140, 0x84140]) send(b, 1, low);
    assert.deepEqual(b.take(), []);
    assert.deepEqual(receivers(b), []);
  });

  it('are always edge-triggered', () => {
    const b = machine();
    send(b, 1, 0xc040);
    assert.equal(b.apicRead(0x180 + 0x20, 1), 0);
    assert.deepEqual([b.apicRead(ICR), b.apicRead(ICR_HIGH)], [0xc040, 0x01000000]);
  });

  it('can be sent as if by the register', () => {
    const b = machine();
    b.system.sendIpi(0, (3n << 56n) | 0x4088n);
    assert.equal(b.system.pending(3), 0x88);
    assert.equal(b.apicRead(ICR), 0);
  });
});

describe('devices: message-signalled interrupts', () => {
  it('carry destination, mode, trigger and vector', () => {
    const b = machine();
    b.system.deliverMsi(0xfee03000, 0x0051);
    assert.deepEqual(receivers(b), [3]);
    b.apicWrite(LDR, 0x04000000, 1);
    b.system.deliverMsi(0xfee0400c, 0x0151);
    assert.deepEqual(receivers(b), [1]);
    b.system.deliverMsi(0xfee02000, 0xc052);
    assert.equal(b.apicRead(0x180 + 0x20, 2), 1 << 18);
    b.system.deliverMsi(0xfee02000, 0x8053); // level-triggered, negated
    assert.deepEqual(receivers(b), [2]);
    b.system.deliverMsi(0xfed00000, 0x0051);
    b.system.deliverMsi(0x1fee00000, 0x0051);
    assert.deepEqual(receivers(b), []);
    b.system.deliverMsi(0xfee01000, 0x0400);
    assert.deepEqual(b.take(), ['nmi 1']);
  });
});

describe('devices: x2APIC', () => {
  it('has registers by MSR alone, each with its access', () => {
    const b = x2apic();
    const readable = [0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, ...range(0x10, 0x28), 0x28, 0x30, ...range(0x32, 0x3a), 0x3e];
    const writable = [0x08, 0x0b, 0x0f, 0x28, 0x30, ...range(0x32, 0x39), 0x3e, 0x3f];
    for (let n = 0; n < 0x100; n++) {
      assert.equal(b.system.readMsr(0, 0x800 + n) !== undefined, readable.includes(n), `RDMSR ${(0x800 + n).toString(16)}`);
      const value = n === 0x3f ? 0x40n : n === 0x30 ? 0x4_0000_4040n : 0n;
      assert.equal(b.system.writeMsr(1, 0x800 + n, value), writable.includes(n), `WRMSR ${(0x800 + n).toString(16)}`);
    }
    const legacy = machine();
    for (let n = 0; n < 0x100; n++) assert.equal(legacy.system.readMsr(0, 0x800 + n), undefined);
    assert.equal(legacy.system.writeMsr(0, 0x808, 0n), false);
  });

  it('refuses reserved bits', () => {
    const b = x2apic();
    for (const [register, good, bad] of [
      [0x08, 0xffn, 0x100n],
      [0x0b, 0n, 1n],
      [0x0f, 0x13ffn, 0x400n],
      [0x28, 0n, 1n],
      [0x32, 0x500ffn, 0x800n],
      [0x32, 0x510ffn, 0x8000n],
      [0x33, 0x107ffn, 0x800n],
      [0x35, 0x1f7ffn, 0x20000n],
      [0x37, 0x110ffn, 0x100n],
      [0x3e, 0xbn, 0x4n],
      [0x3f, 0xffn, 0x100n],
      [0x30, 0x1_0000_0040n, 0x1_0000_1040n],
      [0x30, 0x1_000c_0040n, 0x1_0010_0040n],
      [0x38, 0xffff_ffffn, 0x1_0000_0000n],
      [0x3e, 0n, 1n << 63n],
    ] as const) {
      assert.ok(b.system.writeMsr(0, 0x800 + register, good), `${register.toString(16)} good`);
      assert.ok(!b.system.writeMsr(0, 0x800 + register, bad), `${register.toString(16)} bad`);
    }
    assert.equal(b.system.readMsr(0, 0x835), 0x1a7ffn, 'read-only bits may be set in a write and have no effect');
  });

  it('derives the logical ID from the ID of 32 bits', () => {
    const b = x2apic();
    assert.deepEqual([b.system.readMsr(3, 0x802), b.system.readMsr(3, 0x80d)], [3n, 8n]);
  });

  it('sends by one 64-bit write, with 32-bit destinations', () => {
    const b = x2apic();
    const icr = (vcpu: number, value: bigint) => assert.ok(b.system.writeMsr(vcpu, 0x830, value));
    icr(0, 0x2_0000_0040n);
    assert.deepEqual(receivers(b), [2]);
    assert.equal(b.system.readMsr(0, 0x830), 0x2_0000_0040n);
    icr(0, 0xff_0000_0040n);
    assert.deepEqual(receivers(b), [], 'not a broadcast');
    icr(0, 0xffff_ffff_0000_0040n);
    assert.deepEqual(receivers(b), [0, 1, 2, 3]);
    icr(0, 0x0000_000a_0000_0840n);
    assert.deepEqual(receivers(b), [1, 3]);
    icr(0, 0x0001_000a_0000_0840n);
    assert.deepEqual(receivers(b), [], 'another cluster');
    icr(1, 0x0000_0000_000c_0040n);
    assert.deepEqual(receivers(b), [0, 2, 3]);
  });

  it('has the self-IPI register', () => {
    const b = x2apic();
    assert.ok(b.system.writeMsr(2, 0x83f, 0x91n));
    assert.equal(b.system.pending(2), 0x91);
    assert.ok(b.system.writeMsr(2, 0x83f, 0x0en));
    b.system.writeMsr(2, 0x828, 0n);
    assert.equal(b.system.readMsr(2, 0x828), 0x60n);
  });

  it('keeps on entering what software set, and works beside APICs in xAPIC mode', () => {
    const b = machine(2);
    b.apicWrite(TPR, 0x10);
    b.apicWrite(0x330, 0x45);
    b.apicWrite(ICR_HIGH, 0x01000000);
    b.system.writeApicBase(0, 0xfee00d00n);
    assert.deepEqual([0x808, 0x833, 0x830].map((msr) => b.system.readMsr(0, msr)), [0x10n, 0x45n, 0n]); // prettier-ignore
    b.system.writeMsr(0, 0x830, 0x1_0000_0040n);
    assert.deepEqual(receivers(b), [1]);
    send(b, 0xff, 0x4050, 1);
    assert.deepEqual(receivers(b), [0, 1]);
    send(b, 1, LOGICAL | 0x50, 1);
    assert.deepEqual(receivers(b), [0]);
    assert.equal(b.apicRead(ESR, 1), 0);
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n);
}
