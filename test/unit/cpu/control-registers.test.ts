/** Writes to control registers: every check of the manual and what a change of mode does. */
import { strict as assert } from 'node:assert';
import type { Cpu } from '../../../emulator/cpu/cpu';
import { readMsr, writeMsr } from '../../../emulator/cpu/msr';
import { Outcome } from '../../../emulator/cpu/outcome';
import { systemInstructions } from '../../../emulator/cpu/system-instructions';
import { cpuid } from '../../../emulator/spec/cpuid';
import { cpuModelNamed, defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { msrTable } from '../../../emulator/spec/msr';
import { Mode, Seg, State } from '../../../emulator/spec/vcpu-state';
import { insn, makeCpu, pending, Sel, type TestCpu } from './test-cpu';

const RAX = 0;
function movToCr(t: TestCpu, cr: number, value: bigint): Outcome {
  t.cpu.setGpr(RAX, value);
  return systemInstructions.MOV_TO_CR(t.cpu, insn({ reg: cr, rm: RAX, length: 3 }), t.ports);
}
function movFromCr(t: TestCpu, cr: number): bigint {
  assert.equal(systemInstructions.MOV_FROM_CR(t.cpu, insn({ reg: cr, rm: RAX, length: 3 }), t.ports), Outcome.next);
  return t.cpu.gpr(RAX);
}
const GP0 = [13, 0] as const;

describe('MOV to control registers', () => {
  it('CR0: #GP(0) for what the manual forbids, reserved bits ignored, ET fixed', () => {
    const bad: readonly (readonly [string, bigint])[] = [
      ['upper half', 0x1_8000_0011n],
      ['PG without PE', 0x80000010n],
      ['NW without CD', 0xa0000011n],
      ['PG cleared in 64-bit code', 0x11n],
    ];
    for (const [name, value] of bad) {
      const t = makeCpu({ mode: 64 });
      assert.equal(movToCr(t, 0, value), Outcome.pending, name);
      assert.deepEqual(pending(t.cpu), GP0, name);
      assert.equal(t.cpu.cr0, 0x80000011n, name);
    }
    const t = makeCpu({ mode: 64 });
    assert.equal(movToCr(t, 0, 0x9001ffefn), Outcome.next);
    assert.equal(movFromCr(t, 0), 0x8001003fn);
  });

  it('sets LMA when PG is set with LME and PAE, from 32-bit code; needs PAE and CS.L = 0', () => {
    const prepared = (cr4: bigint): TestCpu => {
      const t = makeCpu({ mode: 32 });
      t.cpu.set64(State.cr4, cr4);
      t.cpu.set64(State.efer, 0x100n);
      return t;
    };
    const t = prepared(0x20n);
    assert.equal(movToCr(t, 0, 0x80000011n), Outcome.next);
    assert.equal(t.cpu.efer, 0x500n);
    assert.equal(t.cpu.longMode, true);
    assert.equal(t.cpu.code64, false);
    // Leaving again from compatibility code.
    assert.equal(movToCr(t, 0, 0x11n), Outcome.next);
    assert.equal(t.cpu.efer, 0x100n);
    const u = prepared(0n);
    movToCr(u, 0, 0x80000011n);
    assert.deepEqual(pending(u.cpu), GP0);
    const v = prepared(0x20n);
    v.cpu.setSegment(Seg.cs, Sel.code0, 0n, 0xffffffff, 0xa09b);
    movToCr(v, 0, 0x80000011n);
    assert.deepEqual(pending(v.cpu), GP0);
  });

  it('clearing PE leads to real-address mode with the hidden parts of the segments kept', () => {
    const t = makeCpu({ mode: 32 });
    assert.equal(movToCr(t, 0, 0x10n), Outcome.next);
    assert.equal(t.cpu.get32(State.mode) & Mode.protectedMode, 0);
    assert.equal(t.cpu.segmentLimit(Seg.ds), 0xffffffff);
    assert.equal(t.cpu.segmentAccess(Seg.cs) & 0x4000, 0x4000);
  });

  it('names what is not modelled: SSE state', () => {
    const sse = makeCpu({ mode: 64 });
    assert.equal(movToCr(sse, 4, 0x620n), Outcome.stopped);
    assert.equal(sse.cpu.cr4, 0x20n);
  });

  it('PAE paging loads the PDPTE registers with CR0, CR3 and CR4, and refuses reserved bits', () => {
    const t = makeCpu({ mode: 32 });
    const pdptes = (): bigint[] => [0, 1, 2, 3].map((n) => t.cpu.get64(State.pdpte + 8 * n));
    t.cpu.set64(State.cr4, 0x20n);
    t.cpu.set64(State.cr3, 0x3020n);
    [0x5001n, 0n, 0x7fe_0006n, 0x6019n].forEach((e, n) => t.write(0x3020 + 8 * n, 8, e));
    assert.equal(movToCr(t, 0, 0x80000011n), Outcome.next);
    assert.deepEqual(pdptes(), [0x5001n, 0n, 0x7fe_0006n, 0x6019n]);
    // Writes to the table count only when the registers are loaded again.
    t.write(0x3020, 8, 0x9001n);
    assert.equal(movToCr(t, 4, 0xb0n), Outcome.next);
    assert.equal(pdptes()[0], 0x9001n);
    for (const bad of [0x9003n, 0x9021n, 1n | (1n << 46n), 1n | (1n << 63n)]) {
      t.write(0x3028, 8, bad);
      movToCr(t, 3, 0x3020n);
      assert.deepEqual(pending(t.cpu), GP0, bad.toString(16));
      assert.equal(pdptes()[1], 0n);
    }
    t.write(0x3028, 8, 0x19n);
    assert.equal(movToCr(t, 3, 0x303fn), Outcome.next);
    assert.equal(pdptes()[1], 0x19n);
  });

  it('CR3 above the physical-address width, CR4 reserved bits and PAE off in long mode, CR8 above 15 are #GP(0)', () => {
    for (const [cr, value] of [
      [3, 1n << 46n],
      [4, 1n << 31n],
      [4, 0x20n | (1n << 12n)],
      [4, 0n],
      [8, 0x10n],
    ] as const) {
      const t = makeCpu({ mode: 64 });
      assert.equal(movToCr(t, cr, value), Outcome.pending);
      assert.deepEqual(pending(t.cpu), GP0, `CR${cr} ${value.toString(16)}`);
    }
    const t = makeCpu({ mode: 64 });
    assert.equal(movToCr(t, 4, 0x20ecn), Outcome.next);
    assert.equal(t.cpu.cr4, 0x20ecn);
    const written: number[] = [];
    const ports = { ...t.ports, interrupts: { ...t.ports.interrupts, writeCr8: (_v: number, value: number) => void written.push(value), readCr8: () => 6 } }; // prettier-ignore
    assert.equal(movToCr({ ...t, ports }, 8, 5n), Outcome.next);
    assert.deepEqual(written, [5]);
    assert.equal(movFromCr({ ...t, ports }, 8), 6n);
  });

  it('CR1 is #UD also at CPL 3; CPL 3 is #GP(0) and does not exit', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    movToCr(t, 1, 0n);
    assert.deepEqual(pending(t.cpu), [6, undefined]);
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    movToCr(t, 0, 0n);
    assert.deepEqual(pending(t.cpu), GP0);
    assert.equal(t.log.intercepts.length, 0);
  });

  it('VMX: exits come before #GP for the value; host-owned bits keep their value; fixed bits refuse', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.vmxMode, 2);
    t.exits = (e) => e.kind === 'cr';
    assert.equal(movToCr(t, 0, 0x80000010n), Outcome.exited);
    assert.deepEqual(t.log.intercepts[0], { kind: 'cr', cr: 0, access: 'mov-to', register: 0, value: 0x80000010n, length: 3 });

    const owned = makeCpu({ mode: 64 });
    owned.cpu.set32(State.vmxMode, 2);
    const mask = 0x20n; // NE, shown as 1
    owned.ports.vmx.visibleCr0 = (_c: Cpu, v: bigint) => (v & ~mask) | 0x20n;
    assert.equal(movToCr(owned, 0, 0x8000003bn), Outcome.next);
    assert.equal(owned.cpu.cr0, 0x8000001bn);
    assert.equal(movFromCr(owned, 0), 0x8000003bn);

    const fixed = makeCpu({ mode: 64 });
    fixed.ports.vmx.fixedCr4 = () => [0x2000n, 0x3fffffn];
    movToCr(fixed, 4, 0x20n);
    assert.deepEqual(pending(fixed.cpu), GP0);
  });

  it('CLTS clears TS; LMSW sets but does not clear PE; SMSW shows CR0', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set64(State.cr0, 0x80000019n);
    assert.equal(systemInstructions.CLTS(t.cpu, insn(), t.ports), Outcome.next);
    assert.equal(t.cpu.cr0, 0x80000011n);
    t.cpu.setGpr(RAX, 0x000en);
    assert.equal(systemInstructions.LMSW(t.cpu, insn({ rm: RAX }), t.ports), Outcome.next);
    assert.equal(t.cpu.cr0, 0x8000001fn);
    assert.equal(systemInstructions.SMSW(t.cpu, insn({ rm: RAX, operandSize: 4 }), t.ports), Outcome.next);
    assert.equal(t.cpu.gpr(RAX), 0x8000001fn);
  });
});

