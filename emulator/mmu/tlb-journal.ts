/**
 * What the TLB's entries held before an access filled them, so that an access which does not take place after all (its instruction is left
 * to the interpreter, or to be made by itself) leaves no trace: the instruction must meet the same entries when it is made again.
 */
import { State, TlbEntry } from '../spec/vcpu-state';
import { entryGpa, entryPage, globalGroup, pageShift, setPageFacts } from './tlb';
import type { VcpuRegisters } from './vcpu-registers';

/** Entries that one access may fill: it lies in two pages at the most. */
const MOST = 2;

/** All that is kept of one entry. */
interface TlbEntryCopy {
  readonly words: Int32Array;
  page: number;
  gpa: number;
  shift: number;
  group: number;
}
const newEntryCopy = (): TlbEntryCopy => ({ words: new Int32Array(TlbEntry.stride / 4), page: 0, gpa: 0, shift: 0, group: 0 });
function copyEntry(cpu: VcpuRegisters, i: number, to: TlbEntryCopy): void {
  const o = (State.tlb + i * TlbEntry.stride) >> 2;
  for (let n = 0; n < to.words.length; n++) to.words[n] = cpu.i32[o + n];
  to.page = entryPage(cpu, i);
  to.gpa = entryGpa(cpu, i);
  to.shift = pageShift(cpu, i);
  to.group = globalGroup(cpu, i);
}
function putEntryBack(cpu: VcpuRegisters, i: number, from: TlbEntryCopy): void {
  const o = (State.tlb + i * TlbEntry.stride) >> 2;
  for (let n = 0; n < from.words.length; n++) cpu.i32[o + n] = from.words[n];
  cpu.f64[(State.tlbPage >> 3) + i] = from.page;
  cpu.f64[(State.tlbGpa >> 3) + i] = from.gpa;
  setPageFacts(cpu, i, from.shift, from.group);
}

export class TlbJournal {
  private readonly copies: TlbEntryCopy[] = Array.from({ length: MOST }, newEntryCopy);
  private readonly indexes = new Int32Array(MOST);
  private count = 0;
  private writing = false;

  begin(): void {
    this.count = 0;
    this.writing = true;
  }
  end(): void {
    this.writing = false;
  }
  /** Entry i is about to change. */
  note(cpu: VcpuRegisters, i: number): void {
    if (!this.writing || this.count >= MOST) return;
    copyEntry(cpu, i, this.copies[this.count]);
    this.indexes[this.count++] = i;
  }
  undo(cpu: VcpuRegisters): void {
    while (this.count > 0) {
      this.count--;
      putEntryBack(cpu, this.indexes[this.count], this.copies[this.count]);
    }
  }
}
