/** The VMX instructions in root mode, outside VMX operation and in non-root mode: faults, VMfail numbers, effects. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import type { VmxInstruction } from '../../../emulator/cpu/ports';
import { ARITHMETIC_FLAGS, Flag, State } from '../../../emulator/spec/vcpu-state';
import { Field, VMCS_FIELDS } from '../../../emulator/spec/vmcs-fields';
import type { CpuFeature } from '../../../emulator/spec/cpu-model';
import { FULL_MODEL, HOST_RIP, makeBench, OPERAND, OTHER_VMCS, VMCS_REGION, VMXON_REGION, type Bench } from './vmx-bench';

const ALL: readonly VmxInstruction['name'][] = [
  'VMXON',
  'VMXOFF',
  'VMCLEAR',
  'VMPTRLD',
  'VMPTRST',
  'VMREAD',
  'VMWRITE',
  'VMLAUNCH',
  'VMRESUME',
  'VMCALL',
  'INVEPT',
  'INVVPID',
];
const UD = 6;
/** A processor that lacks a feature. */
const without = (feature: CpuFeature): typeof FULL_MODEL => ({
  ...FULL_MODEL,
  features: new Set([...FULL_MODEL.features].filter((f) => f !== feature)),
});
const GP = 13;

function raised(bench: Bench): number | undefined {
  return bench.cpu.get32(State.pendingKind) === 1 ? bench.cpu.get32(State.pendingVector) : undefined;
}
const arithmetic = (bench: Bench): number => bench.cpu.flags & ARITHMETIC_FLAGS;
function outside(): Bench {
  const bench = makeBench();
  bench.cpu.set32(State.vmxMode, 0);
  bench.cpu.setF64(State.vmxonPointer, -1);
  bench.cpu.setF64(State.currentVmcs, -1);
  return bench;
}
function operand(bench: Bench, value: bigint, second = 0n): void {
  bench.memory.write64(OPERAND, value);
  bench.memory.write64(OPERAND + 8, second);
}
function assertFails(bench: Bench, outcome: number, error: number): void {
  assert.equal(outcome, Outcome.next);
  assert.equal(arithmetic(bench), Flag.ZF);
  assert.equal(bench.get('vmInstructionError'), BigInt(error));
}

describe('VMX instructions: faults', () => {
  for (const name of ALL.filter((n) => n !== 'VMXON')) {
    it(`${name} outside VMX operation is #UD`, () => {
      const bench = outside();
      assert.equal(bench.execute(name), Outcome.pending);
      assert.equal(raised(bench), UD);
    });
  }
  for (const name of ALL) {
    it(`${name} in compatibility mode is #UD in root operation`, () => {
      const bench = makeBench();
      bench.cpu.set32(State.mode, 2);
      bench.execute(name);
      assert.equal(raised(bench), UD);
    });
    it(`${name} at CPL 3 is #GP(0) in root operation`, () => {
      const bench = makeBench();
      bench.cpu.setCpl(3);
      bench.execute(name);
      assert.equal(raised(bench), GP);
      assert.equal(bench.cpu.get32(State.pendingErrorCode), 0);
    });
  }
  it('instructions whose operand must be memory are #UD with a register', () => {
    for (const name of ['VMXON', 'VMCLEAR', 'VMPTRLD', 'VMPTRST', 'INVEPT', 'INVVPID'] as const) {
      const bench = makeBench();
      bench.execute(name, { rm: 3 });
      assert.equal(raised(bench), UD, name);
    }
  });
  it('INVEPT and INVVPID are #UD on a processor without them, VMFUNC always', () => {
    const bench = makeBench({ ...makeBench().cpu.model, features: new Set(['vmx']) });
    for (const name of ['INVEPT', 'INVVPID', 'VMFUNC'] as const) {
      bench.cpu.set32(State.pendingKind, 0);
      bench.execute(name);
      assert.equal(raised(bench), UD, name);
    }
  });
});

