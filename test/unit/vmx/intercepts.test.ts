/** `intercepts(controls, event)`: which events cause VM exits and what they record. */
import { strict as assert } from 'node:assert';
import { ExitReason } from '../../../emulator/spec/exit-reasons';
import type { InterceptEvent } from '../../../emulator/spec/vmx-events';
import { Pin, Primary, Secondary } from '../../../emulator/spec/vmx-controls';
import type { VmcsFieldId } from '../../../emulator/spec/vmcs-fields';
import { intercepts, type ExitDecision } from '../../../emulator/vmx/intercepts';
import { makeBench } from './vmx-bench';

const PIN = 0x16;
const PRIMARY = 0x8400_6172;
const IO_A = 0x30000;
const IO_B = 0x31000;
const MSRS = 0x32000;

function ask(values: Partial<Record<VmcsFieldId, bigint | number>>, event: InterceptEvent, bits: readonly (readonly [page: number, bit: number])[] = []): ExitDecision | undefined {
  const bench = makeBench();
  bench.set(values);
  for (const [page, bit] of bits) bench.memory.write8(page + (bit >> 3), 1 << (bit & 7));
  return intercepts({ fields: bench.vmcs, readBitmapByte: (a) => bench.memory.read8(a) }, event);
} // prettier-ignore
const primary = (bits: number): Partial<Record<VmcsFieldId, number>> => ({
  primaryProcessorBasedVmExecutionControls: (PRIMARY | bits) >>> 0,
});
const secondary = (bits: number): Partial<Record<VmcsFieldId, number>> => ({ secondaryProcessorBasedVmExecutionControls: bits });

describe('intercepts: instructions', () => {
  const instruction = (name: Extract<InterceptEvent, { kind: 'instruction' }>['name']): InterceptEvent => ({
    kind: 'instruction',
    name,
    length: 2,
  });
  it('CPUID, GETSEC, INVD and XSETBV exit always', () => {
    for (const name of ['CPUID', 'GETSEC', 'INVD', 'XSETBV'] as const) {
      const d = ask({}, instruction(name));
      assert.equal(d?.reason, ExitReason[name]);
      assert.equal(d.instructionLength, 2);
      assert.equal(d.qualification, 0n);
      assert.equal(d.resumeFlag, 'clear');
    }
  });
  const controlled = [
    ['HLT', Primary.hltExiting], ['RDTSC', Primary.rdtscExiting], ['RDPMC', Primary.rdpmcExiting], ['MWAIT', Primary.mwaitExiting], ['MONITOR', Primary.monitorExiting],
    ['PAUSE', Primary.pauseExiting],
  ] as const; // prettier-ignore
  for (const [name, bit] of controlled) {
    it(`${name} exits with its control only`, () => {
      assert.equal(ask(primary(0), instruction(name)), undefined);
      assert.equal(ask(primary(bit), instruction(name))?.reason, ExitReason[name]);
    });
  }
  it('RDTSCP needs “enable RDTSCP” and “RDTSC exiting”; WBINVD its secondary control', () => {
    assert.equal(ask({ ...primary(Primary.rdtscExiting), ...secondary(0) }, instruction('RDTSCP')), undefined);
    assert.equal(ask({ ...primary(0), ...secondary(Secondary.enableRdtscp) }, instruction('RDTSCP')), undefined);
    assert.equal(ask({ ...primary(Primary.rdtscExiting), ...secondary(Secondary.enableRdtscp) }, instruction('RDTSCP'))?.reason, 51);
    assert.equal(ask(secondary(Secondary.wbinvdExiting), instruction('WBINVD'))?.reason, 54);
  });
  it('secondary controls count only when activated', () => {
    const values = { primaryProcessorBasedVmExecutionControls: 0x0400_6172, ...secondary(Secondary.wbinvdExiting) };
    assert.equal(ask(values, instruction('WBINVD')), undefined);
  });
  it('VMX instructions exit always, with displacement and information', () => {
    for (const name of [
      'VMCALL',
      'VMCLEAR',
      'VMLAUNCH',
      'VMPTRLD',
      'VMPTRST',
      'VMREAD',
      'VMRESUME',
      'VMWRITE',
      'VMXOFF',
      'VMXON',
      'INVEPT',
      'INVVPID',
    ] as const) {
      const d = ask({}, { kind: 'vmx', name, length: 4, qualification: 0x10n, information: 0x77 });
      assert.equal(d?.reason, ExitReason[name]);
      assert.equal(d.qualification, 0x10n);
      assert.equal(d.instructionInformation, 0x77);
    }
  });
  it('INVLPG with its control, the address as qualification', () => {
    const event: InterceptEvent = { kind: 'invlpg', linear: 0xffff_8000_1234_5000n, length: 3 };
    assert.equal(ask({}, event), undefined);
    assert.equal(ask(primary(Primary.invlpgExiting), event)?.qualification, 0xffff_8000_1234_5000n);
  });
  it('descriptor-table instructions with their control: 46 for GDTR and IDTR, 47 for LDTR and TR', () => {
    const event = (name: 'SGDT' | 'LTR'): InterceptEvent => ({
      kind: 'descriptor-table',
      name,
      length: 3,
      information: 5,
      displacement: 8n,
    });
    assert.equal(ask(secondary(0), event('SGDT')), undefined);
    assert.equal(ask(secondary(Secondary.descriptorTableExiting), event('SGDT'))?.reason, 46);
    assert.equal(ask(secondary(Secondary.descriptorTableExiting), event('LTR'))?.reason, 47);
  });
  it('MOV DR with its control', () => {
    const event: InterceptEvent = { kind: 'dr', dr: 7, toDr: false, register: 9, length: 3 };
    assert.equal(ask({}, event), undefined);
    assert.equal(ask(primary(Primary.movDrExiting), event)?.qualification, 0x917n);
    assert.equal(ask(primary(Primary.movDrExiting), { ...event, dr: 1, toDr: true, register: 0 })?.qualification, 0x001n);
  });
});

