/** The shape of a call-out, and the checks that open many of them. */
import type { Instruction } from '../isa/instruction';
import { Vector } from '../spec/registers';
import type { InterceptedInstruction } from '../spec/vmx-events';
import type { Cpu } from './cpu';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';

export type SystemHandler = (cpu: Cpu, insn: Instruction, ports: CpuPorts) => Outcome;

export const generalProtection = (cpu: Cpu, errorCode = 0): Outcome => cpu.raise(Vector.GP, errorCode);
export const invalidOpcode = (cpu: Cpu): Outcome => cpu.raise(Vector.UD);

/** Whether VMX non-root operation turns this instruction, which needs no operand, into a VM exit (now committed). */
export function instructionExits(
  cpu: Cpu,
  ports: CpuPorts,
  name: InterceptedInstruction,
  length: number,
  details: { readonly qualification?: bigint; readonly information?: number } = {},
): boolean {
  return cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'instruction', name, length, ...details });
}
