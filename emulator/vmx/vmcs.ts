/**
 * One VMCS region in memory: typed access to its fields at the offsets of spec/vmcs-fields (this processor's own layout, as the SDM
 * allows: "Format of the VMCS Region"). It keeps nothing but the place of the region.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { RAM_FIRST } from '../spec/vcpu-state';
import { SHADOW_INDICATOR, VmcsRegion, type VmcsField } from '../spec/vmcs-fields';
import { changeBit } from './changes';
import { type CopyTable, type GeneratedCopies, loadCopies, saveCopies } from './register-copies';

/** What intercepts and checks need of a VMCS; recording readers and nested VMCSs implement it too. */
export interface VmcsReader {
  /** Low 32 bits, unsigned. */
  u32(field: VmcsField): number;
  /** Bits 63:32, unsigned. */
  high32(field: VmcsField): number;
  u64(field: VmcsField): bigint;
  /** A 64-bit physical address as a number; exact below 2^53 (larger ones are refused by the checks before they are used). */
  address(field: VmcsField): number;
}

/** Launch state: SDM "Software Use of Virtual-Machine Control Structures". */
export const LaunchState = { clear: 0, launched: 1 } as const;

/** A vCPU's state table. */
export interface StateSlots {
  readonly u32: Uint32Array;
  /** Its wasm address. */
  readonly base: number;
}

export class Vmcs implements VmcsReader {
  private readonly words: Uint32Array;
  private readonly quads: BigUint64Array;
  /** Offset of the region in the WebAssembly memory. */
  private base = 0;
  private pointerValue = -1;

  constructor(
    private readonly memory: PhysicalMemory,
    pointer?: number,
    private readonly generated?: GeneratedCopies,
  ) {
    this.words = memory.u32;
    this.quads = memory.u64;
    if (pointer !== undefined) this.select(pointer);
  }

  /** Goes to the region at a 4-KiB-aligned address in RAM. */
  select(pointer: number): this {
    this.base = RAM_FIRST + pointer;
    this.pointerValue = pointer;
    return this;
  }
  get pointer(): number {
    return this.pointerValue;
  }

  u32(field: VmcsField): number {
    return this.words[(this.base + field.offset) >>> 2];
  }
  high32(field: VmcsField): number {
    return this.words[(this.base + field.offset + 4) >>> 2];
  }
  u64(field: VmcsField): bigint {
    return this.quads[(this.base + field.offset) >>> 3];
  }
  address(field: VmcsField): number {
    return this.high32(field) * 0x1_0000_0000 + this.u32(field);
  }

  setU32(field: VmcsField, value: number): void {
    this.words[(this.base + field.offset) >>> 2] = value;
    this.words[(this.base + field.offset + 4) >>> 2] = 0;
  }
  setU64(field: VmcsField, value: bigint): void {
    this.quads[(this.base + field.offset) >>> 3] = value;
  }
  setHalves(field: VmcsField, low: number, high: number): void {
    this.words[(this.base + field.offset) >>> 2] = low;
    this.words[(this.base + field.offset + 4) >>> 2] = high;
  }
  /** Writes 64 bits and tells with the field's change bit whether they differ from what was there, else 0. */
  saveHalves(field: VmcsField, low: number, high: number): number {
    const at = (this.base + field.offset) >>> 2;
    const { words } = this;
    if (words[at] === low >>> 0 && words[at + 1] === high >>> 0) return 0;
    words[at] = low;
    words[at + 1] = high;
    return changeBit(field);
  }
  /** Writes the bits that a field of its width holds. */
  setMasked(field: VmcsField, low: number, high: number): void {
    if (field.width === 16) this.setU32(field, low & 0xffff);
    else if (field.width === 32) this.setU32(field, low);
    else this.setHalves(field, low, high);
  }

  /** Fields to state slots. */
  load(cpu: StateSlots, table: CopyTable): void {
    if (this.generated === undefined) loadCopies(cpu.u32, this.words, this.base >>> 2, table);
    else this.generated[table.id](cpu.base, this.base);
  }
  /** State slots to fields; returns the change bits of those whose values are new. */
  save(cpu: StateSlots, table: CopyTable): number {
    if (this.generated === undefined) return saveCopies(cpu.u32, this.words, this.base >>> 2, table);
    return this.generated[table.id](cpu.base, this.base);
  }

  get revision(): number {
    return this.words[(this.base + VmcsRegion.revision) >>> 2];
  }
  get isShadow(): boolean {
    return (this.revision & SHADOW_INDICATOR) !== 0;
  }
  get abortIndicator(): number {
    return this.words[(this.base + VmcsRegion.abortIndicator) >>> 2];
  }
  set abortIndicator(value: number) {
    this.words[(this.base + VmcsRegion.abortIndicator) >>> 2] = value;
  }
  get launchState(): number {
    return this.words[(this.base + VmcsRegion.launchState) >>> 2];
  }
  set launchState(value: number) {
    this.words[(this.base + VmcsRegion.launchState) >>> 2] = value;
  }

  /** Tells the memory's watchers that the region has changed; to be called once after a group of writes. */
  noteWritten(): void {
    if (this.memory.pageFlags[this.pointerValue >>> 12] !== 0) this.memory.noteWrite(this.pointerValue, VmcsRegion.bytes);
  }
}
