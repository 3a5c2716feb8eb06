/**
 * QEMU's pc-testdev, a device for test kernels: a register at ports 0xe0 to 0xe3 that takes every size, the same byte by byte at 0xe8 to 0xeb,
 * a port that flushes a page at 0xe4 (there is nothing to flush here: memory has no host mapping that could be stale), one byte for each
 * interrupt line from 0x2000 on that sets its level, and 64 KiB of memory-mapped scratch at 0xff000000 (QEMU, `-device pc-testdev`). Port 0xe9
 * is left to the debug console.
 */
import type { InterruptLine, MmioDevice, StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';

const REGISTER = 0xe0;
const FLUSH = 0xe4;
const BYTE_REGISTER = 0xe8;
const LINES = 0x2000;
export const TEST_LINES = 24;
const SCRATCH_FIRST = 0xff00_0000;
const SCRATCH_BYTES = 0x1_0000;

export interface PcTestdevState {
  readonly version: 1;
  readonly register: number;
  readonly byteRegister: number;
  /** Level of each line, bit n for line n. */
  readonly levels: number;
  /** The scratch memory's words that are not zero: index, value, index, value … */
  readonly scratch: readonly number[];
}

export class PcTestdev implements PortDevice, MmioDevice, StatefulDevice {
  readonly name = 'pc-testdev';
  readonly ports = [[REGISTER, FLUSH + 3], [BYTE_REGISTER, BYTE_REGISTER], [BYTE_REGISTER + 2, BYTE_REGISTER + 3], [LINES, LINES + TEST_LINES - 1]] as const; // prettier-ignore
  readonly widest = 4;
  readonly mmio = { first: SCRATCH_FIRST, last: SCRATCH_FIRST + SCRATCH_BYTES - 1 };
  private register = 0;
  private byteRegister = 0;
  private levels = 0;
  private scratch: DataView | undefined;

  /** @param lines by number, global system interrupts 0 to 23. */
  constructor(private readonly lines: readonly InterruptLine[]) {}

  read(port: number, size: number): number {
    if (port >= LINES || (port >= FLUSH && port < BYTE_REGISTER)) return 0;
    const register = port < FLUSH ? this.register : this.byteRegister;
    return ((register >>> (8 * (port & 3))) & (0xffff_ffff >>> (32 - 8 * size))) >>> 0;
  }

  write(port: number, size: number, value: number): void {
    if (port >= LINES) for (let i = 0; i < size; i++) this.setLine(port - LINES + i, ((value >>> (8 * i)) & 0xff) !== 0);
    else if (port < FLUSH) this.register = merge(this.register, port & 3, size, value);
    else if (port >= BYTE_REGISTER) this.byteRegister = merge(this.byteRegister, port & 3, size, value);
  }

  readMmio(offset: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(offset + i < SCRATCH_BYTES ? (this.scratch?.getUint8(offset + i) ?? 0) : 0xff);
    return value;
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    this.scratch ??= new DataView(new ArrayBuffer(SCRATCH_BYTES));
    for (let i = 0; i < size && offset + i < SCRATCH_BYTES; i++)
      this.scratch.setUint8(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
  }

  save(): PcTestdevState {
    const scratch: number[] = [];
    for (let at = 0; this.scratch && at < SCRATCH_BYTES; at += 4) {
      const word = this.scratch.getUint32(at, true);
      if (word !== 0) scratch.push(at / 4, word);
    }
    const { register, byteRegister, levels } = this;
    return { version: 1, register, byteRegister, levels, scratch };
  }

  restore(saved: unknown): void {
    const state = expectVersion<PcTestdevState>(saved, 1, 'test device');
    this.register = state.register;
    this.byteRegister = state.byteRegister;
    this.levels = state.levels;
    this.scratch = undefined;
    if (state.scratch.length === 0) return;
    this.scratch = new DataView(new ArrayBuffer(SCRATCH_BYTES));
    for (let i = 0; i < state.scratch.length; i += 2) this.scratch.setUint32(4 * state.scratch[i], state.scratch[i + 1], true);
  }

  private setLine(line: number, level: boolean): void {
    const bit = 1 << line;
    if (((this.levels & bit) !== 0) === level) return;
    this.levels ^= bit;
    this.lines[line](level);
  }
}

function merge(register: number, byte: number, size: number, value: number): number {
  const mask = (0xffff_ffff >>> (32 - 8 * size)) << (8 * byte);
  return ((register & ~mask) | ((value << (8 * byte)) & mask)) >>> 0;
}
