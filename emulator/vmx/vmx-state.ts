/** VMX's own words of the vCPU state table (spec/vcpu-state reserves `vmxInternal` and `vmxScratch` for them), and bits that it shares. */
import { State } from '../spec/vcpu-state';

export const VmxState = {
  /** i64: added to the TSC that the guest reads while “use TSC offsetting” is 1, else 0. */
  tscOffset: State.vmxScratch,
  /** f64: step count at the guest's first instruction boundary, for the monitor trap flag. */
  trapSteps: State.vmxScratch + 8,
  /** i32: groups of VMCS fields changed since their checks last held, see changes. */
  changed: State.vmxScratch + 16,
  /** i32: reason and qualification of the VM exit that APIC virtualization has made due (Boundary.apicExit). */
  apicExit: State.vmxScratch + 20,
  apicQualification: State.vmxScratch + 24,
  /** i32: facts of the guest that are asked often, see GuestFact. */
  facts: State.vmxScratch + 28,
  /** i64: TSC multiplier while “use TSC scaling” is 1, else 0. */
  tscMultiplier: State.vmxScratch + 32,
  /** f64: ticks of the first and the last PAUSE of a loop, 0: none since VM entry. */
  firstPause: State.vmxScratch + 40,
  lastPause: State.vmxScratch + 48,
  /** f64: State.apicAccessPage of the guest before. */
  lastApicPage: State.vmxScratch + 56,
  /** i32: see MonitorTrap. */
  monitorTrap: State.vmxInternal,
} as const;

/** When the MTF VM exit is due: SDM "Monitor Trap Flag". */
export const MonitorTrap = {
  off: 0,
  /** The guest has not reached its first boundary; the exit is due one step after it. */
  untilFirstBoundary: 1,
  /** Due as soon as a step was made after `trapSteps`. */
  afterStep: 2,
  /** Due at the next boundary: an event was delivered, or VM entry injected a pending MTF VM exit. */
  due: 3,
} as const;

/** Bits of State.boundary that VMX sets. */
export const Boundary = { monitorTrap: 2, window: 4, nmiWindow: 8, virtualInterrupt: 16, apicExit: 32 } as const;

/** Bits of VmxState.facts. */
export const GuestFact = { nmiExiting: 1, virtualNmis: 2 } as const;

/** State.vmxMode. */
export const VmxMode = { outside: 0, root: 1, nonRoot: 2 } as const;
