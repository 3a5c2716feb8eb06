/** How VMX reaches the other MSRs (VM-entry and VM-exit MSR areas): the CPU's own RDMSR and WRMSR rules, handed in from above. */
import type { Cpu } from '../cpu/cpu';

export interface MsrAccess {
  /** Undefined where RDMSR would cause a fault. */
  readMsr(cpu: Cpu, index: number): bigint | undefined;
  /** False where WRMSR would cause a fault; then nothing was written. */
  writeMsr(cpu: Cpu, index: number, value: bigint): boolean;
}
