/** Delivery of events through the IDT: frames, privilege, error codes, double and triple faults. */
import { strict as assert } from 'node:assert';
import { deliverEvent } from '../../../emulator/cpu/delivery';
import { deliverDebugTrap, handlePendingException, raiseDebug } from '../../../emulator/cpu/faults';
import { Outcome } from '../../../emulator/cpu/outcome';
import { systemInstructions } from '../../../emulator/cpu/system-instructions';
import { Dr6, EventType } from '../../../emulator/spec/registers';
import { Flag, Seg, State } from '../../../emulator/spec/vcpu-state';
import { CODE, descriptor, GDT, handlerOf, insn, IST1, makeCpu, pending, RSP0, Sel, setGate, STACK, TSS, type TestCpu } from './test-cpu';

const hardware = (vector: number, errorCode?: number) => ({ vector, errorCode, type: EventType.hardwareException });

describe('event delivery in 64-bit mode', () => {
  it('pushes SS, RSP, RFLAGS, CS, RIP and the error code on the aligned stack of the same level', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(4, BigInt(STACK - 8));
    assert.equal(deliverEvent(t.cpu, t.ports, hardware(13, 0x18)), Outcome.jumped);
    const top = STACK - 16;
    assert.equal(t.cpu.gpr(4), BigInt(top - 48));
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((n) => t.read(top - n * 8, 8)),
      [BigInt(Sel.data0), BigInt(STACK - 8), 0x10202n, BigInt(Sel.code0), BigInt(CODE), 0x18n],
    );
    assert.equal(t.cpu.rip, handlerOf(13));
    assert.equal(t.cpu.flag(Flag.IF), false);
    assert.equal(t.cpu.get32(State.vectoringInfo), 0);
  });

  it('takes RSP0 and a null SS when the level rises, and IRETQ goes back exactly', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.flags = 0x10247; // RF, ZF, PF, CF
    const flags = t.cpu.flags | 0x200;
    t.cpu.flags = flags;
    assert.equal(deliverEvent(t.cpu, t.ports, { vector: 32, type: EventType.externalInterrupt }), Outcome.jumped);
    assert.equal(t.cpu.cpl, 0);
    assert.equal(t.cpu.gpr(4), BigInt(RSP0 - 40));
    assert.equal(t.cpu.segmentSelector(Seg.ss), 0);
    assert.equal(t.cpu.segmentAccess(Seg.ss) & 0x10000, 0x10000);
    assert.deepEqual(t.log.interrupts, [[32, 0]]);
    assert.equal(systemInstructions.IRET(t.cpu, insn({ operandSize: 8 }), t.ports), Outcome.jumped);
    assert.equal(t.cpu.cpl, 3);
    assert.equal(t.cpu.rip, BigInt(CODE));
    assert.equal(t.cpu.gpr(4), BigInt(STACK));
    assert.equal(t.cpu.segmentSelector(Seg.ss), Sel.data3);
    assert.equal(t.cpu.flags, flags);
  });

  it('uses the IST stack also without a change of level', () => {
    const t = makeCpu({ mode: 64 });
    setGate(t, 8, Sel.code0, handlerOf(8), 0x8e, 1);
    assert.equal(deliverEvent(t.cpu, t.ports, hardware(8, 0)), Outcome.jumped);
    assert.equal(t.cpu.gpr(4), BigInt(IST1 - 48));
    assert.equal(t.cpu.segmentSelector(Seg.ss), Sel.data0);
  });

  it('a trap gate leaves IF; TF, NT and RF are cleared', () => {
    const t = makeCpu({ mode: 64 });
    setGate(t, 3, Sel.code0, handlerOf(3), 0x8f);
    t.cpu.flags = 0x202 | Flag.TF | Flag.NT | Flag.RF;
    assert.equal(deliverEvent(t.cpu, t.ports, { vector: 3, type: EventType.softwareException, length: 1 }), Outcome.jumped);
    assert.equal(t.cpu.flags, 0x202);
    assert.equal(t.read(STACK - 40, 8), BigInt(CODE + 1));
  });

  it('refuses with the error codes of the manual', () => {
    const cases: readonly [string, (t: ReturnType<typeof makeCpu>) => void, readonly [number, number]][] = [
      ['beyond the IDT limit', (t) => t.cpu.set32(State.idtrLimit, 32 * 16 - 1), [13, 32 * 8 + 3]],
      ['not a gate', (t) => setGate(t, 32, Sel.code0, 0n, 0x8c), [13, 32 * 8 + 3]],
      ['gate not present', (t) => setGate(t, 32, Sel.code0, 0n, 0x0e), [11, 32 * 8 + 3]],
      ['null code selector', (t) => setGate(t, 32, 0, 0n), [13, 1]],
      ['selector beyond the GDT', (t) => setGate(t, 32, 0x1000, 0n), [13, 0x1001]],
      ['selector of data', (t) => setGate(t, 32, Sel.data0, 0n), [13, Sel.data0 | 1]],
      ['32-bit code in IA-32e mode', (t) => setGate(t, 32, Sel.compat0, 0n), [13, Sel.compat0 | 1]],
      ['outer code', (t) => setGate(t, 32, Sel.code3, 0n), [13, (Sel.code3 & ~3) | 1]],
      ['code not present', (t) => setGate(t, 32, Sel.codeNotPresent, 0n), [11, Sel.codeNotPresent | 1]],
      ['non-canonical target', (t) => setGate(t, 32, Sel.code0, 0x8000_0000_0000n), [13, 1]],
      ['non-canonical stack', (t) => t.cpu.setGpr(4, 0x8000_0000_0000_0000n), [12, 1]],
    ];
    for (const [name, arrange, expected] of cases) {
      const t = makeCpu({ mode: 64 });
      arrange(t);
      assert.equal(deliverEvent(t.cpu, t.ports, { vector: 32, type: EventType.externalInterrupt }), Outcome.pending, name);
      assert.deepEqual(pending(t.cpu), expected, name);
      assert.equal(t.cpu.rip, BigInt(CODE), name);
      assert.equal(t.cpu.get32(State.vectoringInfo), 0x80000020, name);
    }
  });

  it('#TS when the TSS is too short for RSP0', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    t.cpu.setSegment(Seg.tr, Sel.tss, 0x3000n, 10, 0x8b);
    assert.equal(deliverEvent(t.cpu, t.ports, { vector: 32, type: 0 }), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [10, Sel.tss | 1]);
  });

  it('INT n checks the gate DPL, EXT is 0; a hardware event does not check it', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    assert.equal(systemInstructions.INT(t.cpu, insn({ immediate: 32n }), t.ports), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [13, 32 * 8 + 2]);
    const u = makeCpu({ mode: 64, cpl: 3 });
    setGate(u, 32, Sel.code0, handlerOf(32), 0xee);
    assert.equal(systemInstructions.INT(u.cpu, insn({ immediate: 32n, length: 2 }), u.ports), Outcome.jumped);
    assert.equal(u.read(RSP0 - 40, 8), BigInt(CODE + 2));
  });

  it('INT1 does not check the gate DPL', () => {
    const t = makeCpu({ mode: 64, cpl: 3 });
    assert.equal(systemInstructions.INT1(t.cpu, insn({ length: 1 }), t.ports), Outcome.jumped);
  });

  it('a frame that crosses into an absent page faults at the first slot there and changes nothing', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.setGpr(4, BigInt(STACK + 0x10));
    t.absent.add((STACK - 0x1000) >> 12);
    assert.equal(deliverEvent(t.cpu, t.ports, hardware(0)), Outcome.pending);
    assert.deepEqual(pending(t.cpu), [14, 2]);
    assert.equal(t.cpu.get64(State.pendingLinear), BigInt(STACK - 8));
    assert.equal(t.read(STACK, 16), 0n);
    assert.equal(t.cpu.gpr(4), BigInt(STACK + 0x10));
  });

  it('an NMI sets blocking by NMI and IRET ends it', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.interruptibility, 1);
    deliverEvent(t.cpu, t.ports, { vector: 2, type: EventType.nmi });
    assert.equal(t.cpu.get32(State.interruptibility), 8);
    systemInstructions.IRET(t.cpu, insn({ operandSize: 8 }), t.ports);
    assert.equal(t.cpu.get32(State.interruptibility), 0);
  });
});

