/**
 * Ports of devices that every PC has and that are not modelled yet: an access that would change what the guest sees stops the machine with
 * a sentence, instead of answering like a PC without the device. What is harmless is taken quietly.
 */
import type { NotModelled, PortDevice } from '../port-bus/port-bus';

interface AbsentDevice {
  readonly device: string;
  readonly ports: readonly (readonly [number, number])[];
  /** Writes that change nothing that a guest could see. */
  readonly harmlessWrite?: (port: number, value: number) => boolean;
  /** Reads with a certain answer. */
  readonly certainRead?: (port: number) => number | undefined;
}

const ABSENT: readonly AbsentDevice[] = [
  // A20 is always enabled: reading says so and enabling it again is nothing; bit 0 would reset the processor.
  {
    device: 'system control port A (fast A20 and reset)',
    ports: [[0x92, 0x92]],
    harmlessWrite: (_port, value) => (value & 3) === 2,
    certainRead: () => 2,
  },
];

export class AbsentPorts implements PortDevice {
  readonly name = 'absent';
  readonly ports = ABSENT.flatMap((absent) => absent.ports);
  readonly widest = 4;

  read(port: number, size: number, notModelled: NotModelled): number {
    const absent = find(port);
    const certain = absent.certainRead?.(port);
    if (certain !== undefined) return certain;
    notModelled(`Not modelled: reading ${size} bytes of the ${absent.device} at port 0x${port.toString(16)}.`);
    return 0xffff_ffff >>> (32 - 8 * size);
  }

  write(port: number, size: number, value: number, notModelled: NotModelled): void {
    const absent = find(port);
    if (absent.harmlessWrite?.(port, value)) return;
    notModelled(`Not modelled: writing 0x${value.toString(16)} (${size} bytes) to the ${absent.device} at port 0x${port.toString(16)}.`);
  }
}

function find(port: number): AbsentDevice {
  const found = ABSENT.find((absent) => absent.ports.some(([first, last]) => port >= first && port <= last));
  if (found === undefined) throw new RangeError(`port 0x${port.toString(16)} is not in the table of absent devices`);
  return found;
}
