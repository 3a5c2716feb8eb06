/**
 * The event behind a VM exit of L2, told from the exit information alone, so that “does L1 want this exit?” is asked of the same pure function as
 * the hardware asks (SDM volume 3, "Exit Qualification", "Recording VM-Exit Information").
 */
import { ExitReason } from '../../spec/exit-reasons';
import type { InterceptEvent, InterceptedInstruction } from '../../spec/vmx-events';
import type { ExitInformation } from '../vcpu-state';

/** Registers of L2 that exits refer to. */
export interface ExitRegisters {
  /** By register number; RSP from the VMCS. */
  gpr(n: number): bigint;
}

const HAS_ERROR_CODE = 1 << 11;
const NMI = 2;
const RCX = 1;

const INSTRUCTIONS: Readonly<Record<number, InterceptedInstruction>> = {
  [ExitReason.CPUID]: 'CPUID',
  [ExitReason.GETSEC]: 'GETSEC',
  [ExitReason.HLT]: 'HLT',
  [ExitReason.INVD]: 'INVD',
  [ExitReason.RDPMC]: 'RDPMC',
  [ExitReason.RDTSC]: 'RDTSC',
  [ExitReason.RSM]: 'RSM',
  [ExitReason.MWAIT]: 'MWAIT',
  [ExitReason.MONITOR]: 'MONITOR',
  [ExitReason.PAUSE]: 'PAUSE',
  [ExitReason.RDTSCP]: 'RDTSCP',
  [ExitReason.WBINVD]: 'WBINVD',
  [ExitReason.XSETBV]: 'XSETBV',
  [ExitReason.RDRAND]: 'RDRAND',
  [ExitReason.RDSEED]: 'RDSEED',
  [ExitReason.INVPCID]: 'INVPCID',
};
const VMX: Readonly<Record<number, string>> = {
  [ExitReason.VMCALL]: 'VMCALL',
  [ExitReason.VMCLEAR]: 'VMCLEAR',
  [ExitReason.VMLAUNCH]: 'VMLAUNCH',
  [ExitReason.VMPTRLD]: 'VMPTRLD',
  [ExitReason.VMPTRST]: 'VMPTRST',
  [ExitReason.VMREAD]: 'VMREAD',
  [ExitReason.VMRESUME]: 'VMRESUME',
  [ExitReason.VMWRITE]: 'VMWRITE',
  [ExitReason.VMXOFF]: 'VMXOFF',
  [ExitReason.VMXON]: 'VMXON',
  [ExitReason.INVEPT]: 'INVEPT',
  [ExitReason.INVVPID]: 'INVVPID',
};

/** Undefined: no event of VMX non-root operation (a failed VM entry). */
export function eventOf(exit: ExitInformation, registers: ExitRegisters): InterceptEvent | undefined {
  const { reason, qualification, length, information, interruption } = exit;
  const low = Number(qualification & 0xffff_ffffn);
  const instruction = INSTRUCTIONS[reason];
  // A PAUSE that exited although “PAUSE exiting” is 0 was found to be in a loop.
  if (instruction !== undefined) return { kind: 'instruction', name: instruction, length, qualification, information, loop: true };
  const vmx = VMX[reason];
  if (vmx !== undefined) return { kind: 'vmx', name: vmx, length, qualification, information };
  switch (reason) {
    case ExitReason.EXCEPTION_NMI: {
      const type = (interruption >>> 8) & 7;
      if (type === NMI) return { kind: 'nmi' };
      const errorCode = interruption & HAS_ERROR_CODE ? exit.interruptionError : undefined;
      return { kind: 'exception', vector: interruption & 0xff, errorCode, type: type as 3 | 5 | 6, length, qualification };
    }
    case ExitReason.EXTERNAL_INTERRUPT:
      return { kind: 'external-interrupt', vector: interruption & 0xff };
    case ExitReason.TRIPLE_FAULT:
      return { kind: 'triple-fault' };
    case ExitReason.INIT_SIGNAL:
      return { kind: 'init' };
    case ExitReason.SIPI:
      return { kind: 'start-up', vector: low & 0xff };
    case ExitReason.INTERRUPT_WINDOW:
      return { kind: 'interrupt-window' };
    case ExitReason.NMI_WINDOW:
      return { kind: 'nmi-window' };
    case ExitReason.TASK_SWITCH:
      return { kind: 'task-switch', selector: low & 0xffff, source: ((low >>> 30) & 3) as 0 | 1 | 2 | 3, length };
    case ExitReason.INVLPG:
      return { kind: 'invlpg', linear: qualification, length };
    case ExitReason.CR_ACCESS:
      return crEvent(low, exit.length, registers);
    case ExitReason.MOV_DR:
      return { kind: 'dr', dr: low & 7, toDr: (low & 16) === 0, register: (low >>> 8) & 15, length };
    case ExitReason.IO_INSTRUCTION:
      return {
        kind: 'io',
        port: low >>> 16,
        size: ((low & 7) + 1) as 1 | 2 | 4,
        in: (low & 8) !== 0,
        string: (low & 16) !== 0,
        rep: (low & 32) !== 0,
        immediate: (low & 64) !== 0,
        length,
      };
    case ExitReason.RDMSR:
    case ExitReason.WRMSR:
      return {
        kind: reason === ExitReason.RDMSR ? 'rdmsr' : 'wrmsr',
        index: Number(registers.gpr(RCX) & 0xffff_ffffn),
        length,
      };
    case ExitReason.MONITOR_TRAP_FLAG:
      return { kind: 'mtf' };
    case ExitReason.VMX_PREEMPTION_TIMER:
      return { kind: 'preemption-timer' };
    case ExitReason.TPR_BELOW_THRESHOLD:
    case ExitReason.VIRTUALIZED_EOI:
    case ExitReason.APIC_WRITE:
      return { kind: 'apic', reason, qualification: low };
    case ExitReason.APIC_ACCESS:
      return { kind: 'apic-access', offset: low & 0xfff, type: (low >>> 12) & 15, linear: exit.linear };
    case ExitReason.GDTR_IDTR_ACCESS:
      return { kind: 'descriptor-table', name: 'LGDT', length, information, displacement: qualification };
    case ExitReason.LDTR_TR_ACCESS:
      return { kind: 'descriptor-table', name: 'LLDT', length, information, displacement: qualification };
    case ExitReason.EPT_VIOLATION:
      return { kind: 'ept-violation', qualification, gpa: exit.gpa, linear: exit.linear };
    case ExitReason.EPT_MISCONFIGURATION:
      return { kind: 'ept-misconfiguration', qualification, gpa: exit.gpa, linear: undefined };
    case ExitReason.VMFUNC:
      return { kind: 'vmfunc', length };
    default:
      return undefined;
  }
}

/** SDM table "Exit Qualification for Control-Register Accesses". */
function crEvent(low: number, length: number, registers: ExitRegisters): InterceptEvent {
  const access = (['mov-to', 'mov-from', 'clts', 'lmsw'] as const)[(low >>> 4) & 3];
  const register = (low >>> 8) & 15;
  const value = access === 'lmsw' ? BigInt(low >>> 16) : access === 'clts' ? 0n : registers.gpr(register);
  return { kind: 'cr', cr: (low & 15) as 0 | 3 | 4 | 8, access, register, value, length };
}
