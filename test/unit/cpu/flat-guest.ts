/** A whole machine that runs a few bytes of 64-bit code, with an IDT whose gates all lead to one handler; what happened is read from the trace and from memory. */
import { strict as assert } from 'node:assert';
import { type Machine, createMachine } from '../../../emulator/index';
import type { StopReason } from '../../../emulator/api';

export const CODE = 0x100000;
export const IDT = 0x140000;
export const HANDLER = 0x141000;
export const DATA = 0x150000;
export const STACK_TOP = 0x160000;

export interface FlatGuest {
  readonly code: readonly number[];
  readonly tier?: 'interpreter' | 'jit';
  readonly cpuModel?: string;
  /** Bytes of the one handler of all vectors; by default HLT. */
  readonly handler?: readonly number[];
  readonly registers?: Readonly<Record<string, number | bigint>>;
}

/** The guest at its first instruction; LIDT has been carried out. */
export async function flatGuest(guest: FlatGuest): Promise<Machine> {
  const lidt = [0x0f, 0x01, 0x1c, 0x25, IDT & 0xff, (IDT >> 8) & 0xff, IDT >> 16, 0];
  const m = await createMachine({
    image: Uint8Array.from([...lidt, ...guest.code]),
    imageName: 'test',
    format: 'flat',
    flat: { address: CODE - lidt.length, mode: 64 },
    memoryBytes: 4 << 20,
    tier: guest.tier ?? 'interpreter',
    hotAfter: 20,
    cpuModel: guest.cpuModel,
  });
  const cs = m.cpu(0).register('cs') ?? 0n;
  const gates = new DataView(new ArrayBuffer(16 + 16 * 32));
  gates.setUint16(0, 16 * 32 - 1, true);
  gates.setBigUint64(2, BigInt(IDT + 16), true);
  for (let v = 0; v < 32; v++)
    gates.setBigUint64(16 + 16 * v, BigInt(HANDLER & 0xffff) | (cs << 16n) | (0x8en << 40n) | (BigInt(HANDLER >> 16) << 48n), true);
  poke(m, IDT, new Uint8Array(gates.buffer));
  poke(m, HANDLER, Uint8Array.from(guest.handler ?? [0xf4]));
  assert.equal(m.runSlice({ maxSteps: 1 }).kind, 'step-limit');
  for (const [name, value] of Object.entries({ rsp: STACK_TOP, ...guest.registers })) m.cpu(0).setRegister(name, BigInt(value));
  return m;
}

export function poke(m: Machine, address: number, bytes: Uint8Array): void {
  assert.equal(m.writeMemory(0, 1, 'hpa', BigInt(address), bytes), bytes.length);
}
export function poke64(m: Machine, address: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  poke(m, address, bytes);
}
export function peek64(m: Machine, address: number): bigint {
  return Buffer.from(m.readMemory(0, 1, 'hpa', BigInt(address), 8)).readBigUInt64LE();
}
export const register = (m: Machine, name: string): bigint => m.cpu(0).register(name) ?? assert.fail(name);

/** Runs until the guest halts or the machine ends otherwise. */
export function runToEnd(m: Machine, slice = 100_000, limit = 1_000_000): StopReason {
  for (let steps = 0; steps < limit; steps += slice) {
    const stop = m.runSlice({ maxSteps: slice });
    if (stop.kind !== 'step-limit') return stop;
  }
  throw new Error('the guest does not end');
}
/** Runs to the first exception: its vector, error code and RIP as text, with the machine stopped at the handler. */
export function firstException(m: Machine, slice?: number): string {
  m.breakOn.exception = true;
  const stop = runToEnd(m, slice);
  if (stop.kind !== 'exception') return stop.kind;
  const { vector, errorCode, rip } = stop.exception;
  return `${vector}${errorCode === undefined ? '' : `(${errorCode})`} at ${rip.toString(16)}`;
}
