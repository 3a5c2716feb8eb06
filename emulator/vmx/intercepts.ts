/**
 * Which events cause VM exits, and what the exit records: SDM volume 3, "Instructions That Cause VM Exits", "Other Causes of VM Exits",
 * "Recording VM-Exit Information". One pure function over the control fields, used by hardware and by a nested hypervisor alike.
 * Not modelled: the XSS-, ENCLS-, ENCLV- and PCONFIG-exiting bitmaps (the capability MSRs do not offer them).
 */
import { ExitReason } from '../spec/exit-reasons';
import { EventType } from '../spec/registers';
import { Field } from '../spec/vmcs-fields';
import { ExitControl, Pin, Primary, Secondary } from '../spec/vmx-controls';
import type { InterceptEvent, InterceptedInstruction } from '../spec/vmx-events';
import type { VmcsReader } from './vmcs';

/** The control fields of one VMCS, with the bitmaps that they point to. */
export interface InterceptControls {
  readonly fields: VmcsReader;
  /** A byte of a bitmap page: guest-physical addresses of the hypervisor that owns the VMCS. */
  readBitmapByte(address: number): number;
}

/** What becomes of RFLAGS.RF in the guest-state area: SDM "Saving RIP, RSP, RFLAGS, and SSP". */
export type ResumeFlag =
  /** Instructions that cause VM exits. */
  | 'clear'
  /** Fault-like exits. */
  | 'set'
  /** As it was. */
  | 'keep'
  /** 1, or as delivery of the event being delivered would have it. */
  | 'set-unless-delivering';

export interface ExitDecision {
  readonly reason: number;
  readonly qualification: bigint;
  /** 0 where the manual leaves the field undefined. */
  readonly instructionLength: number;
  readonly instructionInformation: number;
  /** Interruption-information format; 0: not valid. */
  readonly interruptionInformation: number;
  readonly interruptionErrorCode: number;
  readonly linear: bigint | undefined;
  readonly gpa: number | undefined;
  readonly resumeFlag: ResumeFlag;
  /** The exit may have happened while an event was being delivered (IDT-vectoring information applies). */
  readonly duringDelivery: boolean;
}

const VALID = 0x8000_0000;

function exit(reason: number, parts: Partial<ExitDecision> = {}): ExitDecision {
  return {
    reason,
    qualification: parts.qualification ?? 0n,
    instructionLength: parts.instructionLength ?? 0,
    instructionInformation: parts.instructionInformation ?? 0,
    interruptionInformation: parts.interruptionInformation ?? 0,
    interruptionErrorCode: parts.interruptionErrorCode ?? 0,
    linear: parts.linear,
    gpa: parts.gpa,
    resumeFlag: parts.resumeFlag ?? 'keep',
    duringDelivery: parts.duringDelivery ?? false,
  };
}
function instructionExit(reason: number, length: number, qualification = 0n, instructionInformation = 0, linear?: bigint): ExitDecision {
  return exit(reason, { qualification, instructionLength: length, instructionInformation, linear, resumeFlag: 'clear' });
}

/** Controls that an instruction's exit depends on; 'always' and 'never' where none does. Exit reasons have the instruction's name. */
const INSTRUCTIONS: Readonly<
  Record<InterceptedInstruction, 'always' | 'never' | { readonly primary?: number; readonly secondary?: number }>
> = {
  CPUID: 'always',
  GETSEC: 'always',
  INVD: 'always',
  XSETBV: 'always',
  RSM: 'always',
  VMCALL: 'always',
  VMLAUNCH: 'always',
  VMRESUME: 'always',
  VMXOFF: 'always',
  HLT: { primary: Primary.hltExiting },
  MWAIT: { primary: Primary.mwaitExiting },
  MONITOR: { primary: Primary.monitorExiting },
  PAUSE: { primary: Primary.pauseExiting },
  RDPMC: { primary: Primary.rdpmcExiting },
  RDTSC: { primary: Primary.rdtscExiting },
  RDTSCP: { primary: Primary.rdtscExiting, secondary: Secondary.enableRdtscp },
  INVPCID: { primary: Primary.invlpgExiting, secondary: Secondary.enableInvpcid },
  WBINVD: { secondary: Secondary.wbinvdExiting },
  RDRAND: { secondary: Secondary.rdrandExiting },
  RDSEED: { secondary: Secondary.rdseedExiting },
  XSAVES: 'never',
  XRSTORS: 'never',
};

