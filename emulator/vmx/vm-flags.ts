/** How VMX instructions tell success and failure: SDM volume 3, "Conventions" of the chapter "VMX Instruction Reference". */
import type { Cpu } from '../cpu/cpu';
import { Flag } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import type { Vmcs } from './vmcs';
import { currentPointer, currentVmcs, type VmxContext } from './vmx-context';

export function vmSucceed(cpu: Cpu): void {
  cpu.setArithmeticFlags(0);
}
export function vmFailInvalid(cpu: Cpu): void {
  cpu.setArithmeticFlags(Flag.CF);
}
/** There is a current VMCS: its VM-instruction error field takes the number. */
export function vmFailValid(vmx: VmxContext, cpu: Cpu, error: number): void {
  vmFailValidIn(cpu, currentVmcs(vmx, cpu), error);
}
/** In VMX non-root operation the number goes to the VMCS that the link pointer names. */
export function vmFailValidIn(cpu: Cpu, vmcs: Vmcs, error: number): void {
  cpu.setArithmeticFlags(Flag.ZF);
  vmcs.setU32(Field.vmInstructionError, error);
  vmcs.noteWritten();
}
/** VMfail: VMfailValid with a current VMCS, else VMfailInvalid. Tells the observer. */
export function vmFail(vmx: VmxContext, cpu: Cpu, instruction: string, error: number): void {
  if (currentPointer(cpu) < 0) vmFailInvalid(cpu);
  else vmFailValid(vmx, cpu, error);
  vmx.observer.instructionFailed?.(cpu, instruction, currentPointer(cpu) < 0 ? 0 : error);
}
