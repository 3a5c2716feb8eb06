/** What the parts of L0 share for one vCPU of its VM. */
import type { Cpu } from '../cpu/cpu';
import type { InterruptPort } from '../cpu/ports';
import { type VmcsField, Field } from '../spec/vmcs-fields';
import type { VmxObserver } from '../vmx/observer';
import { Vmcs } from '../vmx/vmcs';
import type { VmxContext } from '../vmx/vmx-context';
import type { FrameTable } from './frame-table';
import type { GuestMemory } from './guest-memory';
import type { GuestRegisters } from './guest-registers';
import type { Ledger } from './ledger';
import type { Ept02 } from './nested/ept02';
import type { VcpuState } from './vcpu-state';

/** Frames of one vCPU in host memory. */
export interface VcpuFrames {
  readonly vmxon: number;
  readonly vmcs01: number;
  readonly vmcs02: number;
  readonly shadow: number;
  readonly msrBitmap: number;
  /** VMREAD and VMWRITE bitmaps of VMCS shadowing. */
  readonly accessBitmaps: readonly [number, number];
  /** Two pages each: VM-entry load and VM-exit store areas of VMCS02, VM-entry load area of VMCS01. */
  readonly entryMsrs02: number;
  readonly storeMsrs02: number;
  readonly entryMsrs01: number;
}

export interface L0Context {
  readonly vmx: VmxContext;
  readonly cpu: Cpu;
  readonly state: VcpuState;
  readonly guest: GuestMemory;
  readonly frames: FrameTable;
  readonly ept02: Ept02;
  readonly ledger: Ledger;
  readonly pages: VcpuFrames;
  readonly vmcs01: Vmcs;
  readonly vmcs02: Vmcs;
  readonly l1: GuestRegisters;
  /** Tells what L1 sees: exits and entries of its own guest. */
  readonly observer: VmxObserver;
  readonly interrupts: Pick<InterruptPort, 'apicBase'>;
  /** VMCS shadowing for L1. */
  readonly shadowing: boolean;
}

/** VMCS12, which lies in one frame of L1's memory. There must be one. */
export const vmcs12Of = (l0: L0Context): Vmcs => new Vmcs(l0.cpu.memory, l0.guest.toHpa(l0.state.vmcs12));

/** Writes fields of VMCS02 (and VMCS12) and notes which checks must be made again. */
export function set02(l0: L0Context, field: VmcsField, value: bigint): void {
  l0.state.changed02 |= l0.vmcs02.saveHalves(field, Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
}
export function set12(l0: L0Context, vmcs12: Vmcs, field: VmcsField, value: bigint): void {
  l0.state.changed12 |= vmcs12.saveHalves(field, Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
}

/**
 * An event whose delivery an exit interrupted is delivered again by the VM entry (SDM volume 3, "Event Injection"), when L0 resumes the guest that
 * exited.
 */
export function redeliver(l0: L0Context, set: (field: VmcsField, value: bigint) => void): void {
  const { exit } = l0.state;
  if (exit === undefined || exit.vectoring >>> 31 === 0) return;
  set(Field.vmEntryInterruptionInformation, BigInt((exit.vectoring & 0x8000_0fff) >>> 0));
  set(Field.vmEntryExceptionErrorCode, BigInt(exit.vectoringError));
  set(Field.vmEntryInstructionLength, BigInt(exit.length));
}