describe('intercepts: I/O', () => {
  const io = (port: number, size: 1 | 2 | 4 = 1, more: Partial<Extract<InterceptEvent, { kind: 'io' }>> = {}): InterceptEvent => ({
    kind: 'io', port, size, in: false, string: false, rep: false, immediate: false, length: 1, ...more,
  }); // prettier-ignore
  const bitmaps = { ...primary(Primary.useIoBitmaps), ioBitmapA: IO_A, ioBitmapB: IO_B };
  it('unconditional I/O exiting', () => {
    assert.equal(ask({}, io(0x80)), undefined);
    assert.equal(ask(primary(Primary.unconditionalIoExiting), io(0x80))?.qualification, 0x80_0000n);
  });
  it('qualification: size, direction, string, REP, operand encoding, port', () => {
    const always = primary(Primary.unconditionalIoExiting);
    assert.equal(ask(always, io(0x3f8, 4, { in: true, immediate: true }))?.qualification, 0x3f8_004bn);
    const d = ask(always, io(0xffff, 2, { string: true, rep: true, segment: 4, addressSize: 8, linear: 0x1234n }));
    assert.equal(d?.qualification, 0xffff_0031n);
    assert.equal(d.instructionInformation, (2 << 7) | (4 << 15));
    assert.equal(d.linear, 0x1234n);
    assert.equal(ask(always, io(0x60, 1, { string: true, in: true, segment: 0, addressSize: 4 }))?.instructionInformation, 1 << 7);
  });
  it('bitmap A below 8000H, bitmap B above; every accessed port counts', () => {
    assert.equal(ask(bitmaps, io(0x3f8), [[IO_A, 0x3f9]]), undefined);
    assert.ok(ask(bitmaps, io(0x3f8, 2), [[IO_A, 0x3f9]]));
    assert.ok(ask(bitmaps, io(0x7fff), [[IO_A, 0x7fff]]));
    assert.ok(ask(bitmaps, io(0x7fff, 2), [[IO_B, 0]]));
    assert.ok(ask(bitmaps, io(0x8001), [[IO_B, 1]]));
    assert.equal(ask(bitmaps, io(0x8001), [[IO_A, 1]]), undefined);
  });
  it('the bitmaps win over unconditional exiting; a wrap around port FFFFH exits', () => {
    const both = { ...bitmaps, ...primary(Primary.useIoBitmaps | Primary.unconditionalIoExiting) };
    assert.equal(ask(both, io(0x80)), undefined);
    assert.equal(ask(bitmaps, io(0xfffe, 2)), undefined);
    assert.ok(ask(bitmaps, io(0xffff, 2)));
    assert.ok(ask(bitmaps, io(0xfffd, 4)));
  });
});

