/** SDM volume 3, "Virtualization Exceptions", "VM Functions" (EPTP switching), "Page-Modification Logging" as VM entries and exits have them. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { State } from '../../../emulator/spec/vcpu-state';
import { entered, exit, HOST_RIP, makeBench, type Bench, type Values } from './vmx-bench';

const EPT = 2;
const AREA = 0x8000;
const LIST = 0x9000;
const VE: Values = {
  secondaryProcessorBasedVmExecutionControls: EPT | (1 << 18),
  virtualizationExceptionInformationAddress: AREA,
  eptpIndex: 3,
};

function violate(bench: Bench, convertible = 1): boolean {
  const { cpu } = bench;
  cpu.set32(State.pendingKind, 2);
  cpu.set32(State.pendingReason, 48);
  cpu.set64(State.pendingQualification, 0x182n);
  cpu.setF64(State.pendingGpa, 0x12_3456);
  cpu.set64(State.pendingLinear, 0xffff_8000_0000_1000n);
  cpu.set32(State.pendingConvertible, convertible);
  return bench.vmx.commitPendingExit(cpu);
}

describe('virtualization exceptions', () => {
  it('take the place of convertible EPT violations, with their details in memory', () => {
    const bench = entered(VE);
    assert.equal(violate(bench), false);
    assert.equal(bench.cpu.get32(State.pendingKind), 1);
    assert.equal(bench.cpu.get32(State.pendingVector), 20);
    assert.equal(bench.cpu.i32[State.pendingErrorCode >> 2], -1, 'no error code');
    const { memory } = bench;
    assert.deepEqual([memory.read32(AREA), memory.read32(AREA + 4)], [48, 0xffff_ffff]);
    assert.deepEqual([8, 16, 24].map((at) => memory.read64(AREA + at)), [0x182n, 0xffff_8000_0000_1000n, 0x12_3456n]);
    assert.equal(memory.read16(AREA + 32), 3);
  }); // prettier-ignore
  for (const [why, values, prepare, convertible] of [
    ['bit 63 of the entry is 1', VE, undefined, 0],
    ['the control is 0', { ...VE, secondaryProcessorBasedVmExecutionControls: EPT }, undefined, 1],
    ['the area is in use', VE, (b: Bench) => b.memory.write32(AREA + 4, 1), 1],
    ['an event is being delivered', VE, (b: Bench) => b.cpu.set32(State.vectoringInfo, 0x8000_030e), 1],
    ['CR0.PE is 0', VE, (b: Bench) => b.cpu.set64(State.cr0, 0x30n), 1],
  ] as const) {
    it(`do not when ${why}`, () => {
      const bench = entered(values);
      prepare?.(bench);
      assert.equal(violate(bench, convertible), true);
      assert.equal(bench.get('vmExitReason'), 48n);
      assert.equal(bench.cpu.rip, HOST_RIP);
    });
  }
});

describe('VMFUNC', () => {
  const FUNCTIONS: Values = { secondaryProcessorBasedVmExecutionControls: EPT | (1 << 13), vmFunctionControls: 1, eptpListAddress: LIST };
  const call = (bench: Bench, leaf: number, index: number): Outcome => {
    bench.cpu.setGpr(0, BigInt(leaf));
    bench.cpu.setGpr(1, BigInt(index));
    return bench.execute('VMFUNC') as Outcome;
  };
  it('switches to an EPTP of the list and stores it in the VMCS', () => {
    const bench = entered(FUNCTIONS, (b) => b.memory.write64(LIST + 8 * 511, 0x5_005en));
    assert.equal(call(bench, 0, 511), Outcome.next);
    assert.equal(bench.cpu.getF64(State.eptPointer), 0x5_005e);
    assert.equal(bench.cpu.get32(State.eptMode), 1);
    assert.equal(bench.get('eptPointer'), 0x5_005en);
    assert.equal(bench.get('eptpIndex'), 0n, 'only with EPT-violation #VE');
  });
  it('stores the index with “EPT-violation #VE”', () => {
    const both = { ...FUNCTIONS, secondaryProcessorBasedVmExecutionControls: EPT | (1 << 13) | (1 << 18), virtualizationExceptionInformationAddress: AREA };
    const bench = entered(both, (b) => b.memory.write64(LIST + 16, 0x5_001en));
    assert.equal(call(bench, 0, 2), Outcome.next);
    assert.equal(bench.get('eptpIndex'), 2n);
  }); // prettier-ignore
  for (const [why, leaf, index, entry] of [
    ['a function that is not enabled', 1, 0, 0x5_001en],
    ['an index beyond the list', 0, 512, 0x5_001en],
    ['an EPTP that VM entry would refuse', 0, 0, 0x5_001dn],
  ] as const) {
    it(`exits for ${why}`, () => {
      const bench = entered(FUNCTIONS, (b) => b.memory.write64(LIST, entry));
      assert.equal(call(bench, leaf, index), Outcome.exited);
      assert.deepEqual([bench.get('vmExitReason'), bench.get('exitQualification'), bench.get('vmExitInstructionLength')], [59n, 0n, 3n]);
    });
  }
  it('is #UD without the control, for EAX > 63, and outside VMX non-root operation', () => {
    assert.equal(call(entered(), 0, 0), Outcome.pending);
    const beyond = entered(FUNCTIONS);
    assert.equal(call(beyond, 64, 0), Outcome.pending);
    assert.equal(beyond.cpu.get32(State.pendingVector), 6);
    assert.equal(call(makeBench(), 0, 0), Outcome.pending);
  });
});

describe('EPT state', () => {
  it('mode-based execute control and the log are in use while their controls are 1; the index is saved', () => {
    const bench = entered({ secondaryProcessorBasedVmExecutionControls: EPT | (1 << 17) | (1 << 22), pmlAddress: 0xa000, pmlIndex: 9, eptPointer: 0x3_005e });
    const { cpu } = bench;
    assert.equal(cpu.get32(State.eptMode), 7);
    assert.equal(cpu.getF64(State.pmlAddress), 0xa000);
    cpu.set32(State.pmlIndex, 0xffff);
    exit(bench);
    assert.equal(bench.get('pmlIndex'), 0xffffn);
    assert.equal(cpu.get32(State.eptMode), 0);
  }); // prettier-ignore
  it('a full log is exit reason 62', () => {
    const bench = entered();
    bench.cpu.set32(State.pendingReason, 62);
    assert.equal(bench.vmx.commitPendingExit(bench.cpu), true);
    assert.deepEqual([bench.get('vmExitReason'), bench.get('exitQualification')], [62n, 0n]);
  });
});