describe('event delivery in 32-bit mode', () => {
  it('pushes EFLAGS, CS, EIP and the error code on the same level', () => {
    const t = makeCpu({ mode: 32 });
    assert.equal(deliverEvent(t.cpu, t.ports, hardware(14, 2)), Outcome.jumped);
    assert.deepEqual(
      [1, 2, 3, 4].map((n) => t.read(STACK - n * 4, 4)),
      [0x10202n, BigInt(Sel.code0), BigInt(CODE), 2n],
    );
    assert.equal(t.cpu.gpr(4), BigInt(STACK - 16));
  });

  it('switches to SS0:ESP0 and IRETD returns to ring 3, dropping ring-0 data segments', () => {
    const t = makeCpu({ mode: 32, cpl: 3 });
    assert.equal(deliverEvent(t.cpu, t.ports, hardware(6)), Outcome.jumped);
    assert.equal(t.cpu.segmentSelector(Seg.ss), Sel.data0);
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((n) => t.read(RSP0 - n * 4, 4)),
      [BigInt(Sel.data3), BigInt(STACK), 0x10202n, BigInt(Sel.code3), BigInt(CODE)],
    );
    t.cpu.setSegment(Seg.ds, Sel.data0, 0n, 0xffffffff, 0xc093);
    assert.equal(systemInstructions.IRET(t.cpu, insn(), t.ports), Outcome.jumped);
    assert.equal(t.cpu.cpl, 3);
    assert.equal(t.cpu.gpr(4), BigInt(STACK));
    assert.equal(t.cpu.segmentSelector(Seg.ds), 0);
    assert.equal(t.cpu.segmentSelector(Seg.es), Sel.data3);
    assert.equal(t.cpu.flags, 0x10202);
  });

  it('#TS for a bad SS0: null, wrong privilege, not writable; #SS when not present', () => {
    const t = (ss: number) => {
      const u = makeCpu({ mode: 32, cpl: 3 });
      u.write(0x3008, 4, BigInt(ss));
      deliverEvent(u.cpu, u.ports, hardware(6));
      return pending(u.cpu);
    };
    assert.deepEqual(t(0), [10, 1]);
    assert.deepEqual(t(Sel.data3), [10, (Sel.data3 & ~3) | 1]);
    assert.deepEqual(t(Sel.readOnly), [10, Sel.readOnly | 1]);
    assert.deepEqual(t(Sel.notPresent), [12, Sel.notPresent | 1]);
  });

  describe('through a task gate', () => {
    const NEW = 0x30;
    const NEW_TSS = 0x3400;
    function withTask(): TestCpu {
      const t = makeCpu({ mode: 32 });
      setGate(t, 8, NEW, 0n, 0x85);
      t.write(GDT + NEW, 8, descriptor(NEW_TSS, 0x67, 0x0089));
      for (let at = 0; at < 0x68; at += 4) t.write(NEW_TSS + at, 4, 0n);
      t.write(NEW_TSS + 0x20, 4, 0x9000n);
      t.write(NEW_TSS + 0x24, 4, 2n);
      t.write(NEW_TSS + 0x28, 4, 0x12345678n);
      t.write(NEW_TSS + 0x38, 4, BigInt(STACK - 0x100));
      t.write(NEW_TSS + 0x4c, 2, BigInt(Sel.code0));
      t.write(NEW_TSS + 0x50, 2, BigInt(Sel.data0));
      return t;
    }

    it('the old task is saved, the new one nested, its stack gets the error code', () => {
      const t = withTask();
      t.cpu.setGpr(3, 0xb0b0n);
      assert.equal(deliverEvent(t.cpu, t.ports, hardware(8, 0x77)), Outcome.jumped);
      assert.equal(t.cpu.rip, 0x9000n);
      assert.equal(t.cpu.gpr(0), 0x12345678n);
      assert.equal(t.cpu.segmentSelector(Seg.tr), NEW);
      assert.equal(t.cpu.flags & 0x4000, 0x4000);
      assert.equal(t.cpu.cr0 & 8n, 8n);
      assert.equal(t.read(STACK - 0x104, 4), 0x77n);
      assert.equal(t.cpu.gpr(4), BigInt(STACK - 0x104));
      assert.equal(t.read(NEW_TSS, 2), BigInt(Sel.tss));
      assert.equal(t.read(GDT + NEW + 5, 1), 0x8bn);
      assert.equal(t.read(TSS + 0x20, 4), BigInt(CODE));
      assert.equal(t.read(TSS + 0x34, 4), 0xb0b0n);
      assert.equal(t.read(TSS + 0x4c, 2), BigInt(Sel.code0));
    });
    it('in VMX non-root operation it is a VM exit before anything changes', () => {
      const t = withTask();
      t.cpu.set32(State.vmxMode, 2);
      t.exits = () => true;
      assert.equal(deliverEvent(t.cpu, t.ports, hardware(8, 0)), Outcome.exited);
      assert.deepEqual(t.log.intercepts, [{ kind: 'task-switch', selector: NEW, source: 3, length: 0 }]);
      assert.equal(t.cpu.segmentSelector(Seg.tr), Sel.tss);
      assert.equal(t.read(GDT + NEW + 5, 1), 0x89n);
    });
    it('a busy task, a small TSS and a page that is not there refuse it in the old task', () => {
      const refused = (change: (t: TestCpu) => void): unknown => {
        const t = withTask();
        change(t);
        assert.equal(deliverEvent(t.cpu, t.ports, hardware(8, 0)), Outcome.pending);
        assert.equal(t.cpu.segmentSelector(Seg.tr), Sel.tss);
        assert.equal(t.cpu.rip, BigInt(CODE));
        return pending(t.cpu);
      };
      assert.deepEqual(refused((t) => t.write(GDT + NEW + 5, 1, 0x8bn)), [13, NEW | 1]); // prettier-ignore
      assert.deepEqual(refused((t) => t.write(GDT + NEW, 1, 0x66n)), [10, NEW | 1]); // prettier-ignore
      assert.deepEqual(refused((t) => t.write(GDT + NEW + 5, 1, 0x09n)), [11, NEW | 1]); // prettier-ignore
      assert.deepEqual(refused((t) => t.absent.add(3)), [14, 2]); // prettier-ignore
    });
  });
});

