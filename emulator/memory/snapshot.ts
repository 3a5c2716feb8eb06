/** Copies of guest RAM and vCPU state as plain data, and the hash by which runs are compared. A plain full copy of all blocks that are not zero. */
import { ARITHMETIC_FLAGS, RAM_FIRST, State, TLB_SLOW_BIT, TlbEntry, VCPU_STRIDE } from '../spec/vcpu-state';
import type { PhysicalMemory } from './physical-memory';

const BLOCK = 65536;

export interface RamCopy {
  readonly bytes: number;
  /** Blocks of 64 KiB that hold anything but zeros: address and contents. */
  readonly blocks: readonly { readonly address: number; readonly contents: Uint8Array }[];
}

function isZero(words: Int32Array): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
function* ramBlocks(memory: PhysicalMemory): Generator<{ address: number; words: Int32Array; bytes: number }> {
  for (let address = 0; address < memory.ramBytes; address += BLOCK) {
    const bytes = Math.min(BLOCK, memory.ramBytes - address);
    yield { address, bytes, words: new Int32Array(memory.memory.buffer, RAM_FIRST + address, bytes / 4) };
  }
}

export function copyRam(memory: PhysicalMemory): RamCopy {
  const blocks: { address: number; contents: Uint8Array }[] = [];
  for (const { address, words, bytes } of ramBlocks(memory)) {
    if (isZero(words)) continue;
    blocks.push({ address, contents: memory.u8.slice(RAM_FIRST + address, RAM_FIRST + address + bytes) });
  }
  return { bytes: memory.ramBytes, blocks };
}
export function restoreRam(memory: PhysicalMemory, copy: RamCopy): void {
  memory.u8.fill(0, RAM_FIRST, RAM_FIRST + memory.ramBytes);
  for (const b of copy.blocks) memory.u8.set(b.contents, RAM_FIRST + b.address);
}

const TAGS = [TlbEntry.read, TlbEntry.write, TlbEntry.fetch];
/** Slots that are derived or mean something only while generated code runs. */
const TRANSIENT = [State.budget, State.exitRecord, State.codeTable, State.codeEpoch, State.accessLo, State.accessHi];

/** One vCPU's state without what is derived; lazy flags are given as flags. @param flags the six arithmetic flags now. */
export function copyVcpu(memory: PhysicalMemory, base: number, flags: number): Uint8Array {
  const copy = memory.u8.slice(base, base + VCPU_STRIDE);
  const view = new DataView(copy.buffer);
  for (const offset of TRANSIENT) view.setInt32(offset, 0, true);
  view.setBigInt64(State.eaTemp, 0n, true);
  view.setInt32(State.flagKind, 0, true);
  view.setBigInt64(State.flagA, BigInt(flags & ARITHMETIC_FLAGS), true);
  view.setBigInt64(State.flagB, 0n, true);
  for (let i = 0; i < TlbEntry.count; i++) {
    const entry = State.tlb + i * TlbEntry.stride;
    view.setInt32(entry + TlbEntry.code, 0, true);
    // Which pages take the slow path depends on what happens to be decoded or watched.
    for (const tag of TAGS) view.setInt32(entry + tag, view.getInt32(entry + tag, true) & ~TLB_SLOW_BIT, true);
  }
  copy.fill(0, State.scratch, State.scratch + 256);
  return copy;
}
export function restoreVcpu(memory: PhysicalMemory, base: number, copy: Uint8Array): void {
  memory.u8.set(copy, base);
  // Pages outside RAM take the slow path always; pages that hold code will be found again as they are decoded.
  for (let i = 0; i < TlbEntry.count; i++) {
    if (memory.isRam(memory.f64[(base + State.tlbPage) / 8 + i], 4096)) continue;
    for (const tag of TAGS) memory.i32[(base + State.tlb + i * TlbEntry.stride + tag) >> 2] |= TLB_SLOW_BIT;
  }
}

/** A 64-bit hash (two multiplicative lanes) fed with words; not cryptographic. */
export class StateHash {
  private a = 0x9e3779b9 | 0;
  private b = 0x85ebca6b | 0;

  words(words: Int32Array): void {
    let { a, b } = this;
    for (let i = 0; i < words.length; i++) {
      const w = words[i];
      a = Math.imul(a ^ w, 0x01000193);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b + w, 0x5bd1e995);
      b ^= b >>> 15;
    }
    this.a = a;
    this.b = b;
  }
  bytes(bytes: Uint8Array): void {
    const padded = new Uint8Array((bytes.length + 7) & ~3);
    padded.set(bytes);
    padded[padded.length - 1] = bytes.length & 0xff;
    this.words(new Int32Array(padded.buffer));
  }
  ram(memory: PhysicalMemory): void {
    for (const { address, words } of ramBlocks(memory)) {
      if (isZero(words)) continue;
      this.words(Int32Array.of(address / BLOCK));
      this.words(words);
    }
  }
  digest(): string {
    return (this.a >>> 0).toString(16).padStart(8, '0') + (this.b >>> 0).toString(16).padStart(8, '0');
  }
}