describe('VMXON and VMXOFF', () => {
  it('VMXON enters VMX root operation without a current VMCS', () => {
    const bench = outside();
    operand(bench, BigInt(VMXON_REGION));
    bench.cpu.flags = 2 | ARITHMETIC_FLAGS;
    assert.equal(bench.execute('VMXON'), Outcome.next);
    assert.equal(arithmetic(bench), 0);
    assert.equal(bench.cpu.get32(State.vmxMode), 1);
    assert.equal(bench.cpu.getF64(State.vmxonPointer), VMXON_REGION);
    assert.equal(bench.cpu.getF64(State.currentVmcs), -1);
  });
  const refusals: readonly (readonly [string, number, (b: Bench) => void])[] = [
    ['CR4.VMXE = 0', UD, (b) => b.cpu.set64(State.cr4, 0x20n)],
    ['CR0.NE = 0', GP, (b) => b.cpu.set64(State.cr0, 0x8000_0011n)],
    ['a CR4 bit that VMX operation does not support', GP, (b) => b.cpu.set64(State.cr4, 0x80_2020n)],
    ['IA32_FEATURE_CONTROL unlocked', GP, (b) => b.cpu.set64(State.featureControl, 4n)],
    ['A20M# asserted', GP, (b) => b.cpu.set32(State.a20Masked, 1)],
    ['VMXON outside SMX disabled', GP, (b) => b.cpu.set64(State.featureControl, 3n)],
  ];
  for (const [what, vector, prepare] of refusals) {
    it(`VMXON with ${what} is vector ${vector}`, () => {
      const bench = outside();
      operand(bench, BigInt(VMXON_REGION));
      prepare(bench);
      assert.equal(bench.execute('VMXON'), Outcome.pending);
      assert.equal(raised(bench), vector);
    });
  }
  for (const [what, address] of [['misaligned', VMXON_REGION + 8], ['beyond the physical-address width', 2 ** 46], ['without the revision identifier', 0x30000], ['outside memory', 0x7000_0000]] as const) {
    it(`VMXON with a region ${what} is VMfailInvalid`, () => {
      const bench = outside();
      operand(bench, BigInt(address));
      assert.equal(bench.execute('VMXON'), Outcome.next);
      assert.equal(arithmetic(bench), Flag.CF);
      assert.equal(bench.cpu.get32(State.vmxMode), 0);
    });
  } // prettier-ignore
  it('VMXON in root operation is error 15', () => {
    const bench = makeBench();
    assertFails(bench, bench.execute('VMXON'), 15);
    bench.cpu.setF64(State.currentVmcs, -1);
    bench.execute('VMXON');
    assert.equal(arithmetic(bench), Flag.CF);
  });
  it('VMXOFF leaves VMX operation', () => {
    const bench = makeBench();
    assert.equal(bench.execute('VMXOFF'), Outcome.next);
    assert.equal(bench.cpu.get32(State.vmxMode), 0);
    assert.equal(bench.cpu.getF64(State.currentVmcs), -1);
  });
});

