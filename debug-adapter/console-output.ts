/** Passes what the guest prints to the client: as text in output events, byte for byte in our own event. */
import type { Machine } from '../emulator/api';
import { encodeBase64 } from './base64';
import type { CustomEvents } from './protocol';

type Send = (event: 'output' | keyof CustomEvents, body: object) => void;

export class ConsoleOutput {
  /** Characters may be cut by the end of a slice. */
  private readonly serial = new TextDecoder();
  private readonly debugConsole = new TextDecoder();

  constructor(private readonly send: Send) {}

  flush(machine: Machine): void {
    this.pass('COM1', machine.takeSerialOutput(), this.serial);
    this.pass('debug console', machine.takeDebugConsoleOutput(), this.debugConsole);
  }

  private pass(port: CustomEvents['nestscope/serial']['port'], bytes: Uint8Array, decoder: TextDecoder): void {
    if (bytes.length === 0) return;
    const text = decoder.decode(bytes, { stream: true });
    if (text !== '') this.send('output', { category: 'stdout', output: text });
    this.send('nestscope/serial', { port, base64: encodeBase64(bytes) } satisfies CustomEvents['nestscope/serial']);
  }
}
