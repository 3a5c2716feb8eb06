/** Page-directory-pointer-table entries across VM entries and exits: from the VMCS with EPT, from memory without, and the host's own. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { State } from '../../../emulator/spec/vcpu-state';
import { Field } from '../../../emulator/spec/vmcs-fields';
import { type Bench, type Values, makeBench } from './vmx-bench';

function enter(values: Values, prepare?: (b: Bench) => void): Bench {
  const bench = makeBench();
  bench.set(values);
  prepare?.(bench);
  assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped, JSON.stringify(bench.failures.map((f) => f.check?.name)));
  return bench;
}
const exit = (bench: Bench): void => assert.equal(bench.vmx.intercept(bench.cpu, { kind: 'instruction', name: 'CPUID', length: 2 }), true);

describe('PAE paging across VM entry and exit', () => {
  const guest: Values = { vmEntryControls: 0x11fb, guestCsAccessRights: 0xc09b, guestCr3: 0x6000 };
  const pdptes = (bench: Bench): bigint[] => [0, 1, 2, 3].map((n) => bench.cpu.get64(State.pdpte + 8 * n));
  it('with EPT the PDPTE registers come from the VMCS and go back to it', () => {
    const bench = enter({ ...guest, guestPdpte0: 0x1001, guestPdpte2: 0x3001 });
    assert.deepEqual(pdptes(bench), [0x1001n, 0n, 0x3001n, 0n]);
    bench.cpu.set64(State.pdpte + 8, 0x2019n);
    exit(bench);
    assert.equal(bench.vmcs.u64(Field.guestPdpte1), 0x2019n);
  });
  it('without EPT they come from the table at GUEST_CR3', () => {
    const bench = makeBench();
    bench.set({ ...guest, secondaryProcessorBasedVmExecutionControls: 0 });
    [0x5001, 0x6001, 0, 0x7001].forEach((e, n) => bench.memory.write32(0x6000 + 8 * n, e));
    assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped);
    assert.deepEqual(pdptes(bench), [0x5001n, 0x6001n, 0n, 0x7001n]);
  });
  it('a 32-bit host with PAE paging gets its own; reserved bits in one are a VMX abort', () => {
    for (const [entry, indicator] of [
      [0x4001, 0],
      [0x4003, 2],
    ] as const) {
      const bench = makeBench();
      bench.set({ ...guest, primaryVmExitControls: 0x3_6dfb, hostCr3: 0x5000, hostCr4: 0x2020, hostRip: 0x1234 });
      bench.cpu.set64(State.efer, 0n);
      bench.cpu.set32(State.mode, 2);
      bench.memory.write32(0x5000, entry);
      assert.equal(bench.execute('VMLAUNCH'), Outcome.jumped);
      exit(bench);
      assert.equal(bench.vmcs.abortIndicator, indicator);
      if (indicator === 0) assert.equal(pdptes(bench)[0], 0x4001n);
      else assert.equal(bench.cpu.get32(State.activity), 2);
    }
  });
});
