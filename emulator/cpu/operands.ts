/**
 * Operands of instructions carried out in TypeScript: effective addresses, checked linear addresses (SDM volume 3, "Limit Checking", "Type
 * Checking", "Canonical Addressing"), register and memory values. Not modelled here: #AC (the MMU's matter).
 */
import type { Instruction } from '../isa/instruction';
import { BASE_RIP } from '../isa/instruction';
import { Ar, isCode } from '../spec/descriptors';
import { Cr4, Vector } from '../spec/registers';
import { Seg, State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';

const WORD = 0xffff_ffffn;

/** Canonical for the linear-address width in force. */
export function isCanonical(cpu: Cpu, linear: bigint): boolean {
  const bits = cpu.model.linearBits === 57 && cpu.cr4 & Cr4.LA57 ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(bits, linear)) === linear;
}

/** IP of the instruction after `insn`, wrapped to the width of the code. */
export function nextIp(cpu: Cpu, insn: Instruction): bigint {
  return BigInt.asUintN(cpu.code64 ? 64 : 32, cpu.rip + BigInt(insn.length));
}

/** Offset in the segment: base + index × scale + displacement, cut to the address size. */
export function effectiveAddress(cpu: Cpu, insn: Instruction): bigint {
  let offset = insn.displacement;
  if (insn.base === BASE_RIP) offset += nextIp(cpu, insn);
  else if (insn.base >= 0) offset += cpu.gpr(insn.base);
  if (insn.index >= 0) offset += cpu.gpr(insn.index) << BigInt(insn.scaleLog2);
  return BigInt.asUintN(insn.addressSize * 8, offset);
}

/** Segment base + offset without any check, as VM-exit information reports it. */
export function uncheckedLinear(cpu: Cpu, segment: number, offset: bigint): bigint {
  if (!cpu.code64) return (cpu.segmentBase(segment) + offset) & WORD;
  return BigInt.asUintN(64, segment === Seg.fs || segment === Seg.gs ? cpu.segmentBase(segment) + offset : offset);
}

/** Whether [offset, offset + size) lies inside a segment, expand-down segments included. */
export function insideLimit(limit: number, access: number, offset: bigint, size: number): boolean {
  const last = offset + BigInt(size - 1);
  const expandDown = !isCode(access) && (access & Ar.expandDown) !== 0;
  if (!expandDown) return last <= BigInt(limit >>> 0);
  return offset > BigInt(limit >>> 0) && last <= (access & Ar.big ? WORD : 0xffffn);
}

/**
 * Checks an access of `size` bytes at an offset of a segment and gives its linear address. Undefined: #GP(0), or #SS(0) for SS, is pending.
 */
export function segmentLinear(cpu: Cpu, segment: number, offset: bigint, size: number, write: boolean): bigint | undefined {
  const vector = segment === Seg.ss ? Vector.SS : Vector.GP;
  if (cpu.code64) {
    const linear = uncheckedLinear(cpu, segment, offset);
    if (isCanonical(cpu, linear) && isCanonical(cpu, BigInt.asUintN(64, linear + BigInt(size - 1)))) return linear;
    cpu.raise(vector, 0);
    return undefined;
  }
  const access = cpu.segmentAccess(segment);
  // Real-address mode looks at the limit only.
  const real = (cpu.u32[State.cr0 >> 2] & 1) === 0;
  const typeRefuses = real ? false : isCode(access) ? write || (access & Ar.writable) === 0 : write && (access & Ar.writable) === 0;
  if (access & Ar.unusable || typeRefuses || !insideLimit(cpu.segmentLimit(segment), access, offset, size)) {
    cpu.raise(vector, 0);
    return undefined;
  }
  return (cpu.segmentBase(segment) + offset) & WORD;
}

/** Linear address of the instruction's memory operand, checked. Undefined: a fault is pending. */
export function operandLinear(cpu: Cpu, insn: Instruction, size: number, write: boolean): bigint | undefined {
  return segmentLinear(cpu, insn.segment, effectiveAddress(cpu, insn), size, write);
}

/** Reads an r/m operand of 2, 4 or 8 bytes. Undefined: a fault is pending. */
export function readRm(cpu: Cpu, insn: Instruction, size: number): bigint | undefined {
  if (insn.rm >= 0) return cpu.gprSized(insn.rm, size);
  const linear = operandLinear(cpu, insn, size, false);
  return linear === undefined ? undefined : cpu.loadLinear(linear, size);
}

/** Writes an r/m operand of 2, 4 or 8 bytes (a 32-bit register write zeroes the upper half). False: a fault is pending. */
export function writeRm(cpu: Cpu, insn: Instruction, size: number, value: bigint): boolean {
  if (insn.rm >= 0) {
    cpu.setGprSized(insn.rm, size, BigInt.asUintN(size * 8, value));
    return true;
  }
  const linear = operandLinear(cpu, insn, size, true);
  return linear !== undefined && cpu.storeLinear(linear, size, BigInt.asUintN(size * 8, value));
}

/** Writes a 16-bit system value: to memory always 16 bits, to a register with the operand size, zero-extended. False: a fault is pending. */
export function writeSelectorRm(cpu: Cpu, insn: Instruction, value: number): boolean {
  return writeRm(cpu, insn, insn.rm >= 0 ? insn.operandSize : 2, BigInt(value));
}
