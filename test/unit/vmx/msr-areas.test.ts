/** The MSR areas of VM entries and VM exits: SDM volume 3, "Loading MSRs", "Saving MSRs", "VMX Aborts". */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { State } from '../../../emulator/spec/vcpu-state';
import { HOST_RIP, entered, exit, makeBench, type Bench } from './vmx-bench';

describe('MSR areas', () => {
  it('loads the MSR area, entry by entry', () => {
    const bench = entered({ vmEntryMsrLoadAddress: 0x7000, vmEntryMsrLoadCount: 2 }, (b) => {
      b.msrs.set(0xc000_0082, 0n).set(0x277, 0n);
      b.memory.write32(0x7000, 0xc000_0082);
      b.memory.write64(0x7008, 0xffff_8000_0000_0000n);
      b.memory.write32(0x7010, 0x277);
      b.memory.write64(0x7018, 6n);
    });
    assert.equal(bench.msrs.get(0xc000_0082), 0xffff_8000_0000_0000n);
    assert.equal(bench.msrs.get(0x277), 6n);
  });
  for (const [what, index, reserved, entry] of [
    ['an unknown MSR', 0x1234, 0, 2], ['IA32_FS_BASE', 0xc000_0100, 0, 2], ['IA32_GS_BASE', 0xc000_0101, 0, 2], ['reserved bits', 0x277, 1, 2], ['IA32_SMM_MONITOR_CTL', 0x9b, 0, 2],
  ] as const) {
    it(`fails with exit reason 34 on ${what}`, () => {
      const bench = makeBench();
      bench.set({ vmEntryMsrLoadAddress: 0x7000, vmEntryMsrLoadCount: 2 });
      for (const n of [0x277, 0xc000_0100, 0xc000_0101, 0x9b]) bench.msrs.set(n, 0n);
      bench.memory.write32(0x7000, 0x277);
      bench.memory.write32(0x7010, index);
      bench.memory.write32(0x7014, reserved);
      assert.equal(bench.execute('VMLAUNCH'), Outcome.exited);
      assert.equal(bench.get('vmExitReason'), 0x8000_0022n);
      assert.equal(bench.get('exitQualification'), BigInt(entry));
      assert.equal(bench.cpu.rip, HOST_RIP);
      assert.equal(bench.cpu.get32(State.vmxMode), 1);
      assert.equal(bench.vmcs.launchState, 0);
      assert.match(bench.failures[0].check!.name, /entry 2/);
    });
  } // prettier-ignore
  // "Loading MSRs": bits 31:8 = 000008H are the registers of an x2APIC.
  it('refuses x2APIC registers in the MSR areas', () => {
    const entry = makeBench();
    entry.set({ vmEntryMsrLoadAddress: 0x7000, vmEntryMsrLoadCount: 1 });
    entry.msrs.set(0x8ff, 0n);
    entry.memory.write32(0x7000, 0x8ff);
    assert.equal(entry.execute('VMLAUNCH'), Outcome.exited);
    assert.equal(entry.get('vmExitReason'), 0x8000_0022n);
    const saving = entered({ vmExitMsrStoreAddress: 0x7000, vmExitMsrStoreCount: 1 }, (b) => b.memory.write32(0x7000, 0x808));
    saving.msrs.set(0x808, 0n);
    exit(saving);
    assert.deepEqual(saving.aborts, [1]);
  });
  // "MSR-load count": at most 512 entries are recommended (IA32_VMX_MISC bits 27:25 are 0); the manual leaves open what more than that do.
  it('an MSR area beyond the recommended maximum fails at its 513th entry', () => {
    const fill = (b: Bench): void => {
      b.msrs.set(0x277, 0n);
      for (let n = 0; n < 513; n++) b.memory.write32(0x8_0000 + 16 * n, 0x277);
    };
    for (const [count, reason] of [[512, undefined], [513, 0x8000_0022n]] as const) {
      const bench = makeBench();
      fill(bench);
      bench.set({ vmEntryMsrLoadAddress: 0x8_0000, vmEntryMsrLoadCount: count });
      assert.equal(bench.execute('VMLAUNCH'), reason === undefined ? Outcome.jumped : Outcome.exited);
      if (reason !== undefined) assert.deepEqual([bench.get('vmExitReason'), bench.get('exitQualification')], [reason, 513n]);
    }
    for (const [values, indicator] of [[{ vmExitMsrStoreAddress: 0x8_0000, vmExitMsrStoreCount: 513 }, 1], [{ vmExitMsrLoadAddress: 0x8_0000, vmExitMsrLoadCount: 513 }, 4]] as const) {
      const bench = entered(values, fill);
      exit(bench);
      assert.deepEqual(bench.aborts, [indicator]);
    }
  }); // prettier-ignore
  it('stores and loads MSR areas', () => {
    const bench = entered(
      { vmExitMsrStoreAddress: 0x7000, vmExitMsrStoreCount: 1, vmExitMsrLoadAddress: 0x8000, vmExitMsrLoadCount: 1 },
      (b) => {
        b.msrs.set(0xc000_0082, 0x1234n);
        b.memory.write32(0x7000, 0xc000_0082);
        b.memory.write32(0x8000, 0xc000_0082);
        b.memory.write64(0x8008, 0x5678n);
      },
    );
    exit(bench);
    assert.equal(bench.memory.read64(0x7008), 0x1234n);
    assert.equal(bench.msrs.get(0xc000_0082), 0x5678n);
    assert.deepEqual(bench.aborts, []);
  });
  it('ends in a VMX abort when an MSR cannot be stored (1) or loaded (4)', () => {
    for (const [values, indicator] of [[{ vmExitMsrStoreAddress: 0x7000, vmExitMsrStoreCount: 1 }, 1], [{ vmExitMsrLoadAddress: 0x7000, vmExitMsrLoadCount: 1 }, 4]] as const) {
      const bench = entered(values, (b) => b.memory.write32(0x7000, 0x9999));
      exit(bench);
      assert.deepEqual(bench.aborts, [indicator]);
      assert.equal(bench.vmcs.abortIndicator, indicator);
      assert.equal(bench.cpu.get32(State.activity), 2);
    }
  }); // prettier-ignore
});
