/**
 * The VM's own memory: guest-physical addresses of L1, mapped by EPT01 in 4-KByte pages, each given a frame of host memory when it is first
 * touched. Addresses outside it are the platform's: device registers reach L1 as they are, and where the machine has nothing there is nothing.
 * L0, the loaders and devices that read or write memory by themselves go through it, as through an IOMMU that is programmed like EPT01.
 * Not modelled: large pages in EPT01, DMA remapping units of their own.
 */
import type { LoadableMemory, PhysicalMemory } from '../memory/physical-memory';
import { EptEntry } from '../spec/ept';
import { eptRoot } from '../spec/paging';
import { UserError, unreachable } from '../user-error';
import { EptTables } from './ept-tables';
import { FRAME_BYTES, type FrameTable } from './frame-table';

const RWX = BigInt(EptEntry.read | EptEntry.write | EptEntry.execute);
const WRITE_BACK = 6n << BigInt(EptEntry.memoryTypeShift);
/** EPTP of EPT01: write-back structures, walks of four levels, no accessed and dirty flags. */
const EPTP_BITS = 6 | (3 << 3);

const ADDRESS_20 = 1 << 20;

export class GuestMemory implements LoadableMemory {
  private readonly ept01: EptTables;
  /** A20M# is asserted; and it counts, since L1 is not in VMX operation. */
  private address20Masked = false;
  private address20Heeded = true;
  /** @param ramBytes the VM's memory. @param tables frames of EPT01 below its root. */
  constructor(
    private readonly host: PhysicalMemory,
    private readonly frames: FrameTable,
    readonly ramBytes: number,
    root: number,
    tables: number[] = [],
  ) {
    this.ept01 = new EptTables(host, frames, 'ept01', root, tables);
  }

  get eptp(): number {
    return this.ept01.root + EPTP_BITS;
  }
  get tables(): readonly number[] {
    return this.ept01.tables;
  }
  isEpt01(eptp: number): boolean {
    return eptRoot(eptp) === this.ept01.root;
  }

  isRam(gpa: number, length = 1): boolean {
    return gpa >= 0 && gpa + length <= this.ramBytes;
  }

  /** Host-physical address of a guest-physical one as far as the VM has been given a frame for it; -1: not yet. Changes nothing. */
  seenHpa(gpa: number): number {
    const offset = gpa % FRAME_BYTES;
    const page = gpa - offset;
    const frame = page < this.ramBytes ? this.frames.frameAt(page) : this.outside(page);
    return frame === undefined ? -1 : frame + offset;
  }

  /** Host-physical address of a guest-physical one, given a frame and mapped if it was not yet. */
  toHpa(gpa: number): number {
    const seen = this.seenHpa(gpa);
    if (seen >= 0) return seen;
    const offset = gpa % FRAME_BYTES;
    const hpa = this.frames.takeForGuest(gpa - offset) ?? unreachable('host memory is used up');
    this.map(gpa - offset);
    return hpa + offset;
  }

  /** What EPT01 gives an access of the guest: with address line 20 masked, that of the address without bit 20. */
  private throughGate(page: number): number {
    return this.address20Masked && this.address20Heeded && Math.floor(page / ADDRESS_20) % 2 === 1 ? page - ADDRESS_20 : page;
  }

  /** Answers an EPT violation: maps the page to its frame, or to what the platform has outside memory. */
  map(gpa: number): void {
    const page = gpa - (gpa % FRAME_BYTES);
    if (this.mapLeaf(page)) return;
    // A guest that wanders through its address space makes tables without end; what they map is found again when it is touched.
    this.ept01.empty();
    if (!this.mapLeaf(page)) unreachable('host memory is used up');
  }
  private mapLeaf(page: number): boolean {
    const target = this.throughGate(page);
    const ram = target < this.ramBytes;
    const seen = this.seenHpa(target);
    const hpa = seen >= 0 ? seen : (this.frames.takeForGuest(target) ?? unreachable('host memory is used up'));
    return this.ept01.set(page, BigInt(hpa) | RWX | (ram ? WRITE_BACK : 0n));
  }

