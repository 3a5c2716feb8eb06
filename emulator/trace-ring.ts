/**
 * A ring of trace records. VM exits and VM entries, of which there may be a million a second, are kept as numbers in columns, so that noting one
 * makes no object that lives on; they become records when someone asks. All other records are kept as they are.
 */
import type { TraceRecord, VmEntryRecord, VmExitRecord } from './api';
import { exitReasonName } from './spec/exit-reasons';

/** What is noted of an exit beside its place: its record without the words that follow from its numbers. */
export type ExitFacts = Omit<VmExitRecord, 'event' | 'level' | 'reason' | 'n' | 'vcpu' | 'vcpuSteps'>;
export type EntryFacts = Omit<VmEntryRecord, 'event' | 'level' | 'n' | 'vcpu'>;

/** What a place of the ring holds. */
const Kind = { object: 0, exit: 1, entry: 2 } as const;
/** Columns of 64-bit words and of doubles. */
const Wide = { rip: 0, qualification: 1, gpa: 2, linear: 3, from: 1, count: 4 } as const;
const Double = { n: 0, vcpuSteps: 1, vmcs: 2, count: 3 } as const;
const Word = { vcpu: 0, reason: 1, length: 2, information: 3, error: 4, flags: 5, launch: 1, count: 6 } as const;
/** Word.flags */
const HAS_GPA = 1;
const HAS_LINEAR = 2;

export class TraceRing {
  private readonly kinds: Uint8Array;
  private readonly wide: BigUint64Array;
  private readonly doubles: Float64Array;
  private readonly words: Uint32Array;
  private readonly objects = new Map<number, TraceRecord>();
  /** Place of the oldest record, and how many there are. */
  private first = 0;
  private held = 0;
  /** Records that had to give way to newer ones since the ring was last emptied. */
  dropped = 0;

  constructor(private readonly capacity: number) {
    this.kinds = new Uint8Array(capacity);
    this.wide = new BigUint64Array(capacity * Wide.count);
    this.doubles = new Float64Array(capacity * Double.count);
    this.words = new Uint32Array(capacity * Word.count);
  }

  get size(): number {
    return this.held;
  }

  private place(): number {
    if (this.held === this.capacity) {
      const oldest = this.first;
      this.first = oldest + 1 === this.capacity ? 0 : oldest + 1;
      this.dropped++;
      if (this.kinds[oldest] === Kind.object) this.objects.delete(oldest);
      return oldest;
    }
    const at = this.first + this.held++;
    return at >= this.capacity ? at - this.capacity : at;
  }

  add(record: TraceRecord): void {
    const at = this.place();
    this.kinds[at] = Kind.object;
    this.objects.set(at, record);
  }

  addExit(e: ExitFacts, n: number, vcpu: number, vcpuSteps: number): void {
    const at = this.place();
    this.kinds[at] = Kind.exit;
    const d = at * Double.count;
    this.doubles[d + Double.n] = n;
    this.doubles[d + Double.vcpuSteps] = vcpuSteps;
    this.doubles[d + Double.vmcs] = e.vmcs;
    const q = at * Wide.count;
    this.wide[q + Wide.rip] = e.rip;
    this.wide[q + Wide.qualification] = e.qualification;
    if (e.gpa !== undefined) this.wide[q + Wide.gpa] = e.gpa;
    if (e.linear !== undefined) this.wide[q + Wide.linear] = e.linear;
    const w = at * Word.count;
    this.words[w + Word.vcpu] = vcpu;
    this.words[w + Word.reason] = e.reasonNumber;
    this.words[w + Word.length] = e.instructionLength;
    this.words[w + Word.information] = e.interruptionInfo;
    this.words[w + Word.error] = e.interruptionError;
    this.words[w + Word.flags] = (e.gpa === undefined ? 0 : HAS_GPA) | (e.linear === undefined ? 0 : HAS_LINEAR);
  }

  addEntry(e: EntryFacts, n: number, vcpu: number): void {
    const at = this.place();
    this.kinds[at] = Kind.entry;
    const d = at * Double.count;
    this.doubles[d + Double.n] = n;
    this.doubles[d + Double.vmcs] = e.vmcs;
    const q = at * Wide.count;
    this.wide[q + Wide.rip] = e.rip;
    this.wide[q + Wide.from] = e.from;
    const w = at * Word.count;
    this.words[w + Word.vcpu] = vcpu;
    this.words[w + Word.launch] = e.instruction === 'VMLAUNCH' ? 1 : 0;
  }

  private recordAt(at: number): TraceRecord {
    const object = this.kinds[at] === Kind.object ? this.objects.get(at) : undefined;
    if (object !== undefined) return object;
    return this.kinds[at] === Kind.exit ? this.exitAt(at) : this.entryAt(at);
  }
  private exitAt(at: number): VmExitRecord {
    const { doubles, wide, words } = this;
    const d = at * Double.count;
    const q = at * Wide.count;
    const w = at * Word.count;
    const flags = words[w + Word.flags];
    return {
      event: 'exit',
      n: doubles[d + Double.n],
      vcpu: words[w + Word.vcpu],
      level: 2,
      vcpuSteps: doubles[d + Double.vcpuSteps],
      reason: exitReasonName(words[w + Word.reason]),
      reasonNumber: words[w + Word.reason],
      qualification: wide[q + Wide.qualification],
      rip: wide[q + Wide.rip],
      gpa: flags & HAS_GPA ? wide[q + Wide.gpa] : undefined,
      linear: flags & HAS_LINEAR ? wide[q + Wide.linear] : undefined,
      instructionLength: words[w + Word.length],
      interruptionInfo: words[w + Word.information],
      interruptionError: words[w + Word.error],
      vmcs: doubles[d + Double.vmcs],
    };
  }
  private entryAt(at: number): VmEntryRecord {
    const { doubles, wide, words } = this;
    return {
      event: 'entry',
      n: doubles[at * Double.count + Double.n],
      vcpu: words[at * Word.count + Word.vcpu],
      level: 2,
      instruction: words[at * Word.count + Word.launch] === 1 ? 'VMLAUNCH' : 'VMRESUME',
      from: wide[at * Wide.count + Wide.from],
      rip: wide[at * Wide.count + Wide.rip],
      vmcs: doubles[at * Double.count + Double.vmcs],
    };
  }

  /** Records, oldest first; with `only`, those of these events. */
  records(only?: readonly TraceRecord['event'][]): TraceRecord[] {
    const found: TraceRecord[] = [];
    const others = only?.every((event) => event !== 'exit' && event !== 'entry') ?? false;
    if (others && this.objects.size === 0) return found;
    for (let n = 0; n < this.held; n++) {
      const at = (this.first + n) % this.capacity;
      if (others && this.kinds[at] !== Kind.object) continue;
      const record = this.recordAt(at);
      if (only === undefined || only.includes(record.event)) found.push(record);
    }
    return found;
  }
  clear(): void {
    this.first = 0;
    this.held = 0;
    this.dropped = 0;
    this.objects.clear();
  }
}
