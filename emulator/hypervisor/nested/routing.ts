/**
 * The exit router: for whom is a VM exit of L2? A pure function of the event and of both hypervisors' controls. L1's question is answered by the same
 * `intercepts` that the hardware uses, on VMCS12; L0's likewise on VMCS01, for the causes that L0 may want for itself.
 */
import type { InterceptEvent } from '../../spec/vmx-events';
import { type InterceptControls, intercepts } from '../../vmx/intercepts';

export interface Routing {
  readonly to: 'L0' | 'L1' | 'both';
  /** Why, for a person. */
  readonly because: string;
}

/** Kinds of events that L0 may want of L2 too. Others are about registers and tables of L1 itself, or exit whatever the controls say. */
const WANTED_BY_L0: ReadonlySet<InterceptEvent['kind']> = new Set(['external-interrupt', 'nmi', 'exception', 'io']);

export const l0WantsExit = (vmcs01: InterceptControls, event: InterceptEvent): boolean =>
  WANTED_BY_L0.has(event.kind) && intercepts(vmcs01, event) !== undefined;
export const l1WantsExit = (vmcs12: InterceptControls, event: InterceptEvent): boolean => intercepts(vmcs12, event) !== undefined;

export function route(event: InterceptEvent | undefined, vmcs12: InterceptControls, vmcs01: InterceptControls): Routing {
  if (event === undefined) return { to: 'L1', because: 'the VM entry that L1 asked for failed' };
  switch (event.kind) {
    case 'ept-violation':
    case 'ept-misconfiguration':
      return { to: 'L0', because: "EPT02 is L0's: it looks into EPT12 whether L1 must know" };
    case 'vmfunc':
      return { to: 'L0', because: 'VM functions of L2 are carried out by L0' };
    default: {
      const l0 = l0WantsExit(vmcs01, event);
      const l1 = l1WantsExit(vmcs12, event);
      if (l0 && l1) return { to: 'both', because: 'VMCS01 and VMCS12 both ask for it' };
      if (l1) return { to: 'L1', because: 'VMCS12 asks for it' };
      return { to: 'L0', because: 'VMCS12 does not ask for it' };
    }
  }
}
