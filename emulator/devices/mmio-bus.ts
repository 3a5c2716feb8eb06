/** The memory-mapped registers of the machine: which device answers at which host-physical address outside RAM. Nothing reads all ones. */
import type { MmioBus } from '../memory/physical-memory';
import type { MmioDevice } from './device';

export interface NamedMmioDevice extends MmioDevice {
  readonly name: string;
}

export class MmioDevices implements MmioBus {
  constructor(private readonly devices: readonly NamedMmioDevice[]) {}

  nameAt(hpa: number): string | undefined {
    return this.at(hpa)?.name;
  }
  read(hpa: number, size: number, vcpu: number): bigint {
    const device = this.at(hpa);
    return device === undefined ? (1n << BigInt(8 * size)) - 1n : device.readMmio(hpa - device.mmio.first, size, vcpu);
  }
  write(hpa: number, size: number, value: bigint, vcpu: number): void {
    const device = this.at(hpa);
    device?.writeMmio(hpa - device.mmio.first, size, value, vcpu);
  }

  private at(hpa: number): NamedMmioDevice | undefined {
    return this.devices.find(({ mmio }) => hpa >= mmio.first && hpa <= mmio.last);
  }
}
