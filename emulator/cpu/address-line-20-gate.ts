/** The gate of address line 20 in front of the processors: the chipset drives A20M# of all of them. The line is state of each vCPU. */
import { State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';

export interface AddressLine20 {
  readonly enabled: boolean;
  set(enabled: boolean): void;
}

export function addressLine20(cpus: readonly Cpu[]): AddressLine20 {
  return {
    get enabled() {
      return cpus[0].get32(State.a20Masked) === 0;
    },
    set(enabled) {
      if (enabled === this.enabled) return;
      for (const cpu of cpus) {
        cpu.set32(State.a20Masked, enabled ? 0 : 1);
        cpu.mmu.flushAll(cpu);
      }
    },
  };
}