describe('pending exceptions', () => {
  it('#PF sets CR2 and tells the observer', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set64(State.pendingLinear, 0xdead000n);
    t.cpu.raise(14, 2);
    assert.equal(handlePendingException(t.cpu, t.ports), 'delivered');
    assert.equal(t.cpu.get64(State.cr2), 0xdead000n);
    assert.deepEqual(t.log.exceptions, [[14, 2]]);
    assert.equal(t.cpu.get32(State.pendingKind), 0);
  });

  it('#GP during the delivery of #PF is a double fault, two contributory ones too; #PF during #GP is not', () => {
    const t = makeCpu({ mode: 64 });
    setGate(t, 14, 0, 0n);
    t.cpu.raise(14, 0);
    assert.equal(handlePendingException(t.cpu, t.ports), 'delivered');
    assert.deepEqual(t.log.exceptions, [
      [14, 0],
      [13, 1],
      [8, 0],
    ]);
    assert.equal(t.cpu.rip, handlerOf(8));
    const u = makeCpu({ mode: 64 });
    setGate(u, 13, Sel.code0, 0n, 0x0e);
    u.cpu.raise(13, 0);
    handlePendingException(u.cpu, u.ports);
    assert.deepEqual(u.log.exceptions, [
      [13, 0],
      [11, 13 * 8 + 3],
      [8, 0],
    ]);
    const v = makeCpu({ mode: 64 });
    setGate(v, 13, Sel.code0, handlerOf(13), 0x8e, 1);
    v.absent.add((IST1 - 0x1000) >> 12);
    v.cpu.raise(13, 0);
    assert.equal(handlePendingException(v.cpu, v.ports), 'delivered');
    assert.deepEqual(v.log.exceptions, [
      [13, 0],
      [14, 2],
    ]);
    assert.equal(v.cpu.rip, handlerOf(14));
    assert.equal(v.cpu.get64(State.cr2), BigInt(IST1 - 8));
  });

  it('a fault in a software interrupt is delivered, not combined', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(systemInstructions.INT(t.cpu, insn({ immediate: 200n }), t.ports), Outcome.pending);
    t.cpu.set32(State.idtrLimit, 0xfff);
    assert.equal(handlePendingException(t.cpu, t.ports), 'delivered');
    assert.deepEqual(t.log.exceptions, [[13, 200 * 8 + 2]]);
    assert.equal(t.read(STACK - 40, 8), BigInt(CODE), 'the pushed RIP is that of the INT');
  });

  it('an empty IDT is a triple fault and the shutdown state', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.idtrLimit, 0);
    t.cpu.raise(6);
    assert.equal(handlePendingException(t.cpu, t.ports), 'triple-fault');
    assert.equal(t.cpu.get32(State.activity), 2);
    assert.deepEqual(
      t.log.exceptions.map(([vector]) => vector),
      // #UD is benign, so the first #GP is delivered for itself; the second is contributory upon contributory.
      [6, 13, 13, 8, 13],
    );
  });

  it('VMX: exits before delivery without touching CR2; nested faults meet the bitmap first and see the vectoring information', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.vmxMode, 2);
    t.exits = (e) => e.kind === 'exception' && e.vector === 14;
    t.cpu.set64(State.pendingLinear, 0x5000n);
    t.cpu.raise(14, 6);
    assert.equal(handlePendingException(t.cpu, t.ports), 'exited');
    assert.equal(t.cpu.get64(State.cr2), 0n);
    assert.deepEqual(t.log.intercepts, [{ kind: 'exception', vector: 14, errorCode: 6, type: 3, length: 0, qualification: 0x5000n }]);

    const u = makeCpu({ mode: 64 });
    u.cpu.set32(State.vmxMode, 2);
    const seen: number[] = [];
    u.exits = (e) => {
      seen.push(u.cpu.get32(State.vectoringInfo));
      return e.kind === 'exception' && e.vector === 13;
    };
    setGate(u, 14, 0, 0n);
    u.cpu.raise(14, 2);
    assert.equal(handlePendingException(u.cpu, u.ports), 'exited');
    assert.deepEqual(seen, [0, 0x80000b0e]);
    assert.equal(u.cpu.get32(State.vectoringInfo), 0);
  });

  it('VMX: a double fault and a triple fault that exit carry no vectoring information', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.set32(State.vmxMode, 2);
    t.cpu.set32(State.idtrLimit, 0);
    const seen: [string, number][] = [];
    t.exits = (e) => {
      seen.push([e.kind === 'exception' ? `#${e.vector}` : e.kind, t.cpu.get32(State.vectoringInfo)]);
      return e.kind === 'triple-fault';
    };
    t.cpu.raise(6);
    assert.equal(handlePendingException(t.cpu, t.ports), 'exited');
    assert.deepEqual(seen, [
      ['#6', 0],
      ['#13', 0x80000306],
      ['#13', 0x80000b0d],
      ['#8', 0],
      ['#13', 0x80000b08],
      ['triple-fault', 0],
    ]);
  });

  it('an EPT violation during delivery stays pending with the vectoring information', () => {
    const t = makeCpu({ mode: 64 });
    t.eptAbsent.add((STACK - 1) >> 12);
    t.cpu.raise(13, 0);
    assert.equal(handlePendingException(t.cpu, t.ports), 'pending VM exit');
    assert.equal(t.cpu.get32(State.vectoringInfo), 0x80000b0d);
    assert.equal(t.cpu.get32(State.pendingKind), 2);
  });

  it('#DB: single step records DR6.BS and pushes RF as it is; general detect is a fault and clears GD', () => {
    const t = makeCpu({ mode: 64 });
    t.cpu.flags = 0x302;
    assert.equal(deliverDebugTrap(t.cpu, t.ports, Dr6.BS), 'delivered');
    assert.equal(t.cpu.get64(State.dr + 48), 0xffff4ff0n);
    assert.equal(t.read(STACK - 24, 8), 0x302n);
    const u = makeCpu({ mode: 64 });
    u.cpu.set64(State.dr + 56, 0x2400n);
    assert.equal(systemInstructions.MOV_FROM_DR(u.cpu, insn({ reg: 7, rm: 0 }), u.ports), Outcome.pending);
    assert.equal(handlePendingException(u.cpu, u.ports), 'delivered');
    assert.equal(u.cpu.get64(State.dr + 48), 0xffff2ff0n);
    assert.equal(u.cpu.get64(State.dr + 56), 0x400n);
    assert.equal(u.read(STACK - 24, 8), 0x10202n);
    assert.equal(raiseDebug(u.cpu, 1), 2);
  });

  it('sets the accessed bit of the handler segment in memory', () => {
    const t = makeCpu({ mode: 64 });
    assert.equal(t.read(GDT + Sel.code0, 8), descriptor(0, 0xfffff, 0xa09a));
    deliverEvent(t.cpu, t.ports, hardware(0));
    assert.equal(t.read(GDT + Sel.code0, 8), descriptor(0, 0xfffff, 0xa09b));
  });
});
