/** VM entries and VM exits: what is loaded, saved and recorded. */
import { strict as assert } from 'node:assert';
import { Outcome } from '../../../emulator/cpu/outcome';
import type { InterceptEvent } from '../../../emulator/spec/vmx-events';
import { Flag, Seg, State } from '../../../emulator/spec/vcpu-state';
import { Primary } from '../../../emulator/spec/vmx-controls';
import { CPUID, entered, exit, GUEST_RIP, HOST_RIP, LAUNCH_RIP, makeBench, VMCS_REGION, type Bench, type Values } from './vmx-bench';

const PRIMARY = 0x8400_6172;
const BOUNDARY = { trap: 2, window: 4 };

describe('VM entry', () => {
  it('loads registers, segments and tables', () => {
    const { cpu } = entered({
      guestCr3: 0x1234_5000, guestRsp: 0xffff_8000_0000_1000n, guestRflags: 0x246, guestFsBase: 0x7fff_0000_1000n, guestGsBase: 0xffff_8000_0000_0000n, guestGdtrBase: 0xffff_8000_0001_0000n,
      guestIdtrLimit: 0x7ff, guestIa32SysenterCs: 0x10, guestIa32SysenterEip: 0xffff_8000_0000_2000n, guestTrBase: 0x9_0000,
    }); // prettier-ignore
    assert.equal(cpu.rip, GUEST_RIP);
    assert.equal(cpu.cr3, 0x1234_5000n);
    assert.equal(cpu.gpr(4), 0xffff_8000_0000_1000n);
    assert.equal(cpu.flags, 0x246);
    assert.equal(cpu.segmentBase(Seg.fs), 0x7fff_0000_1000n);
    assert.equal(cpu.segmentBase(Seg.gs), 0xffff_8000_0000_0000n);
    assert.equal(cpu.get64(State.gdtrBase), 0xffff_8000_0001_0000n);
    assert.equal(cpu.get32(State.idtrLimit), 0x7ff);
    assert.equal(cpu.get64(State.sysenterEip), 0xffff_8000_0000_2000n);
    assert.equal(cpu.segmentAccess(Seg.ldtr), 0x10000);
    assert.equal(cpu.segmentAccess(Seg.cs), 0xa09b);
    assert.equal(cpu.cpl, 0);
    assert.equal(cpu.get32(State.vmxMode), 2);
  });
  it('takes CPL from the DPL of SS', () => {
    const { cpu } = entered({ guestCsSelector: 0x0b, guestCsAccessRights: 0xa0fb, guestSsSelector: 0x13, guestSsAccessRights: 0xc0f3 });
    assert.equal(cpu.cpl, 3);
  });
  it('leaves ET, CD and NW of CR0 alone', () => {
    const { cpu } = entered({ guestCr0: 0xe000_0021n }, (b) => b.cpu.set64(State.cr0, 0x8000_0031n));
    assert.equal(cpu.cr0, 0x8000_0031n);
  });
  it('sets LMA and LME from “IA-32e mode guest” unless IA32_EFER is loaded', () => {
    const guest32: Values = { vmEntryControls: 0x11fb, guestCr4: 0x2000, guestCsAccessRights: 0xc09b };
    assert.equal(entered(guest32, (b) => b.cpu.set64(State.efer, 0xd01n)).cpu.efer, 0x801n);
    assert.equal(
      entered({ vmEntryControls: 0x11fb | 0x8200, guestIa32Efer: 0x500 }, (b) => b.cpu.set64(State.efer, 0xd01n)).cpu.efer,
      0x500n,
    );
  });
  it('loads DR7, IA32_PAT only when told to', () => {
    assert.equal(entered({ guestDr7: 0x700 }).cpu.get64(State.dr + 56), 0n);
    assert.equal(entered({ guestDr7: 0x700, vmEntryControls: 0x13ff }).cpu.get64(State.dr + 56), 0x700n);
    assert.equal(
      entered({ guestIa32Pat: 0x0606_0606_0606_0606n, vmEntryControls: 0x11fb | 0x4200 }).cpu.get64(State.pat),
      0x0606_0606_0606_0606n,
    );
  });
  it('sets EPT and VPID, and flushes only without a VPID', () => {
    const plain = entered({ eptPointer: 0x7_005e });
    assert.equal(plain.cpu.getF64(State.eptPointer), 0x7_005e);
    assert.equal(plain.cpu.get32(State.eptMode), 1);
    assert.equal(plain.cpu.get32(State.vpid), 0);
    assert.equal(plain.mmu.flushesOfCurrent, 1);
    const tagged = entered({
      secondaryProcessorBasedVmExecutionControls: 0x22,
      virtualProcessorIdentifier: 7,
      eptPointer: 0x30_0000_001en,
    });
    assert.equal(tagged.cpu.get32(State.vpid), 7);
    assert.equal(tagged.cpu.getF64(State.eptPointer), 0x30_0000_001e);
    assert.equal(tagged.cpu.get32(State.eptMode), 0);
    assert.equal(tagged.mmu.flushesOfCurrent, 0);
    const high = entered({ eptPointer: 0xf000_001en });
    assert.equal(high.cpu.getF64(State.eptPointer), 0xf000_001e);
    const without = entered({ secondaryProcessorBasedVmExecutionControls: 0 });
    assert.equal(without.cpu.getF64(State.eptPointer), 0);
  });
  it('VM exits flush likewise', () => {
    const plain = entered();
    exit(plain);
    assert.equal(plain.mmu.flushesOfCurrent, 2);
    const tagged = entered({ secondaryProcessorBasedVmExecutionControls: 0x22, virtualProcessorIdentifier: 7 });
    exit(tagged);
    assert.equal(tagged.mmu.flushesOfCurrent, 0);
    assert.equal(tagged.cpu.get32(State.vpid), 0);
  });
  it('makes the launch state launched; VMRESUME works then, VMLAUNCH no more', () => {
    const bench = entered();
    assert.equal(bench.vmcs.launchState, 1);
    exit(bench);
    assert.equal(bench.execute('VMLAUNCH'), Outcome.next);
    assert.equal(bench.execute('VMRESUME'), Outcome.jumped);
    assert.deepEqual(bench.entries.map((e) => [e.instruction, e.from, e.rip, e.vmcs]), [
      ['VMLAUNCH', LAUNCH_RIP, GUEST_RIP, VMCS_REGION],
      ['VMRESUME', HOST_RIP, GUEST_RIP, VMCS_REGION],
    ]);
    assert.deepEqual(bench.charges, ['entry', 'exit', 'entry']);
  }); // prettier-ignore
  it('leaves an injected event pending, active, with NMIs blocked after an NMI', () => {
    const fault = entered({
      vmEntryInterruptionInformation: 0x8000_0b0e,
      vmEntryExceptionErrorCode: 6,
      guestInterruptibilityState: 1,
      guestRflags: 0x202,
    }).cpu;
    assert.equal(fault.get32(State.pendingEventInfo), 0x8000_0b0e);
    assert.equal(fault.get32(State.pendingEventError), 6);
    const soft = entered({ vmEntryInterruptionInformation: 0x8000_0480, vmEntryInstructionLength: 2 }).cpu;
    assert.equal(soft.get32(State.pendingEventLength), 2);
    const nmi = entered({ vmEntryInterruptionInformation: 0x8000_0202, guestActivityState: 1 }).cpu;
    assert.equal(nmi.get32(State.activity), 0);
    assert.equal(nmi.get32(State.interruptibility), 8);
    const halted = entered({ guestActivityState: 1 }).cpu;
    assert.equal(halted.get32(State.activity), 1);
    assert.equal(halted.get32(State.pendingEventInfo), 0);
  });
  it('keeps pending debug exceptions unless the entry is vectoring', () => {
    const pending = { guestPendingDebugExceptions: 0x4000, guestRflags: 0x102 };
    assert.equal(entered(pending).cpu.get32(State.pendingDebug), 0x4000);
    assert.equal(entered({ ...pending, vmEntryInterruptionInformation: 0x8000_0306 }).cpu.get32(State.pendingDebug), 0);
    const soft = { ...pending, vmEntryInterruptionInformation: 0x8000_0480, vmEntryInstructionLength: 2 };
    assert.equal(entered(soft).cpu.get32(State.pendingDebug), 0);
    assert.equal(entered({ ...soft, guestInterruptibilityState: 2 }).cpu.get32(State.pendingDebug), 0x4000);
  });
  // "Checks on Guest Control Registers": with “unrestricted guest” PE and PG may be 0; "Loading Guest Control Registers".
  it('enters a guest in real-address mode, its segments as the VMCS has them', () => {
    const { cpu } = entered({
      secondaryProcessorBasedVmExecutionControls: 0x82, vmEntryControls: 0x11fb, guestCr0: 0x30, guestCr4: 0x2000, guestCsSelector: 0x1234, guestCsBase: 0x12340,
      guestCsLimit: 0xffff, guestCsAccessRights: 0x93, guestSsAccessRights: 0x93, guestSsLimit: 0xffff, guestRip: 0x10,
    }); // prettier-ignore
    assert.equal(cpu.cr0 & 0x8000_0001n, 0n);
    assert.equal(cpu.efer & 0x500n, 0x100n, 'LMA 0; LME only follows while paging is on');
    assert.equal(cpu.segmentBase(Seg.cs), 0x12340n);
    assert.equal(cpu.cpl, 0);
  });
  it('enters a virtual-8086 guest at CPL 3', () => {
    const real = { Base: 0x1_0000, Limit: 0xffff, Selector: 0x1000, AccessRights: 0xf3 };
    const segments = Object.fromEntries(['Cs', 'Ss', 'Ds', 'Es', 'Fs', 'Gs'].flatMap((s) => Object.entries(real).map(([k, v]) => [`guest${s}${k}`, v])));
    const { cpu } = entered({ ...segments, vmEntryControls: 0x11fb, guestCr4: 0x2000, guestRflags: 0x2_0002, guestRip: 0 });
    assert.equal(cpu.cpl, 3);
    assert.equal(cpu.flags & Flag.VM, Flag.VM);
  }); // prettier-ignore
  it('loads IA32_DEBUGCTL with the debug controls', () => {
    assert.equal(entered({ guestIa32Debugctl: 3 }).cpu.get64(State.debugctl), 0n);
    assert.equal(entered({ guestIa32Debugctl: 3, vmEntryControls: 0x13ff }).cpu.get64(State.debugctl), 3n);
  });
  it('an EPT PML4 table may lie at physical address 0', () => {
    assert.equal(entered({ eptPointer: 0x1e }).cpu.getF64(State.eptPointer), 0x1e);
  });
});

