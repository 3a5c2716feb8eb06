/** What L0 knows of one vCPU, as plain data: saved, restored and hashed with the machine. The rest is in the VMCSs, which lie in host memory. */

/** Where L0's handler is. 'guest': it waits for a VM exit. Each stage ends with the next one noted, so that it can be stepped and saved in between. */
export type Stage = 'guest' | 'read-exit' | 'handle' | 'handle-nested' | 'reflect' | 'enter';

/** A VM exit as L0 has read it from the VMCS that was current. */
export interface ExitInformation {
  /** 1 or 2: who exited. */
  readonly level: 1 | 2;
  readonly reason: number;
  /** The VM entry failed: bit 31 of the exit reason. */
  readonly entryFailed: boolean;
  readonly qualification: bigint;
  readonly length: number;
  readonly information: number;
  readonly interruption: number;
  readonly interruptionError: number;
  readonly vectoring: number;
  readonly vectoringError: number;
  readonly gpa: number;
  readonly linear: bigint;
}

/** A VM exit that L1 is to see. */
export interface Reflection {
  readonly reason: number;
  readonly entryFailed: boolean;
  readonly qualification: bigint;
  readonly length: number;
  readonly information: number;
  readonly interruption: number;
  readonly interruptionError: number;
  readonly vectoring: number;
  readonly vectoringError: number;
  readonly gpa: number;
  readonly linear: bigint;
}

export interface VcpuState {
  stage: Stage;
  /** Who is to be entered. */
  target: 1 | 2;
  exit: ExitInformation | undefined;
  reflection: Reflection | undefined;
  /** L1 is in VMX operation; its VMXON region; its current VMCS (guest-physical, -1: none). */
  vmxOn: boolean;
  vmxonPointer: number;
  vmcs12: number;
  /** L2 runs, or exited and has not been reflected yet. */
  inL2: boolean;
  /** Groups of VMCS fields changed since the checks last held: see vmx/changes. */
  changed01: number;
  changed02: number;
  changed12: number;
  /** The next VM entry to L2 is one that L1 asked for: by this instruction, at this RIP. */
  instruction: 'VMLAUNCH' | 'VMRESUME' | undefined;
  from: bigint;
  /** Entry of L1's VM-exit MSR-store area that cannot be stored, 0: all can. */
  unstorable: number;
  /** VPIDs that stand for those of L1: VPID12 by position. */
  vpids: number[];
}

export const initialVcpuState = (): VcpuState => ({
  stage: 'enter',
  target: 1,
  exit: undefined,
  reflection: undefined,
  vmxOn: false,
  vmxonPointer: -1,
  vmcs12: -1,
  inL2: false,
  changed01: -1,
  changed02: -1,
  changed12: -1,
  instruction: undefined,
  from: 0n,
  unstorable: 0,
  vpids: [],
});
