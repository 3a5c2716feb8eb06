/** System instructions one by one: privilege, operands, results, intercepts. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { systemInstructions } from '../../../emulator/cpu/system-instructions';
import { Flag, Seg, State } from '../../../emulator/spec/vcpu-state';
import { systemRows } from '../../../emulator/isa/rows/system';
import { insn, makeCpu, pending, STACK } from './test-cpu';

describe('call-outs', () => {
  it('exist for every row that names one', () => {
    const missing = systemRows.map((r) => r.system).filter((name) => name !== undefined && !Object.hasOwn(systemInstructions, name));
    assert.deepEqual(missing, []);
  });
  it('LOCK is #UD on each', () => {
    for (const name of Object.keys(systemInstructions)) {
      if (name === 'TOO_LONG') continue;
      const t = makeCpu({ mode: 32 });
      systemInstructions[name](t.cpu, insn({ lock: true, mnemonic: 'VMCALL' }), t.ports);
      assert.deepEqual(pending(t.cpu), [6, undefined], name);
    }
  });
  it('privileged ones are #GP(0) at CPL 3 and do not exit', () => {
    for (const name of [
      'HLT',
      'INVD',
      'WBINVD',
      'CLTS',
      'LMSW',
      'RDMSR',
      'WRMSR',
      'SWAPGS',
      'SYSRET',
      'LLDT',
      'LTR',
      'INVLPG',
      'CLI',
      'STI',
      'RDPMC',
      'IN',
      'OUT',
      'INS',
      'OUTS',
    ]) {
      const t = makeCpu({ mode: 64, cpl: 3 });
      t.cpu.set32(State.vmxMode, 2);
      t.exits = () => true;
      // Too short for an I/O permission bit map.
      t.cpu.setSegment(Seg.tr, 0x50, 0x3000n, 0x67, 0x8b);
      const memory = name === 'INVLPG';
      assert.equal(systemInstructions[name](t.cpu, insn({ rm: memory ? -1 : 0, hasModRm: true }), t.ports), Outcome.pending, name);
      assert.deepEqual(pending(t.cpu), [13, 0], name);
      assert.equal(t.log.intercepts.length, 0, name);
    }
  });
  it('HLT stops the processor', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(systemInstructions.HLT(t.cpu, insn(), t.ports), Outcome.next);
    assert.equal(t.cpu.get32(State.activity), 1);
  });
  it('RDTSC obeys CR4.TSD and splits the counter', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.set64(State.tscOffset, 0x5_0000_0000n);
    assert.equal(systemInstructions.RDTSC(t.cpu, insn(), t.ports), Outcome.next);
    assert.deepEqual([t.cpu.gpr(0), t.cpu.gpr(2)], [1000n, 5n]);
    t.cpu.set64(State.cr4, 0x24n);
    systemInstructions.RDTSC(t.cpu, insn(), t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
  });
  it('INVLPG ignores a non-canonical address', () => {
    const t = makeCpu({ mode: 64 });
    const mmu = t.cpu.mmu as unknown as { invalidated: bigint[] };
    systemInstructions.INVLPG(t.cpu, insn({ hasModRm: true, base: 3 }), t.ports);
    t.cpu.setGpr(3, 1n << 47n);
    systemInstructions.INVLPG(t.cpu, insn({ hasModRm: true, base: 3 }), t.ports);
    assert.deepEqual(mmu.invalidated, [0n]);
  });
  it('x87: #NM by CR0.EM or CR0.TS, else named as not modelled; WAIT needs MP and TS', () => {
    const run = (mnemonic: string, cr0: bigint) => {
      const t = makeCpu({ mode: 64 });
      t.cpu.set64(State.cr0, 0x80000011n | cr0);
      const outcome = systemInstructions.FPU(t.cpu, insn({ mnemonic }), t.ports);
      return outcome === Outcome.stopped ? 'not modelled' : pending(t.cpu)?.[0];
    };
    assert.equal(run('ESC', 4n), 7);
    assert.equal(run('ESC', 8n), 7);
    assert.equal(run('ESC', 0n), 'not modelled');
    assert.equal(run('WAIT', 8n), 'not modelled');
    assert.equal(run('WAIT', 10n), 7);
    assert.equal(run('SIMD', 4n), 6);
  });
});

describe('flags', () => {
  it('POPF changes IOPL at CPL 0 only and IF only with CPL <= IOPL', () => {
    const popf = (cpl: 0 | 3, old: number, image: number): number => {
      const t = makeCpu({ mode: 64, cpl });
      t.cpu.flags = old;
      t.write(STACK, 8, BigInt(image));
      assert.equal(systemInstructions.POPF(t.cpu, insn({ operandSize: 8 }), t.ports), Outcome.next);
      return t.cpu.flags;
    };
    assert.equal(popf(0, 0x202, 0x3002), 0x3002);
    assert.equal(popf(3, 0x202, 0x3000), 0x202);
    assert.equal(popf(3, 0x3202, 0x2), 0x3002);
    assert.equal(popf(0, 0x10002, 0x11aff | Flag.VM), 0x1ad7);
  });
  it('PUSHF hides RF; STI blocks for one instruction only when IF was clear', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.flags = 0x10002;
    systemInstructions.PUSHF(t.cpu, insn({ operandSize: 8 }), t.ports);
    assert.equal(t.read(STACK - 8, 8), 2n);
    systemInstructions.STI(t.cpu, insn(), t.ports);
    assert.equal(t.cpu.get32(State.interruptibility), 1);
    systemInstructions.STI(t.cpu, insn(), t.ports);
    assert.equal(t.cpu.get32(State.interruptibility), 0);
    systemInstructions.CLI(t.cpu, insn(), t.ports);
    assert.equal(t.cpu.flag(Flag.IF), false);
  });
});

describe('ports', () => {
  it('IN and OUT by size, immediate or DX', () => {
    const t = makeCpu({ mode: 64 });
    t.portValue = 0x11223344;
    t.cpu.setGpr(0, 0xffff_ffff_ffff_ffffn);
    systemInstructions.IN(t.cpu, insn({ opcode: 0xe4, immediate: -1n }), t.ports);
    assert.equal(t.cpu.gpr(0), 0xffff_ffff_ffff_ff44n);
    systemInstructions.IN(t.cpu, insn({ opcode: 0xed, operandSize: 4 }), t.ports);
    assert.equal(t.cpu.gpr(0), 0x11223344n);
    t.cpu.setGpr(2, 0x1_03f8n);
    systemInstructions.OUT(t.cpu, insn({ opcode: 0xef, operandSize: 2 }), t.ports);
    systemInstructions.OUT(t.cpu, insn({ opcode: 0xe6, immediate: -12n }), t.ports);
    assert.deepEqual(t.log.out, [
      [0x3f8, 2, 0x3344],
      [0xf4, 1, 0x44],
    ]);
  });
  it('the I/O permission bit map decides at CPL 3', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    const out = (port: number, opcode: number): Outcome => {
      t.cpu.set32(State.pendingKind, 0);
      t.cpu.setGpr(2, BigInt(port));
      return systemInstructions.OUT(t.cpu, insn({ opcode }), t.ports);
    };
    // TSS limit 0x80, map at 0x70: ports 0..0x7f are in it.
    t.write(0x3070, 1, 0b1000_0000n);
    assert.equal(out(6, 0xee), Outcome.next);
    assert.equal(out(7, 0xee), Outcome.pending);
    assert.equal(out(4, 0xef), Outcome.pending);
    assert.equal(out(3, 0xef), Outcome.next);
    assert.equal(out(0x7f, 0xee), Outcome.next);
    assert.equal(out(0x80, 0xee), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [13, 0]);
    t.cpu.flags = 0x3202;
    assert.equal(out(0x80, 0xee), Outcome.next);
  });
  it('REP OUTSB makes one iteration a call', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(1, 2n);
    t.cpu.setGpr(2, 0xe9n);
    t.cpu.setGpr(6, 0x5000n);
    t.write(0x5000, 2, 0x4241n);
    const outs = insn({ opcode: 0x6e, rep: 0xf3 });
    assert.equal(systemInstructions.OUTS(t.cpu, outs, t.ports), Outcome.jumped);
    assert.equal(systemInstructions.OUTS(t.cpu, outs, t.ports), Outcome.next);
    assert.equal(systemInstructions.OUTS(t.cpu, outs, t.ports), Outcome.next);
    assert.deepEqual(t.log.out, [
      [0xe9, 1, 0x41],
      [0xe9, 1, 0x42],
    ]);
    assert.deepEqual([t.cpu.gpr(1), t.cpu.gpr(6)], [0n, 0x5002n]);
  });
  it('INS does not read the port when the store would fault; DF counts down', () => {
    const t = makeCpu({ mode: 32 });
    let reads = 0;
    t.ports.io.in = () => {
      reads++;
      return 0x77;
    };
    t.cpu.setGpr(7, 0x6000n);
    t.absent.add(6);
    const ins = insn({ opcode: 0x6c, addressSize: 4 });
    assert.equal(systemInstructions.INS(t.cpu, ins, t.ports), Outcome.pending);
    assert.deepEqual([pending(t.cpu)?.[0], reads], [14, 0]);
    t.absent.clear();
    t.cpu.setFlag(Flag.DF, true);
    assert.equal(systemInstructions.INS(t.cpu, ins, t.ports), Outcome.next);
    assert.deepEqual([t.read(0x6000, 1), t.cpu.gpr(7)], [0x77n, 0x5fffn]);
  });
  it('VMX sees the port, the size and the linear address', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    t.cpu.setGpr(1, 1n);
    t.cpu.setGpr(2, 0x3f8n);
    t.cpu.setGpr(6, 0x10n);
    t.cpu.setSegment(Seg.gs, 0, 0x5000n, 0xffffffff, 0xc093);
    const outs = insn({ opcode: 0x6f, rep: 0xf3, segment: Seg.gs, length: 3 });
    assert.equal(systemInstructions.OUTS(t.cpu, outs, t.ports), Outcome.exited);
    assert.deepEqual(t.log.intercepts, [
      { kind: 'io', port: 0x3f8, size: 4, in: false, string: true, rep: true, immediate: false, length: 3, linear: 0x5010n, segment: Seg.gs, addressSize: 8 }, // prettier-ignore
    ]);
  });
});

describe('memory operands', () => {
  const smsw = (over: Parameters<typeof insn>[0]) => insn({ hasModRm: true, mod: 0, ...over });
  it('outside 64-bit mode: limit, expand-down, write to code, unusable segment', () => {
    const fault = (access: number, limit: number, offset: bigint, segment: number = Seg.ds) => {
      const t = makeCpu({ mode: 32 });
      t.cpu.setSegment(segment, 0x80, 0x4000n, limit, access);
      systemInstructions.SMSW(t.cpu, smsw({ segment, displacement: offset, addressSize: 4 }), t.ports);
      return pending(t.cpu) ?? t.read(0x4000 + Number(offset), 2);
    };
    assert.equal(fault(0x4093, 0xfff, 0xffen), 0x11n);
    assert.deepEqual(fault(0x4093, 0xfff, 0xfffn), [13, 0]);
    assert.deepEqual(fault(0x4093, 0xfff, 0xfffn, Seg.ss), [12, 0]);
    assert.deepEqual(fault(0x4097, 0xfff, 0xfffn), [13, 0]);
    assert.equal(fault(0x4097, 0xfff, 0x1000n), 0x11n);
    assert.deepEqual(fault(0x4091, 0xfff, 0n), [13, 0]);
    assert.deepEqual(fault(0xc09b, 0xffffffff, 0n), [13, 0]);
    assert.deepEqual(fault(0x10000, 0, 0n), [13, 0]);
  });
  it('in 64-bit mode: FS and GS bases only, canonical or #GP(0) / #SS(0)', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setSegment(Seg.fs, 0, 0x4000n, 0, 0x10000);
    t.cpu.setSegment(Seg.ds, 0, 0x9000n, 0, 0x10000);
    assert.equal(systemInstructions.SMSW(t.cpu, smsw({ segment: Seg.fs, displacement: 8n }), t.ports), Outcome.next);
    assert.equal(t.read(0x4008, 2), 0x11n);
    assert.equal(systemInstructions.SMSW(t.cpu, smsw({ segment: Seg.ds, displacement: 0x5000n }), t.ports), Outcome.next);
    assert.equal(t.read(0x5000, 2), 0x11n);
    systemInstructions.SMSW(t.cpu, smsw({ displacement: 0x7fff_ffff_ffffn }), t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
    systemInstructions.SMSW(t.cpu, smsw({ segment: Seg.ss, displacement: 1n << 47n }), t.ports);
    assert.deepEqual(pending(t.cpu), [12, 0]);
  });
});