  /**
   * The gate of address line 20, which is between processor and memory: VMX operation ignores A20M#, so that L0 maps every odd MiB as the even one
   * below it. The caller flushes.
   */
  maskAddress20(masked: boolean): void {
    this.address20Masked = masked;
    this.ept01.empty();
  }
  /** "VMX operation ignores A20M#" ("Restrictions on VMX Operation"): VMXON and VMXOFF of L1. True: EPT01 has changed. */
  heedAddress20(heeded: boolean): boolean {
    this.address20Heeded = heeded;
    if (this.address20Masked) this.ept01.empty();
    return this.address20Masked;
  }

  /** Device registers lie at the same addresses. Host memory that the VM was not given does not: there is nothing for it, above all addresses in use. */
  private outside(page: number): number {
    return page >= this.host.ramBytes ? page : NOTHING + page;
  }

  /**
   * Moves a page to another frame, as a hypervisor that migrates or compacts memory does. The caller has dropped whatever was derived from the old
   * frame, which is filled with `poison` before it goes back to the pool.
   */
  move(page: number, poison: number): { readonly from: number; readonly to: number } {
    const from = this.frames.frameAt(page);
    if (from === undefined) throw new UserError(`guest page 0x${page.toString(16)} has no frame to be moved from`, 'frame');
    const to = this.frames.takeForGuest(page) ?? unreachable('host memory is used up');
    this.host.physWrite(to, this.host.physRead(from, FRAME_BYTES));
    this.ept01.clear(page);
    if (this.address20Masked) this.ept01.clear(page + ADDRESS_20);
    this.host.physWrite(from, new Uint8Array(FRAME_BYTES).fill(poison));
    this.frames.release(from);
    return { from, to };
  }

  get address20IsMasked(): boolean {
    return this.address20Masked;
  }
  restoreTables(tables: readonly number[], address20Masked: boolean, address20Heeded: boolean): void {
    this.ept01.tables.splice(0, Infinity, ...tables);
    this.address20Masked = address20Masked;
    this.address20Heeded = address20Heeded;
  }

  // Loaders, devices, L0 ------------------------------------------------------------------------------------------------

  read8(gpa: number): number {
    return this.host.read8(this.toHpa(gpa));
  }
  read16(gpa: number): number {
    return this.read8(gpa) | (this.read8(gpa + 1) << 8);
  }
  read32(gpa: number): number {
    if (gpa % FRAME_BYTES > FRAME_BYTES - 4) return (this.read16(gpa) | (this.read16(gpa + 2) << 16)) >>> 0;
    return this.host.read32(this.toHpa(gpa));
  }
  read64(gpa: number): bigint {
    if (gpa % FRAME_BYTES > FRAME_BYTES - 8) return BigInt(this.read32(gpa)) | (BigInt(this.read32(gpa + 4)) << 32n);
    return this.host.read64(this.toHpa(gpa));
  }
  write8(gpa: number, value: number): void {
    this.host.write8(this.toHpa(gpa), value);
  }
  write16(gpa: number, value: number): void {
    this.write8(gpa, value & 0xff);
    this.write8(gpa + 1, value >>> 8);
  }
  write32(gpa: number, value: number): void {
    if (gpa % FRAME_BYTES <= FRAME_BYTES - 4) this.host.write32(this.toHpa(gpa), value);
    else for (let n = 0; n < 4; n++) this.write8(gpa + n, (value >>> (8 * n)) & 0xff);
  }
  write64(gpa: number, value: bigint): void {
    if (gpa % FRAME_BYTES <= FRAME_BYTES - 8) this.host.write64(this.toHpa(gpa), value);
    else for (let n = 0; n < 8; n++) this.write8(gpa + n, Number((value >> BigInt(8 * n)) & 0xffn));
  }

  physRead(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.ramBytes - gpa)));
    for (let done = 0; done < bytes.length;) {
      const part = Math.min(bytes.length - done, FRAME_BYTES - ((gpa + done) % FRAME_BYTES));
      bytes.set(this.host.physRead(this.toHpa(gpa + done), part), done);
      done += part;
    }
    return bytes;
  }
  physWrite(gpa: number, bytes: Uint8Array): void {
    const length = Math.min(bytes.length, Math.max(0, this.ramBytes - gpa));
    for (let done = 0; gpa >= 0 && done < length;) {
      const part = Math.min(length - done, FRAME_BYTES - ((gpa + done) % FRAME_BYTES));
      this.host.physWrite(this.toHpa(gpa + done), bytes.subarray(done, done + part));
      done += part;
    }
  }
}

/** Where no memory and no device answers: the highest part of the addresses that an EPT entry can name in every model. */
const NOTHING = 2 ** 35;
