/** The VMX tables against the manual's rules and against values copied by hand from its appendices. */
import { strict as assert } from 'node:assert';
import { cr4Allowed } from '../../../emulator/cpu/control-registers';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { explainQualification, instructionInformationLayout, qualificationRow } from '../../../emulator/spec/exit-qualification';
import { ExitReason, EXIT_REASONS, exitReasonName } from '../../../emulator/spec/exit-reasons';
import { summarizeBits } from '../../../emulator/spec/named-bits';
import { VmError, VM_INSTRUCTION_ERRORS } from '../../../emulator/spec/vm-instruction-errors';
import {
  camelCaseOf,
  encodingParts,
  Field,
  fieldByEncoding,
  FIELD_GROUPS,
  VMCS_FIELDS,
  VmcsRegion,
} from '../../../emulator/spec/vmcs-fields';
import { vmxCapabilities } from '../../../emulator/spec/vmx-capabilities';
import {
  CONTROL_WORDS,
  controlNamed,
  DEFAULT1,
  EntryControl,
  ExitControl,
  Pin,
  Primary,
  Secondary,
} from '../../../emulator/spec/vmx-controls';
import { FULL_MODEL, makeBench } from '../vmx/vmx-bench';

describe('VMCS fields', () => {
  it('each encoding says the width and type of its row, and no two rows share an encoding, name or place', () => {
    for (const f of VMCS_FIELDS) {
      const parts = encodingParts(f.encoding);
      assert.equal(parts.width, f.width, f.name);
      assert.equal(parts.type, f.type, f.name);
      assert.equal(parts.high, false, f.name);
      assert.equal(f.encoding & ~0x7fff, 0, f.name);
      assert.equal(f.encoding & 0x1000, 0, `${f.name}: bit 12 is reserved`);
    }
    for (const key of ['encoding', 'name', 'id', 'offset'] as const) {
      assert.equal(new Set(VMCS_FIELDS.map((f) => f[key])).size, VMCS_FIELDS.length, key);
    }
  });
  it('fields lie inside the region, aligned, behind its header', () => {
    for (const f of VMCS_FIELDS) {
      assert.equal(f.offset % 8, 0);
      assert.ok(f.offset >= VmcsRegion.firstField && f.offset + 8 <= VmcsRegion.bytes, f.name);
    }
  });
  it('has the encodings of appendix B', () => {
    const expected: Readonly<Record<string, number>> = {
      VIRTUAL_PROCESSOR_IDENTIFIER: 0x0000, GUEST_ES_SELECTOR: 0x0800, GUEST_TR_SELECTOR: 0x080e, HOST_ES_SELECTOR: 0x0c00, HOST_TR_SELECTOR: 0x0c0c,
      IO_BITMAP_A: 0x2000, MSR_BITMAPS: 0x2004, VM_ENTRY_MSR_LOAD_ADDRESS: 0x200a, TSC_OFFSET: 0x2010, EPT_POINTER: 0x201a, EOI_EXIT_BITMAP_3: 0x2022,
      VMWRITE_BITMAP_ADDRESS: 0x2028, XSS_EXITING_BITMAP: 0x202c, TSC_MULTIPLIER: 0x2032, TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS: 0x2034, HLAT_POINTER: 0x2040,
      GUEST_PHYSICAL_ADDRESS: 0x2400, VMCS_LINK_POINTER: 0x2800, GUEST_IA32_EFER: 0x2806, GUEST_PDPTE3: 0x2810, GUEST_IA32_PKRS: 0x2818, HOST_IA32_PAT: 0x2c00,
      PIN_BASED_VM_EXECUTION_CONTROLS: 0x4000, EXCEPTION_BITMAP: 0x4004, CR3_TARGET_COUNT: 0x400a, PRIMARY_VM_EXIT_CONTROLS: 0x400c, VM_ENTRY_CONTROLS: 0x4012,
      VM_ENTRY_INTERRUPTION_INFORMATION: 0x4016, TPR_THRESHOLD: 0x401c, SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS: 0x401e, PLE_WINDOW: 0x4022,
      VM_INSTRUCTION_ERROR: 0x4400, VM_EXIT_REASON: 0x4402, IDT_VECTORING_INFORMATION: 0x4408, VM_EXIT_INSTRUCTION_LENGTH: 0x440c, VM_EXIT_INSTRUCTION_INFORMATION: 0x440e,
      GUEST_ES_LIMIT: 0x4800, GUEST_IDTR_LIMIT: 0x4812, GUEST_CS_ACCESS_RIGHTS: 0x4816, GUEST_TR_ACCESS_RIGHTS: 0x4822, GUEST_INTERRUPTIBILITY_STATE: 0x4824,
      GUEST_ACTIVITY_STATE: 0x4826, GUEST_IA32_SYSENTER_CS: 0x482a, VMX_PREEMPTION_TIMER_VALUE: 0x482e, HOST_IA32_SYSENTER_CS: 0x4c00,
      CR0_GUEST_HOST_MASK: 0x6000, CR4_READ_SHADOW: 0x6006, CR3_TARGET_VALUE_3: 0x600e, EXIT_QUALIFICATION: 0x6400, GUEST_LINEAR_ADDRESS: 0x640a,
      GUEST_CR0: 0x6800, GUEST_CR3: 0x6802, GUEST_CR4: 0x6804, GUEST_DR7: 0x681a, GUEST_RSP: 0x681c, GUEST_RIP: 0x681e, GUEST_RFLAGS: 0x6820,
      GUEST_PENDING_DEBUG_EXCEPTIONS: 0x6822, GUEST_IA32_SYSENTER_EIP: 0x6826, HOST_CR0: 0x6c00, HOST_FS_BASE: 0x6c06, HOST_RSP: 0x6c14, HOST_RIP: 0x6c16,
    }; // prettier-ignore
    for (const [name, encoding] of Object.entries(expected)) assert.equal(fieldByEncoding(encoding)?.name, name);
  });
  it('has as many fields of each width and type as appendix B lists', () => {
    const count = (width: 16 | 32 | 64 | 'natural', type: string): number =>
      VMCS_FIELDS.filter((f) => f.width === width && f.type === type).length;
    assert.deepEqual(
      ([16, 64, 32, 'natural'] as const).map((w) => ['control', 'read-only', 'guest', 'host'].map((t) => count(w, t))),
      [
        [5, 0, 11, 7],
        [36, 1, 13, 4],
        [19, 8, 23, 1],
        [8, 6, 23, 15],
      ],
    );
  });
  it('every control that a field needs, every group and subgroup exists', () => {
    for (const f of VMCS_FIELDS) {
      if (f.control !== undefined) assert.ok(controlNamed(f.control), `${f.name} needs ${f.control}`);
      const group = FIELD_GROUPS.find((g) => g.id === f.group);
      assert.ok(group?.subgroups.some(([id]) => id === f.subgroup), `${f.name} in ${f.group}/${f.subgroup}`);
    }
    for (const word of Object.values(CONTROL_WORDS)) assert.ok(VMCS_FIELDS.some((f) => f.name === word.field && f.format === `controls:${word.id}`), word.id);
  }); // prettier-ignore
  it('camel-cases names once', () => {
    assert.equal(camelCaseOf('GUEST_IA32_EFER'), 'guestIa32Efer');
    assert.equal(Field.ioBitmapA.name, 'IO_BITMAP_A');
    assert.equal(Field.cr3TargetValue0.encoding, 0x6008);
  });
});

