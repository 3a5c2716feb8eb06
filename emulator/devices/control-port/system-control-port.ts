/**
 * System control port A at port 92H (PS/2 and EISA; Intel PIIX and ICH datasheets, "PORT92"): bit 1 opens the gate of address line 20, bit 0
 * going from 0 to 1 resets. The gate is one with that of the keyboard controller: whoever wrote last decides. Left out: the drive lights.
 */
import type { StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { A20Gate } from '../i8042/i8042';
import type { PortDevice } from '../port-bus/port-bus';

const Bit = { reset: 1, a20: 2 } as const;

export interface SystemControlPortState {
  readonly version: 1;
  /** What was written last, but for the A20 bit. */
  readonly value: number;
}

export class SystemControlPort implements PortDevice, StatefulDevice {
  readonly name = 'system-control-port';
  readonly ports = [[0x92, 0x92]] as const;
  readonly widest = 1;
  private value = 0;

  constructor(
    private readonly a20: A20Gate,
    private readonly reset: () => void,
  ) {}

  read(): number {
    return this.value | (this.a20.enabled ? Bit.a20 : 0);
  }

  write(_port: number, _size: number, value: number): void {
    const before = this.value;
    this.value = value & ~Bit.a20;
    this.a20.set((value & Bit.a20) !== 0);
    if (value & ~before & Bit.reset) this.reset();
  }

  save(): SystemControlPortState {
    return { version: 1, value: this.value };
  }

  restore(saved: unknown): void {
    this.value = expectVersion<SystemControlPortState>(saved, 1, 'system control port').value;
  }
}
