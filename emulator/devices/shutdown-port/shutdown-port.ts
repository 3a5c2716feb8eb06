/** The shutdown port 0x8900 (Bochs, "APM shutdown"): writing the bytes of `Shutdown` one after the other switches the machine off. */
import type { StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';

const WORD = 'Shutdown';

export interface ShutdownPortState {
  readonly version: 1;
  /** How many bytes of the word have come. */
  readonly matched: number;
}

export class ShutdownPort implements PortDevice, StatefulDevice {
  readonly name = 'shutdown-port';
  readonly ports = [[0x8900, 0x8900]] as const;
  readonly widest = 1;
  private matched = 0;

  constructor(private readonly powerOff: () => void) {}

  read(): number {
    return 0xff;
  }

  write(_port: number, _size: number, value: number): void {
    if (value === WORD.charCodeAt(this.matched)) this.matched++;
    else this.matched = value === WORD.charCodeAt(0) ? 1 : 0;
    if (this.matched < WORD.length) return;
    this.matched = 0;
    this.powerOff();
  }

  save(): ShutdownPortState {
    return { version: 1, matched: this.matched };
  }

  restore(saved: unknown): void {
    this.matched = expectVersion<ShutdownPortState>(saved, 1, 'shutdown port').matched;
  }
}
