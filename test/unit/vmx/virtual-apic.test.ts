/** APIC virtualization: SDM volume 3, chapter "APIC Virtualization and Virtual Interrupts", section by section; expectations by hand from its text. */
import { strict as assert } from 'node:assert';
import { ApicAccessType } from '../../../emulator/mmu/apic-access-page';
import { State } from '../../../emulator/spec/vcpu-state';
import { entered, exit, INTERRUPT_VECTOR, type Bench, type Values } from './vmx-bench';

const PRIMARY = 0x8400_6172;
const PAGE = 0x7000;
const ACCESS = 0x8000;
const TPR_SHADOW = 1 << 21;
const ACCESSES = 1;
const X2APIC = 0x10;
const REGISTERS = 0x100;
const DELIVERY = 0x200;

function guest(secondary: number, values: Values = {}, prepare?: (b: Bench) => void): Bench {
  const common: Values = {
    primaryProcessorBasedVmExecutionControls: (PRIMARY | TPR_SHADOW) >>> 0,
    secondaryProcessorBasedVmExecutionControls: secondary | 2,
    pinBasedVmExecutionControls: 0x17,
    virtualApicAddress: PAGE,
    apicAccessAddress: ACCESS,
  };
  return entered({ ...common, ...values }, prepare);
}
const word = (b: Bench, offset: number): number => b.memory.read32(PAGE + offset);
const put = (b: Bench, offset: number, value: number): void => b.memory.write32(PAGE + offset, value);
/** Reason and qualification of the trap-like VM exit that is due. */
const due = (b: Bench): readonly bigint[] | undefined =>
  b.vmx.atBoundary(b.cpu, 'apic') ? [b.get('vmExitReason'), b.get('exitQualification')] : undefined;
const redirect = (b: Bench, offset: number, bytes: number, type: number): number => b.vmx.apicAccesses.redirect(b.cpu, offset, bytes, type);
const store = (b: Bench, offset: number, value: number): void => {
  assert.equal(redirect(b, offset, 4, ApicAccessType.write), PAGE + offset);
  put(b, offset, value);
  b.vmx.apicAccesses.written(b.cpu, offset);
};
const ready = (b: Bench): void => {
  b.cpu.flags = 0x202;
};

describe('virtual TPR', () => {
  it('MOV CR8 reads and writes bits 7:4 of VTPR', () => {
    const bench = guest(0, {}, (b) => put(b, 0x80, 0xab));
    assert.equal(bench.vmx.readVirtualCr8(bench.cpu), 0xan);
    assert.equal(bench.vmx.writeVirtualCr8(bench.cpu, 5n), true);
    assert.equal(word(bench, 0x80), 0x50);
    assert.equal(entered().vmx.readVirtualCr8(entered().cpu), undefined);
  });
  it('below the threshold it is a VM exit after the instruction', () => {
    const bench = guest(ACCESSES, { tprThreshold: 5 }, (b) => put(b, 0x80, 0x50));
    assert.equal(due(bench), undefined);
    bench.vmx.writeVirtualCr8(bench.cpu, 5n);
    assert.equal(due(bench), undefined);
    bench.vmx.writeVirtualCr8(bench.cpu, 4n);
    assert.deepEqual(due(bench), [43n, 0n]);
  });
  it('VM entry with “virtualize APIC accesses” exits at once when VTPR is below it', () => {
    assert.deepEqual(due(guest(ACCESSES, { tprThreshold: 6 }, (b) => put(b, 0x80, 0x5f))), [43n, 0n]);
  });
});

