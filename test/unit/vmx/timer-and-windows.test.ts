/**
 * SDM volume 3, "VMX-Preemption Timer", "Instructions That Cause VM Exits Conditionally" (PAUSE loops), "NMI-window exiting", "Changes to Instruction
 * Behavior" (IRET), "Information About NMI Unblocking Due to IRET", "Loading Host … Non-Register State".
 */
import { strict as assert } from 'node:assert';
import { State } from '../../../emulator/spec/vcpu-state';
import type { InterceptEvent } from '../../../emulator/spec/vmx-events';
import { entered, exit, INTERRUPT_VECTOR, type Bench, type Values } from './vmx-bench';

const PRIMARY = 0x8400_6172;
const TIMER: Values = { pinBasedVmExecutionControls: 0x56, primaryVmExitControls: 0x43_6ffb };
const PAUSE: InterceptEvent = { kind: 'instruction', name: 'PAUSE', length: 2 };

describe('VMX-preemption timer', () => {
  // It counts down whenever bit 5 of the TSC changes (IA32_VMX_MISC bits 4:0 are 5 here).
  it('expires when bit 5 of the TSC has changed as often as its value says', () => {
    const at = (now: number, value: number): number => {
      const bench = entered({ ...TIMER, vmxPreemptionTimerValue: value }, (b) => void (b.time.now = now));
      return bench.cpu.getF64(State.deadline) - now;
    };
    assert.equal(at(0x1000, 1), 32);
    assert.equal(at(0x101f, 1), 1);
    assert.equal(at(0x1001, 10), 319);
    assert.equal(at(0x1000, 0), 0);
  });
  it('exits with reason 52, and is saved when the control says so', () => {
    const bench = entered({ ...TIMER, vmxPreemptionTimerValue: 100 });
    bench.time.now += 32 * 30 + 5;
    exit(bench);
    assert.equal(bench.get('vmxPreemptionTimerValue'), 70n);
    assert.equal(bench.cpu.getF64(State.deadline), 0);
    const expired = entered({ ...TIMER, vmxPreemptionTimerValue: 3 });
    expired.time.now += 1000;
    assert.equal(expired.vmx.atBoundary(expired.cpu, 'preemption-timer'), true);
    assert.deepEqual([expired.get('vmExitReason'), expired.get('vmxPreemptionTimerValue')], [52n, 0n]);
    const unsaved = entered({ ...TIMER, primaryVmExitControls: 0x3_6ffb, vmxPreemptionTimerValue: 9 });
    exit(unsaved);
    assert.equal(unsaved.get('vmxPreemptionTimerValue'), 9n);
  });
  it('does not run without the control', () => assert.equal(entered({ vmxPreemptionTimerValue: 9 }).cpu.getF64(State.deadline), 0));
});

describe('PAUSE-loop exiting', () => {
  const LOOP: Values = { secondaryProcessorBasedVmExecutionControls: 2 | (1 << 10), pleGap: 100, pleWindow: 1000 };
  const pauses = (bench: Bench, gap: number, count: number): number => {
    for (let n = 1; n <= count; n++) {
      if (bench.vmx.intercept(bench.cpu, PAUSE)) return n;
      bench.time.now += gap;
    }
    return 0;
  };
  it('exits when a loop has lasted longer than the window', () => {
    const bench = entered(LOOP);
    // PAUSEs 100 ticks apart: the twelfth comes 1100 ticks after the first.
    assert.equal(pauses(bench, 100, 20), 12);
    assert.deepEqual([bench.get('vmExitReason'), bench.get('vmExitInstructionLength')], [40n, 2n]);
  });
  it('a gap begins another loop', () => assert.equal(pauses(entered(LOOP), 101, 50), 0));
  it('only at CPL 0, and not when PAUSE exits anyway', () => {
    const user = entered(LOOP);
    user.cpu.setCpl(3);
    assert.equal(pauses(user, 10, 500), 0);
    assert.equal(pauses(entered({ ...LOOP, primaryProcessorBasedVmExecutionControls: (PRIMARY | (1 << 30)) >>> 0 }), 10, 5), 1);
  });
  it('VM entry forgets the loop', () => {
    const bench = entered(LOOP);
    assert.equal(pauses(bench, 100, 11), 0);
    exit(bench);
    bench.execute('VMRESUME');
    assert.equal(pauses(bench, 100, 11), 0);
  });
});

