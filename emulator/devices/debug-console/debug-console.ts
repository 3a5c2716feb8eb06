/**
 * The debug console at port 0xe9 (Bochs, "port e9 hack") and at 0x402, where SeaBIOS and QEMU's `isa-debugcon` have it: bytes written appear on
 * the host; reading gives 0xe9, which says that it is there.
 */
import type { ByteQueue } from '../byte-queue';
import type { PortDevice } from '../port-bus/port-bus';

export class DebugConsole implements PortDevice {
  readonly name = 'debug-console';
  readonly ports = [[0xe9, 0xe9], [0x402, 0x402]] as const; // prettier-ignore
  readonly widest = 1;

  constructor(private readonly output: ByteQueue) {}

  read(): number {
    return 0xe9;
  }

  write(_port: number, _size: number, value: number): void {
    this.output.push(value);
  }
}
