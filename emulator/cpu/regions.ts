/**
 * The JIT's keeper: hot places become compiled regions, in batches; regions whose code is written are dropped, pages that are written again
 * and again are left to the interpreter. Derived state: with or without regions a machine does the same, step for step.
 */
import { Handler, Rec } from '../codegen/record';
import { REGION_ELEMENTS, type InterpreterExports, type InterpreterImports, type InterpreterModule } from '../codegen/interpreter';
import { type Region, type RegionInstruction, buildRegion } from '../codegen/jit/region';
import { buildRegionModule } from '../codegen/jit/region-module';
import type { Decoded } from '../isa/decode';
import { handlerOf, traceProgram } from '../isa/shapes';
import type { Program } from '../isa/ir';
import { Mode, Seg } from '../spec/vcpu-state';
import type { PhysicalMemory } from '../memory/physical-memory';

/** Regions that wait before a module is made of them, and how many runs of generated code a lone one waits. */
const BATCH = 12;
const PATIENCE = 4;
/** Times that a page's regions may be dropped before it is left alone. */
const STORM = 12;

/** What the keeper needs of the code cache. */
export interface DecodedCode {
  tableFor(hpaPage: number, mode: number): number;
  recordAt(table: number, offset: number): number;
  decodedAt(hpaPage: number, mode: number, offset: number): Decoded | undefined;
}

interface Waiting {
  readonly hpaPage: number;
  readonly mode: number;
  readonly offset: number;
}
interface Compiled {
  readonly hpaPage: number;
  readonly record: number;
  readonly element: number;
  /** Page offsets [first, last] of its instructions' bytes. */
  readonly first: number;
  readonly last: number;
}

export interface RegionStatistics {
  compiled: number;
  modules: number;
  dropped: number;
}