describe('MOV to debug registers', () => {
  const mov = (t: TestCpu, dr: number, value: bigint): Outcome => {
    t.cpu.setGpr(RAX, value);
    return systemInstructions.MOV_TO_DR(t.cpu, insn({ reg: dr, rm: RAX }), t.ports);
  };
  it('DR6 and DR7 keep their fixed bits; upper halves are #GP(0); DR4 is DR6 unless CR4.DE', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(mov(t, 4, 0n), Outcome.next);
    assert.equal(t.cpu.get64(State.dr + 48), 0xffff0ff0n);
    assert.equal(mov(t, 7, 0n), Outcome.next);
    assert.equal(t.cpu.get64(State.dr + 56), 0x400n);
    mov(t, 6, 1n << 32n);
    assert.deepEqual(pending(t.cpu), GP0);
    t.cpu.set64(State.cr4, 0x28n);
    mov(t, 5, 0n);
    assert.deepEqual(pending(t.cpu), [6, undefined]);
  });
  it('enabling a breakpoint on ports is named as not modelled', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set64(State.cr4, 0x28n);
    assert.equal(mov(t, 7, 0x2_0000n), Outcome.next);
    assert.equal(mov(t, 7, 0x2_0002n), Outcome.stopped);
  });
  it('the MOV DR exit comes before the privilege check', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    assert.equal(mov(t, 0, 0n), Outcome.exited);
  });
});

