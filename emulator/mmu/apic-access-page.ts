/**
 * Accesses to the APIC-access page (SDM volume 3, "Virtualizing Memory-Mapped APIC Accesses"): found by the host-physical page of
 * State.apicAccessPage, sent to the virtual-APIC page or left pending as a VM exit, as VMX decides through an upward interface.
 */
import { State } from '../spec/vcpu-state';
import type { VcpuRegisters } from './vcpu-registers';

/** Bits 15:12 of the qualification of an APIC-access VM exit. */
export const ApicAccessType = { read: 0, write: 1, fetch: 2, delivery: 3, guestPhysicalDelivery: 10, guestPhysical: 15 } as const;

/** What the MMU asks of VMX; vmx/apic-accesses implements it. */
export interface ApicAccessPage {
  /** Host-physical address on the virtual-APIC page to which the access goes instead; -1: it causes an APIC-access VM exit. */
  redirect(cpu: VcpuRegisters, offset: number, bytes: number, type: number): number;
  /** A write that was redirected has been made by the instruction, which has nothing more to do. */
  written(cpu: VcpuRegisters, offset: number): void;
}

const PENDING_EXIT = 2;
const EXIT_APIC_ACCESS = 44;
/** An event is being delivered. */
const delivering = (cpu: VcpuRegisters): boolean => cpu.i32[State.vectoringInfo >> 2] < 0;

/** Whether a host-physical address lies on the APIC-access page in use. */
export const onApicAccessPage = (cpu: VcpuRegisters, hpa: number): boolean => hpa - (hpa % 4096) + 1 === cpu.f64[State.apicAccessPage >> 3];

/** Leaves an APIC-access VM exit pending. @param linear the linear address, its halves. */
export function apicExit(cpu: VcpuRegisters, offset: number, type: number, lo: number, hi: number): false {
  cpu.set32(State.pendingKind, PENDING_EXIT);
  cpu.set32(State.pendingReason, EXIT_APIC_ACCESS);
  cpu.set64(State.pendingQualification, BigInt(offset | (type << 12)));
  cpu.i32[State.pendingLinear >> 2] = lo;
  cpu.i32[(State.pendingLinear >> 2) + 1] = hi;
  return false;
}

/** An access to a guest paging structure on the page. */
export function guestPhysicalApicExit(cpu: VcpuRegisters, offset: number): -1 {
  apicExit(cpu, offset, delivering(cpu) ? ApicAccessType.guestPhysicalDelivery : ApicAccessType.guestPhysical, 0, 0);
  return -1;
}

/**
 * Where a data access goes: addresses on the APIC-access page to the virtual-APIC page, others stay as they are. -1: a VM exit is pending.
 */
export function redirected(
  handler: ApicAccessPage | undefined,
  cpu: VcpuRegisters,
  lo: number,
  hi: number,
  hpa: number,
  bytes: number,
  write: boolean,
): number {
  if (!onApicAccessPage(cpu, hpa)) return hpa;
  const type = delivering(cpu) ? ApicAccessType.delivery : write ? ApicAccessType.write : ApicAccessType.read;
  const to = handler?.redirect(cpu, hpa % 4096, bytes, type) ?? -1;
  if (to < 0) apicExit(cpu, hpa % 4096, type, lo, hi);
  return to;
}
