/** What VM exits record of an instruction's memory operand: SDM volume 3, "Information for VM Exits Due to Instruction Execution". */
import type { Instruction } from '../isa/instruction';
import { BASE_RIP } from '../isa/instruction';
import type { Cpu } from './cpu';
import { nextIp } from './operands';

/** Scaling, address size, segment, index and base registers of the instruction-information field. */
export function memoryInformation(insn: Instruction): number {
  const addressSize = insn.addressSize === 2 ? 0 : insn.addressSize === 4 ? 1 : 2;
  const index = insn.index >= 0 ? insn.scaleLog2 | (insn.index << 18) : 1 << 22;
  const base = insn.base >= 0 && insn.base !== BASE_RIP ? insn.base << 23 : 1 << 27;
  return index | base | (addressSize << 7) | (insn.segment << 15);
}

/** The exit qualification: the displacement; for RIP-relative operands the address itself. 0 without a memory operand. */
export function displacementQualification(cpu: Cpu, insn: Instruction): bigint {
  if (insn.rm >= 0) return 0n;
  return BigInt.asUintN(64, insn.displacement + (insn.base === BASE_RIP ? nextIp(cpu, insn) : 0n));
}