describe('APIC-access page', () => {
  const { read, write, fetch, delivery } = ApicAccessType;
  it('without register virtualization only 080H is virtualised', () => {
    const bench = guest(ACCESSES);
    assert.equal(redirect(bench, 0x80, 4, read), PAGE + 0x80);
    assert.equal(redirect(bench, 0x80, 1, write), PAGE + 0x80);
    for (const offset of [0x20, 0x30, 0xb0, 0x300]) assert.equal(redirect(bench, offset, 4, write), -1);
    assert.equal(redirect(bench, 0x80, 4, fetch), -1);
    assert.equal(redirect(bench, 0x80, 4, delivery), -1);
  });
  it('virtual-interrupt delivery adds writes to 0B0H and 300H', () => {
    const bench = guest(ACCESSES | DELIVERY);
    assert.deepEqual([0x80, 0xb0, 0x300, 0x310, 0xd0].map((o) => redirect(bench, o, 4, write) >= 0), [true, true, true, false, false]);
    assert.equal(redirect(bench, 0xb0, 4, read), -1);
  }); // prettier-ignore
  it('register virtualization covers the listed registers, and no access beyond their low four bytes', () => {
    const bench = guest(ACCESSES | REGISTERS);
    const allowed = (type: number): number[] => Array.from({ length: 256 }, (_, n) => 16 * n).filter((o) => redirect(bench, o, 4, type) >= 0);
    const both = [0x20, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0];
    assert.deepEqual(allowed(write), both);
    const vectors = Array.from({ length: 24 }, (_, n) => 0x100 + 16 * n);
    assert.deepEqual(allowed(read), [...both, 0x30, ...vectors].sort((a, b) => a - b));
    for (const [offset, bytes] of [[0x22, 4], [0x24, 1], [0x20, 8], [0x2c, 4]] as const) assert.equal(redirect(bench, offset, bytes, read), -1);
    assert.equal(redirect(bench, 0x23, 1, read), PAGE + 0x23);
  }); // prettier-ignore
  it('a refused access is exit 44 with offset and type', () => {
    const bench = guest(ACCESSES);
    bench.cpu.set32(State.pendingKind, 2);
    bench.cpu.set32(State.pendingReason, 44);
    bench.cpu.set64(State.pendingQualification, 0x1300n);
    assert.equal(bench.vmx.commitPendingExit(bench.cpu), true);
    assert.deepEqual([bench.get('vmExitReason'), bench.get('exitQualification')], [44n, 0x1300n]);
  });
  it('the page is in use in the guest only', () => {
    const bench = guest(ACCESSES);
    assert.equal(bench.cpu.getF64(State.apicAccessPage), ACCESS + 1);
    exit(bench);
    assert.equal(bench.cpu.getF64(State.apicAccessPage), 0);
  });
  it('writes are followed by APIC-write emulation', () => {
    const bench = guest(ACCESSES | REGISTERS);
    store(bench, 0x80, 0x1234_5678);
    assert.equal(word(bench, 0x80), 0x78);
    store(bench, 0x310, 0xff12_3456);
    assert.equal(word(bench, 0x310), 0xff00_0000);
    assert.equal(due(bench), undefined);
    store(bench, 0xf0, 0x1ff);
    assert.deepEqual(due(bench), [56n, 0xf0n]);
    const eoi = guest(ACCESSES | REGISTERS);
    store(eoi, 0xb0, 0);
    assert.deepEqual(due(eoi), [56n, 0xb0n]);
  });
});

describe('virtual interrupts', () => {
  it('are delivered when RVI is above VPPR, interrupts are on and nothing blocks them', () => {
    const bench = guest(DELIVERY, { guestInterruptStatus: 0x61 }, (b) => put(b, 0x230, 2));
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), -1, 'IF is 0');
    ready(bench);
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), 0x61);
    assert.equal(word(bench, 0x130), 2, 'VISR');
    assert.equal(word(bench, 0x230), 0, 'VIRR');
    assert.equal(word(bench, 0xa0), 0x60, 'VPPR');
    assert.equal(bench.get('guestInterruptStatus'), 0x6100n);
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), -1);
  });
  it('VPPR is the higher of VTPR and SVI', () => {
    for (const [tpr, svi, ppr] of [[0x35, 0x41, 0x40], [0x45, 0x41, 0x45], [0x55, 0x41, 0x55]] as const) {
      const bench = guest(DELIVERY, { guestInterruptStatus: svi << 8 }, (b) => put(b, 0x80, tpr));
      assert.equal(word(bench, 0xa0), ppr);
    }
  }); // prettier-ignore
  it('are held off by VTPR and by an interrupt window', () => {
    const masked = guest(DELIVERY, { guestInterruptStatus: 0x61 }, (b) => put(b, 0x80, 0x60));
    ready(masked);
    assert.equal(masked.vmx.virtualInterrupt(masked.cpu), -1);
    masked.vmx.writeVirtualCr8(masked.cpu, 5n);
    assert.equal(masked.vmx.virtualInterrupt(masked.cpu), 0x61);
    const window = guest(DELIVERY, {
      guestInterruptStatus: 0x61,
      primaryProcessorBasedVmExecutionControls: (PRIMARY | TPR_SHADOW | 4) >>> 0,
    });
    ready(window);
    assert.equal(window.vmx.virtualInterrupt(window.cpu), -1);
  });
  it('EOI ends the service: SVI falls back, VPPR follows, the EOI-exit bitmap decides about a VM exit', () => {
    const make = (bitmap: bigint): Bench =>
      guest(ACCESSES | DELIVERY, { guestInterruptStatus: 0x6131, eoiExitBitmap1: bitmap }, (b) => {
        put(b, 0x130, 2); // 0x61 in service
        put(b, 0x110, 1 << 5); // 0x25 too
        put(b, 0x210, 1 << 17); // 0x31 requested
      });
    const bench = make(0n);
    ready(bench);
    store(bench, 0xb0, 0);
    assert.equal(bench.get('guestInterruptStatus'), 0x2531n);
    assert.equal(word(bench, 0x130), 0);
    assert.equal(due(bench), undefined);
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), 0x31);
    const exiting = make(1n << 0x21n);
    store(exiting, 0xb0, 0);
    assert.deepEqual(due(exiting), [45n, 0x61n]);
  });
  it('a self-IPI through the ICR raises a request; other uses of the ICR exit', () => {
    const bench = guest(ACCESSES | DELIVERY);
    ready(bench);
    store(bench, 0x300, 0x4_0051);
    assert.equal(word(bench, 0x220) | word(bench, 0x250), 1 << 17);
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), 0x51);
    // Not to itself; an NMI; level-triggered; vector below 16; a reserved bit.
    for (const icr of [0x51, 0x4_0451, 0x4_8051, 0x4_000f, 0x14_0051]) {
      const other = guest(ACCESSES | DELIVERY);
      store(other, 0x300, icr);
      assert.deepEqual(due(other), [56n, 0x300n], icr.toString(16));
    }
  });
});