describe('intercepts: MSRs', () => {
  const bitmaps = { ...primary(Primary.useMsrBitmaps), msrBitmaps: MSRS };
  const rd = (index: number): InterceptEvent => ({ kind: 'rdmsr', index, length: 2 });
  const wr = (index: number): InterceptEvent => ({ kind: 'wrmsr', index, length: 2, value: 1n });
  it('without bitmaps both exit always', () => {
    assert.equal(ask({}, rd(0x10))?.reason, ExitReason.RDMSR);
    assert.equal(ask({}, wr(0x10))?.reason, ExitReason.WRMSR);
  });
  it('four bitmaps: read low, read high, write low, write high', () => {
    const cases = [
      [rd(0x174), MSRS, 0x174], [rd(0x1fff), MSRS, 0x1fff], [rd(0xc000_0080), MSRS + 1024, 0x80], [wr(0x174), MSRS + 2048, 0x174],
      [wr(0xc000_1fff), MSRS + 3072, 0x1fff],
    ] as const; // prettier-ignore
    for (const [event, page, bit] of cases) {
      assert.equal(ask(bitmaps, event), undefined);
      assert.ok(ask(bitmaps, event, [[page, bit]]));
      for (const other of [MSRS, MSRS + 1024, MSRS + 2048, MSRS + 3072])
        if (other !== page) assert.equal(ask(bitmaps, event, [[other, bit]]), undefined);
    }
  });
  it('outside both ranges they exit', () => {
    for (const index of [0x2000, 0x4000_0000, 0xbfff_ffff, 0xc000_2000, 0xffff_ffff, -1]) assert.ok(ask(bitmaps, rd(index)), String(index));
  });
});

