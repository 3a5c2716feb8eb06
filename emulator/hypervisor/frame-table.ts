/**
 * The frame table: who holds each frame of host memory and why, and the pool that frames are given from. Frames go out from the top of memory
 * down, and never to a guest under the guest-physical address that they have as host-physical one, so that nobody can mistake the two.
 */
import { unreachable } from '../user-error';

export const FRAME_BYTES = 4096;

/** What a frame is used for. 'guest': memory of the VM, with the guest-physical page that EPT01 maps to it; 'vmcs', 'ept' and so on are L0's own. */
export type FrameUse =
  'guest' | 'vmxon' | 'vmcs01' | 'vmcs02' | 'shadow-vmcs' | 'ept01' | 'ept02' | 'msr-bitmap' | 'msr-list' | 'vmcs-bitmap';

export interface FrameRow {
  /** Host-physical address. */
  readonly hpa: number;
  readonly use: FrameUse;
  /** Guest-physical page of a guest's frame; -1 for L0's own. */
  readonly gpa: number;
  /** Leaves of EPT02 that map it: context number and L2's guest-physical page. */
  readonly ept02: readonly (readonly [context: number, ngpa: number])[];
}

export interface FrameTableState {
  readonly next: number;
  readonly free: readonly number[];
  readonly rows: readonly FrameRow[];
}

interface Row {
  use: FrameUse;
  gpa: number;
  ept02: Map<string, readonly [number, number]> | undefined;
}

export class FrameTable {
  /** Every frame at or above this one has been given out at least once. */
  private next: number;
  private free: number[] = [];
  private rows = new Map<number, Row>();
  /** The guest's frames by guest-physical page, and frames by use: derived from the rows. */
  private guestFrames = new Map<number, number>();
  private counts = new Map<FrameUse, number>();

  /** @param hostBytes size of host memory. */
  constructor(hostBytes: number) {
    this.next = hostBytes;
  }

  /** Takes a frame for L0 itself. Undefined: host memory is used up. */
  take(use: Exclude<FrameUse, 'guest'>): number | undefined {
    return this.give(use, -1);
  }
  /** Takes a frame for a page of the guest. Undefined: host memory is used up. */
  takeForGuest(gpa: number): number | undefined {
    return this.give('guest', gpa);
  }

  private give(use: FrameUse, gpa: number): number | undefined {
    const at = this.free.findIndex((hpa) => hpa !== gpa);
    let hpa: number | undefined;
    if (at >= 0) hpa = this.free.splice(at, 1)[0];
    else {
      // The frame that has the guest's own address is passed over, and stays in the pool for others.
      if (this.next - FRAME_BYTES === gpa) this.free.push((this.next -= FRAME_BYTES));
      if (this.next < FRAME_BYTES) return undefined;
      hpa = this.next -= FRAME_BYTES;
    }
    this.rows.set(hpa, { use, gpa, ept02: undefined });
    if (use === 'guest') this.guestFrames.set(gpa, hpa);
    this.counts.set(use, this.count(use) + 1);
    return hpa;
  }

  /** Gives a frame back to the pool. No leaf of EPT02 may map it any longer. */
  release(hpa: number): void {
    const row = this.rows.get(hpa) ?? unreachable(`frame 0x${hpa.toString(16)} is released but nobody holds it`);
    if (row.ept02 !== undefined && row.ept02.size > 0) unreachable(`frame 0x${hpa.toString(16)} is released while EPT02 maps it`);
    this.rows.delete(hpa);
    if (this.guestFrames.get(row.gpa) === hpa) this.guestFrames.delete(row.gpa);
    this.counts.set(row.use, this.count(row.use) - 1);
    this.free.push(hpa);
  }

  hold02(hpa: number, context: number, ngpa: number): void {
    const row = this.rows.get(hpa);
    // Device registers are no frames.
    if (row === undefined) return;
    row.ept02 ??= new Map();
    row.ept02.set(`${context}:${ngpa}`, [context, ngpa]);
  }
  drop02(hpa: number, context: number, ngpa: number): void {
    this.rows.get(hpa)?.ept02?.delete(`${context}:${ngpa}`);
  }
  /** Leaves of EPT02 that map a frame. */
  holders02(hpa: number): readonly (readonly [number, number])[] {
    return [...(this.rows.get(hpa)?.ept02?.values() ?? [])];
  }

  /** The frame of a page of the guest; undefined: it has none yet. */
  frameAt(gpa: number): number | undefined {
    return this.guestFrames.get(gpa);
  }
  useOf(hpa: number): FrameUse | undefined {
    return this.rows.get(hpa - (hpa % FRAME_BYTES))?.use;
  }
  count(use: FrameUse): number {
    return this.counts.get(use) ?? 0;
  }
  get freeFrames(): number {
    return this.next / FRAME_BYTES + this.free.length;
  }
  list(): FrameRow[] {
    return [...this.rows].map(([hpa, row]) => ({ hpa, use: row.use, gpa: row.gpa, ept02: [...(row.ept02?.values() ?? [])] }));
  }

  save(): FrameTableState {
    return { next: this.next, free: [...this.free], rows: this.list() };
  }
  restore(state: FrameTableState): void {
    this.next = state.next;
    this.free = [...state.free];
    this.rows = new Map(
      state.rows.map((row) => [
        row.hpa,
        {
          use: row.use,
          gpa: row.gpa,
          ept02: row.ept02.length === 0 ? undefined : new Map(row.ept02.map((at) => [`${at[0]}:${at[1]}`, at])),
        },
      ]),
    );
    this.counts = new Map();
    this.guestFrames = new Map();
    for (const [hpa, { use, gpa }] of this.rows) {
      this.counts.set(use, this.count(use) + 1);
      if (use === 'guest') this.guestFrames.set(gpa, hpa);
    }
  }
}