describe('model-specific registers', () => {
  it('every row reads as its power-on value', () => {
    const t = makeCpu({ mode: 32 });
    // What the default model, skylake-server, has of its own: MONITOR, performance monitoring, 20 machine-check banks with IA32_MCG_CTL, 4 counters.
    const ownValues: Readonly<Record<string, bigint>> = {
      IA32_EFER: 0n,
      IA32_MISC_ENABLE: 0x4_1881n,
      IA32_MCG_CAP: 0x114n,
      IA32_PERF_GLOBAL_CTRL: 0xfn,
    };
    for (const row of msrTable) {
      // The last-branch MSRs of other models are not there.
      if (row.name === 'IA32_TIME_STAMP_COUNTER' || row.has?.(t.cpu.model.units) === false) continue;
      assert.equal(readMsr(t.cpu, t.ports, row.index), ownValues[row.name] ?? row.reset, row.name);
    }
    assert.equal(new Set(msrTable.map((r) => r.index)).size, msrTable.length);
  });
  it('an unknown index is #GP(0); capability MSRs come from VMX and cannot be written', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(1, 0x4321n);
    assert.equal(systemInstructions.RDMSR(t.cpu, insn(), t.ports), Outcome.pending);
    assert.deepEqual(pending(t.cpu), GP0);
    t.cpu.setGpr(1, 0xffff_ffff_0000_0480n);
    assert.equal(systemInstructions.RDMSR(t.cpu, insn(), t.ports), Outcome.next);
    assert.equal(t.cpu.gpr(0), 0x1234n);
    assert.equal(writeMsr(t.cpu, t.ports, 0x480, 0n), false);
  });
  it('judges writes', () => {
    const cases: readonly (readonly [string, number, bigint, boolean])[] = [
      ['LSTAR canonical', 0xc0000082, 0xffff_8000_0000_0000n, true],
      ['LSTAR not canonical', 0xc0000082, 0x8000_0000_0000n, false],
      ['GS base not canonical', 0xc0000101, 1n << 63n, false],
      ['FMASK upper half', 0xc0000084, 1n << 32n, false],
      ['PAT type 2', 0x277, 0x02n, false],
      ['PAT all WB', 0x277, 0x0606_0606_0606_0606n, true],
      ['EFER reserved', 0xc0000080, 0x502n, false],
      ['EFER LME with paging on', 0xc0000080, 0x1n, false],
      ['EFER NXE', 0xc0000080, 0xd01n, true],
      ['MTRRCAP', 0xfe, 0n, false],
      ['microcode signature', 0x8b, 5n, true],
      ['TSC_AUX upper half', 0xc0000103, 1n << 32n, false],
    ];
    for (const [name, index, value, expected] of cases) {
      const t = makeCpu({ mode: 64 });
      assert.equal(writeMsr(t.cpu, t.ports, index, value), expected, name);
      assert.equal(t.cpu.stop, undefined, name);
    }
  });
  it('EFER.LMA cannot be written, IA32_FEATURE_CONTROL locks, the TSC moves to what is written', () => {
    const t = makeCpu({ mode: 32 });
    assert.equal(writeMsr(t.cpu, t.ports, 0xc0000080, 0x501n), true);
    assert.equal(readMsr(t.cpu, t.ports, 0xc0000080), 0x101n);
    assert.equal(writeMsr(t.cpu, t.ports, 0x3a, 4n), true);
    assert.equal(writeMsr(t.cpu, t.ports, 0x3a, 5n), true);
    assert.equal(writeMsr(t.cpu, t.ports, 0x3a, 5n), false);
    assert.equal(writeMsr(t.cpu, t.ports, 0x10, 77n), true);
    assert.equal(readMsr(t.cpu, t.ports, 0x10), 77n);
    writeMsr(t.cpu, t.ports, 0x10, 5n);
    assert.equal(readMsr(t.cpu, t.ports, 0x10), 5n);
  });
  it('the MSRs of the local APIC are asked of it; the TSC deadline counts as this counter does', () => {
    const t = makeCpu({ mode: 64 });
    const written: [number, bigint][] = [];
    const interrupts = {
      ...t.ports.interrupts,
      apicBase: () => 0xfee00900n,
      writeApicBase: (_v: number, value: bigint) => value !== 1n,
      readMsr: (_v: number, index: number) => (index === 0x6e0 ? 1000n : undefined),
      writeMsr: (_v: number, index: number, value: bigint) => written.push([index, value]) > 0,
    };
    const ports = { ...t.ports, interrupts };
    assert.equal(readMsr(t.cpu, ports, 0x1b), 0xfee00900n);
    assert.equal(writeMsr(t.cpu, ports, 0x1b, 1n), false);
    t.cpu.set64(State.tscOffset, 300n);
    assert.equal(readMsr(t.cpu, ports, 0x6e0), 1300n);
    assert.equal(writeMsr(t.cpu, ports, 0x6e0, 5300n), true);
    assert.equal(writeMsr(t.cpu, ports, 0x6e0, 0n), true);
    assert.equal(readMsr(t.cpu, ports, 0x802), undefined);
    assert.equal(writeMsr(t.cpu, ports, 0x80b, 0n), true);
    assert.deepEqual(written, [[0x6e0, 5000n], [0x6e0, 0n], [0x80b, 0n]]); // prettier-ignore
  });
});