const VMX_INSTRUCTIONS: Readonly<Record<string, number>> = {
  VMCALL: ExitReason.VMCALL,
  VMCLEAR: ExitReason.VMCLEAR,
  VMLAUNCH: ExitReason.VMLAUNCH,
  VMPTRLD: ExitReason.VMPTRLD,
  VMPTRST: ExitReason.VMPTRST,
  VMREAD: ExitReason.VMREAD,
  VMRESUME: ExitReason.VMRESUME,
  VMWRITE: ExitReason.VMWRITE,
  VMXOFF: ExitReason.VMXOFF,
  VMXON: ExitReason.VMXON,
  INVEPT: ExitReason.INVEPT,
  INVVPID: ExitReason.INVVPID,
};

/** The secondary controls, all 0 unless activated. */
export function secondaryControls(fields: VmcsReader): number {
  return fields.u32(Field.primaryProcessorBasedVmExecutionControls) & Primary.activateSecondaryControls
    ? fields.u32(Field.secondaryProcessorBasedVmExecutionControls)
    : 0;
}

/** Decides whether `event` causes a VM exit under these controls. Undefined: it takes its normal effect. */
export function intercepts(controls: InterceptControls, event: InterceptEvent): ExitDecision | undefined {
  const f = controls.fields;
  const primary = f.u32(Field.primaryProcessorBasedVmExecutionControls);
  switch (event.kind) {
    case 'instruction': {
      if (event.name === 'PAUSE' && event.loop && secondaryControls(f) & Secondary.pauseLoopExiting)
        return instructionExit(ExitReason.PAUSE, event.length);
      const rule = INSTRUCTIONS[event.name];
      if (rule === 'never') return undefined;
      if (rule !== 'always') {
        if (rule.primary !== undefined && !(primary & rule.primary)) return undefined;
        if (rule.secondary !== undefined && !(secondaryControls(f) & rule.secondary)) return undefined;
      }
      return instructionExit(ExitReason[event.name], event.length, event.qualification, event.information);
    }
    case 'vmx': {
      const reason = VMX_INSTRUCTIONS[event.name];
      return reason === undefined ? undefined : instructionExit(reason, event.length, event.qualification, event.information);
    }
    case 'io':
      return ioExit(controls, primary, event);
    case 'rdmsr':
    case 'wrmsr': {
      const exits = !(primary & Primary.useMsrBitmaps) || msrBitmapBit(controls, event.index, event.kind === 'wrmsr');
      return exits ? instructionExit(event.kind === 'rdmsr' ? ExitReason.RDMSR : ExitReason.WRMSR, event.length) : undefined;
    }
    case 'cr':
      return crExit(f, primary, event);
    case 'dr': {
      if (!(primary & Primary.movDrExiting)) return undefined;
      const qualification = event.dr | (event.toDr ? 0 : 1 << 4) | (event.register << 8);
      return instructionExit(ExitReason.MOV_DR, event.length, BigInt(qualification));
    }
    case 'invlpg':
      return primary & Primary.invlpgExiting ? instructionExit(ExitReason.INVLPG, event.length, event.linear) : undefined;
    case 'descriptor-table': {
      if (!(secondaryControls(f) & Secondary.descriptorTableExiting)) return undefined;
      const tables = event.name === 'SGDT' || event.name === 'SIDT' || event.name === 'LGDT' || event.name === 'LIDT';
      const reason = tables ? ExitReason.GDTR_IDTR_ACCESS : ExitReason.LDTR_TR_ACCESS;
      return instructionExit(reason, event.length, event.displacement, event.information);
    }
    case 'exception':
      return exceptionExit(f, event);
    case 'nmi':
      if (!(f.u32(Field.pinBasedVmExecutionControls) & Pin.nmiExiting)) return undefined;
      return exit(ExitReason.EXCEPTION_NMI, { interruptionInformation: (VALID | (EventType.nmi << 8) | 2) >>> 0 });
    case 'external-interrupt': {
      if (!(f.u32(Field.pinBasedVmExecutionControls) & Pin.externalInterruptExiting)) return undefined;
      const acknowledge = (f.u32(Field.primaryVmExitControls) & ExitControl.acknowledgeInterruptOnExit) !== 0;
      return exit(ExitReason.EXTERNAL_INTERRUPT, { interruptionInformation: acknowledge ? (VALID | event.vector) >>> 0 : 0 });
    }
    // "Other Causes of VM Exits": INIT signals and start-up IPIs, unconditionally.
    case 'init':
      return exit(ExitReason.INIT_SIGNAL);
    case 'start-up':
      return exit(ExitReason.SIPI, { qualification: BigInt(event.vector) });
    case 'triple-fault':
      return exit(ExitReason.TRIPLE_FAULT);
    case 'task-switch':
      return exit(ExitReason.TASK_SWITCH, {
        qualification: BigInt(event.selector) | (BigInt(event.source) << 30n),
        instructionLength: event.length,
        duringDelivery: event.source === 3,
      });
    case 'ept-violation':
      return exit(ExitReason.EPT_VIOLATION, {
        qualification: event.qualification,
        gpa: event.gpa,
        linear: event.linear,
        resumeFlag: 'set-unless-delivering',
        duringDelivery: true,
      });
    case 'ept-misconfiguration':
      return exit(ExitReason.EPT_MISCONFIGURATION, { gpa: event.gpa, resumeFlag: 'set-unless-delivering', duringDelivery: true });
    case 'pml-full':
      return exit(ExitReason.PML_FULL, { resumeFlag: 'set-unless-delivering', duringDelivery: true });
    case 'vmfunc':
      return instructionExit(ExitReason.VMFUNC, event.length);
    case 'apic-access':
      return exit(ExitReason.APIC_ACCESS, {
        qualification: BigInt(event.offset | (event.type << 12)),
        linear: event.linear,
        resumeFlag: 'set-unless-delivering',
        duringDelivery: true,
      });
    case 'apic':
      return exit(event.reason, { qualification: BigInt(event.qualification) });
    case 'preemption-timer':
      return exit(ExitReason.VMX_PREEMPTION_TIMER);
    case 'mtf':
      return exit(ExitReason.MONITOR_TRAP_FLAG);
    case 'interrupt-window':
      return primary & Primary.interruptWindowExiting ? exit(ExitReason.INTERRUPT_WINDOW) : undefined;
    case 'nmi-window':
      return primary & Primary.nmiWindowExiting ? exit(ExitReason.NMI_WINDOW) : undefined;
  }
}