describe('VMCLEAR, VMPTRLD, VMPTRST', () => {
  it('VMCLEAR makes the launch state clear, and the current VMCS not current', () => {
    const bench = makeBench();
    bench.vmcs.launchState = 1;
    operand(bench, BigInt(VMCS_REGION));
    assert.equal(bench.execute('VMCLEAR'), Outcome.next);
    assert.equal(bench.vmcs.launchState, 0);
    assert.equal(bench.cpu.getF64(State.currentVmcs), -1);
  });
  it('VMCLEAR of another VMCS leaves the current one', () => {
    const bench = makeBench();
    operand(bench, BigInt(OTHER_VMCS));
    bench.execute('VMCLEAR');
    assert.equal(bench.cpu.getF64(State.currentVmcs), VMCS_REGION);
  });
  it('VMPTRLD makes a VMCS current, VMPTRST stores the pointer', () => {
    const bench = makeBench();
    operand(bench, BigInt(OTHER_VMCS));
    assert.equal(bench.execute('VMPTRLD'), Outcome.next);
    assert.equal(bench.cpu.getF64(State.currentVmcs), OTHER_VMCS);
    bench.execute('VMPTRST', { effectiveAddress: BigInt(OPERAND + 16) });
    assert.equal(bench.memory.read64(OPERAND + 16), BigInt(OTHER_VMCS));
    bench.cpu.setF64(State.currentVmcs, -1);
    bench.execute('VMPTRST', { effectiveAddress: BigInt(OPERAND + 16) });
    assert.equal(bench.memory.read64(OPERAND + 16), 0xffff_ffff_ffff_ffffn);
  });
  const errors: readonly (readonly [VmxInstruction['name'], number, number])[] = [
    ['VMCLEAR', VMCS_REGION + 1, 2],
    ['VMCLEAR', 2 ** 46, 2],
    ['VMCLEAR', VMXON_REGION, 3],
    ['VMPTRLD', VMCS_REGION + 0x800, 9],
    ['VMPTRLD', 2 ** 46, 9],
    ['VMPTRLD', VMXON_REGION, 10],
    ['VMPTRLD', 0x30000, 11],
  ];
  for (const [name, address, error] of errors) {
    it(`${name} of 0x${address.toString(16)} is error ${error}`, () => {
      const bench = makeBench();
      operand(bench, BigInt(address));
      assertFails(bench, bench.execute(name), error);
      assert.deepEqual(bench.instructionFailures, [[name, error]]);
    });
  }
  it('a revision identifier with bit 31 set (a shadow VMCS) is error 11 on a processor without VMCS shadowing', () => {
    const bench = makeBench(without('vmcs-shadowing'));
    bench.memory.write32(OTHER_VMCS, bench.vmcs.revision | 0x8000_0000);
    operand(bench, BigInt(OTHER_VMCS));
    assertFails(bench, bench.execute('VMPTRLD'), 11);
  });
});

describe('VMREAD and VMWRITE', () => {
  const reg = { reg: 1, rm: 0 };
  it('every writable field keeps the bits of its width; reads are zero-extended', () => {
    const bench = makeBench(without('vmcs-shadowing'));
    for (const f of VMCS_FIELDS.filter((x) => bench.vmx.capabilities.fields.has(x.encoding))) {
      bench.cpu.setGpr(1, BigInt(f.encoding));
      bench.cpu.setGpr(0, 0xfedc_ba98_7654_3210n);
      const outcome = bench.execute('VMWRITE', reg);
      if (f.type === 'read-only') {
        assertFails(bench, outcome, 13);
        continue;
      }
      bench.cpu.setGpr(0, 0n);
      bench.execute('VMREAD', reg);
      const expected = f.width === 16 ? 0x3210n : f.width === 32 ? 0x7654_3210n : 0xfedc_ba98_7654_3210n;
      assert.equal(bench.cpu.gpr(0), expected, f.name);
    }
  });
  it('access type high reaches the upper half of 64-bit fields only', () => {
    const bench = makeBench();
    bench.set({ tscOffset: 0x1111_2222_3333_4444n });
    bench.cpu.setGpr(1, BigInt(Field.tscOffset.encoding | 1));
    bench.execute('VMREAD', reg);
    assert.equal(bench.cpu.gpr(0), 0x1111_2222n);
    bench.cpu.setGpr(0, 0xaaaa_bbbb_cccc_ddddn);
    bench.execute('VMWRITE', reg);
    assert.equal(bench.get('tscOffset'), 0xcccc_dddd_3333_4444n);
    bench.cpu.setGpr(1, BigInt(Field.guestCr3.encoding | 1));
    assertFails(bench, bench.execute('VMREAD', reg), 12);
  });
  it('unsupported encodings are error 12', () => {
    for (const encoding of [0x6fffn, 0x10n, 0x2034n, 0x1_0000_6800n, 0xffff_ffff_ffff_ffffn, 0x7800n]) {
      const bench = makeBench();
      bench.cpu.setGpr(1, encoding);
      assertFails(bench, bench.execute('VMREAD', reg), 12);
      assertFails(bench, bench.execute('VMWRITE', reg), 12);
    }
  });
  it('without a current VMCS they are VMfailInvalid', () => {
    for (const name of ['VMREAD', 'VMWRITE'] as const) {
      const bench = makeBench();
      bench.cpu.setF64(State.currentVmcs, -1);
      bench.cpu.setGpr(1, 0x6802n);
      bench.execute(name, reg);
      assert.equal(arithmetic(bench), Flag.CF);
    }
  });
  it('memory operands, and 32 bits outside 64-bit mode', () => {
    const bench = makeBench();
    bench.cpu.setGpr(1, BigInt(Field.guestRsp.encoding));
    operand(bench, 0x1122_3344_5566_7788n);
    bench.execute('VMWRITE', { reg: 1 });
    assert.equal(bench.get('guestRsp'), 0x1122_3344_5566_7788n);
    bench.execute('VMREAD', { reg: 1, effectiveAddress: BigInt(OPERAND + 32) });
    assert.equal(bench.memory.read64(OPERAND + 32), 0x1122_3344_5566_7788n);
    bench.cpu.set64(State.efer, 0n);
    bench.cpu.set32(State.mode, 2);
    bench.cpu.setGpr(0, 0xffff_ffff_ffff_ffffn);
    bench.execute('VMREAD', { reg: 1, rm: 0 });
    assert.equal(bench.cpu.gpr(0), 0x5566_7788n);
    bench.cpu.setGpr(0, 0x9999_9999_0000_1111n);
    bench.execute('VMWRITE', { reg: 1, rm: 0 });
    assert.equal(bench.get('guestRsp'), 0x1111n);
  });
});