describe('NMIs and interrupts', () => {
  const VIRTUAL: Values = { pinBasedVmExecutionControls: 0x16 | 0x28 };
  it('the NMI window is open without blocking by NMI or MOV SS', () => {
    for (const [blocking, open] of [[0, true], [1, true], [2, false], [8, false]] as const) {
      const bench = entered({ ...VIRTUAL, primaryProcessorBasedVmExecutionControls: (PRIMARY | (1 << 22)) >>> 0, guestInterruptibilityState: blocking, guestRflags: 0x202 });
      assert.equal(bench.vmx.atBoundary(bench.cpu, 'nmi-window'), open, `${blocking}`);
      if (open) assert.equal(bench.get('vmExitReason'), 8n);
    }
  }); // prettier-ignore
  it('virtual-NMI blocking is saved, but does not block NMIs in the host', () => {
    const bench = entered({ ...VIRTUAL, guestInterruptibilityState: 8 });
    assert.equal(bench.vmx.usesVirtualNmis(bench.cpu), true);
    exit(bench);
    assert.equal(bench.get('guestInterruptibilityState'), 8n);
    assert.equal(bench.cpu.get32(State.interruptibility), 0);
  });
  it('an NMI that exits blocks NMIs in the host', () => {
    const bench = entered(VIRTUAL);
    exit(bench, { kind: 'nmi' });
    assert.equal(bench.cpu.get32(State.interruptibility), 8);
    assert.equal(bench.get('vmExitInterruptionInformation'), 0x8000_0202n);
  });
  it('IRET ends blocking by NMI unless NMIs exit and are not virtual', () => {
    const of = (pin: number): boolean => {
      const bench = entered({ pinBasedVmExecutionControls: pin });
      return bench.vmx.iretUnblocksNmis(bench.cpu);
    };
    assert.deepEqual([0x16, 0x1e, 0x3e].map(of), [true, false, true]);
  });
  it('a fault of an IRET that unblocked NMIs sets bit 12', () => {
    const fault = entered({ exceptionBitmap: 1 << 13 });
    fault.cpu.set32(State.nmiUnblocked, 1);
    exit(fault, { kind: 'exception', vector: 13, errorCode: 0, type: 3, length: 0, qualification: 0n });
    assert.equal(fault.get('vmExitInterruptionInformation'), 0x8000_1b0dn);
    const violation = entered();
    violation.cpu.set32(State.nmiUnblocked, 1);
    exit(violation, { kind: 'ept-violation', qualification: 0x181n, gpa: 0x1000, linear: 0n });
    assert.equal(violation.get('exitQualification'), 0x1181n);
  });
  it('an external interrupt is acknowledged only with the control', () => {
    const plain = entered({ pinBasedVmExecutionControls: 0x17 });
    assert.equal(plain.vmx.externalInterrupt(plain.cpu), 'exited');
    assert.deepEqual([plain.get('vmExitReason'), plain.get('vmExitInterruptionInformation')], [1n, 0n]);
    const acknowledged = entered({ pinBasedVmExecutionControls: 0x17, primaryVmExitControls: 0x3_effb });
    acknowledged.vmx.externalInterrupt(acknowledged.cpu);
    assert.equal(acknowledged.get('vmExitInterruptionInformation'), 0x8000_0000n + BigInt(INTERRUPT_VECTOR));
    const none = entered();
    assert.equal(none.vmx.externalInterrupt(none.cpu), 'deliver');
  });
  it('INIT signals and start-up IPIs are exits 3 and 4', () => {
    const init = entered();
    init.cpu.set32(State.pendingDebug, 0x4000);
    exit(init, { kind: 'init' });
    assert.deepEqual([init.get('vmExitReason'), init.get('guestPendingDebugExceptions')], [3n, 0x4000n]);
    const sipi = entered();
    exit(sipi, { kind: 'start-up', vector: 0x9a });
    assert.deepEqual([sipi.get('vmExitReason'), sipi.get('exitQualification')], [4n, 0x9an]);
  });
});