type EventOf<K extends InterceptEvent['kind']> = Extract<InterceptEvent, { readonly kind: K }>;

function ioExit(controls: InterceptControls, primary: number, event: EventOf<'io'>): ExitDecision | undefined {
  if (primary & Primary.useIoBitmaps) {
    if (!ioBitmapBits(controls, event.port, event.size)) return undefined;
  } else if (!(primary & Primary.unconditionalIoExiting)) return undefined;
  const qualification =
    (event.size - 1) |
    (event.in ? 1 << 3 : 0) |
    (event.string ? 1 << 4 : 0) |
    (event.rep ? 1 << 5 : 0) |
    (event.immediate ? 1 << 6 : 0) |
    (event.port << 16);
  let information = 0;
  if (event.string) {
    const addressSize = event.addressSize === 8 ? 2 : event.addressSize === 4 ? 1 : 0;
    // The segment register is undefined for INS, whose segment is always ES.
    information = (addressSize << 7) | (event.in ? 0 : (event.segment ?? 0) << 15);
  }
  return instructionExit(ExitReason.IO_INSTRUCTION, event.length, BigInt(qualification >>> 0), information, event.linear);
}

/** True if a bit of any accessed port is 1, or the access wraps around the 16-bit port space. */
function ioBitmapBits(controls: InterceptControls, port: number, size: number): boolean {
  if (port + size > 0x10000) return true;
  for (let p = port; p < port + size; p++) {
    const bitmap = controls.fields.address(p < 0x8000 ? Field.ioBitmapA : Field.ioBitmapB);
    const bit = p & 0x7fff;
    if ((controls.readBitmapByte(bitmap + (bit >> 3)) >> (bit & 7)) & 1) return true;
  }
  return false;
}

