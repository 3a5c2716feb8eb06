/**
 * Where a loader may put things: keeps the physical ranges that an image occupies, refuses overlaps, and finds room for the loader's own
 * structures (page tables, GDT, stack, information structure, modules) beside them.
 */
import type { LoadableMemory } from '../memory/physical-memory';
import { bootErrors } from './boot-errors';

interface Occupied {
  readonly first: number;
  /** One past the last byte. */
  readonly end: number;
  readonly what: string;
}

/** Low memory that a PC's firmware leaves to others: below 0x500 lie the interrupt vectors and the BIOS data area, at 0x9fc00 its extended data area. */
export const CONVENTIONAL_END = 0x9fc00;

export class LoaderMemory {
  private readonly ranges: Occupied[] = [];

  constructor(
    readonly memory: LoadableMemory,
    readonly imageName: string,
  ) {}

  /** Claims [first, first + bytes) for a part of the image. */
  claim(first: number, bytes: number, what: string): void {
    const end = first + bytes;
    if (!(first >= 0 && end <= this.memory.ramBytes))
      throw bootErrors.outsideMemory(this.imageName, what, first, end, this.memory.ramBytes);
    const other = this.conflict(first, end);
    if (other) throw bootErrors.overlap(this.imageName, what, other.what, Math.max(first, other.first));
    if (bytes > 0) this.ranges.push({ first, end, what });
  }

  /** Claims a part of the image and fills it: `bytes`, then zeros up to `memoryBytes`. */
  load(first: number, bytes: Uint8Array, memoryBytes: number, what: string): void {
    this.claim(first, memoryBytes, what);
    this.memory.physWrite(first, bytes);
    const zeros = new Uint8Array(Math.min(memoryBytes - bytes.length, 0x10_0000));
    for (let at = bytes.length; at < memoryBytes; at += zeros.length)
      this.memory.physWrite(first + at, zeros.subarray(0, Math.min(zeros.length, memoryBytes - at)));
  }

  /** Address for a structure of the loader: `preferred` when nothing of the image lies there, else page-aligned as high as there is room. */
  place(preferred: number, bytes: number, what: string): number {
    if (preferred + bytes <= this.memory.ramBytes && !this.conflict(preferred, preferred + bytes)) {
      this.ranges.push({ first: preferred, end: preferred + bytes, what });
      return preferred;
    }
    let end = this.memory.ramBytes;
    for (;;) {
      const first = Math.floor((end - bytes) / 4096) * 4096;
      if (first < 0x1000) throw bootErrors.noRoom(this.imageName, what, bytes, this.memory.ramBytes);
      const other = this.unfit(first, first + bytes);
      if (!other) {
        this.ranges.push({ first, end: first + bytes, what });
        return first;
      }
      end = other.first;
    }
  }

  /** Page-aligned room above everything that is claimed from `above` on (modules go behind the kernel). */
  placeAfter(above: number, bytes: number, what: string): number {
    let first = Math.ceil(above / 4096) * 4096;
    for (let other = this.unfit(first, first + bytes); other; other = this.unfit(first, first + bytes))
      first = Math.ceil(other.end / 4096) * 4096;
    if (first + bytes > this.memory.ramBytes) throw bootErrors.noRoom(this.imageName, what, bytes, this.memory.ramBytes);
    this.ranges.push({ first, end: first + bytes, what });
    return first;
  }

  /** The lowest claimed byte. */
  get lowestFirst(): number {
    return this.ranges.reduce((first, range) => Math.min(first, range.first), Infinity);
  }

  /** One past the highest claimed byte. */
  get highestEnd(): number {
    return this.ranges.reduce((end, range) => Math.max(end, range.end), 0);
  }

  private conflict(first: number, end: number, ranges: readonly Occupied[] = this.ranges): Occupied | undefined {
    return end > first ? ranges.find((range) => range.first < end && first < range.end) : undefined;
  }

  /** As `conflict`, for the loader's own choices, which also stay out of what belongs to the firmware and the screen. */
  private unfit(first: number, end: number): Occupied | undefined {
    return this.conflict(first, end) ?? this.conflict(first, end, [{ first: CONVENTIONAL_END, end: 0x10_0000, what: 'the firmware area' }]);
  }
}
