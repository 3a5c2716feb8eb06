/**
 * QEMU's firmware configuration device: selector at port 0x510, data at 0x511, DMA at 0x514 (QEMU documentation, "QEMU Firmware Configuration
 * (fw_cfg) Device"). Items cannot be written by the guest, as in QEMU since 2.4 for all that it fills itself; a DMA write sets the error bit.
 */
import type { PhysicalMemory } from '../../memory/physical-memory';
import { expectVersion } from '../device-state';
import type { StatefulDevice } from '../device';
import type { PortDevice } from '../port-bus/port-bus';

const SELECTOR = 0x510;
const DMA = 0x514;
/** What the DMA address reads as, big endian: `QEMU CFG`. */
const DMA_SIGNATURE = [0x51, 0x45, 0x4d, 0x55, 0x20, 0x43, 0x46, 0x47];
/** FWCfgDmaAccess.control. */
const Control = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
const DMA_CHUNK = 0x1_0000;

export interface FwCfgState {
  readonly version: 1;
  readonly selector: number;
  readonly offset: number;
  /** Upper half of the DMA address. */
  readonly addressHigh: number;
}

export class FwCfg implements PortDevice, StatefulDevice {
  readonly name = 'fw-cfg';
  readonly ports = [[SELECTOR, SELECTOR + 1], [DMA, DMA + 7]] as const; // prettier-ignore
  readonly widest = 4;
  private selector = 0;
  private offset = 0;
  private addressHigh = 0;

  constructor(
    private readonly items: ReadonlyMap<number, Uint8Array>,
    private readonly memory: Pick<PhysicalMemory, 'physRead' | 'physWrite' | 'isRam' | 'ramBytes'>,
  ) {}

  read(port: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.byteAt(port + i) << (8 * i);
    return value;
  }

  /** The selector takes words, the DMA address dwords; everything else is ignored. */
  write(port: number, size: number, value: number): void {
    if (port === SELECTOR && size === 2) this.select(value);
    else if (port === DMA && size === 4) this.addressHigh = swap(value);
    else if (port === DMA + 4 && size === 4) {
      const high = this.addressHigh;
      this.addressHigh = 0;
      this.transfer(high * 2 ** 32 + swap(value));
    }
  }

  save(): FwCfgState {
    const { selector, offset, addressHigh } = this;
    return { version: 1, selector, offset, addressHigh };
  }

  restore(saved: unknown): void {
    const state = expectVersion<FwCfgState>(saved, 1, 'firmware configuration');
    this.selector = state.selector;
    this.offset = state.offset;
    this.addressHigh = state.addressHigh;
  }

  private select(item: number): void {
    // Bit 14 asks for writing, which no item allows.
    this.selector = item & ~0x4000;
    this.offset = 0;
  }

  private byteAt(port: number): number {
    if (port >= DMA) return DMA_SIGNATURE[port - DMA];
    if (port === SELECTOR) return 0;
    const item = this.items.get(this.selector);
    // Behind its end an item, and one that is not there, reads zero.
    return item === undefined || this.offset >= item.length ? 0 : item[this.offset++];
  }

  /** Carries out the FWCfgDmaAccess structure at `address` and answers in its control field. */
  private transfer(address: number): void {
    const structure = this.memory.physRead(address, 16);
    if (structure.length < 16) return;
    const view = new DataView(structure.buffer, structure.byteOffset, 16);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const buffer = Number(view.getBigUint64(8));
    if (control & Control.select) this.select(control >>> 16);
    let result = 0;
    if (control & Control.read) result = this.copyTo(buffer, length) ? 0 : Control.error;
    else if (control & Control.write) result = Control.error;
    else if (control & Control.skip) this.offset = Math.min(this.offset + length, this.items.get(this.selector)?.length ?? 0);
    const answer = new Uint8Array(4);
    new DataView(answer.buffer).setUint32(0, result);
    this.memory.physWrite(address, answer);
  }

  /** Copies the item from its offset on, zeros behind its end; false when the buffer does not lie in RAM. */
  private copyTo(buffer: number, length: number): boolean {
    const item = this.items.get(this.selector) ?? new Uint8Array(0);
    if (!this.memory.isRam(buffer, length)) return false;
    const part = item.subarray(this.offset, this.offset + length);
    this.memory.physWrite(buffer, part);
    const zeros = new Uint8Array(Math.min(DMA_CHUNK, length - part.length));
    for (let at = part.length; at < length; at += zeros.length)
      this.memory.physWrite(buffer + at, zeros.subarray(0, Math.min(zeros.length, length - at)));
    this.offset += part.length;
    return true;
  }
}

function swap(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | ((value & 0xff) << 24)) >>> 0;
}