/** SDM "MSR-Bitmap Address": four contiguous 1-KByte bitmaps; MSRs in neither range always exit. */
function msrBitmapBit(controls: InterceptControls, index: number, write: boolean): boolean {
  const unsigned = index >>> 0;
  const high = unsigned >= 0xc000_0000;
  const bit = high ? unsigned - 0xc000_0000 : unsigned;
  if (bit > 0x1fff) return true;
  const bitmap = controls.fields.address(Field.msrBitmaps) + (write ? 2048 : 0) + (high ? 1024 : 0);
  return ((controls.readBitmapByte(bitmap + (bit >> 3)) >> (bit & 7)) & 1) !== 0;
}

function crExit(f: VmcsReader, primary: number, event: EventOf<'cr'>): ExitDecision | undefined {
  const type = { 'mov-to': 0, 'mov-from': 1, clts: 2, lmsw: 3 }[event.access];
  if (!crIntercepted(f, primary, event)) return undefined;
  let qualification = event.cr | (type << 4);
  if (event.access === 'lmsw') qualification |= (event.linear !== undefined ? 1 << 6 : 0) | (Number(event.value & 0xffffn) << 16);
  else if (event.access !== 'clts') qualification |= event.register << 8;
  return instructionExit(ExitReason.CR_ACCESS, event.length, BigInt(qualification >>> 0), 0, event.linear);
}

function crIntercepted(f: VmcsReader, primary: number, event: EventOf<'cr'>): boolean {
  if (event.access === 'mov-from') {
    if (event.cr === 3) return (primary & Primary.cr3StoreExiting) !== 0;
    return event.cr === 8 && (primary & Primary.cr8StoreExiting) !== 0;
  }
  if (event.cr === 8) return (primary & Primary.cr8LoadExiting) !== 0;
  if (event.cr === 3) return (primary & Primary.cr3LoadExiting) !== 0 && !isCr3Target(f, event.value);
  const mask = f.u64(event.cr === 0 ? Field.cr0GuestHostMask : Field.cr4GuestHostMask);
  const shadow = f.u64(event.cr === 0 ? Field.cr0ReadShadow : Field.cr4ReadShadow);
  if (event.access === 'clts') return (mask & shadow & 8n) !== 0n;
  const differing = (event.value ^ shadow) & mask;
  if (event.access === 'mov-to') return differing !== 0n;
  // LMSW cannot clear PE: it exits for PE only when it tries to set it; bits 3:1 as for MOV to CR0.
  return (differing & 0xen) !== 0n || (differing & event.value & 1n) !== 0n;
}

function isCr3Target(f: VmcsReader, value: bigint): boolean {
  const count = f.u32(Field.cr3TargetCount);
  const targets = [Field.cr3TargetValue0, Field.cr3TargetValue1, Field.cr3TargetValue2, Field.cr3TargetValue3];
  return targets.some((target, n) => n < count && f.u64(target) === value);
}

function exceptionExit(f: VmcsReader, event: EventOf<'exception'>): ExitDecision | undefined {
  let bit = (f.u32(Field.exceptionBitmap) >>> event.vector) & 1;
  if (event.vector === 14) {
    // SDM "Exception Bitmap": bit 14 keeps its meaning where the error code matches, and is reversed where it does not.
    const matches = ((event.errorCode ?? 0) & f.u32(Field.pageFaultErrorCodeMask)) >>> 0 === f.u32(Field.pageFaultErrorCodeMatch);
    if (!matches) bit ^= 1;
  }
  if (bit === 0) return undefined;
  const hasError = event.errorCode !== undefined;
  const software = event.type !== EventType.hardwareException;
  return exit(ExitReason.EXCEPTION_NMI, {
    qualification: event.vector === 1 || event.vector === 14 ? event.qualification : 0n,
    instructionLength: software ? event.length : 0,
    interruptionInformation: (VALID | (hasError ? 1 << 11 : 0) | (event.type << 8) | event.vector) >>> 0,
    interruptionErrorCode: event.errorCode ?? 0,
    // As the RFLAGS image on the stack would have it: 1 for faults; #DB, #DF, #MC and software exceptions leave it as it is.
    resumeFlag: software || (event.vector === 1 && event.debugFault !== true) || event.vector === 8 || event.vector === 18 ? 'keep' : 'set',
    // A double fault that causes the VM exit itself is not an exit during event delivery.
    duringDelivery: event.vector !== 8 || software,
  });
}
