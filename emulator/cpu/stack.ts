/**
 * Stacks for calls, returns and event delivery (SDM volume 1, "Procedure Stack"): a frame is translated and checked slot by slot in push
 * order, then written, and only then is RSP changed, so that a fault leaves nothing behind.
 */
import { Access } from '../mmu/mmu';
import { Ar } from '../spec/descriptors';
import { Vector } from '../spec/registers';
import { Seg } from '../spec/vcpu-state';
import type { Cpu } from './cpu';
import { insideLimit, isCanonical } from './operands';

const RSP = 4;

/** A stack that is being used, before RSP and SS are committed. */
export interface Stack {
  /** Current stack pointer; push and pop move it. */
  sp: bigint;
  /** 64-bit stack: flat, canonical check instead of a limit. */
  readonly wide: boolean;
  /** Bits of the stack pointer in use: 16, 32 or 64. */
  readonly bits: 16 | 32 | 64;
  readonly base: bigint;
  readonly limit: number;
  readonly access: number;
  /** Access.implicit when the frame belongs to a more privileged level than the current one, else 0. */
  readonly privilege: number;
  /** Error code of the #SS that a bad address raises. */
  readonly errorCode: number;
}

export interface Slot {
  readonly size: number;
  readonly value: bigint;
  /** Bytes written when fewer than the slot has (PUSH of a segment register). */
  readonly written?: number;
}

/** The stack that SS:RSP names now. */
export function currentStack(cpu: Cpu, errorCode = 0): Stack {
  const access = cpu.segmentAccess(Seg.ss);
  const bits = cpu.code64 ? 64 : access & Ar.big ? 32 : 16;
  return {
    sp: BigInt.asUintN(bits, cpu.gpr(RSP)),
    wide: cpu.code64,
    bits,
    base: cpu.segmentBase(Seg.ss),
    limit: cpu.segmentLimit(Seg.ss),
    access,
    privilege: 0,
    errorCode,
  };
}

/** A flat 64-bit stack at `sp`. */
export function wideStack(sp: bigint, privilege: number, errorCode: number): Stack {
  return { sp, wide: true, bits: 64, base: 0n, limit: 0xffffffff, access: 0, privilege, errorCode };
}

/** A stack in a segment outside 64-bit mode. */
export function segmentStack(sp: bigint, base: bigint, limit: number, access: number, privilege: number, errorCode: number): Stack {
  const bits = access & Ar.big ? 32 : 16;
  return { sp: BigInt.asUintN(bits, sp), wide: false, bits, base, limit, access, privilege, errorCode };
}

function slotLinear(cpu: Cpu, stack: Stack, sp: bigint, size: number): bigint | undefined {
  const ok = stack.wide
    ? isCanonical(cpu, sp) && isCanonical(cpu, BigInt.asUintN(64, sp + BigInt(size - 1)))
    : (stack.access & Ar.unusable) === 0 && insideLimit(stack.limit, stack.access, sp, size);
  if (ok) return stack.wide ? sp : (stack.base + sp) & 0xffff_ffffn;
  cpu.raise(Vector.SS, stack.errorCode);
  return undefined;
}

/** Pushes the slots in order. False: a fault is pending, and neither memory nor `stack.sp` has changed. */
export function pushFrame(cpu: Cpu, stack: Stack, slots: readonly Slot[]): boolean {
  let sp = stack.sp;
  const places: bigint[] = [];
  for (const slot of slots) {
    sp = BigInt.asUintN(stack.bits, sp - BigInt(slot.size));
    const linear = slotLinear(cpu, stack, sp, slot.size);
    if (linear === undefined) return false;
    places.push(linear);
  }
  for (let i = 0; i < slots.length; i++)
    if (slots.length > 1 && !cpu.probeWrite(places[i], slots[i].written ?? slots[i].size, Access.write | stack.privilege)) return false;
  for (let i = 0; i < slots.length; i++) {
    const size = slots[i].written ?? slots[i].size;
    if (!cpu.storeLinear(places[i], size, BigInt.asUintN(size * 8, slots[i].value), Access.write | stack.privilege)) return false;
  }
  stack.sp = sp;
  return true;
}

/** Pops `count` slots of `size` bytes. Undefined: a fault is pending and `stack.sp` has not changed. */
export function popFrame(cpu: Cpu, stack: Stack, size: number, count: number): bigint[] | undefined {
  let sp = stack.sp;
  const values: bigint[] = [];
  for (let i = 0; i < count; i++) {
    const linear = slotLinear(cpu, stack, sp, size);
    if (linear === undefined) return undefined;
    const value = cpu.loadLinear(linear, size, Access.read | stack.privilege);
    if (value === undefined) return undefined;
    values.push(value);
    sp = BigInt.asUintN(stack.bits, sp + BigInt(size));
  }
  stack.sp = sp;
  return values;
}

/** Writes the stack pointer: SP, ESP (upper half zeroed) or RSP. */
export function setStackPointer(cpu: Cpu, sp: bigint, bits: 16 | 32 | 64): void {
  cpu.setGprSized(RSP, bits / 8, BigInt.asUintN(bits, sp));
}
export function commitStack(cpu: Cpu, stack: Stack): void {
  setStackPointer(cpu, stack.sp, stack.bits);
}