describe('VMX controls', () => {
  it('has each bit and name once', () => {
    for (const word of Object.values(CONTROL_WORDS)) {
      assert.equal(new Set(word.rows.map((r) => r[0])).size, word.rows.length, word.id);
      assert.equal(new Set(word.rows.map((r) => r[1])).size, word.rows.length, word.id);
    }
  });
  it('has the bits of the manual', () => {
    assert.equal(Pin.nmiExiting, 1 << 3);
    assert.equal(Primary.hltExiting, 1 << 7);
    assert.equal(Primary.useIoBitmaps, 1 << 25);
    assert.equal(Primary.monitorTrapFlag, 1 << 27);
    assert.equal(Primary.activateSecondaryControls, 0x8000_0000);
    assert.equal(Secondary.enableEpt, 2);
    assert.equal(Secondary.unrestrictedGuest, 0x80);
    assert.equal(Secondary.useTscScaling, 1 << 25);
    assert.equal(ExitControl.hostAddressSpaceSize, 0x200);
    assert.equal(ExitControl.loadIa32Efer, 1 << 21);
    assert.equal(EntryControl.ia32eModeGuest, 0x200);
    assert.equal(EntryControl.loadIa32Efer, 1 << 15);
  });
});

describe('exit reasons and VM-instruction errors', () => {
  it('have each number and name once', () => {
    for (const rows of [EXIT_REASONS, VM_INSTRUCTION_ERRORS]) assert.equal(new Set(rows.map((r) => r.number)).size, rows.length);
    assert.equal(new Set(EXIT_REASONS.map((r) => r.name)).size, EXIT_REASONS.length);
  });
  it('have the numbers of appendix C', () => {
    const expected: Readonly<Record<string, number>> = {
      EXCEPTION_NMI: 0, EXTERNAL_INTERRUPT: 1, TRIPLE_FAULT: 2, INTERRUPT_WINDOW: 7, TASK_SWITCH: 9, CPUID: 10, HLT: 12, INVLPG: 14, RDTSC: 16, VMCALL: 18, VMLAUNCH: 20,
      VMXON: 27, CR_ACCESS: 28, MOV_DR: 29, IO_INSTRUCTION: 30, RDMSR: 31, WRMSR: 32, INVALID_GUEST_STATE: 33, MSR_LOADING: 34, MWAIT: 36, MONITOR_TRAP_FLAG: 37, PAUSE: 40,
      MACHINE_CHECK: 41, APIC_ACCESS: 44, GDTR_IDTR_ACCESS: 46, EPT_VIOLATION: 48, EPT_MISCONFIGURATION: 49, INVEPT: 50, RDTSCP: 51, INVVPID: 53, WBINVD: 54, XSETBV: 55,
      INVPCID: 58, VMFUNC: 59, PML_FULL: 62, XRSTORS: 64, TPAUSE: 68, BUS_LOCK: 74,
    }; // prettier-ignore
    for (const [name, number] of Object.entries(expected)) {
      assert.equal(ExitReason[name as keyof typeof ExitReason], number);
      assert.equal(exitReasonName(number), name);
    }
    assert.equal(exitReasonName(35), 'REASON_35');
    assert.equal(VmError.vmlaunchNonClear, 4);
    assert.equal(VmError.unsupportedComponent, 12);
    assert.equal(VmError.invalidInvOperand, 28);
  });
  it('explains qualifications', () => {
    assert.equal(explainQualification(ExitReason.IO_INSTRUCTION, 0x3f8_0008n), 'IN of 1 byte, port 0x3f8 (DX)');
    assert.equal(explainQualification(ExitReason.IO_INSTRUCTION, 0x80_0071n), 'REP OUTS of 2 bytes, port 0x80 (immediate)');
    assert.equal(explainQualification(ExitReason.CR_ACCESS, 0x303n), 'MOV to CR3 from RBX');
    assert.equal(explainQualification(ExitReason.CR_ACCESS, 0x010_0010n | 0n).startsWith('MOV from CR0'), true);
    assert.equal(
      explainQualification(ExitReason.EPT_VIOLATION, 0x182n),
      'data write, of the translation of a linear address; EPT allows nothing (not present)',
    );
    assert.equal(
      explainQualification(ExitReason.EPT_VIOLATION, 0xacn),
      'instruction fetch, to a guest paging-structure entry; EPT allows r-x',
    );
    assert.equal(explainQualification(ExitReason.EXCEPTION_NMI, 0x1234n, 14), 'page fault at linear address 0x1234');
    assert.equal(explainQualification(ExitReason.MOV_DR, 0x217n), 'MOV from DR7 to RDX');
    assert.equal(explainQualification(ExitReason.HLT, 0n), '');
    assert.equal(qualificationRow(ExitReason.INVLPG)?.kind, 'linear-address');
    assert.match(summarizeBits(instructionInformationLayout(ExitReason.VMREAD)!, 0x3000_0410n), /Reg2: RBX/);
  });
});

