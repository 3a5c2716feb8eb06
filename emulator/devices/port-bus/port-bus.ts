/**
 * The port bus: which device answers which of the 65,536 I/O ports (SDM volume 1, "Input/Output"). A port at which nothing is reads all ones
 * and swallows writes, as on a PC; an access that is wider than the device, or reaches over its end, becomes byte accesses.
 */
import type { IoPort } from '../../cpu/ports';

/** Stops the machine with a `Not modelled:` sentence. */
export type NotModelled = (sentence: string) => void;

/** A device on the bus. Ports are given relative to nothing: absolute numbers, as the guest names them. */
export interface PortDevice {
  readonly name: string;
  /** Ports [first, last], which the device claims. */
  readonly ports: readonly (readonly [first: number, last: number])[];
  /** Widest access in bytes that it takes whole; wider ones are split. */
  readonly widest: 1 | 2 | 4;
  read(port: number, size: number, notModelled: NotModelled): number;
  write(port: number, size: number, value: number, notModelled: NotModelled): void;
}

export class PortBus implements IoPort {
  /** Index into `devices` plus one for each port, 0: nothing. */
  private readonly at = new Uint8Array(0x10000);

  constructor(private readonly devices: readonly PortDevice[]) {
    devices.forEach((device, i) => {
      for (const [first, last] of device.ports) {
        for (let port = first; port <= last; port++) {
          if (this.at[port] !== 0) throw new RangeError(`port 0x${port.toString(16)} has two devices`);
          this.at[port] = i + 1;
        }
      }
    });
  }

  in(cpu: Parameters<IoPort['in']>[0], port: number, size: number): number {
    return this.read(port, size, (sentence) => void cpu.notModelled(sentence));
  }

  out(cpu: Parameters<IoPort['in']>[0], port: number, size: number, value: number): void {
    this.write(port, size, value, (sentence) => void cpu.notModelled(sentence));
  }

  read(port: number, size: number, notModelled: NotModelled): number {
    const device = this.whole(port, size);
    if (device !== undefined) return device.read(port, size, notModelled) >>> 0;
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = this.deviceAt(port + i)?.read((port + i) & 0xffff, 1, notModelled) ?? 0xff;
      value |= (byte & 0xff) << (8 * i);
    }
    return value >>> 0;
  }

  write(port: number, size: number, value: number, notModelled: NotModelled): void {
    const device = this.whole(port, size);
    if (device !== undefined) {
      device.write(port, size, value >>> 0, notModelled);
      return;
    }
    for (let i = 0; i < size; i++) this.deviceAt(port + i)?.write((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff, notModelled);
  }

  private deviceAt(port: number): PortDevice | undefined {
    return this.devices[this.at[port & 0xffff] - 1];
  }

  /** The device that takes the whole access at once, if there is one. */
  private whole(port: number, size: number): PortDevice | undefined {
    const device = this.deviceAt(port);
    return device && size <= device.widest && this.deviceAt(port + size - 1) === device ? device : undefined;
  }
}
