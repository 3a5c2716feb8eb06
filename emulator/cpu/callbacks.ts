/** What generated code asks of TypeScript in the middle of an instruction: slow memory accesses and divisions of 128-bit dividends. */
import type { InterpreterImports } from '../codegen/interpreter';
import { COMPUTE_SLOT } from '../codegen/statement-lowering';
import { ComputeName } from '../isa/ir';
import type { Mmu } from '../mmu/mmu';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { segmentLinear } from './operands';
import { stringRun } from './string-runs';

/** What carries out a record's system instruction in the middle of generated code, where it can; wiring. */
export interface Passing {
  handler: ((cpu: Cpu, record: number) => boolean) | undefined;
}

/** The same for compiled regions, whose accesses outside plain RAM the interpreter carries out. */
export function createRegionCallbacks(mmu: Mmu, cpuAt: (base: number) => Cpu): InterpreterImports {
  return {
    ...createCallbacks(mmu, cpuAt, { handler: undefined }),
    slowAccess: (base, packed) => mmu.slowAccess(cpuAt(base), packed, true),
  };
}

/** @param cpuAt the vCPU whose state lies at a base address. */
export function createCallbacks(mmu: Mmu, cpuAt: (base: number) => Cpu, passing: Passing): InterpreterImports {
  return {
    slowAccess: (base, packed) => mmu.slowAccess(cpuAt(base), packed),
    segmentedAccess: (base, packed) => segmentedAccess(mmu, cpuAt(base), packed),
    commitStore: (base, slot) => mmu.commitStore(cpuAt(base), slot),
    stringRun: (base, packed) => stringRun(cpuAt(base), packed),
    inPassing: (base, record) => (passing.handler?.(cpuAt(base), record) ? 1 : 0),
    compute: (base, name) => (divide(cpuAt(base), name === ComputeName.divS128) ? 1 : 0),
  };
}

/** The slow path of an access at an offset of a segment: limit, type and presence first, then that of its linear address. */
function segmentedAccess(mmu: Mmu, cpu: Cpu, packed: number): number {
  const segment = packed >>> 24;
  const bytes = packed & 0xff;
  const offset = cpu.get64(State.accessLo);
  const linear = segmentLinear(cpu, segment, offset, bytes, (packed & 0x100) !== 0);
  if (linear === undefined) return wrappedFrame(cpu, segment, offset, bytes) ? refuse(cpu) : -1;
  cpu.set64(State.accessLo, linear);
  return mmu.slowAccess(cpu, packed & 0xff_ffff);
}

/** PUSHA and POPA move SP eight times, so that their frame may wrap around at 64 KiB. */
const wrappedFrame = (cpu: Cpu, segment: number, offset: bigint, bytes: number): boolean =>
  segment === Seg.ss && bytes > 8 && cpu.segmentLimit(Seg.ss) === 0xffff && offset + BigInt(bytes) > 0x1_0000n;
function refuse(cpu: Cpu): -1 {
  cpu.notModelled('PUSHA or POPA with a frame that wraps around at 64 KiB');
  return -1;
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