describe('MSRs of x2APIC mode', () => {
  it('RDMSR: 808H always, the others with register virtualization', () => {
    const plain = guest(X2APIC, {}, (b) => put(b, 0x80, 0x77));
    assert.equal(plain.vmx.readVirtualMsr(plain.cpu, 0x808), 0x77n);
    assert.equal(plain.vmx.readVirtualMsr(plain.cpu, 0x802), undefined);
    const all = guest(X2APIC | REGISTERS, {}, (b) => put(b, 0x20, 9));
    assert.equal(all.vmx.readVirtualMsr(all.cpu, 0x802), 9n);
    assert.equal(all.vmx.readVirtualMsr(all.cpu, 0x10), undefined);
  });
  it('WRMSR: TPR, EOI and self-IPI', () => {
    const bench = guest(X2APIC | DELIVERY, { guestInterruptStatus: 0x6100 }, (b) => put(b, 0x130, 2));
    const { cpu, vmx } = bench;
    ready(bench);
    assert.equal(vmx.writeVirtualMsr(cpu, 0x808, 0x100n), 'fault');
    assert.equal(vmx.writeVirtualMsr(cpu, 0x808, 0x20n), 'written');
    assert.equal(vmx.writeVirtualMsr(cpu, 0x80b, 1n), 'fault');
    assert.equal(vmx.writeVirtualMsr(cpu, 0x80b, 0n), 'written');
    assert.equal(bench.get('guestInterruptStatus'), 0n);
    assert.equal(vmx.writeVirtualMsr(cpu, 0x83f, 0x141n), 'fault');
    assert.equal(vmx.writeVirtualMsr(cpu, 0x83f, 0x41n), 'written');
    assert.equal(vmx.virtualInterrupt(cpu), 0x41);
    assert.equal(vmx.writeVirtualMsr(cpu, 0x83f, 0x0fn), 'written');
    assert.deepEqual(due(bench), [56n, 0x3f0n]);
    const without = guest(X2APIC);
    assert.equal(without.vmx.writeVirtualMsr(without.cpu, 0x80b, 0n), undefined);
  });
});

describe('posted interrupts', () => {
  const DESCRIPTOR = 0x9000;
  const POSTED: Values = {
    pinBasedVmExecutionControls: 0x97,
    primaryVmExitControls: 0x3_effb,
    postedInterruptDescriptorAddress: DESCRIPTOR,
    postedInterruptNotificationVector: INTERRUPT_VECTOR,
  };
  it('the notification moves posted requests to VIRR without a VM exit', () => {
    const bench = guest(DELIVERY, { ...POSTED, guestInterruptStatus: 0x22 }, (b) => {
      b.memory.write32(DESCRIPTOR + 8, 1 << 5); // vector 0x45
      b.memory.write32(DESCRIPTOR + 32, 3); // outstanding notification, suppressed
    });
    ready(bench);
    assert.equal(bench.vmx.externalInterrupt(bench.cpu), 'consumed');
    assert.equal(bench.charges.at(-1), 'eoi');
    assert.deepEqual([bench.memory.read32(DESCRIPTOR + 8), bench.memory.read32(DESCRIPTOR + 32)], [0, 2]);
    assert.equal(word(bench, 0x220), 1 << 5);
    assert.equal(bench.get('guestInterruptStatus'), 0x45n);
    assert.equal(bench.vmx.virtualInterrupt(bench.cpu), 0x45);
  });
  it('other vectors exit, acknowledged', () => {
    const bench = guest(DELIVERY, { ...POSTED, postedInterruptNotificationVector: 0xf2 });
    assert.equal(bench.vmx.externalInterrupt(bench.cpu), 'exited');
    assert.equal(bench.get('vmExitInterruptionInformation'), 0x8000_0000n + BigInt(INTERRUPT_VECTOR));
  });
});