describe('VMCALL, INVEPT, INVVPID', () => {
  it('VMCALL in root operation is error 1', () => {
    const bench = makeBench();
    assertFails(bench, bench.execute('VMCALL'), 1);
  });
  const inv: readonly (readonly [VmxInstruction['name'], bigint, bigint, bigint, boolean])[] = [
    ['INVEPT', 1n, 0x3_001en, 0n, true],
    ['INVEPT', 2n, 0n, 0n, true],
    ['INVEPT', 0n, 0x3_001en, 0n, false],
    ['INVEPT', 3n, 0x3_001en, 0n, false],
    ['INVEPT', 0x1_0000_0001n, 0x3_001en, 0n, false],
    ['INVEPT', 1n, 0x3_0019n, 0n, false],
    ['INVEPT', 1n, 0x3_0016n, 0n, false],
    ['INVEPT', 1n, 0x3_011en, 0n, false],
    ['INVEPT', 1n, 1n << 46n, 0n, false],
    ['INVVPID', 0n, 5n, 0x7fff_ffff_f000n, true],
    ['INVVPID', 0n, 5n, 0x8000_0000_0000n, false],
    ['INVVPID', 0n, 0n, 0x1000n, false],
    ['INVVPID', 1n, 5n, 0n, true],
    ['INVVPID', 1n, 0n, 0n, false],
    ['INVVPID', 1n, 0x1_0005n, 0n, false],
    ['INVVPID', 2n, 0n, 0n, true],
    ['INVVPID', 3n, 5n, 0n, true],
    ['INVVPID', 3n, 0n, 0n, false],
    ['INVVPID', 4n, 5n, 0n, false],
    ['INVVPID', 0xffff_ffff_ffff_ffffn, 5n, 0n, false],
    ['INVEPT', 0xffff_ffff_ffff_ffffn, 0x3_001en, 0n, false],
  ];
  for (const [name, type, low, high, ok] of inv) {
    it(`${name} type ${type} of ${low.toString(16)}:${high.toString(16)} ${ok ? 'succeeds' : 'is error 28'}`, () => {
      const bench = makeBench();
      bench.cpu.setGpr(2, type);
      operand(bench, low, high);
      const outcome = bench.execute(name, { reg: 2 });
      if (ok) {
        assert.equal(arithmetic(bench), 0);
        assert.equal(bench.mmu.flushesOfAll, 1);
      } else {
        assertFails(bench, outcome, 28);
        assert.equal(bench.mmu.flushesOfAll, 0);
      }
    });
  }
});

