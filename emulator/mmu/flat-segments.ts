/** Flat segments: those that need no check, since they begin at 0 and end at 4 GiB (SDM volume 3, "Basic Flat Model"). */
import { Ar } from '../spec/descriptors';
import type { VcpuRegisters } from './vcpu-registers';

/** Access rights of flat segments: usable, present; readable code, or writable data that does not expand down. */
export const FLAT_CODE = { mask: Ar.unusable | Ar.present | Ar.notSystem | Ar.code | Ar.writable, value: Ar.present | Ar.notSystem | Ar.code | Ar.writable }; // prettier-ignore
export const FLAT_DATA = { mask: FLAT_CODE.mask | Ar.expandDown, value: Ar.present | Ar.notSystem | Ar.writable };
export const isFlat = (cpu: VcpuRegisters, n: number, rights: typeof FLAT_CODE): boolean =>
  cpu.segmentBase(n) === 0n && cpu.segmentLimit(n) === 0xffffffff && (cpu.segmentAccess(n) & rights.mask) === rights.value;
