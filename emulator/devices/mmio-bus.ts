/** The memory-mapped registers of the machine: which device answers at which host-physical address outside RAM. Nothing reads all ones. */
import type { MmioBus } from '../memory/physical-memory';
import type { MmioDevice } from './device';

export interface NamedMmioDevice extends MmioDevice {
  readonly name: string;
}

export class MmioDevices implements MmioBus {
  /** @param localApics by vCPU: its own accesses alone reach them, and before all others. */
  constructor(
    private readonly devices: readonly NamedMmioDevice[],
    private readonly localApics: readonly MmioDevice[] = [],
  ) {}

  nameAt(hpa: number, vcpu: number): string | undefined {
    return holds(this.localApics[vcpu], hpa) ? 'local APIC' : this.devices.find((device) => holds(device, hpa))?.name;
  }
  read(hpa: number, size: number, vcpu: number): bigint {
    const device = this.at(hpa, vcpu);
    return device === undefined ? (1n << BigInt(8 * size)) - 1n : device.readMmio(hpa - device.mmio.first, size, vcpu);
  }
  write(hpa: number, size: number, value: bigint, vcpu: number): void {
    const device = this.at(hpa, vcpu);
    device?.writeMmio(hpa - device.mmio.first, size, value, vcpu);
  }

  private at(hpa: number, vcpu: number): MmioDevice | undefined {
    const own = this.localApics[vcpu];
    return holds(own, hpa) ? own : this.devices.find((device) => holds(device, hpa));
  }
}

const holds = (device: MmioDevice | undefined, hpa: number): boolean =>
  device !== undefined && hpa >= device.mmio.first && hpa <= device.mmio.last;
