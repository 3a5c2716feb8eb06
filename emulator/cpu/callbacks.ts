/** What generated code asks of TypeScript in the middle of an instruction: slow memory accesses and divisions of 128-bit dividends. */
import type { InterpreterImports } from '../codegen/interpreter';
import { COMPUTE_SLOT } from '../codegen/lower';
import { ComputeName } from '../isa/ir';
import type { Mmu } from '../mmu/mmu';
import type { Cpu } from './cpu';

/** @param cpuAt the vCPU whose state lies at a base address. */
export function createCallbacks(mmu: Mmu, cpuAt: (base: number) => Cpu): InterpreterImports {
  return {
    slowAccess: (base, packed) => mmu.slowAccess(cpuAt(base), packed),
    commitStore: (base, slot) => mmu.commitStore(cpuAt(base), slot),
    compute: (base, name) => (divide(cpuAt(base), name === ComputeName.divS128) ? 1 : 0),
  };
}

/** DIV and IDIV of RDX:RAX (SDM volume 2): false when the divisor is zero or the quotient does not fit. */
function divide(cpu: Cpu, signed: boolean): boolean {
  const high = cpu.get64(COMPUTE_SLOT);
  const low = cpu.get64(COMPUTE_SLOT + 8);
  let divisor = cpu.get64(COMPUTE_SLOT + 16);
  let dividend = (high << 64n) | low;
  if (signed) {
    divisor = BigInt.asIntN(64, divisor);
    dividend = BigInt.asIntN(128, dividend);
  }
  if (divisor === 0n) return false;
  const quotient = dividend / divisor;
  if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) return false;
  cpu.set64(COMPUTE_SLOT, BigInt.asUintN(64, quotient));
  cpu.set64(COMPUTE_SLOT + 8, BigInt.asUintN(64, dividend % divisor));
  return true;
}
