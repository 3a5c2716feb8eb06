/** CLI, STI, PUSHF and POPF (SDM volume 2). Not modelled: virtual-8086 mode and protected-mode virtual interrupts (CR4.VME, CR4.PVI). */
import { Interruptibility } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { Outcome } from './outcome';
import { commitStack, currentStack, popFrame, pushFrame } from './stack';

const ioplOf = (cpu: Cpu): number => (cpu.flags & Flag.IOPL) >> 12;

const cli: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl > ioplOf(cpu)) return generalProtection(cpu);
  cpu.setFlag(Flag.IF, false);
  return Outcome.next;
};

const sti: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl > ioplOf(cpu)) return generalProtection(cpu);
  // Only an STI that sets IF holds off interrupts until after the next instruction.
  const kept = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  cpu.set32(State.interruptibility, cpu.flag(Flag.IF) ? kept : kept | Interruptibility.blockingBySti);
  cpu.setFlag(Flag.IF, true);
  return Outcome.next;
};

const pushf: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const stack = currentStack(cpu);
  // VM and RF are clear in the image.
  const image = BigInt((cpu.flags & ~(Flag.VM | Flag.RF)) >>> 0);
  if (!pushFrame(cpu, stack, [{ size: insn.operandSize, value: image }])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.next;
};

const popf: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 1);
  if (!frame) return Outcome.pending;
  const image = Number(frame[0] & 0xffff_ffffn) | 0;
  let mask = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT;
  if (insn.operandSize !== 2) mask |= Flag.AC | Flag.ID;
  if (cpu.cpl <= ioplOf(cpu)) mask |= Flag.IF;
  if (cpu.cpl === 0) mask |= Flag.IOPL;
  // The wide forms clear RF, VIF and VIP.
  const cleared = insn.operandSize === 2 ? 0 : Flag.RF | (cpu.cpl === 0 ? Flag.VIF | Flag.VIP : 0);
  commitStack(cpu, stack);
  cpu.flags = (cpu.flags & ~mask & ~cleared) | (image & mask);
  cpu.modeChanged();
  return Outcome.next;
};

export const flagInstructions: Readonly<Record<string, SystemHandler>> = { CLI: cli, STI: sti, PUSHF: pushf, POPF: popf };