describe('CPUID', () => {
  const ctx = { code64: true, osxsave: false, initialApicId: 0 };
  it('gives vendor, maximum leaves, brand and address sizes', () => {
    const text = (...words: number[]): string =>
      words.map((w) => String.fromCharCode(...[0, 8, 16, 24].map((s) => (w >>> s) & 0xff))).join('');
    const zero = cpuid(defaultCpuModel, 0, 0, ctx);
    assert.equal(text(zero.ebx, zero.edx, zero.ecx), 'GenuineIntel');
    assert.equal(cpuid(defaultCpuModel, 0x80000000, 0, ctx).eax >>> 0, 0x80000008);
    const brand = [2, 3, 4].map((n) => cpuid(defaultCpuModel, 0x80000000 + n, 0, ctx)).map((r) => text(r.eax, r.ebx, r.ecx, r.edx));
    assert.equal(brand.join('').replaceAll('\0', ''), 'Nestscope virtual processor');
    assert.equal(cpuid(defaultCpuModel, 0x80000008, 0, ctx).eax, 0x302e);
  });
  it('reports features of the model only, no x87, SSE or APIC; SYSCALL in 64-bit code only', () => {
    const one = cpuid(defaultCpuModel, 1, 0, ctx);
    assert.equal(one.ecx & (1 << 5), 1 << 5);
    assert.equal(one.edx & ((1 << 0) | (1 << 9) | (1 << 25) | (1 << 26)), 0);
    assert.equal(one.ecx >>> 31, 0);
    const bare = { ...defaultCpuModel, features: new Set([]) };
    assert.equal(cpuid(bare, 1, 0, ctx).ecx, 0);
    assert.equal(cpuid(defaultCpuModel, 0x80000001, 0, ctx).edx & (1 << 11), 1 << 11);
    assert.equal(cpuid(defaultCpuModel, 0x80000001, 0, { ...ctx, code64: false }).edx & (1 << 11), 0);
  });
  it('a leaf above the maximum answers as the highest basic leaf', () => {
    assert.deepEqual(cpuid(defaultCpuModel, 0x40000000, 0, ctx), cpuid(defaultCpuModel, 0x16, 0, ctx));
    assert.deepEqual(cpuid(defaultCpuModel, 0x80000009, 0, ctx), cpuid(defaultCpuModel, 0x16, 0, ctx));
  });
  it('writes all four registers zero-extended, and exits unconditionally when VMX says so', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    for (const r of [0, 1, 2, 3]) t.cpu.setGpr(r, 0xffff_ffff_0000_0000n);
    assert.equal(systemInstructions.CPUID(t.cpu, insn(), t.ports), Outcome.next);
    assert.deepEqual([0, 3, 2, 1].map((r) => t.cpu.gpr(r)), [0x16n, 0x756e6547n, 0x49656e69n, 0x6c65746en]); // prettier-ignore
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    assert.equal(systemInstructions.CPUID(t.cpu, insn(), t.ports), Outcome.exited);
    assert.deepEqual(t.log.intercepts, [{ kind: 'instruction', name: 'CPUID', length: 2 }]);
  });
  it('an unknown model is a user error that lists the models', () => {
    assert.throws(() => cpuModelNamed('toString'), /expected one of qemu64, penryn, haswell, skylake-server/);
  });
});