export class Regions {
  enabled = true;
  readonly statistics: RegionStatistics = { compiled: 0, modules: 0, dropped: 0 };
  private waiting: Waiting[] = [];
  private waited = 0;
  private readonly live = new Map<number, Compiled[]>();
  private readonly drops = new Map<number, number>();
  private readonly free: number[] = [];
  private readonly entries = new Set<number>();
  private nextElement: number;
  private readonly programs = new Map<string, Program>();

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly code: DecodedCode,
    private readonly module: InterpreterModule,
    private readonly interpreter: InterpreterExports,
    private readonly imports: InterpreterImports,
  ) {
    this.nextElement = module.firstRegion;
  }

  /** Control has come often to this place. */
  hot(hpaPage: number, mode: number, offset: number): void {
    if (!this.enabled || !compilable(mode) || (this.drops.get(hpaPage) ?? 0) >= STORM) return;
    this.waiting.push({ hpaPage, mode, offset });
  }

  /** Called between runs of generated code: compiles what waits when there is enough of it or it has waited long enough. */
  breathe(): void {
    if (this.waiting.length === 0) return;
    this.waited++;
    if (this.waiting.length >= BATCH || this.waited >= PATIENCE) this.compileWaiting();
  }

  private compileWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    this.waited = 0;
    const made: { region: Region; code64: boolean; at: Waiting; record: number }[] = [];
    for (const at of waiting) {
      const table = this.code.tableFor(at.hpaPage, at.mode);
      const record = this.code.recordAt(table, at.offset);
      if (record === 0 || this.memory.u16[record >> 1] === Handler.region || this.memory.u16[record >> 1] === Handler.breakpoint) continue;
      const region = buildRegion(at.offset, (offset) => this.instruction(at, table, offset));
      if (region !== undefined) made.push({ region, code64: (at.mode & Mode.code64) !== 0, at, record });
    }
    const room = REGION_ELEMENTS - (this.nextElement - this.module.firstRegion) + this.free.length;
    if (made.length === 0 || room < made.length) return;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(buildRegionModule(made)), {
      e: { memory: this.memory.memory, ...this.imports, arithmeticFlags: this.interpreter.arithmeticFlags },
    });
    this.statistics.modules++;
    made.forEach(({ region, at, record }, i) => {
      const element = this.free.pop() ?? this.nextElement++;
      this.interpreter.table.set(element, instance.exports[`r${i}`]);
      const { u16 } = this.memory;
      u16[(record + Rec.alternative) >> 1] = u16[record >> 1];
      u16[record >> 1] = Handler.region;
      u16[(record + Rec.region) >> 1] = element;
      u16[(record + Rec.region + 2) >> 1] = Math.max(2, region.longestFrom(0));
      const offsets = region.blocks.flatMap((b) => b.instructions);
      const first = Math.min(...offsets.map((o) => o.offset));
      const last = Math.max(...offsets.map((o) => o.offset + o.decoded.instruction.length - 1));
      const list = this.live.get(at.hpaPage);
      const compiled = { hpaPage: at.hpaPage, record, element, first, last };
      if (list) list.push(compiled);
      else this.live.set(at.hpaPage, [compiled]);
      this.entries.add(record);
      this.statistics.compiled++;
    });
  }

  /** An instruction that a region can hold, at a page offset; only what the interpreter has met is taken in. */
  private instruction(at: Waiting, table: number, offset: number): RegionInstruction | undefined {
    const record = this.code.recordAt(table, offset);
    if (record === 0) return undefined;
    const handler = this.memory.u16[record >> 1];
    if (handler === Handler.system || handler === Handler.cross || handler === Handler.link || handler === Handler.breakpoint)
      return undefined;
    const decoded = this.code.decodedAt(at.hpaPage, at.mode, offset);
    if (decoded?.row.body === undefined) return undefined;
    const { instruction: insn, row } = decoded;
    const code64 = (at.mode & Mode.code64) !== 0;
    if (row.string !== undefined && insn.rep !== 0) return undefined;
    // A segment with a base outside 64-bit code has a limit too: the interpreter checks it.
    if (!code64 && (insn.segment === Seg.fs || insn.segment === Seg.gs || insn.segment === Seg.cs)) return undefined;
    const shape = handlerOf(row, decoded.memory, { stack: code64 ? 8 : 4, address: insn.addressSize, code64, segmented: false, rep: 0 });
    let program = this.programs.get(shape.key);
    if (program === undefined) this.programs.set(shape.key, (program = traceProgram(shape)));
    return { offset, decoded, program, record };
  }

  /** Bytes of a page have changed. */
  written(hpaPage: number, first: number, last: number): void {
    const list = this.live.get(hpaPage);
    if (list === undefined) return;
    const kept = list.filter((c) => c.last < first || c.first > last);
    if (kept.length === list.length) return;
    for (const c of list) if (!kept.includes(c)) this.drop(c);
    if (kept.length > 0) this.live.set(hpaPage, kept);
    else this.live.delete(hpaPage);
    this.drops.set(hpaPage, (this.drops.get(hpaPage) ?? 0) + 1);
  }

  private drop(c: Compiled): void {
    const { u16 } = this.memory;
    if (u16[c.record >> 1] === Handler.region) u16[c.record >> 1] = u16[(c.record + Rec.alternative) >> 1];
    this.interpreter.table.set(c.element, null);
    this.free.push(c.element);
    this.entries.delete(c.record);
    this.statistics.dropped++;
  }

  /** Whether a region is entered at this record. */
  standsAt(record: number): boolean {
    return this.entries.has(record);
  }

  /** Drops every region: breakpoints have changed, or the records are about to be thrown away. */
  reset(): void {
    for (const list of this.live.values()) for (const c of list) this.drop(c);
    this.live.clear();
    this.waiting = [];
    this.drops.clear();
  }
}

const compilable = (mode: number): boolean =>
  (mode & Mode.code64) !== 0 || (mode & (Mode.flat | Mode.code32 | Mode.stack32)) === (Mode.flat | Mode.code32 | Mode.stack32);
