/** What the parts of VMX share for one machine: the memory, the view of the current VMCS, capabilities and the interfaces to the outside. */
import type { Cpu } from '../cpu/cpu';
import type { ClockPort } from '../cpu/ports';
import type { PhysicalMemory } from '../memory/physical-memory';
import { State } from '../spec/vcpu-state';
import type { VmxCapabilities } from '../spec/vmx-capabilities';
import type { CheckSelection } from './checks/entry-checks';
import type { InterceptControls } from './intercepts';
import type { MsrAccess } from './msr-access';
import type { VmxObserver } from './observer';
import type { Vmcs } from './vmcs';

export interface VmxContext {
  readonly memory: PhysicalMemory;
  readonly capabilities: VmxCapabilities;
  readonly observer: VmxObserver;
  readonly msrs: MsrAccess;
  readonly clock: Pick<ClockPort, 'charge' | 'now'>;
  /** View that is moved to the current VMCS at the beginning of each operation. */
  readonly vmcs: Vmcs;
  readonly controls: InterceptControls;
  readonly checks: CheckSelection;
}

/** The current-VMCS pointer; -1 when there is none. */
export function currentPointer(cpu: Cpu): number {
  return cpu.getF64(State.currentVmcs);
}
/** Moves the view to the current VMCS, which must be valid. */
export function currentVmcs(vmx: VmxContext, cpu: Cpu): Vmcs {
  return vmx.vmcs.select(currentPointer(cpu));
}