describe('intercepts: control registers', () => {
  const cr = (parts: Partial<Extract<InterceptEvent, { kind: 'cr' }>>): InterceptEvent => ({
    kind: 'cr',
    cr: 0,
    access: 'mov-to',
    register: 3,
    value: 0n,
    length: 3,
    ...parts,
  });
  it('MOV to CR0 and CR4: a host-owned bit that differs from the shadow', () => {
    const values = { cr0GuestHostMask: 0x8000_0001, cr0ReadShadow: 0x8000_0001, cr4GuestHostMask: 0x2000, cr4ReadShadow: 0 };
    assert.equal(ask(values, cr({ value: 0x8000_0033n })), undefined);
    assert.equal(ask(values, cr({ value: 0x33n }))?.qualification, 0x300n);
    assert.equal(ask(values, cr({ cr: 4, value: 0x20n })), undefined);
    assert.equal(ask(values, cr({ cr: 4, value: 0x2020n, register: 15 }))?.qualification, 0xf04n);
  });
  it('MOV to CR3: CR3-load exiting, unless the value is one of the counted targets', () => {
    assert.equal(ask(primary(0), cr({ cr: 3, value: 0x5000n })), undefined);
    const exiting = { ...primary(Primary.cr3LoadExiting), cr3TargetValue0: 0x5000, cr3TargetValue1: 0x6000 };
    assert.ok(ask({ ...exiting, cr3TargetCount: 0 }, cr({ cr: 3, value: 0x5000n })));
    assert.equal(ask({ ...exiting, cr3TargetCount: 1 }, cr({ cr: 3, value: 0x5000n })), undefined);
    assert.equal(ask({ ...exiting, cr3TargetCount: 1 }, cr({ cr: 3, value: 0x6000n }))?.qualification, 0x303n);
    assert.equal(ask({ ...exiting, cr3TargetCount: 2 }, cr({ cr: 3, value: 0x6000n })), undefined);
  });
  it('MOV from CR3 and CR8, MOV to CR8 by their controls; MOV from CR0 and CR4 never', () => {
    assert.equal(ask({}, cr({ cr: 0, access: 'mov-from' })), undefined);
    assert.equal(ask(primary(0), cr({ cr: 3, access: 'mov-from' })), undefined);
    assert.equal(ask(primary(Primary.cr3StoreExiting), cr({ cr: 3, access: 'mov-from', register: 1 }))?.qualification, 0x113n);
    assert.equal(ask(primary(Primary.cr8StoreExiting), cr({ cr: 8, access: 'mov-from', register: 0 }))?.qualification, 0x18n);
    assert.equal(ask(primary(Primary.cr8LoadExiting), cr({ cr: 8, register: 2 }))?.qualification, 0x208n);
    assert.equal(ask(primary(0), cr({ cr: 8 })), undefined);
  });
  it('CLTS exits when TS is host-owned and 1 in the shadow', () => {
    const clts = cr({ access: 'clts', register: 0 });
    assert.equal(ask({ cr0GuestHostMask: 8, cr0ReadShadow: 8 }, clts)?.qualification, 0x20n);
    assert.equal(ask({ cr0GuestHostMask: 8, cr0ReadShadow: 0 }, clts), undefined);
    assert.equal(ask({ cr0GuestHostMask: 0, cr0ReadShadow: 8 }, clts), undefined);
  });
  it('LMSW: bits 3:1 as MOV to CR0, PE only when it is to be set', () => {
    const lmsw = (value: bigint, linear?: bigint): InterceptEvent => cr({ access: 'lmsw', value, linear });
    assert.equal(ask({ cr0GuestHostMask: 0xf, cr0ReadShadow: 1 }, lmsw(0n)), undefined);
    assert.equal(ask({ cr0GuestHostMask: 0xf, cr0ReadShadow: 0 }, lmsw(1n))?.qualification, 0x1_0030n);
    const d = ask({ cr0GuestHostMask: 0xf, cr0ReadShadow: 1 }, lmsw(0xabc9n, 0x7000n));
    assert.equal(d?.qualification, 0xabc9_0070n);
    assert.equal(d.linear, 0x7000n);
    assert.equal(ask({ cr0GuestHostMask: 0, cr0ReadShadow: 0 }, lmsw(0xfn)), undefined);
  });
});