describe('VMX capabilities', () => {
  const caps = vmxCapabilities(FULL_MODEL);
  const msr = (index: number): bigint => caps.msrs.get(index)!;
  it('report the default1 classes and the TRUE exceptions to them', () => {
    assert.equal(msr(0x481) & 0xffff_ffffn, 0x16n);
    assert.equal(msr(0x482) & 0xffff_ffffn, 0x0401_e172n);
    assert.equal(msr(0x483) & 0xffff_ffffn, 0x0003_6dffn);
    assert.equal(msr(0x484) & 0xffff_ffffn, 0x11ffn);
    assert.equal(msr(0x48e) & 0xffff_ffffn, 0x0400_6172n);
    assert.equal(msr(0x48f) & 0xffff_ffffn, 0x0003_6dfbn);
    assert.equal(msr(0x490) & 0xffff_ffffn, 0x11fbn);
    assert.equal(DEFAULT1.pin, 0x16);
  });
  it('never require what they do not allow', () => {
    for (const [low, high] of [[0x481, 0x48d], [0x482, 0x48e], [0x483, 0x48f], [0x484, 0x490]] as const) {
      for (const index of [low, high]) assert.equal(msr(index) & 0xffff_ffffn & ~(msr(index) >> 32n), 0n);
      assert.equal(msr(low) >> 32n, msr(high) >> 32n);
    }
  }); // prettier-ignore
  it('describe the region, the highest index, EPT and VPID', () => {
    assert.equal((msr(0x480) >> 32n) & 0x1fffn, 4096n);
    assert.equal(msr(0x480) & 0x8000_0000n, 0n);
    assert.equal((msr(0x480) >> 50n) & 15n, 6n);
    assert.equal((msr(0x480) >> 55n) & 1n, 1n);
    const highest = Math.max(...[...caps.fields.keys()].map((e) => (e >> 1) & 0x1ff));
    assert.equal(msr(0x48a), BigInt(highest << 1));
    assert.equal(msr(0x48c) & 0xffff_ffffn, 0x0633_4141n);
    assert.equal((msr(0x48c) >> 32n) & 1n, 1n);
    assert.equal((msr(0x485) >> 16n) & 0x1ffn, 4n);
  });
  it('follow the model: no EPT, no fields and controls of EPT', () => {
    const without = vmxCapabilities({ ...FULL_MODEL, features: new Set(['vmx']) });
    assert.equal(without.controls.secondary.allowed1 & (Secondary.enableEpt | Secondary.enableVpid | Secondary.unrestrictedGuest), 0);
    assert.equal(without.fields.has(Field.eptPointer.encoding), false);
    assert.equal(without.fields.has(Field.guestCr3.encoding), true);
    assert.equal(without.msrs.has(0x48c), false);
    assert.equal(caps.fields.has(Field.eptPointer.encoding), true);
    assert.equal(caps.fields.has(Field.virtualApicAddress.encoding), true);
    assert.equal(caps.fields.has(Field.hlatPointer.encoding), false);
  });
  it('allow in CR4 what MOV to CR4 allows', () => {
    for (const model of [defaultCpuModel, FULL_MODEL]) assert.equal(vmxCapabilities(model).cr4Fixed1, cr4Allowed(makeBench(model).cpu));
  });
});
