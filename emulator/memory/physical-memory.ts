/**
 * Host-physical memory: the chunk table that maps host-physical addresses (JS numbers, 52 bits) to offsets in the machine's one
 * WebAssembly.Memory, and `physWrite()`, the one way by which anything but the fast path of generated code writes guest memory.
 */
import { ARENA_FIRST, RAM_FIRST, VCPU_FIRST, VCPU_STRIDE } from '../spec/vcpu-state';

declare const hpaBrand: unique symbol;
/** A host-physical address. */
export type Hpa = number & { readonly [hpaBrand]?: 'hpa' };

/** What answers to host-physical addresses outside RAM: memory-mapped registers. Values are unsigned; `size` is 1, 2, 4 or 8. */
export interface MmioBus {
  /** Name of what this vCPU finds there; undefined: nothing. Has no effect. */
  nameAt(hpa: Hpa, vcpu: number): string | undefined;
  /** All ones where nothing is. */
  read(hpa: Hpa, size: number, vcpu: number): bigint;
  write(hpa: Hpa, size: number, value: bigint, vcpu: number): void;
}

/** Told of writes to pages that carry a flag, after the bytes have changed. */
export interface WriteWatcher {
  written(hpa: Hpa, length: number): void;
}

export const PageFlag = { code: 1, watched: 2 } as const;

/** Memory as loaders and devices reach it: the machine's own, or in hosted mode that of its one guest. */
export type LoadableMemory = Pick<PhysicalMemory, 'ramBytes' | 'isRam' | 'physRead' | 'physWrite' | 'write32' | 'write64'>;

export class PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
  readonly view: DataView;
  /** One byte of PageFlag bits for each 4 KiB page of RAM. */
  readonly pageFlags: Uint8Array;
  /** Counts writes to pages that hold decoded code. */
  codeWrites = 0;
  codeWatcher: WriteWatcher | undefined;
  dataWatcher: WriteWatcher | undefined;
  /** Put in place when the machine is built. */
  mmio: MmioBus | undefined;

  /** @param ramBytes guest RAM in bytes, a multiple of 4 KiB, up to 3 GiB. */
  constructor(readonly ramBytes: number) {
    const pages = Math.ceil((RAM_FIRST + ramBytes) / 65536);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const b = this.memory.buffer;
    this.u8 = new Uint8Array(b);
    this.u16 = new Uint16Array(b);
    this.i32 = new Int32Array(b);
    this.u32 = new Uint32Array(b);
    this.i64 = new BigInt64Array(b);
    this.u64 = new BigUint64Array(b);
    this.f64 = new Float64Array(b);
    this.view = new DataView(b);
    this.pageFlags = new Uint8Array(ramBytes / 4096);
  }

  vcpuBase(index: number): number {
    const base = VCPU_FIRST + index * VCPU_STRIDE;
    if (base + VCPU_STRIDE > ARENA_FIRST) throw new RangeError(`no room for vCPU ${index}`);
    return base;
  }

  isRam(hpa: Hpa, length = 1): boolean {
    return hpa >= 0 && hpa + length <= this.ramBytes;
  }

  /** Offset of a RAM byte in the WebAssembly memory, -1 when the address is not RAM. Contiguous inside a page. */
  offsetOf(hpa: Hpa): number {
    return hpa >= 0 && hpa < this.ramBytes ? RAM_FIRST + hpa : -1;
  }

  /** Naturally small reads by page walkers, VMCS code and devices: RAM only, all ones where nothing answers. */
  read8(hpa: Hpa): number {
    return this.isRam(hpa) ? this.u8[RAM_FIRST + hpa] : 0xff;
  }
  read16(hpa: Hpa): number {
    return this.isRam(hpa, 2) ? this.view.getUint16(RAM_FIRST + hpa, true) : 0xffff;
  }
  read32(hpa: Hpa): number {
    return this.isRam(hpa, 4) ? this.view.getUint32(RAM_FIRST + hpa, true) : 0xffffffff;
  }
  read64(hpa: Hpa): bigint {
    return this.isRam(hpa, 8) ? this.view.getBigUint64(RAM_FIRST + hpa, true) : 0xffff_ffff_ffff_ffffn;
  }

  write8(hpa: Hpa, value: number): void {
    if (!this.isRam(hpa)) return;
    this.u8[RAM_FIRST + hpa] = value;
    this.noteWrite(hpa, 1);
  }
  write16(hpa: Hpa, value: number): void {
    if (!this.isRam(hpa, 2)) return;
    this.view.setUint16(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 2);
  }
  write32(hpa: Hpa, value: number): void {
    if (!this.isRam(hpa, 4)) return;
    this.view.setUint32(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 4);
  }
  write64(hpa: Hpa, value: bigint): void {
    if (!this.isRam(hpa, 8)) return;
    this.view.setBigUint64(RAM_FIRST + hpa, value, true);
    this.noteWrite(hpa, 8);
  }

  /** Writes bytes from outside generated code (DMA, loader, user, L0). Bytes outside RAM are dropped. */
  physWrite(hpa: Hpa, bytes: Uint8Array): void {
    const length = Math.min(bytes.length, Math.max(0, this.ramBytes - hpa));
    if (hpa < 0 || length <= 0) return;
    this.u8.set(length === bytes.length ? bytes : bytes.subarray(0, length), RAM_FIRST + hpa);
    this.noteWrite(hpa, length);
  }

  /** A copy of RAM bytes; shorter than asked where RAM ends. */
  physRead(hpa: Hpa, length: number): Uint8Array {
    if (hpa < 0 || hpa >= this.ramBytes) return new Uint8Array(0);
    return this.u8.slice(RAM_FIRST + hpa, RAM_FIRST + Math.min(hpa + length, this.ramBytes));
  }

  /** Tells the watchers of flagged pages that [hpa, hpa + length) has changed. */
  noteWrite(hpa: Hpa, length: number): void {
    const last = Math.floor((hpa + length - 1) / 4096);
    for (let page = Math.floor(hpa / 4096); page <= last; page++) {
      const flags = this.pageFlags[page];
      if (flags === 0) continue;
      const from = Math.max(hpa, page * 4096);
      const to = Math.min(hpa + length, (page + 1) * 4096);
      if (flags & PageFlag.code) {
        this.codeWrites++;
        this.codeWatcher?.written(from, to - from);
      }
      if (flags & PageFlag.watched) this.dataWatcher?.written(from, to - from);
    }
  }
}
