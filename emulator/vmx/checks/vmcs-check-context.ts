/** What the check rows read when hardware makes a VM entry: the VMCS in memory and the processor's own state. */
import type { Cpu } from '../../cpu/cpu';
import type { VmcsField } from '../../spec/vmcs-fields';
import type { VmxCapabilities } from '../../spec/vmx-capabilities';
import type { PhysicalMemory } from '../../memory/physical-memory';
import type { Vmcs } from '../vmcs';
import type { CheckContext } from './check-row';

class VmcsCheckContext implements CheckContext {
  readonly pointer: number;
  constructor(
    private readonly vmcs: Vmcs,
    private readonly memory: PhysicalMemory,
    readonly capabilities: VmxCapabilities,
    readonly ia32eMode: boolean,
  ) {
    this.pointer = vmcs.pointer;
  }
  u32(field: VmcsField): number {
    return this.vmcs.u32(field);
  }
  high32(field: VmcsField): number {
    return this.vmcs.high32(field);
  }
  u64(field: VmcsField): bigint {
    return this.vmcs.u64(field);
  }
  address(field: VmcsField): number {
    return this.vmcs.address(field);
  }
  read32(physical: number): number {
    return this.memory.read32(physical);
  }
  read64(physical: number): bigint {
    return this.memory.read64(physical);
  }
}

export function vmcsCheckContext(
  vmx: { readonly memory: PhysicalMemory; readonly capabilities: VmxCapabilities },
  cpu: Cpu,
  vmcs: Vmcs,
): CheckContext {
  return new VmcsCheckContext(vmcs, vmx.memory, vmx.capabilities, cpu.longMode);
}