describe('VMLAUNCH and VMRESUME: basic checks', () => {
  it('without a current VMCS: VMfailInvalid', () => {
    const bench = makeBench();
    bench.cpu.setF64(State.currentVmcs, -1);
    assert.equal(bench.execute('VMLAUNCH'), Outcome.next);
    assert.equal(arithmetic(bench), Flag.CF);
    assert.equal(bench.failures[0].kind, 'VMfailInvalid');
  });
  it('events blocked by MOV SS: error 26, before the launch state is looked at', () => {
    const bench = makeBench();
    bench.cpu.set32(State.interruptibility, 2);
    assertFails(bench, bench.execute('VMRESUME'), 26);
  });
  it('VMLAUNCH of a launched VMCS: error 4; VMRESUME of a clear one: error 5', () => {
    const bench = makeBench();
    assertFails(bench, bench.execute('VMRESUME'), 5);
    bench.vmcs.launchState = 1;
    assertFails(bench, bench.execute('VMLAUNCH'), 4);
    assert.deepEqual(bench.failures.map((f) => f.number), [5, 4]);
  }); // prettier-ignore
  it('controls are checked before the host, the host before the guest', () => {
    const bench = makeBench();
    bench.set({ cr3TargetCount: 9, hostCr0: 0, guestCr0: 0 });
    assertFails(bench, bench.execute('VMLAUNCH'), 7);
    bench.set({ cr3TargetCount: 0 });
    assertFails(bench, bench.execute('VMLAUNCH'), 8);
    bench.set({ hostCr0: 0x8000_0031 });
    assert.equal(bench.execute('VMLAUNCH'), Outcome.exited);
  });
});

describe('VMX instructions in non-root operation', () => {
  it('exit with displacement and instruction information, whatever the privilege level', () => {
    const bench = makeBench();
    bench.execute('VMLAUNCH');
    bench.cpu.setCpl(3);
    const outcome = bench.execute('VMREAD', {
      reg: 2,
      segment: 4,
      baseRegister: 5,
      indexRegister: 6,
      scaleLog2: 3,
      displacement: -8n & 0xffff_ffff_ffff_ffffn,
      length: 4,
    });
    assert.equal(outcome, Outcome.exited);
    assert.equal(bench.get('vmExitReason'), 23n);
    assert.equal(bench.get('exitQualification'), 0xffff_ffff_ffff_fff8n);
    assert.equal(bench.get('vmExitInstructionLength'), 4n);
    assert.equal(bench.get('vmExitInstructionInformation'), BigInt(3 | (2 << 7) | (4 << 15) | (6 << 18) | (5 << 23)) | (2n << 28n));
    assert.equal(bench.cpu.rip, HOST_RIP);
  });
  it('a register operand has its number in Reg1 and no qualification', () => {
    const bench = makeBench();
    bench.execute('VMLAUNCH');
    bench.execute('VMWRITE', { reg: 15, rm: 9 });
    assert.equal(bench.get('vmExitReason'), 25n);
    assert.equal(bench.get('exitQualification'), 0n);
    assert.equal(bench.get('vmExitInstructionInformation'), 0xf000_0000n | (1n << 10n) | (9n << 3n));
  });
  it('RIP-relative operands report the address, and no base register', () => {
    const bench = makeBench();
    bench.execute('VMLAUNCH');
    bench.execute('VMPTRLD', { baseRegister: 16, displacement: 0x40n, effectiveAddress: 0x50_0043n });
    assert.equal(bench.get('exitQualification'), 0x50_0043n);
    assert.equal(bench.get('vmExitInstructionInformation'), BigInt((1 << 22) | (1 << 27) | (2 << 7) | (3 << 15)));
  });
  it('VMCALL, VMXON and VMXOFF exit too; without CR4.VMXE VMXON is #UD', () => {
    for (const [name, reason] of [['VMCALL', 18n], ['VMXON', 27n], ['VMXOFF', 26n], ['VMLAUNCH', 20n]] as const) {
      const bench = makeBench();
      bench.execute('VMLAUNCH');
      assert.equal(bench.execute(name), Outcome.exited);
      assert.equal(bench.get('vmExitReason'), reason);
    }
  }); // prettier-ignore
});
