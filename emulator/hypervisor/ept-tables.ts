/**
 * EPT paging structures as L0 writes them into host memory: 4-KByte leaves under tables that allow everything (SDM volume 3, "The Extended Page
 * Table Mechanism (EPT)"). What a leaf says is the caller's business. Holds only the place of the root; the rest is in the entries.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { EptEntry } from '../spec/ept';
import { FRAME_BYTES, type FrameTable } from './frame-table';

const ADDRESS = 0xf_ffff_ffff_f000n;
/** Tables restrict nothing; bit 10 counts with mode-based execute control only. */
const TABLE = BigInt(EptEntry.read | EptEntry.write | EptEntry.execute | EptEntry.userExecute);
const SHIFTS = [39n, 30n, 21n] as const;

export class EptTables {
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly frames: FrameTable,
    private readonly use: 'ept01' | 'ept02',
    readonly root: number,
    /** Frames of the tables below the root, for release. */
    readonly tables: number[] = [],
  ) {}

  /** A table's frame, all entries not present; undefined: no frame is left. */
  static table(memory: PhysicalMemory, frames: FrameTable, use: 'ept01' | 'ept02'): number | undefined {
    const hpa = frames.take(use);
    if (hpa !== undefined) memory.physWrite(hpa, new Uint8Array(FRAME_BYTES));
    return hpa;
  }

  /** Address of the leaf entry of a page; -1 when a table on the way is missing and `make` is false, or no frame is left for it. */
  private place(gpa: number, make: boolean): number {
    const address = BigInt(gpa);
    let table = this.root;
    for (const shift of SHIFTS) {
      const at = table + Number((address >> shift) & 511n) * 8;
      const entry = this.memory.read64(at);
      if (entry & 7n) {
        table = Number(entry & ADDRESS);
        continue;
      }
      const next = make ? EptTables.table(this.memory, this.frames, this.use) : undefined;
      if (next === undefined) return -1;
      this.tables.push(next);
      this.memory.write64(at, BigInt(next) | TABLE);
      table = next;
    }
    return table + Number((address >> 12n) & 511n) * 8;
  }

  /** Writes a leaf. False: no frame is left for a table. */
  set(gpa: number, entry: bigint): boolean {
    const at = this.place(gpa, true);
    if (at < 0) return false;
    this.memory.write64(at, entry);
    return true;
  }
  clear(gpa: number): void {
    const at = this.place(gpa, false);
    if (at >= 0) this.memory.write64(at, 0n);
  }
  /** Gives every table but the root back, which then maps nothing. */
  empty(): void {
    for (const table of this.tables) this.frames.release(table);
    this.tables.length = 0;
    this.memory.physWrite(this.root, new Uint8Array(FRAME_BYTES));
  }
}
