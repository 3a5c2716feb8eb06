/**
 * Many iterations of REP MOVS and REP STOS at once, where they do what so many single ones would: forwards, inside one page each, through TLB
 * entries that are there, on plain RAM. Everything else is left to the instruction's own program, iteration by iteration.
 */
import { Rec } from '../codegen/record';
import { Flag, State, TlbEntry } from '../spec/vcpu-state';
import { tlbIndex } from '../mmu/tlb';
import type { Cpu } from './cpu';

const RAX = 0;
const RCX = 1;
const RSI = 6;
const RDI = 7;

/** Iterations below which it is not worth while. */
const LEAST = 4;

/** wasm offset of the byte at a register's address if its TLB entry allows the access without further ado, else -1. */
function offsetThroughTlb(cpu: Cpu, register: number, tag: number): number {
  const lo = cpu.i32[register * 2];
  const hi = cpu.i32[register * 2 + 1];
  const i = tlbIndex(lo);
  const entry = (State.tlb + i * TlbEntry.stride) >> 2;
  const context = cpu.i32[State.contextData >> 2];
  if (cpu.i32[entry + (tag >> 2)] !== ((lo & ~0xfff) | context) || cpu.i32[entry + (tag >> 2) + 1] !== hi) return -1;
  return (lo + cpu.i32[entry + (TlbEntry.addend >> 2)]) >>> 0;
}

/**
 * @param packed record address (26 bits), MOVS rather than STOS (bit 26), log2 of the element size (bits 28:27).
 * @returns iterations made, 0: none. Registers are advanced; State.budget says how many are allowed.
 */
export function stringRun(cpu: Cpu, packed: number): number {
  const record = packed & 0x3ffffff;
  const movs = (packed & 0x4000000) !== 0;
  const size = 1 << ((packed >> 27) & 3);
  const { memory } = cpu;
  // The source must lie in no segment with a base.
  if (cpu.i32[State.systemFlags >> 2] & Flag.DF || memory.u16[(record + Rec.base) >> 1] !== State.zero) return 0;
  const count = cpu.u32[RCX * 2 + 1] !== 0 ? 0xffffffff : cpu.u32[RCX * 2];
  const to = offsetThroughTlb(cpu, RDI, TlbEntry.write);
  if (to < 0) return 0;
  let n = Math.min(count, cpu.i32[State.budget >> 2], Math.floor((4096 - (cpu.i32[RDI * 2] & 0xfff)) / size));
  let from = 0;
  if (movs) {
    from = offsetThroughTlb(cpu, RSI, TlbEntry.read);
    if (from < 0) return 0;
    n = Math.min(n, Math.floor((4096 - (cpu.i32[RSI * 2] & 0xfff)) / size));
    // A destination inside what is still to be read repeats a pattern: only as far as the two do not meet.
    if (to > from) n = Math.min(n, Math.floor((to - from) / size));
  }
  if (n < LEAST) return 0;
  const bytes = n * size;
  if (movs) memory.u8.copyWithin(to, from, from + bytes);
  else fill(cpu, to, size, bytes);
  cpu.u64[RDI] += BigInt(bytes);
  if (movs) cpu.u64[RSI] += BigInt(bytes);
  cpu.u64[RCX] -= BigInt(n);
  return n;
}

function fill(cpu: Cpu, to: number, size: number, bytes: number): void {
  const { u8 } = cpu.memory;
  const value = cpu.u32[RAX * 2];
  if (size === 1) {
    u8.fill(value & 0xff, to, to + bytes);
    return;
  }
  for (let b = 0; b < size; b++) u8[to + b] = Number((cpu.u64[RAX] >> BigInt(8 * b)) & 0xffn);
  for (let done = size; done < bytes; done *= 2) u8.copyWithin(to + done, to, to + Math.min(done, bytes - done));
}
