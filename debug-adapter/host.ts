/** What the adapter asks of the place it runs in: files, time, and a machine. The doors provide it; tests provide fakes. */
import type { Machine, MachineConfig } from '../emulator/api';

export interface Scheduler {
  /** Milliseconds from any fixed moment. */
  now(): number;
  /** Calls back soon, after other messages of the event loop had their turn. */
  defer(work: () => void): void;
  /** Calls back after at least this many milliseconds. */
  later(milliseconds: number, work: () => void): void;
}

export interface Host {
  /** Paths as the client writes them; in a web host these are URIs. */
  readFile(pathOrUri: string): Promise<Uint8Array>;
  createMachine(config: MachineConfig): Promise<Machine>;
  readonly scheduler: Scheduler;
  /** The conversation is over (disconnect was answered, or the client is gone). */
  onEnd(): void;
}