describe('VM exit', () => {
  it('loads the host as the manual fixes it', () => {
    const bench = entered({
      hostFsBase: 0x1111_0000,
      hostGsBase: 0xffff_8000_0000_0000n,
      hostFsSelector: 0,
      hostGsSelector: 0x28,
      hostTrBase: 0x4000,
      hostIa32SysenterCs: 8,
      hostCr0: 0x8001_0021,
    });
    const { cpu } = bench;
    cpu.flags = 0x40287;
    cpu.set64(State.dr + 56, 0x7ffn);
    cpu.set32(State.interruptibility, 9);
    cpu.setCpl(3);
    exit(bench);
    assert.equal(cpu.rip, HOST_RIP);
    assert.equal(cpu.gpr(4), 0x7000n);
    assert.equal(cpu.flags, 2);
    assert.equal(cpu.cr0, 0x8001_0031n, 'ET stays');
    assert.equal(cpu.cr3, 0x1000n);
    assert.equal(cpu.cr4, 0x2020n);
    assert.equal(cpu.efer & 0x500n, 0x500n);
    assert.equal(cpu.get64(State.dr + 56), 0x400n);
    assert.equal(cpu.cpl, 0);
    const segment = (n: number): unknown[] => [cpu.segmentSelector(n), cpu.segmentBase(n), cpu.segmentLimit(n), cpu.segmentAccess(n)];
    assert.deepEqual(segment(Seg.cs), [8, 0n, 0xffff_ffff, 0xa09b]);
    assert.deepEqual(segment(Seg.ss), [0x10, 0n, 0xffff_ffff, 0xc093]);
    assert.deepEqual(segment(Seg.fs), [0, 0x1111_0000n, 0xffff_ffff, 0x10000]);
    assert.deepEqual(segment(Seg.gs), [0x28, 0xffff_8000_0000_0000n, 0xffff_ffff, 0xc093]);
    assert.deepEqual(segment(Seg.tr), [0x18, 0x4000n, 0x67, 0x8b]);
    assert.equal(cpu.segmentAccess(Seg.ldtr), 0x10000);
    assert.equal(cpu.get32(State.gdtrLimit), 0xffff);
    assert.equal(cpu.get64(State.idtrBase), 0x3000n);
    assert.equal(cpu.get32(State.interruptibility), 8, 'blocking by NMI stays');
    assert.equal(cpu.getF64(State.eptPointer), 0);
    assert.equal(cpu.get32(State.vmxMode), 1);
  });
  it('saves the guest', () => {
    const bench = entered();
    const { cpu } = bench;
    cpu.rip = 0x50_1234n;
    cpu.setGpr(4, 0x8ff0n);
    cpu.flags = 0x1_0246;
    cpu.set64(State.cr3, 0x6000n);
    cpu.setSegment(Seg.ds, 0, 0n, 0, 0x10000);
    cpu.setSegment(Seg.fs, 0x2b, 0x7fff_1234_0000n, 0xfffff, 0xc0f3);
    cpu.set32(State.idtrLimit, 0x1ff);
    cpu.set64(State.sysenterEsp, 0xffff_8000_0000_0000n);
    exit(bench);
    assert.equal(bench.get('guestRip'), 0x50_1234n);
    assert.equal(bench.get('guestRsp'), 0x8ff0n);
    assert.equal(bench.get('guestRflags'), 0x246n, 'RF is cleared for an exiting instruction');
    assert.equal(bench.get('guestCr3'), 0x6000n);
    assert.equal(bench.get('guestDsAccessRights'), 0x10000n);
    assert.equal(bench.get('guestFsBase'), 0x7fff_1234_0000n);
    assert.equal(bench.get('guestFsLimit'), 0xfffffn);
    assert.equal(bench.get('guestFsSelector'), 0x2bn);
    assert.equal(bench.get('guestIdtrLimit'), 0x1ffn);
    assert.equal(bench.get('guestIa32SysenterEsp'), 0xffff_8000_0000_0000n);
    assert.equal(bench.get('guestActivityState'), 0n);
    assert.equal(bench.get('vmEntryControls'), 0x13fbn);
    assert.deepEqual(bench.exits.map((e) => [e.reason, e.reasonNumber, e.rip, e.instructionLength, e.vmcs]), [['CPUID', 10, 0x50_1234n, 2, VMCS_REGION]]);
  }); // prettier-ignore
  it('saves DR7, PAT, EFER only when told to; LMA always goes to “IA-32e mode guest”', () => {
    const change = (b: Bench): void => {
      b.cpu.set64(State.dr + 56, 0x400n);
      b.cpu.set64(State.pat, 0x0606n);
      b.cpu.set64(State.efer, 0x501n);
    };
    const silent = entered({ guestDr7: 0x700, guestIa32Pat: 7, guestIa32Efer: 9 });
    change(silent);
    exit(silent);
    assert.deepEqual([silent.get('guestDr7'), silent.get('guestIa32Pat'), silent.get('guestIa32Efer')], [0x700n, 7n, 9n]);
    const saving = entered({ primaryVmExitControls: 0x3_6dff | 0x14_0200 });
    change(saving);
    exit(saving);
    assert.deepEqual([saving.get('guestDr7'), saving.get('guestIa32Pat'), saving.get('guestIa32Efer')], [0x400n, 0x0606n, 0x501n]);
    const left = entered();
    left.cpu.set64(State.efer, 0n);
    exit(left);
    assert.equal(left.get('vmEntryControls'), 0x11fbn);
  });
  it('loads host PAT and EFER when told to', () => {
    const bench = entered({ primaryVmExitControls: 0x3_6dfb | 0x28_0200, hostIa32Pat: 0x0007_0406n, hostIa32Efer: 0xd01 });
    exit(bench);
    assert.equal(bench.cpu.get64(State.pat), 0x0007_0406n);
    assert.equal(bench.cpu.efer, 0xd01n);
  });
  it('clears the valid bit of the event injection field', () => {
    const bench = entered({ vmEntryInterruptionInformation: 0x8000_0306 });
    exit(bench);
    assert.equal(bench.get('vmEntryInterruptionInformation'), 0x306n);
    assert.equal(bench.cpu.get32(State.pendingEventInfo), 0);
  });
  it('records an EPT violation with its addresses', () => {
    const bench = entered();
    const { cpu } = bench;
    cpu.set32(State.pendingKind, 2);
    cpu.set32(State.pendingReason, 48);
    cpu.set64(State.pendingQualification, 0x182n);
    cpu.setF64(State.pendingGpa, 0x12_3456_7000);
    cpu.set64(State.pendingLinear, 0xffff_8000_0000_0000n);
    bench.vmx.commitPendingExit(cpu);
    assert.equal(bench.get('vmExitReason'), 48n);
    assert.equal(bench.get('exitQualification'), 0x182n);
    assert.equal(bench.get('guestPhysicalAddress'), 0x12_3456_7000n);
    assert.equal(bench.get('guestLinearAddress'), 0xffff_8000_0000_0000n);
    assert.equal(bench.get('guestRflags'), 0x1_0002n, 'RF is set: the exit is fault-like');
    assert.equal(cpu.get32(State.pendingKind), 0);
    assert.equal(bench.exits[0].gpa, 0x12_3456_7000n);
  });
  it('a linear address that is not valid is not reported', () => {
    const bench = entered();
    bench.cpu.set32(State.pendingReason, 48);
    bench.cpu.set64(State.pendingQualification, 2n);
    bench.cpu.set64(State.pendingLinear, 0x1234n);
    bench.vmx.commitPendingExit(bench.cpu);
    assert.equal(bench.exits[0].linear, undefined);
  });
  it('records the event whose delivery was interrupted', () => {
    const violation: InterceptEvent = { kind: 'ept-violation', qualification: 1n, gpa: 0x1000, linear: undefined };
    const soft = entered();
    soft.cpu.set32(State.vectoringInfo, 0x8000_0480);
    soft.cpu.set32(State.vectoringLength, 2);
    exit(soft, violation);
    assert.equal(soft.get('idtVectoringInformation'), 0x8000_0480n);
    assert.equal(soft.get('vmExitInstructionLength'), 2n);
    assert.equal(soft.get('guestRflags'), 2n, 'RF as delivery of INT n would push it');
    assert.equal(soft.cpu.get32(State.vectoringInfo), 0);
    const hard = entered();
    hard.cpu.set32(State.vectoringInfo, 0x8000_0b0e);
    hard.cpu.set32(State.vectoringError, 6);
    exit(hard, violation);
    assert.equal(hard.get('idtVectoringInformation'), 0x8000_0b0en);
    assert.equal(hard.get('idtVectoringErrorCode'), 6n);
    assert.equal(hard.get('guestRflags'), 0x1_0002n);
    const instruction = entered();
    exit(instruction);
    assert.equal(instruction.get('idtVectoringInformation'), 0n);
  });
  it('an NMI exit blocks NMIs in the host', () => {
    const bench = entered({ pinBasedVmExecutionControls: 0x1e });
    exit(bench, { kind: 'nmi' });
    assert.equal(bench.cpu.get32(State.interruptibility), 8);
    assert.equal(bench.get('guestInterruptibilityState'), 0n);
  });
  it('saves the HLT state of a guest that an interrupt wakes, and goes on active', () => {
    const bench = entered({ guestActivityState: 1, pinBasedVmExecutionControls: 0x17 });
    exit(bench, { kind: 'external-interrupt', vector: 0x30 });
    assert.equal(bench.get('guestActivityState'), 1n);
    assert.equal(bench.cpu.get32(State.activity), 0);
  });
  it('a guest that is entered again is the one that exited', () => {
    const bench = entered({ guestRflags: 0x202, guestRsp: 0x1234 });
    const { cpu } = bench;
    cpu.setSegment(Seg.gs, 0x33, 0x7fff_0000_0000n, 0xffff_ffff, 0xc0f3);
    const image = (): unknown[] => [cpu.rip, cpu.flags, cpu.gpr(4), cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => [cpu.segmentSelector(n), cpu.segmentBase(n), cpu.segmentLimit(n), cpu.segmentAccess(n)])];
    const before = image();
    exit(bench);
    assert.notDeepEqual(image(), before);
    bench.execute('VMRESUME');
    assert.deepEqual(image(), before);
  }); // prettier-ignore
  it('a failed entry saves no guest state and leaves the other information fields', () => {
    const bench = makeBench();
    bench.set({ guestRflags: 0, vmEntryInterruptionInformation: 0x8000_0306 });
    bench.vmcs.setU32((bench.vmx.capabilities.fields.get(0x440c))!, 0x55);
    bench.execute('VMLAUNCH');
    assert.equal(bench.get('guestRflags'), 0n);
    assert.equal(bench.get('vmEntryInterruptionInformation'), 0x8000_0306n);
    assert.equal(bench.get('vmExitInstructionLength'), 0x55n);
    assert.equal(bench.failures[0].kind, 'exit');
    assert.equal(bench.failures[0].check!.fields[0].name, 'GUEST_RFLAGS');
  }); // prettier-ignore
});

