/**
 * The debug exit at ports 0xf4 to 0xf7, as QEMU's `isa-debug-exit` with iobase=0xf4, iosize=4: a write ends the machine with the value
 * written. Reads give zero, as there.
 */
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';

export interface DebugExitState {
  readonly version: 1;
  /** -1 until the guest has ended the machine. */
  readonly value: number;
}

export class IsaDebugExit implements PortDevice {
  readonly name = 'debug-exit';
  readonly ports = [[0xf4, 0xf7]] as const;
  readonly widest = 4;
  private written = -1;

  constructor(private readonly ended: (value: number) => void) {}

  get value(): number | undefined {
    return this.written < 0 ? undefined : this.written;
  }

  read(): number {
    return 0;
  }

  write(_port: number, _size: number, value: number): void {
    // The first write counts: the machine has ended with it.
    if (this.written >= 0) return;
    this.written = value;
    this.ended(value);
  }

  save(): DebugExitState {
    return { version: 1, value: this.written };
  }

  restore(saved: unknown): void {
    this.written = expectVersion<DebugExitState>(saved, 1, 'debug exit').value;
  }
}
