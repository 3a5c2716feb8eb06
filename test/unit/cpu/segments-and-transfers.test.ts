/** Segment loads, far transfers and returns with the checks of the manual. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import { systemInstructions } from '../../../emulator/cpu/system-instructions';
import { Flag, Seg, State } from '../../../emulator/spec/vcpu-state';
import { CODE, descriptor, GDT, insn, LDT, makeCpu, pending, Sel, STACK, TSS, type TestCpu } from './test-cpu';

const RAX = 0;
const load = (t: TestCpu, segment: number, selector: number): Outcome => {
  t.cpu.setGpr(RAX, BigInt(selector));
  return systemInstructions.MOV_TO_SREG(t.cpu, insn({ reg: segment, rm: RAX }), t.ports);
};
type Fault = readonly [number, number | undefined];

describe('segment register loads', () => {
  it('refuse with the manual’s exceptions', () => {
    const cases: readonly (readonly [string, 32 | 64, 0 | 3, number, number, Fault])[] = [
      ['CS', 64, 0, Seg.cs, Sel.code0, [6, undefined]],
      ['a register that does not exist', 64, 0, 6, Sel.data0, [6, undefined]],
      ['null SS in 32-bit code', 32, 0, Seg.ss, 0, [13, 0]],
      ['null SS at CPL 3', 64, 3, Seg.ss, 3, [13, 0]],
      ['null SS with another RPL', 64, 0, Seg.ss, 1, [13, 0]],
      ['beyond the GDT', 32, 0, Seg.ds, 0x1000, [13, 0x1000]],
      ['LDT without an LDT', 32, 0, Seg.ds, 0x0c, [13, 0x0c]],
      ['not present', 32, 0, Seg.ds, Sel.notPresent, [11, Sel.notPresent]],
      ['SS not present', 32, 0, Seg.ss, Sel.notPresent, [12, Sel.notPresent]],
      ['SS read-only', 32, 0, Seg.ss, Sel.readOnly, [13, Sel.readOnly]],
      ['SS of another privilege', 32, 0, Seg.ss, Sel.data3, [13, Sel.data3 & ~3]],
      ['inner data at CPL 3', 32, 3, Seg.ds, Sel.data0, [13, Sel.data0]],
      ['RPL above DPL', 32, 0, Seg.es, Sel.data0 | 3, [13, Sel.data0]],
      ['execute-only code', 32, 0, Seg.fs, Sel.executeOnly, [13, Sel.executeOnly]],
      ['a system descriptor', 32, 0, Seg.gs, Sel.tss, [13, Sel.tss]],
    ];
    for (const [name, mode, cpl, segment, selector, fault] of cases) {
      const t = makeCpu({ mode, cpl });
      const before = t.cpu.segmentSelector(segment);
      assert.equal(load(t, segment, selector), Outcome.pending, name);
      assert.deepEqual(pending(t.cpu), fault, name);
      assert.equal(t.cpu.segmentSelector(segment), before, name);
    }
  });

  it('load base, limit and rights, and set the accessed bit', () => {
    const t = makeCpu({ mode: 32 });
    t.write(GDT + Sel.small, 8, descriptor(0x12345678, 0xfff, 0x4092));
    assert.equal(load(t, Seg.ds, Sel.small), Outcome.next);
    assert.equal(t.cpu.segmentBase(Seg.ds), 0x12345678n);
    assert.equal(t.cpu.segmentLimit(Seg.ds), 0xfff);
    assert.equal(t.cpu.segmentAccess(Seg.ds), 0x4093);
    assert.equal(t.read(GDT + Sel.small + 5, 1), 0x93n);
    assert.equal(load(t, Seg.es, Sel.data3), Outcome.next);
    assert.equal(t.cpu.segmentLimit(Seg.es), 0xffffffff);
    assert.equal(load(t, Seg.es, 3), Outcome.next);
    assert.equal(t.cpu.segmentAccess(Seg.es), 0x10000);
  });

  it('conforming readable code may be loaded from any level', () => {
    const t = makeCpu({ mode: 32, cpl: 3 });
    assert.equal(load(t, Seg.ds, Sel.conforming | 3), Outcome.next);
  });

  it('reads the LDT once LLDT has loaded it', () => {
    const t = makeCpu({ mode: 64 });
    t.write(LDT + 8, 8, descriptor(0, 0xfffff, 0xc092));
    t.cpu.setGpr(RAX, BigInt(Sel.ldt));
    assert.equal(systemInstructions.LLDT(t.cpu, insn({ rm: RAX }), t.ports), Outcome.next);
    assert.equal(t.cpu.segmentBase(Seg.ldtr), BigInt(LDT));
    assert.equal(load(t, Seg.ds, 0x0c), Outcome.next);
    assert.equal(load(t, Seg.ds, 0x24), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [13, 0x24]);
  });

  it('MOV SS blocks events for one instruction, another load does not', () => {
    const t = makeCpu({ mode: 64 });
    load(t, Seg.ss, Sel.data0);
    assert.equal(t.cpu.get32(State.interruptibility), 2);
    load(t, Seg.ds, Sel.data0);
    assert.equal(t.cpu.get32(State.interruptibility), 0);
  });

  it('PUSH and POP of segment registers use the stack; the 32-bit PUSH writes 16 bits', () => {
    const t = makeCpu({ mode: 32 });
    t.write(STACK - 4, 4, 0xffffffffn);
    assert.equal(systemInstructions.PUSH_SREG(t.cpu, insn({ opcode: 0x0e }), t.ports), Outcome.next);
    assert.equal(t.read(STACK - 4, 4), BigInt(0xffff0000 + Sel.code0));
    t.write(STACK - 4, 4, BigInt(Sel.data3));
    assert.equal(systemInstructions.POP_SREG(t.cpu, insn({ opcode: 0x0fa9 }), t.ports), Outcome.next);
    assert.equal(t.cpu.segmentSelector(Seg.gs), Sel.data3);
    assert.equal(t.cpu.gpr(4), BigInt(STACK));
  });

  it('LSS loads SS and the register, or neither', () => {
    const t = makeCpu({ mode: 32 });
    t.write(0x5000, 4, 0x1234n);
    t.write(0x5004, 2, BigInt(Sel.readOnly));
    const lss = insn({ mnemonic: 'LSS', hasModRm: true, mod: 0, reg: 4, displacement: 0x5000n, addressSize: 4 });
    assert.equal(systemInstructions.LOAD_FAR_POINTER(t.cpu, lss, t.ports), Outcome.pending);
    assert.equal(t.cpu.gpr(4), BigInt(STACK));
    t.write(0x5004, 2, BigInt(Sel.data0));
    assert.equal(systemInstructions.LOAD_FAR_POINTER(t.cpu, lss, t.ports), Outcome.next);
    assert.equal(t.cpu.gpr(4), 0x1234n);
  });
});

describe('descriptor questions', () => {
  it('LAR, LSL, VERR and VERW answer in ZF and keep the register when refused', () => {
    const t = makeCpu({ mode: 32 });
    const ask = (name: string, selector: number): [boolean, bigint] => {
      t.cpu.setGpr(RAX, BigInt(selector));
      t.cpu.setGpr(3, 0x55n);
      assert.equal(systemInstructions[name](t.cpu, insn({ reg: 3, rm: RAX }), t.ports), Outcome.next);
      return [t.cpu.flag(Flag.ZF), t.cpu.gpr(3)];
    };
    assert.deepEqual(ask('LAR', Sel.data3), [true, 0x00cff200n]);
    assert.deepEqual(ask('LAR', 0), [false, 0x55n]);
    assert.deepEqual(ask('LAR', 0x1000), [false, 0x55n]);
    assert.deepEqual(ask('LAR', Sel.data0 | 3), [false, 0x55n]);
    assert.deepEqual(ask('LSL', Sel.small), [true, 0xfffn]);
    assert.deepEqual(ask('LSL', Sel.code0), [true, 0xffffffffn]);
    assert.equal(ask('VERR', Sel.executeOnly)[0], false);
    assert.equal(ask('VERR', Sel.code0)[0], true);
    assert.equal(ask('VERW', Sel.readOnly)[0], false);
    assert.equal(ask('VERW', Sel.data0)[0], true);
    assert.equal(ask('VERR', Sel.tss)[0], false);
  });
  it('ARPL raises the RPL', () => {
    const t = makeCpu({ mode: 32 });
    t.cpu.setGpr(RAX, 0x11n);
    t.cpu.setGpr(3, 3n);
    systemInstructions.ARPL(t.cpu, insn({ reg: 3, rm: RAX }), t.ports);
    assert.equal(t.cpu.gpr(RAX), 0x13n);
    assert.equal(t.cpu.flag(Flag.ZF), true);
    systemInstructions.ARPL(t.cpu, insn({ reg: 3, rm: RAX }), t.ports);
    assert.equal(t.cpu.flag(Flag.ZF), false);
  });
});

describe('table registers', () => {
  const memory = insn({ hasModRm: true, mod: 0, displacement: 0x5000n });
  it('LGDT and SGDT are inverse; the base must be canonical', () => {
    const t = makeCpu({ mode: 64 });
    t.write(0x5000, 2, 0x7fn);
    t.write(0x5002, 8, 0xffff_8000_0000_1000n);
    assert.equal(systemInstructions.LGDT(t.cpu, memory, t.ports), Outcome.next);
    assert.equal(t.cpu.get64(State.gdtrBase), 0xffff_8000_0000_1000n);
    assert.equal(systemInstructions.SGDT(t.cpu, { ...memory, displacement: 0x6000n }, t.ports), Outcome.next);
    assert.equal(t.read(0x6000, 2), 0x7fn);
    assert.equal(t.read(0x6002, 8), 0xffff_8000_0000_1000n);
    t.write(0x5002, 8, 1n << 50n);
    systemInstructions.LIDT(t.cpu, memory, t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
  });
  it('the register form is #UD before the privilege check; CPL 3 is #GP(0)', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    systemInstructions.LGDT(t.cpu, insn({ hasModRm: true, rm: 0 }), t.ports);
    assert.deepEqual(pending(t.cpu), [6, undefined]);
    systemInstructions.LGDT(t.cpu, memory, t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
  });
  it('LTR marks the TSS busy and refuses a busy one; the base has 64 bits', () => {
    const t = makeCpu({ mode: 64 });
    t.write(GDT + Sel.tss + 8, 4, 0xffff8000n);
    t.cpu.setGpr(RAX, BigInt(Sel.tss));
    assert.equal(systemInstructions.LTR(t.cpu, insn({ rm: RAX }), t.ports), Outcome.next);
    assert.equal(t.cpu.segmentBase(Seg.tr), 0xffff_8000_0000_3000n);
    assert.equal(t.cpu.segmentAccess(Seg.tr), 0x8b);
    assert.equal(systemInstructions.LTR(t.cpu, insn({ rm: RAX }), t.ports), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [13, Sel.tss]);
    t.cpu.setGpr(RAX, 0n);
    systemInstructions.LTR(t.cpu, insn({ rm: RAX }), t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
  });
  it('VMX: the instruction information names the operand', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.vmxMode, 2);
    t.exits = () => true;
    const operand = insn({ hasModRm: true, mod: 1, base: 3, index: 6, scaleLog2: 2, displacement: -8n, segment: Seg.fs, length: 5 });
    assert.equal(systemInstructions.LIDT(t.cpu, operand, t.ports), Outcome.exited);
    const information = 2 | (2 << 7) | (Seg.fs << 15) | (6 << 18) | (3 << 23) | (3 << 28);
    assert.deepEqual(t.log.intercepts, [
      { kind: 'descriptor-table', name: 'LIDT', length: 5, information, displacement: 0xffff_ffff_ffff_fff8n },
    ]);
  });
});

describe('far transfers', () => {
  it('JMP far from 32-bit to 64-bit code', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setSegment(Seg.cs, Sel.compat0, 0n, 0xffffffff, 0xc09b);
    t.cpu.modeChanged();
    assert.equal(t.cpu.code64, false);
    assert.equal(systemInstructions.JMP_FAR(t.cpu, insn({ immediate: 0x4000n, immediate2: Sel.code0 }), t.ports), Outcome.jumped);
    assert.equal(t.cpu.code64, true);
    assert.equal(t.cpu.rip, 0x4000n);
  });
  it('refuses: null, data, outer, RPL above CPL, not present, beyond the limit, gates that lead nowhere', () => {
    const jump = (selector: number, offset = 0n): [Outcome, Fault | undefined, string | undefined] => {
      const t = makeCpu({ mode: 32 });
      t.write(GDT + Sel.compat3 - 3, 8, descriptor(0, 0, 0x008c));
      const outcome = systemInstructions.JMP_FAR(t.cpu, insn({ immediate: offset, immediate2: selector }), t.ports);
      return [outcome, pending(t.cpu), t.cpu.stop?.sentence];
    };
    assert.deepEqual(jump(0)[1], [13, 0]);
    assert.deepEqual(jump(Sel.data0)[1], [13, Sel.data0]);
    assert.deepEqual(jump(Sel.code3)[1], [13, Sel.code3 & ~3]);
    assert.deepEqual(jump(Sel.code0 | 1)[1], [13, Sel.code0]);
    assert.deepEqual(jump(Sel.codeNotPresent)[1], [11, Sel.codeNotPresent]);
    assert.deepEqual(jump(Sel.compat3)[1], [13, Sel.compat3 & ~3], 'RPL above the DPL of the gate');
    assert.deepEqual(jump(Sel.compat3 & ~3)[1], [13, 0], 'a gate to the null selector');
    assert.deepEqual(jump(Sel.tss)[1], [10, 0], 'a task with a null SS, refused in the new task');
    assert.deepEqual(jump(Sel.ldt)[1], [13, Sel.ldt]);
  });
  it('CALL far and RET far are inverse', () => {
    const t = makeCpu({ mode: 64 });
    t.write(0x5000, 8, 0x7000n);
    t.write(0x5008, 2, BigInt(Sel.compat0));
    const call = insn({ hasModRm: true, mod: 0, displacement: 0x5000n, operandSize: 8, length: 3 });
    assert.equal(systemInstructions.CALL_FAR(t.cpu, call, t.ports), Outcome.jumped);
    assert.equal(t.cpu.code64, false);
    assert.equal(t.cpu.rip, 0x7000n);
    assert.equal(t.read(STACK - 16, 8), BigInt(CODE + 3));
    t.cpu.setSegment(Seg.cs, Sel.code0, 0n, 0xffffffff, 0xa09b);
    t.cpu.modeChanged();
    assert.equal(systemInstructions.RET_FAR(t.cpu, insn({ opcode: 0xca, immediate: 8n, operandSize: 8 }), t.ports), Outcome.jumped);
    assert.equal(t.cpu.rip, BigInt(CODE + 3));
    assert.equal(t.cpu.gpr(4), BigInt(STACK + 8));
  });
  it('RET far to an outer level loads SS:ESP and releases parameters on both stacks', () => {
    const t = makeCpu({ mode: 32 });
    const frame = [0x4444, Sel.code3, 0, 0, 0x9000, Sel.data3];
    frame.forEach((value, n) => t.write(STACK + n * 4, 4, BigInt(value)));
    assert.equal(systemInstructions.RET_FAR(t.cpu, insn({ opcode: 0xca, immediate: 8n }), t.ports), Outcome.jumped);
    assert.equal(t.cpu.cpl, 3);
    assert.equal(t.cpu.gpr(4), 0x9008n);
    assert.equal(t.cpu.segmentSelector(Seg.ds), 0);
  });
});

describe('IRET', () => {
  const iretq = (t: TestCpu, frame: readonly (number | bigint)[]): Outcome => {
    frame.forEach((value, n) => t.write(STACK + n * 8, 8, BigInt(value)));
    return systemInstructions.IRET(t.cpu, insn({ operandSize: 8 }), t.ports);
  };
  it('from 64-bit code to compatibility code at CPL 3', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(iretq(t, [0x4444, Sel.compat3, 0x3202, 0x9000, Sel.data3]), Outcome.jumped);
    assert.equal(t.cpu.code64, false);
    assert.equal(t.cpu.cpl, 3);
    assert.equal(t.cpu.flags, 0x3202);
    assert.equal(t.cpu.gpr(4), 0x9000n);
  });
  it('64-bit code at CPL 0 may return with a null SS, at CPL 3 not', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(iretq(t, [0x4444, Sel.code0, 2, 0x9000, 0]), Outcome.jumped);
    const u = makeCpu({ mode: 64 });
    assert.equal(iretq(u, [0x4444, Sel.code3, 2, 0x9000, 3]), Outcome.pending);
    assert.deepEqual(pending(u.cpu), [13, 0]);
  });
  it('refuses a bad frame and changes nothing', () => {
    const cases: readonly (readonly [string, readonly (number | bigint)[], Fault])[] = [
      ['non-canonical RIP', [1n << 47n, Sel.code0, 2, 0x9000, Sel.data0], [13, 0]],
      ['null CS', [0, 0, 2, 0x9000, Sel.data0], [13, 0]],
      ['CS not present', [0, Sel.codeNotPresent, 2, 0x9000, Sel.data0], [11, Sel.codeNotPresent]],
      ['SS of another level', [0, Sel.code3, 2, 0x9000, Sel.data0], [13, Sel.data0]],
      ['CS of an inner level than its RPL', [0, Sel.code0 | 3, 2, 0x9000, Sel.data3], [13, Sel.code0]],
    ];
    for (const [name, frame, fault] of cases) {
      const t = makeCpu({ mode: 64 });
      assert.equal(iretq(t, frame), Outcome.pending, name);
      assert.deepEqual(pending(t.cpu), fault, name);
      assert.deepEqual([t.cpu.rip, t.cpu.gpr(4), t.cpu.cpl, t.cpu.flags], [BigInt(CODE), BigInt(STACK), 0, 0x202], name);
    }
    const inner = makeCpu({ mode: 64, cpl: 3 });
    assert.equal(iretq(inner, [0, Sel.code0, 2, 0x9000, Sel.data0]), Outcome.pending);
    assert.deepEqual(pending(inner.cpu), [13, Sel.code0]);
  });
  it('CPL 3 cannot change IOPL or IF', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    assert.equal(iretq(t, [0x4444, Sel.code3, 0x3003, 0x9000, Sel.data3]), Outcome.jumped);
    assert.equal(t.cpu.flags, 0x203);
  });
  it('NT is #GP(0) in IA-32e mode and a task return outside, whose link must be a busy TSS', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.flags = 0x4002;
    assert.equal(iretq(t, []), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [13, 0]);
    const u = makeCpu({ mode: 32 });
    u.cpu.flags = 0x4002;
    u.write(TSS, 2, BigInt(Sel.data0));
    assert.equal(systemInstructions.IRET(u.cpu, insn(), u.ports), Outcome.pending);
    assert.deepEqual(pending(u.cpu), [10, Sel.data0]);
  });
});

describe('SYSCALL and SYSRET', () => {
  it('go to ring 0 and back', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.set64(State.star, (0x18n << 48n) | (BigInt(Sel.code0) << 32n));
    t.cpu.set64(State.lstar, 0xffff_8000_0000_4000n);
    t.cpu.set64(State.fmask, 0x200n);
    assert.equal(systemInstructions.SYSCALL(t.cpu, insn(), t.ports), Outcome.jumped);
    assert.deepEqual(
      [t.cpu.cpl, t.cpu.rip, t.cpu.gpr(1), t.cpu.gpr(11), t.cpu.flags],
      [0, 0xffff_8000_0000_4000n, BigInt(CODE + 2), 0x202n, 2],
    );
    assert.equal(t.cpu.segmentSelector(Seg.ss), Sel.data0);
    assert.equal(systemInstructions.SYSRET(t.cpu, insn({ rexW: true, operandSize: 8 }), t.ports), Outcome.jumped);
    assert.deepEqual([t.cpu.cpl, t.cpu.rip, t.cpu.flags, t.cpu.code64], [3, BigInt(CODE + 2), 0x202, true]);
    assert.equal(t.cpu.segmentSelector(Seg.cs), Sel.code3);
    assert.equal(t.cpu.segmentSelector(Seg.ss), Sel.data3);
  });
  it('SYSRET to a non-canonical address is #GP(0) at CPL 0; without SCE #UD', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(1, 1n << 47n);
    systemInstructions.SYSRET(t.cpu, insn({ rexW: true }), t.ports);
    assert.deepEqual(pending(t.cpu), [13, 0]);
    t.cpu.set64(State.efer, 0x500n);
    systemInstructions.SYSCALL(t.cpu, insn(), t.ports);
    assert.deepEqual(pending(t.cpu), [6, undefined]);
  });
});
