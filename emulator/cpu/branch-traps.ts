/**
 * Single-step on branches: with RFLAGS.TF and IA32_DEBUGCTL.BTF the trap comes only behind instructions that branch (SDM volume 3,
 * "Single-Stepping on Branches"). A conditional branch whose target is the next instruction counts as not taken.
 */
import { State } from '../spec/vcpu-state';
import type { CodeCache } from './code-cache';
import type { Cpu } from './cpu';

const DEBUGCTL_BTF = 2;
const LONGEST = 15;

/** IA32_DEBUGCTL.BTF. */
export const onBranchesOnly = (cpu: Cpu): boolean => (cpu.get32(State.debugctl) & DEBUGCTL_BTF) !== 0;
/** The #DB that is delivered clears the flag. */
export function clearBranchTraps(cpu: Cpu): void {
  cpu.set32(State.debugctl, cpu.get32(State.debugctl) & ~DEBUGCTL_BTF);
}

/** An instruction that is about to be executed. */
export interface Stepped {
  readonly from: bigint;
  /** Undefined where its bytes are not all in one page. */
  readonly instruction: { readonly opcode: number; readonly reg: number; readonly length: number } | undefined;
}

/** @param offset of the instruction in its page, whose translation is in State.fetchHpa. */
export function beforeStep(cpu: Cpu, code: CodeCache, offset: number): Stepped {
  const bytes = cpu.memory.physRead(cpu.getF64(State.fetchHpa) + offset, Math.min(LONGEST, 4096 - offset));
  return { from: cpu.rip, instruction: code.decodeAlone(bytes, cpu.i32[State.mode >> 2]) };
}

/** Whether the instruction, completed by now, has branched. */
export function hasBranched(cpu: Cpu, { from, instruction }: Stepped): boolean {
  const advance = Number(BigInt.asUintN(64, cpu.rip - from));
  if (instruction === undefined) return advance < 1 || advance > LONGEST;
  const { opcode, reg, length } = instruction;
  const always = opcode === 0xe8 || opcode === 0xe9 || opcode === 0xeb || opcode === 0xc2 || opcode === 0xc3;
  if (always || (opcode === 0xff && (reg === 2 || reg === 4))) return true;
  const conditional = (opcode & 0xfff0) === 0x70 || (opcode & 0xfff0) === 0x0f80 || (opcode >= 0xe0 && opcode <= 0xe3);
  return conditional && advance !== length;
}
