/** What VMX tells the outside (trace, breakpoints, views). It never changes the machine; `n` of the records is the machine's. */
import type { Cpu } from '../cpu/cpu';

export interface ExitReport {
  /** SDM name in upper snake case. */
  readonly reason: string;
  readonly reasonNumber: number;
  readonly qualification: bigint;
  /** Guest RIP at the exit. */
  readonly rip: bigint;
  readonly gpa?: bigint;
  readonly linear?: bigint;
  readonly instructionLength: number;
  readonly interruptionInfo: number;
  readonly interruptionError: number;
  readonly vmcs: number;
}
export interface EntryReport {
  readonly instruction: 'VMLAUNCH' | 'VMRESUME';
  /** RIP of the instruction in the hypervisor. */
  readonly from: bigint;
  /** Guest RIP entered. */
  readonly rip: bigint;
  readonly vmcs: number;
}
export interface FailedCheck {
  readonly name: string;
  readonly section: string;
  readonly sentence: string;
  readonly fields: readonly { readonly name: string; readonly value: bigint }[];
}
export interface EntryFailureReport {
  readonly instruction: string;
  /** RIP of the instruction in the hypervisor. */
  readonly rip: bigint;
  readonly kind: 'VMfailInvalid' | 'VMfailValid' | 'exit';
  /** VM-instruction error number (0 for VMfailInvalid), or the basic exit reason (33, 34). */
  readonly number: number;
  readonly qualification?: bigint;
  readonly check?: FailedCheck;
  readonly vmcs: number;
}

export interface VmxObserver {
  /** A VM exit is committed: the VMCS is written, the state is the host's. */
  exit(cpu: Cpu, report: ExitReport): void;
  /** A VM entry was made; no instruction of the guest has run. */
  entry(cpu: Cpu, report: EntryReport): void;
  /** VMLAUNCH or VMRESUME was refused. For kind 'exit' the state is the host's. */
  entryFailure(cpu: Cpu, report: EntryFailureReport): void;
  /** Another VMX instruction failed (VMfail): error number, 0 for VMfailInvalid. */
  instructionFailed?(cpu: Cpu, instruction: string, error: number): void;
  /** A VMX abort: the processor is in the shutdown state. */
  abort?(cpu: Cpu, indicator: number, sentence: string): void;
}