const atBoundary = ({ vmx, cpu }: Bench): boolean =>
  cpu.vmxNonRoot && (vmx.atBoundary(cpu, 'monitor-trap') || vmx.atBoundary(cpu, 'interrupt-window'));

describe('boundaries', () => {
  const step = (b: Bench): void => b.cpu.setF64(State.steps, b.cpu.getF64(State.steps) + 1);
  const trap: Values = { primaryProcessorBasedVmExecutionControls: (PRIMARY | Primary.monitorTrapFlag) >>> 0 };
  it('MTF: the exit comes one step after the first boundary, however often that boundary is asked about', () => {
    const bench = entered(trap);
    assert.equal(bench.cpu.get32(State.boundary) & BOUNDARY.trap, BOUNDARY.trap);
    assert.equal(atBoundary(bench), false);
    assert.equal(atBoundary(bench), false);
    step(bench);
    assert.equal(atBoundary(bench), true);
    assert.equal(bench.get('vmExitReason'), 37n);
    assert.equal(bench.cpu.get32(State.boundary), 0);
  });
  it('MTF with an injected event: the exit comes after its delivery', () => {
    const bench = entered({ ...trap, vmEntryInterruptionInformation: 0x8000_0306 });
    bench.cpu.set32(State.pendingEventInfo, 0); // as the core does when it delivers
    assert.equal(atBoundary(bench), true);
  });
  it('a pending MTF VM exit can be injected', () => {
    const bench = entered({ vmEntryInterruptionInformation: 0x8000_0700 });
    assert.equal(bench.cpu.get32(State.pendingEventInfo), 0);
    assert.equal(atBoundary(bench), true);
    assert.equal(bench.get('vmExitReason'), 37n);
    assert.equal(bench.get('guestRip'), GUEST_RIP);
  });
  it('MTF keeps a single-step trap pending', () => {
    const bench = entered({ ...trap, guestRflags: 0x102 });
    atBoundary(bench);
    step(bench);
    bench.cpu.set32(State.pendingDebug, 0x4000);
    atBoundary(bench);
    assert.equal(bench.get('guestPendingDebugExceptions'), 0x4000n);
  });
  const window: Values = { primaryProcessorBasedVmExecutionControls: (PRIMARY | Primary.interruptWindowExiting) >>> 0, guestRflags: 0x202 };
  it('interrupt window: at once with IF = 1', () => {
    const bench = entered(window);
    assert.equal(atBoundary(bench), true);
    assert.equal(bench.get('vmExitReason'), 7n);
  });
  it('interrupt window: not with IF = 0, blocking by STI or MOV SS, or an event to be delivered', () => {
    for (const prepare of [
      (b: Bench) => (b.cpu.flags = 2),
      (b: Bench) => b.cpu.set32(State.interruptibility, 1),
      (b: Bench) => b.cpu.set32(State.interruptibility, 2),
      (b: Bench) => b.cpu.set32(State.pendingEventInfo, 0x8000_0306),
      (b: Bench) => b.cpu.set32(State.activity, 2),
    ]) {
      const bench = entered(window);
      prepare(bench);
      assert.equal(atBoundary(bench), false);
    }
    const halted = entered({ ...window, guestActivityState: 1 });
    assert.equal(atBoundary(halted), true);
    assert.equal(halted.get('guestActivityState'), 1n);
  });
  it('TF keeps its own bit of the boundary word', () => {
    const bench = entered({ ...trap, guestRflags: 0x102 });
    assert.equal(bench.cpu.get32(State.boundary), 3);
    assert.ok(bench.cpu.flag(Flag.TF));
  });
});

