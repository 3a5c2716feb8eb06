/** The mode word, the classes of TLB contexts and the IP mask: what decoded code and look-ups depend on, worked out of the registers. */
import { Mode, SEGMENT_STRIDE, Seg, SegmentState, State } from '../spec/vcpu-state';
import { FLAT_CODE, FLAT_DATA, isFlat } from './flat-segments';
import { smapEnforced } from './guest-access';
import { SMAP_CLASS } from './tlb';
import type { VcpuRegisters } from './vcpu-registers';

const CR4_LA57 = 1 << 12;

/** Forgets the fetch page when any of them changed. No 64-bit arithmetic: every VM entry and exit comes here. */
export function recomputeMode(cpu: VcpuRegisters): void {
  const long = cpu.longMode;
  const cs = cpu.segmentAccess(Seg.cs);
  const code64 = long && (cs & 0x2000) !== 0;
  const protectedMode = (cpu.u32[State.cr0 >> 2] & 1) !== 0;
  const ss = cpu.segmentAccess(Seg.ss);
  let mode = 0;
  if (code64) mode |= Mode.code64;
  else if (cs & 0x4000) mode |= Mode.code32;
  if (long) mode |= Mode.longMode;
  if (protectedMode) mode |= Mode.protectedMode;
  if (!code64 && ss & 0x4000) mode |= Mode.stack32;
  if (!code64 && isFlat(cpu, Seg.cs, FLAT_CODE) && [Seg.ss, Seg.ds, Seg.es].every((n) => isFlat(cpu, n, FLAT_DATA))) mode |= Mode.flat;
  const flat32 = Mode.flat | Mode.code32 | Mode.stack32;
  const segmented = !code64 && (mode & flat32) !== flat32;
  if (segmented) mode |= Mode.segmented;
  const { i32 } = cpu;
  const cs0 = (State.segment + Seg.cs * SEGMENT_STRIDE + SegmentState.base) >> 2;
  const baseLo = code64 ? 0 : i32[cs0];
  const baseHi = code64 ? 0 : i32[cs0 + 1];
  const base0 = State.csBase >> 2;
  const csLimit = code64 ? -1 : cpu.segmentLimit(Seg.cs) | 0;
  const index = cpu.i32[State.contextIndex >> 2];
  const user = cpu.cpl === 3 ? 1 : 0;
  const wp = cpu.u32[State.cr0 >> 2] & 0x10000 ? 2 : 0;
  const smap = user === 0 && smapEnforced(cpu, false) ? SMAP_CLASS : 0;
  const data = index * 16 + user + wp + smap;
  const fetch = index * 16 + 8 + user + (code64 ? 2 : 0) + (segmented ? 4 : 0);
  const moved = i32[base0] !== baseLo || i32[base0 + 1] !== baseHi || i32[State.csLimit >> 2] !== csLimit;
  if (moved || mode !== cpu.i32[State.mode >> 2] || fetch !== cpu.i32[State.contextFetch >> 2]) cpu.set64(State.fetchPage, 1n);
  i32[base0] = baseLo;
  i32[base0 + 1] = baseHi;
  cpu.set32(State.csLimit, csLimit);
  cpu.set32(State.mode, mode);
  setSmall(cpu, State.canonicalShift, i32[State.cr4 >> 2] & CR4_LA57 ? 7 : 16);
  setSmall(cpu, State.contextData, data);
  setSmall(cpu, State.contextFetch, fetch);
  i32[State.ipMask >> 2] = -1;
  i32[(State.ipMask >> 2) + 1] = code64 ? -1 : 0;
}

/** A 64-bit slot takes a number of less than 32 bits. */
function setSmall(cpu: VcpuRegisters, slot: number, value: number): void {
  cpu.i32[slot >> 2] = value;
  cpu.i32[(slot >> 2) + 1] = 0;
}
