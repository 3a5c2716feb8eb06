/** ENTER (SDM volume 2, "ENTER—Make Stack Frame for Procedure Parameters"). */
import { Seg } from '../spec/vcpu-state';
import { invalidOpcode, type SystemHandler } from './handler';
import { segmentLinear } from './operands';
import { Outcome } from './outcome';
import type { Slot } from './stack';
import { currentStack, pushFrame, setStackPointer } from './stack';

const RBP = 5;

export const enter: SystemHandler = (cpu, insn) => {
  if (insn.lock) return invalidOpcode(cpu);
  const size = insn.operandSize;
  const allocated = insn.immediate & 0xffffn;
  const level = insn.immediate2 & 31;
  const stack = currentStack(cpu);
  const rbp = cpu.gprSized(RBP, stack.bits / 8);
  const slots: Slot[] = [{ size, value: cpu.gprSized(RBP, size) }];
  const frame = BigInt.asUintN(stack.bits, stack.sp - BigInt(size));
  // The frame pointers of the enclosing levels are copied from the old frame, then the new one is pushed.
  for (let i = 1; i < level; i++) {
    const linear = segmentLinear(cpu, Seg.ss, BigInt.asUintN(stack.bits, rbp - BigInt(size * i)), size, false);
    const value = linear === undefined ? undefined : cpu.loadLinear(linear, size);
    if (value === undefined) return Outcome.pending;
    slots.push({ size, value });
  }
  if (level > 0) slots.push({ size, value: frame });
  // "ENTER": #PF also when a write by the final stack pointer would fault, so that is asked before anything is written.
  const total = BigInt(size * slots.length) + allocated;
  const sp = BigInt.asUintN(stack.bits, stack.sp - total);
  const last = segmentLinear(cpu, Seg.ss, sp, size, true);
  if (last === undefined || !cpu.probeWrite(last, size) || !pushFrame(cpu, stack, slots)) return Outcome.pending;
  cpu.setGprSized(RBP, size, BigInt.asUintN(size * 8, frame));
  setStackPointer(cpu, sp, stack.bits);
  return Outcome.next;
};
