/**
 * DR0 to DR3 as DR7 enables them (SDM volume 3, "Debug Registers"): which breakpoints an access or an instruction meets. Not modelled: I/O
 * breakpoints (refused by MOV DR), and breakpoints on the CPU's own accesses (descriptor tables, event delivery).
 */
import { State } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

const DR7 = State.dr + 56;
const ENABLES = 0xff;
/** R/Wn */
const Kind = { execute: 0, write: 1, io: 2, readWrite: 3 } as const;
/** Bytes by LENn. */
const LENGTHS = [1, 2, 8, 4] as const;
/** DR6 bits 3:0 go with this one in the pending debug exceptions: an enabled breakpoint was met. */
export const ENABLED_BREAKPOINT = 1 << 12;

export const breakpointsEnabled = (cpu: VcpuRegisters): boolean => (cpu.i32[DR7 >> 2] & ENABLES) !== 0;

/** Bits of those breakpoints for which `test` holds. */
function matches(cpu: VcpuRegisters, test: (kind: number, address: bigint, bytes: number) => boolean): number {
  const dr7 = cpu.i32[DR7 >> 2];
  let bits = 0;
  for (let n = 0; n < 4; n++) {
    if ((dr7 & (3 << (2 * n))) === 0) continue;
    const bytes = LENGTHS[(dr7 >>> (18 + 4 * n)) & 3];
    const address = cpu.get64(State.dr + 8 * n) & ~BigInt(bytes - 1);
    if (test((dr7 >>> (16 + 4 * n)) & 3, address, bytes)) bits |= 1 << n;
  }
  return bits;
}
const isData = (kind: number): boolean => kind === Kind.write || kind === Kind.readWrite;

/** Breakpoints on executing the instruction at a linear address (their length must be 1). */
export const instructionBreakpoints = (cpu: VcpuRegisters, linear: bigint): number =>
  matches(cpu, (kind, address, bytes) => kind === Kind.execute && bytes === 1 && address === linear);

/** Breakpoints on reading or writing `size` bytes at a linear address. */
export const dataBreakpoints = (cpu: VcpuRegisters, linear: bigint, size: number, write: boolean): number =>
  matches(cpu, (kind, address, bytes) => (kind === Kind.readWrite || (write && kind === Kind.write)) && linear < address + BigInt(bytes) && address < linear + BigInt(size)); // prettier-ignore

/** Low halves of the pages on which data breakpoints lie: accesses there must take the slow path. */
export function watchedPages(cpu: VcpuRegisters): number[] {
  const pages: number[] = [];
  matches(cpu, (kind, address) => isData(kind) && pages.push(Number(address & 0xfffff000n) | 0) > 0);
  return pages;
}