describe('intercepts: events', () => {
  const exception = (vector: number, errorCode?: number, parts: Partial<Extract<InterceptEvent, { kind: 'exception' }>> = {}): InterceptEvent => ({
    kind: 'exception', vector, errorCode, type: 3, length: 0, qualification: 0n, ...parts,
  }); // prettier-ignore
  it('exception bitmap, interruption information and error code', () => {
    assert.equal(ask({ exceptionBitmap: 1 << 6 }, exception(13, 0x18)), undefined);
    const d = ask({ exceptionBitmap: 1 << 13 }, exception(13, 0x18));
    assert.equal(d?.reason, 0);
    assert.equal(d.interruptionInformation, 0x8000_0b0d);
    assert.equal(d.interruptionErrorCode, 0x18);
    assert.equal(d.resumeFlag, 'set');
    assert.equal(ask({ exceptionBitmap: 1 << 6 }, exception(6))?.interruptionInformation, 0x8000_0306);
  });
  it('page faults: bit 14 where mask and match agree with the error code, reversed where they do not', () => {
    const values = (bit: number, mask: number, match: number): Partial<Record<VmcsFieldId, number>> => ({
      exceptionBitmap: bit << 14, pageFaultErrorCodeMask: mask, pageFaultErrorCodeMatch: match,
    }); // prettier-ignore
    const fault = exception(14, 2, { qualification: 0x1234n });
    assert.equal(ask(values(1, 0, 0), fault)?.qualification, 0x1234n);
    assert.equal(ask(values(0, 0, 0), fault), undefined);
    assert.equal(ask(values(1, 1, 1), fault), undefined);
    assert.ok(ask(values(0, 1, 1), fault));
    assert.ok(ask(values(1, 3, 2), fault));
    assert.equal(ask(values(1, 0, 0xffff_ffff), fault), undefined);
    assert.ok(ask(values(0, 0, 0xffff_ffff), fault));
  });
  it('software exceptions have their type and the length of the instruction, and leave RF', () => {
    const d = ask({ exceptionBitmap: 1 << 3 }, exception(3, undefined, { type: 6, length: 1 }));
    assert.equal(d?.interruptionInformation, 0x8000_0603);
    assert.equal(d.instructionLength, 1);
    assert.equal(d.resumeFlag, 'keep');
  });
  it('#DB has its conditions as qualification', () => {
    assert.equal(ask({ exceptionBitmap: 2 }, exception(1, undefined, { qualification: 0x4000n }))?.qualification, 0x4000n);
  });
  it('a double fault is no exit during event delivery', () => {
    assert.equal(ask({ exceptionBitmap: 1 << 8 }, exception(8, 0))?.duringDelivery, false);
    assert.equal(ask({ exceptionBitmap: 1 << 13 }, exception(13, 0))?.duringDelivery, true);
  });
  it('NMIs and external interrupts by the pin-based controls', () => {
    assert.equal(ask({}, { kind: 'nmi' }), undefined);
    assert.equal(ask({ pinBasedVmExecutionControls: PIN | Pin.nmiExiting }, { kind: 'nmi' })?.interruptionInformation, 0x8000_0202);
    assert.equal(ask({}, { kind: 'external-interrupt', vector: 0x20 }), undefined);
    const pin = { pinBasedVmExecutionControls: PIN | Pin.externalInterruptExiting };
    assert.equal(ask(pin, { kind: 'external-interrupt', vector: 0x20 })?.interruptionInformation, 0);
    assert.equal(
      ask({ ...pin, primaryVmExitControls: 0x3_6dfb | 0x8200 }, { kind: 'external-interrupt', vector: 0x20 })?.interruptionInformation,
      0x8000_0020,
    );
  });
  it('triple faults and task switches always', () => {
    assert.equal(ask({}, { kind: 'triple-fault' })?.reason, 2);
    assert.equal(ask({}, { kind: 'task-switch', selector: 0x28, source: 3, length: 0 })?.qualification, 0xc000_0028n);
  });
  it('EPT violations and misconfigurations', () => {
    const d = ask({}, { kind: 'ept-violation', qualification: 0x182n, gpa: 0xfee0_0000, linear: 0x7000n });
    assert.equal(d?.reason, 48);
    assert.equal(d.gpa, 0xfee0_0000);
    assert.equal(d.linear, 0x7000n);
    const m = ask({}, { kind: 'ept-misconfiguration', qualification: 0x182n, gpa: 0x1000, linear: 0x7000n });
    assert.equal(m?.reason, 49);
    assert.equal(m.qualification, 0n);
    assert.equal(m.linear, undefined);
  });
  it('windows by their controls, MTF whenever it is asked for', () => {
    assert.equal(ask({}, { kind: 'interrupt-window' }), undefined);
    assert.equal(ask(primary(Primary.interruptWindowExiting), { kind: 'interrupt-window' })?.reason, 7);
    assert.equal(ask({}, { kind: 'mtf' })?.reason, 37);
  });
});
