/** Instructions that a CPU model may lack, one by one: RDRAND, FS and GS bases, RDPID, CLAC and STAC, PKRU, INVPCID, MONITOR and MWAIT; and how they decode. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { systemInstructions } from '../../../emulator/cpu/system-instructions';
import { OpcodeTable, decode } from '../../../emulator/isa/decode';
import { instructionRows } from '../../../emulator/isa/rows';
import { cpuModelNamed } from '../../../emulator/spec/cpu-models';
import { Cr4 } from '../../../emulator/spec/registers';
import { ARITHMETIC_FLAGS, Flag, Seg, MonitorWait, State } from '../../../emulator/spec/vcpu-state';
import { type TestCpu, insn, makeCpu, pending } from './test-cpu';

const GP0 = [13, 0] as const;
const UD = [6, undefined] as const;
const run = (t: TestCpu, name: string, over: Parameters<typeof insn>[0] = {}): number =>
  systemInstructions[name](t.cpu, insn(over), t.ports);

describe('RDRAND and RDSEED', () => {
  const numbers = (): bigint[] => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    return Array.from({ length: 4 }, (_, n) => {
      t.cpu.flags = 0x202 | ARITHMETIC_FLAGS;
      assert.equal(run(t, n % 2 ? 'RDSEED' : 'RDRAND', { rm: 3, operandSize: 8 }), Outcome.next);
      assert.equal(t.cpu.flags & ARITHMETIC_FLAGS, Flag.CF);
      return t.cpu.gpr(3);
    });
  };
  it('give numbers that differ from each other and are the same in every run', () => {
    const first = numbers();
    assert.equal(new Set(first).size, 4);
    assert.deepEqual(numbers(), first);
  });
  it('write their operand size', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(3, 0x1122_3344_5566_7788n);
    run(t, 'RDRAND', { rm: 3, operandSize: 2 });
    assert.equal(t.cpu.gpr(3) >> 16n, 0x1122_3344_5566n);
    run(t, 'RDRAND', { rm: 3, operandSize: 4 });
    assert.equal(t.cpu.gpr(3) >> 32n, 0n);
  });
});

describe('FS and GS bases, RDPID', () => {
  it('are #UD without CR4.FSGSBASE', () => {
    for (const name of ['RDFSBASE', 'RDGSBASE', 'WRFSBASE', 'WRGSBASE']) {
      const t = makeCpu({ mode: 64, cpl: 3 });
      run(t, name, { rm: 0, operandSize: 8 });
      assert.deepEqual(pending(t.cpu), UD, name);
    }
  });
  it('read and write in 32 and 64 bits; a base that is not canonical is #GP(0)', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.set64(State.cr4, 0x20n | Cr4.FSGSBASE);
    t.cpu.setGpr(0, 0xffff_8000_1234_5678n);
    assert.equal(run(t, 'WRGSBASE', { rm: 0, operandSize: 8 }), Outcome.next);
    assert.equal(t.cpu.segmentBase(Seg.gs), 0xffff_8000_1234_5678n);
    run(t, 'RDGSBASE', { rm: 1, operandSize: 4 });
    assert.equal(t.cpu.gpr(1), 0x1234_5678n);
    run(t, 'WRFSBASE', { rm: 0, operandSize: 4 });
    assert.equal(t.cpu.segmentBase(Seg.fs), 0x1234_5678n);
    t.cpu.setGpr(0, 1n << 47n);
    assert.equal(run(t, 'WRFSBASE', { rm: 0, operandSize: 8 }), Outcome.pending);
    assert.deepEqual(pending(t.cpu), GP0);
  });
  it('RDPID gives IA32_TSC_AUX', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.set64(State.tscAux, 0x77n);
    run(t, 'RDPID', { rm: 2 });
    assert.equal(t.cpu.gpr(2), 0x77n);
  });
});

describe('CLAC, STAC, RDPKRU, WRPKRU', () => {
  it('CLAC and STAC are #UD above CPL 0', () => {
    const t = makeCpu({ mode: 64 });
    run(t, 'STAC');
    assert.ok(t.cpu.flag(Flag.AC));
    run(t, 'CLAC');
    assert.ok(!t.cpu.flag(Flag.AC));
    const u = makeCpu({ mode: 64, cpl: 3 });
    run(u, 'STAC');
    assert.deepEqual(pending(u.cpu), UD);
  });
  it('PKRU: #UD without CR4.PKE, ECX and EDX must be 0', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    run(t, 'WRPKRU');
    assert.deepEqual(pending(t.cpu), UD);
    t.cpu.set64(State.cr4, 0x20n | Cr4.PKE);
    t.cpu.setGpr(0, 0xffff_ffff_8000_0004n);
    t.cpu.setGpr(1, 0n);
    t.cpu.setGpr(2, 0n);
    assert.equal(run(t, 'WRPKRU'), Outcome.next);
    t.cpu.setGpr(2, -1n & 0xffff_ffff_ffff_ffffn);
    assert.equal(run(t, 'RDPKRU'), Outcome.next);
    assert.deepEqual([t.cpu.gpr(0), t.cpu.gpr(2)], [0x8000_0004n, 0n]);
    t.cpu.setGpr(2, 1n);
    run(t, 'WRPKRU');
    assert.deepEqual(pending(t.cpu), GP0);
    const u = makeCpu({ mode: 64 });
    u.cpu.set64(State.cr4, 0x20n | Cr4.PKE);
    u.cpu.setGpr(1, 1n);
    run(u, 'RDPKRU');
    assert.deepEqual(pending(u.cpu), GP0);
  });
});

describe('INVPCID', () => {
  const DESCRIPTOR = 0x9000;
  const at = (type: bigint, low: bigint, address = 0n, cr4 = 0x20n | Cr4.PCIDE, cpl: 0 | 3 = 0): TestCpu => {
    const t = makeCpu({ mode: 64, cpl });
    t.cpu.set64(State.cr4, cr4);
    t.cpu.setGpr(0, type);
    t.cpu.setGpr(3, BigInt(DESCRIPTOR));
    t.write(DESCRIPTOR, 8, low);
    t.write(DESCRIPTOR + 8, 8, address);
    run(t, 'INVPCID', { hasModRm: true, mod: 0, reg: 0, base: 3 });
    return t;
  };
  it('refuses types above 3, reserved bits, a PCID without CR4.PCIDE, addresses that are not canonical, and CPL 3', () => {
    assert.deepEqual(pending(at(4n, 0n).cpu), GP0);
    assert.deepEqual(pending(at(1n << 32n, 0n).cpu), GP0);
    assert.deepEqual(pending(at(2n, 0x1000n).cpu), GP0);
    assert.deepEqual(pending(at(1n, 5n, 0n, 0x20n).cpu), GP0);
    assert.deepEqual(pending(at(0n, 0n, 1n << 47n).cpu), GP0);
    assert.deepEqual(pending(at(2n, 0n, 0n, 0x20n, 3).cpu), GP0);
  });
  it('carries out each type', () => {
    for (const [type, low] of [
      [0n, 5n],
      [1n, 5n],
      [2n, 0n],
      [3n, 0xfffn],
    ] as const)
      assert.equal(pending(at(type, low, 0x1000n).cpu), undefined);
    const mmu = at(0n, 5n, 0x1000n).cpu.mmu as unknown as { invalidated: bigint[] };
    assert.deepEqual(mmu.invalidated, [0x1000n]);
  });
});

describe('MONITOR and MWAIT', () => {
  it('need CPL 0 and IA32_MISC_ENABLE; extensions in ECX are refused; VMX is asked', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(0, 0x9000n);
    t.cpu.setGpr(1, 0n);
    assert.equal(run(t, 'MONITOR'), Outcome.next);
    assert.equal(run(t, 'MWAIT'), Outcome.next);
    assert.equal(t.cpu.get32(State.monitorWait), MonitorWait.waits);
    t.cpu.set32(State.monitorWait, 0);
    run(t, 'MWAIT');
    assert.equal(t.cpu.get32(State.monitorWait), 0, 'the monitor is not armed any more');
    run(t, 'MONITOR');
    t.write(0x903f, 1, 7n);
    run(t, 'MWAIT');
    assert.equal(t.cpu.get32(State.monitorWait), 0, 'a store to the line came before');
    run(t, 'MONITOR');
    t.write(0x9040, 1, 7n);
    t.cpu.setGpr(1, 1n);
    run(t, 'MWAIT');
    assert.equal(
      t.cpu.get32(State.monitorWait),
      MonitorWait.waits | MonitorWait.maskedInterrupts,
      'a store behind the line does not count',
    );
    t.cpu.setGpr(1, 2n);
    run(t, 'MWAIT');
    assert.deepEqual(pending(t.cpu), GP0);
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    assert.equal(run(t, 'MONITOR', { length: 3 }), Outcome.exited);
    assert.deepEqual(t.log.intercepts[0], { kind: 'instruction', name: 'MONITOR', length: 3 });
    const off = makeCpu({ mode: 64 });
    off.cpu.set64(State.miscEnable, 0x1801n);
    run(off, 'MWAIT');
    assert.deepEqual(pending(off.cpu), UD);
    const user = makeCpu({ mode: 64, cpl: 3 });
    run(user, 'MONITOR');
    assert.deepEqual(pending(user.cpu), UD);
  });
});

describe('decoding by features', () => {
  const table = new OpcodeTable(instructionRows);
  const name = (model: string, hex: string, code64 = true): string => {
    const bytes = new Uint8Array(16);
    bytes.set(Buffer.from(hex, 'hex'));
    return decode(table, bytes, 0, 16, { code64, features: cpuModelNamed(model).features })?.instruction.mnemonic ?? '';
  };
  it('without the feature an opcode is undefined, or what it was before', () => {
    const cases = [
      ['f30fbcc8', 'TZCNT', 'BSF', 'bmi1'],
      ['f30fbdc8', 'LZCNT', 'BSR', 'lzcnt'],
      ['f30fb8c8', 'POPCNT', 'UD', 'popcnt'],
      ['c4e260f2c1', 'ANDN', 'UD', 'bmi1'],
      ['c4e27bf6c1', 'MULX', 'UD', 'bmi2'],
      ['660f38f6c1', 'ADCX', 'UD', 'adx'],
      ['f30f38f6c1', 'ADOX', 'UD', 'adx'],
      ['f20f38f1c1', 'CRC32', 'UD', 'crc32'],
      ['0fc7f0', 'RDRAND', 'UD', 'rdrand'],
      ['0fc7f8', 'RDSEED', 'UD', 'rdseed'],
      ['660fae3b', 'CLFLUSHOPT', 'UD', 'clflushopt'],
      ['660fae33', 'CLWB', 'UD', 'clwb'],
      ['f3480faec0', 'RDFSBASE', 'UD', 'fsgsbase'],
      ['0f01cb', 'STAC', 'UD', 'smap'],
      ['0f01ee', 'RDPKRU', 'UD', 'pku'],
      ['660f388203', 'INVPCID', 'UD', 'invpcid'],
      ['0f01c8', 'MONITOR', 'UD', 'monitor'],
    ] as const;
    for (const [hex, on, off, feature] of cases) {
      assert.equal(name('skylake-server', hex), on, hex);
      assert.equal(name(`skylake-server,-${feature}`, hex), off, `${hex} without ${feature}`);
    }
    assert.equal(name('skylake-server', 'f30fc7f8'), 'UD');
    assert.equal(name('skylake-server,+rdpid', 'f30fc7f8'), 'RDPID');
  });
  it('VEX: other prefixes before it, 256 bits and a vvvv that has no use are #UD; LES and LDS stay', () => {
    assert.equal(name('haswell', 'c4e2f8f2c1'), 'ANDN');
    for (const hex of [
      '66c4e260f2c1',
      'f3c4e260f2c1',
      'f0c4e260f2c1',
      '48c4e260f2c1',
      'c4e264f2c1',
      'c4e373f0c101',
      'c4e040f2c1',
      'c5f877',
    ])
      assert.equal(name('haswell', hex), 'UD', hex);
    assert.equal(name('haswell', 'c4e37bf0c101'), 'RORX');
    assert.equal(name('haswell', 'c403', false), 'LES');
    assert.equal(name('haswell', 'c4e260f2c1', false), 'ANDN');
  });
});
