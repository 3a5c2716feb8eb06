/** CLI, STI, PUSHF and POPF (SDM volume 2), with the virtual interrupts of virtual-8086 mode (CR4.VME) and protected mode (CR4.PVI). */
import { Cr4, Interruptibility } from '../spec/registers';
import { ARITHMETIC_FLAGS, Flag, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { generalProtection, invalidOpcode, type SystemHandler } from './handler';
import { Outcome } from './outcome';
import { ioplOf, isVirtual8086 } from './processor-mode';
import { commitStack, currentStack, popFrame, pushFrame } from './stack';
import { acceptVirtualFlags, VIRTUAL_FLAGS_LOADED, virtualFlags, virtualisesFlags } from './virtual-8086';

/** CLI and STI below IOPL change VIF where CR4 gives the mode a virtual interrupt flag. */
function hasVirtualInterrupts(cpu: Cpu): boolean {
  if (isVirtual8086(cpu)) return (cpu.cr4 & Cr4.VME) !== 0n;
  return cpu.cpl === 3 && (cpu.cr4 & Cr4.PVI) !== 0n;
}

const cli: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  if (cpu.cpl <= ioplOf(cpu)) cpu.setFlag(Flag.IF, false);
  else if (hasVirtualInterrupts(cpu)) cpu.setFlag(Flag.VIF, false);
  else return generalProtection(cpu);
  return Outcome.next;
};

const sti: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const kept = cpu.get32(State.interruptibility) & ~(Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
  if (cpu.cpl > ioplOf(cpu)) {
    if (!hasVirtualInterrupts(cpu) || cpu.flag(Flag.VIP)) return generalProtection(cpu);
    cpu.set32(State.interruptibility, kept);
    cpu.setFlag(Flag.VIF, true);
    return Outcome.next;
  }
  // Only an STI that sets IF holds off interrupts until after the next instruction.
  cpu.set32(State.interruptibility, cpu.flag(Flag.IF) ? kept : kept | Interruptibility.blockingBySti);
  cpu.setFlag(Flag.IF, true);
  return Outcome.next;
};

const pushf: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const virtual = isVirtual8086(cpu) && ioplOf(cpu) < 3;
  if (virtual && !virtualisesFlags(cpu, insn.operandSize)) return generalProtection(cpu);
  const stack = currentStack(cpu);
  // VM and RF are clear in the image.
  const image = BigInt(((virtual ? virtualFlags(cpu.flags) : cpu.flags) & ~(Flag.VM | Flag.RF)) >>> 0);
  if (!pushFrame(cpu, stack, [{ size: insn.operandSize, value: image }])) return Outcome.pending;
  commitStack(cpu, stack);
  return Outcome.next;
};

const popf: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const virtual = isVirtual8086(cpu) && ioplOf(cpu) < 3;
  if (virtual && !virtualisesFlags(cpu, insn.operandSize)) return generalProtection(cpu);
  const stack = currentStack(cpu);
  const frame = popFrame(cpu, stack, insn.operandSize, 1);
  if (!frame) return Outcome.pending;
  if (virtual) {
    const accepted = acceptVirtualFlags(cpu, Number(frame[0]));
    if (accepted === undefined) return generalProtection(cpu);
    commitStack(cpu, stack);
    cpu.flags = (cpu.flags & ~VIRTUAL_FLAGS_LOADED) | (accepted & VIRTUAL_FLAGS_LOADED);
    return Outcome.next;
  }
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