describe('what the CPU asks', () => {
  it('CR0 and CR4 as the guest sees them', () => {
    const bench = entered({ cr0GuestHostMask: 0x8000_0001, cr0ReadShadow: 0x11, cr4GuestHostMask: 0x2000, cr4ReadShadow: 0 });
    assert.equal(bench.vmx.visibleCr0(bench.cpu, 0x8000_0033n), 0x33n);
    assert.equal(bench.vmx.visibleCr4(bench.cpu, 0x2020n), 0x20n);
    exit(bench);
    assert.equal(bench.vmx.visibleCr0(bench.cpu, 0x8000_0033n), 0x8000_0033n);
  });
  it('fixed bits: PE and PG are free for an unrestricted guest', () => {
    const bench = entered();
    assert.deepEqual(bench.vmx.fixedCr0(bench.cpu), [0x8000_0021n, 0xffff_ffffn]);
    const free = entered({ secondaryProcessorBasedVmExecutionControls: 0x82 });
    assert.deepEqual(free.vmx.fixedCr0(free.cpu), [0x20n, 0xffff_ffffn]);
    assert.equal(free.vmx.fixedCr4(free.cpu)?.[0], 0x2000n);
    free.cpu.set32(State.vmxMode, 0);
    assert.equal(free.vmx.fixedCr0(free.cpu), undefined);
  });
  // "Use TSC Scaling": the product with the multiplier, shifted right by 48 bits, plus the offset.
  it('the TSC is scaled and offset in the guest only', () => {
    const primary = (PRIMARY | Primary.useTscOffsetting) >>> 0;
    const bench = entered({ tscOffset: -100n & 0xffff_ffff_ffff_ffffn, primaryProcessorBasedVmExecutionControls: primary });
    assert.equal(BigInt.asIntN(64, bench.vmx.guestTsc(bench.cpu, 1000n)), 900n);
    exit(bench);
    assert.equal(bench.vmx.guestTsc(bench.cpu, 1000n), 1000n);
    const plain = entered({ tscOffset: 5 });
    assert.equal(plain.vmx.guestTsc(plain.cpu, 1000n), 1000n);
    const scaled = entered({
      tscOffset: 7, tscMultiplier: 3n << 47n, primaryProcessorBasedVmExecutionControls: primary, secondaryProcessorBasedVmExecutionControls: 2 | (1 << 25),
    }); // prettier-ignore
    assert.equal(scaled.vmx.guestTsc(scaled.cpu, 1001n), 1508n);
    const withoutOffset = entered({ tscMultiplier: 3n << 47n, secondaryProcessorBasedVmExecutionControls: 2 | (1 << 25) });
    assert.equal(withoutOffset.vmx.guestTsc(withoutOffset.cpu, 1000n), 1000n, 'only with “use TSC offsetting”');
  });
  it('RDTSCP is #UD in a guest without “enable RDTSCP”', () => {
    const bench = entered();
    assert.equal(bench.vmx.disabledByControls(bench.cpu, 'RDTSCP'), true);
    exit(bench);
    assert.equal(bench.vmx.disabledByControls(bench.cpu, 'RDTSCP'), false);
    assert.equal(entered({ secondaryProcessorBasedVmExecutionControls: 0xa }).vmx.disabledByControls(bench.cpu, 'RDTSCP'), false);
  });
  it('capability MSRs and IA32_FEATURE_CONTROL, nothing else', () => {
    const { vmx, cpu } = makeBench();
    assert.equal(vmx.readCapabilityMsr(cpu, 0x3a), 5n);
    assert.equal(vmx.readCapabilityMsr(cpu, 0x486), 0x8000_0021n);
    assert.equal(vmx.readCapabilityMsr(cpu, 0x491), 1n);
    assert.equal(vmx.readCapabilityMsr(cpu, 0x492), undefined);
    assert.equal(vmx.readCapabilityMsr(cpu, 0x10), undefined);
  });
  it('outside non-root operation nothing is intercepted', () => {
    const bench = makeBench();
    assert.equal(bench.vmx.intercept(bench.cpu, CPUID), false);
    assert.equal(atBoundary(bench), false);
  });
});
