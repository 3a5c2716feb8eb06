/**
 * Address line 20 (SDM volume 3, "Wraparound in Real-Address Mode"; volume 1 and 2, "A20M#"): while A20M# is asserted, bit 20 of every physical
 * address that the processor sends out is 0. VMX operation ignores the pin ("Restrictions on VMX Operation"). Left out: accesses to SMRAM by
 * SMIs and RSM, which are not masked.
 */
import { State } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

const LINE = 0x10_0000;
const OUTSIDE_VMX = 0;

/** A20M# is asserted and heeded. */
export function addressLine20Masked(cpu: VcpuRegisters): boolean {
  return cpu.i32[State.a20Masked >> 2] !== 0 && cpu.i32[State.vmxMode >> 2] === OUTSIDE_VMX;
}

/** A physical address as it leaves the processor. */
export function lineMasked(cpu: VcpuRegisters, address: number): number {
  if (!addressLine20Masked(cpu)) return address;
  return Math.floor(address / LINE) % 2 === 1 ? address - LINE : address;
}
