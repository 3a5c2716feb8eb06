/**
 * Decoded code: for each host-physical page and mode a table from page offset to packed record, built on demand and taken back
 * when the page is written. Derived state: it can be thrown away at any time without the guest noticing.
 */
import type { InterpreterExports, InterpreterModule } from '../codegen/interpreter';
import { DecodeRun, RUN } from '../codegen/decode-run';
import { Arena, Handler, Rec } from '../codegen/record';
import { type DecodeMode, type Decoded, type OpcodeTable, decode } from '../isa/decode';
import type { Instruction } from '../isa/instruction';
import { Mode, RAM_FIRST, State, TlbEntry } from '../spec/vcpu-state';
import type { Mmu } from '../mmu/mmu';
import { PageFlag, type PhysicalMemory } from '../memory/physical-memory';
import type { Cpu } from './cpu';
import { RecordEmitter } from './record-emitter';
import { RecordTemplates } from './record-templates';

/** Branches to a record before it is thought of as the beginning of a hot region, unless told otherwise. */
const HOT_AFTER = 200;
/** Headers that are remembered. */
const MAX_TEMPLATES = 40_000;
/** What a run may need: two records for each instruction, a link, the lines it lies in, a table. */
const RUN_ROOM = (RUN + 2) * 2 * Rec.bytes + 24 * Arena.lineBytes + Arena.tableBytes;
/**
 * Memory for decoded code to begin with. Code that runs once is thrown away soon, so that it stays in the processor's caches; where each
 * record serves for REUSED steps there is more.
 */
const FIRST_BYTES = 0x200000;
const REUSED = 8;
const ALL_BYTES = Arena.end - Arena.first;

interface CodePage {
  readonly page: number;
  readonly mode: number;
  readonly table: number;
}

/** What is compiled out of the records and must go with them. */
export interface CompiledCode {
  written(hpaPage: number, first: number, last: number): void;
  reset(): void;
}

export class CodeCache {
  readonly startRecord = Arena.startRecord;
  /** How often all decoded code was thrown away. */
  resets = 0;
  /** Compiled regions, which stand on the records. */
  regions: CompiledCode | undefined;
  private limitBytes = 0;
  /** Bytes that were taken, and steps, when memory was looked at last. */
  private usedThen = 0;
  private stepsThen = 0;
  private pages: CodePage[] = [];
  /** Table of each page of RAM, by mode; 0: none. */
  private readonly tables = new Map<number, Int32Array>();
  /** Low 12 bits of breakpoint addresses. */
  private breakpointOffsets = new Set<number>();
  private readonly emitter: RecordEmitter;
  private readonly templates: RecordTemplates;
  /** Instructions that templates were learnt from, by number -1, -2 … */
  private readonly samples: Instruction[] = [];

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly mmu: Mmu,
    private readonly table: OpcodeTable,
    interpreter: InterpreterModule,
    private readonly generated: InterpreterExports,
    private readonly features: ReadonlySet<string>,
    private readonly cpus: () => readonly Cpu[],
    hotAfter = HOT_AFTER,
  ) {
    this.emitter = new RecordEmitter(memory, interpreter, hotAfter);
    this.templates = new RecordTemplates(memory);
    this.limit = FIRST_BYTES;
    this.memory.i32[Arena.laneMode >> 2] = -1;
    this.emitter.bareAt(Arena.linkRecord, Handler.link, 0, 0);
    this.reset();
    memory.codeWatcher = { written: (hpa, length) => this.written(hpa, length) };
  }

  /** Bytes of the arena that may be taken. */
  private get limit(): number {
    return this.limitBytes;
  }
  private set limit(bytes: number) {
    this.limitBytes = bytes;
    this.memory.i32[Arena.laneRoom >> 2] = Arena.end - Arena.first + RUN_ROOM - bytes;
  }

  /** Throws all decoded code away, and the marks on pages that held some. */
  reset(): void {
    this.throwAway();
    const { pageFlags } = this.memory;
    for (let page = 0; page < pageFlags.length; page++) pageFlags[page] &= ~PageFlag.code;
  }

  /** The marks stay: a page loses its own when it is written next. */
  private throwAway(): void {
    this.resets++;
    this.regions?.reset();
    for (const { page, mode } of this.pages) this.tablesOf(mode)[page] = 0;
    this.pages = [];
    this.emitter.instructions.length = 1;
    this.emitter.top = Arena.first;
    this.memory.i32[Arena.bottom >> 2] = Arena.end;
    for (const cpu of this.cpus()) {
      cpu.set32(State.codeTable, 0);
      for (let i = 0; i < TlbEntry.count; i++) cpu.i32[(State.tlb + i * TlbEntry.stride + TlbEntry.code) >> 2] = 0;
    }
  }

  /** Makes room: more memory when what is decoded is used again and again, else everything is decoded anew. */
  private makeRoom(): void {
    const steps = this.cpus().reduce((sum, cpu) => sum + cpu.getF64(State.steps), 0);
    const records = (this.used - this.usedThen) / Rec.bytes;
    if (this.limit < ALL_BYTES && steps - this.stepsThen >= REUSED * records) this.limit = Math.min(ALL_BYTES, 2 * this.limit);
    else this.throwAway();
    this.usedThen = this.used;
    this.stepsThen = steps;
  }

  /** What stands at a place of a page that lies wholly in it. */
  decodedAt(hpaPage: number, mode: number, offset: number): Decoded | undefined {
    const origin = RAM_FIRST + hpaPage;
    return decode(this.table, this.memory.u8, origin + offset, origin + 4096, this.decodeMode(mode));
  }

  private decodeMode(mode: number): DecodeMode {
    return { code64: (mode & Mode.code64) !== 0, code16: (mode & (Mode.code64 | Mode.code32)) === 0, features: this.features };
  }

  /** The record's instruction; for instructions that generated code carries out, one with the same header. */
  instructionAt(record: number): Instruction {
    const number = this.memory.i32[(record + Rec.instruction) >> 2];
    return number < 0 ? this.samples[-1 - number] : this.emitter.instructions[number];
  }

  recordAt(table: number, offset: number): number {
    const { i32 } = this.memory;
    return table === 0 ? 0 : i32[(i32[(table >> 2) + (offset >> 6)] >> 2) + (offset & 63)];
  }

  /** The same for writing; the line is made if need be. */
  private setRecordAt(table: number, offset: number, record: number): void {
    const { u8, i32 } = this.memory;
    const slot = (table >> 2) + (offset >> 6);
    if (i32[slot] === Arena.emptyLine) {
      const line = this.takeBelow(Arena.lineBytes);
      u8.fill(0, line, line + Arena.lineBytes);
      i32[slot] = line;
    }
    i32[(i32[slot] >> 2) + (offset & 63)] = record;
  }

  private takeBelow(bytes: number): number {
    return (this.memory.i32[Arena.bottom >> 2] -= bytes);
  }
  /** Bytes of the arena that are taken. */
  private get used(): number {
    return this.emitter.top - Arena.first + Arena.end - this.memory.i32[Arena.bottom >> 2];
  }

  private tablesOf(codeMode: number): Int32Array {
    let tables = this.tables.get(codeMode);
    if (tables === undefined) this.tables.set(codeMode, (tables = new Int32Array(this.memory.ramBytes / 4096)));
    return tables;
  }

  /** Table of records of a page in a mode; 0 when the page is not RAM. */
  tableFor(hpaPage: number, mode: number): number {
    if (!this.memory.isRam(hpaPage)) return 0;
    const codeMode = codeModeOf(mode);
    const page = hpaPage / 4096;
    const tables = this.tablesOf(codeMode);
    if (tables[page] !== 0) return tables[page];
    if (this.used + Arena.tableBytes > this.limit) this.makeRoom();
    const table = this.takeBelow(Arena.tableBytes);
    this.memory.i32.fill(Arena.emptyLine, table >> 2, (table >> 2) + Arena.lines);
    tables[page] = table;
    this.pages.push({ page, mode: codeMode, table });
    if ((this.memory.pageFlags[page] & PageFlag.code) === 0) this.mmu.markCodePage(this.cpus(), hpaPage);
    return table;
  }

  /** Decodes the straight run at a page offset, at which there is no record. The page's table must be asked for again afterwards. */
  decodeRun(hpaPage: number, mode: number, offset: number): void {
    if (this.used + RUN_ROOM > this.limit) this.makeRoom();
    const table = this.tableFor(hpaPage, mode);
    if (table === 0) return;
    const origin = RAM_FIRST + hpaPage;
    const root = this.templates.root(codeModeOf(mode));
    // From here on generated code decodes what it knows of this mode by itself, but for breakpoints.
    this.memory.i32[Arena.laneMode >> 2] = this.breakpointOffsets.size === 0 ? mode : -1;
    this.memory.i32[Arena.laneRoot >> 2] = root;
    let at = offset;
    let left = RUN;
    for (;;) {
      const run = this.generated.decodeRun(root, table, origin, at, left);
      at = run & 0xffff;
      left = (run >> 16) & 0xff;
      if (run >> 24 === DecodeRun.done) break;
      if (at !== offset && this.recordAt(table, at) !== 0) {
        this.emitter.bare(Handler.link, at, at);
        break;
      }
      const decoded = decode(this.table, this.memory.u8, origin + at, origin + 4096, this.decodeMode(mode));
      if (decoded === undefined) {
        this.setRecordAt(table, at, this.emitter.bare(Handler.cross, at, at));
        at = 4096;
        break;
      }
      const before = this.emitter.top;
      const record = this.emitter.emit(decoded, at, mode);
      this.setRecordAt(table, at, record);
      const ends = endsRun(decoded);
      this.learn(codeModeOf(mode), origin + at, decoded, before, ends);
      const next = at + decoded.instruction.length;
      if (!ends && (--left === 0 || next >= 4096 || this.recordAt(table, next) !== 0)) {
        this.emitter.bare(Handler.link, next, next);
        left = 0;
      }
      at = next;
      if (ends || left === 0) break;
    }
    for (const b of this.breakpointOffsets) if (b >= offset && b < at) this.breakAt(this.recordAt(table, b));
  }

  /** Whether an instruction (or one that is too long) lies wholly in the bytes. */
  isWhole(bytes: Uint8Array, mode: number): boolean {
    return decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode)) !== undefined;
  }

  /** The instruction that these bytes begin with; undefined: it goes on behind them. */
  decodeAlone(bytes: Uint8Array, mode: number): Instruction | undefined {
    return decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode))?.instruction;
  }

  /**
   * A record outside any table, for an instruction whose bytes were brought together: executed once, followed by a link, no breakpoint on
   * it. Undefined: the instruction goes on behind the bytes.
   */
  temporaryRecord(bytes: Uint8Array, offset: number, mode: number): number | undefined {
    const { emitter } = this;
    if (this.used + 8 * Rec.bytes > this.limit) this.makeRoom();
    const decoded = decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode));
    if (decoded === undefined) return undefined;
    const keep = emitter.top;
    const count = emitter.instructions.length;
    const record = emitter.emit(decoded, offset, mode);
    // Number 0 is kept for these, so that running them often does not make the list grow.
    emitter.instructions.length = count;
    emitter.instructions[0] = decoded.instruction;
    const { i32 } = this.memory;
    for (let r = record; r < emitter.top; r += Rec.bytes) i32[(r + Rec.instruction) >> 2] = 0;
    emitter.bare(Handler.link, offset + decoded.instruction.length, offset + decoded.instruction.length);
    emitter.top = keep; // used at once, then overwritten
    return record;
  }

  setBreakpointOffsets(offsets: ReadonlySet<number>): void {
    this.regions?.reset();
    const { u16 } = this.memory;
    this.breakpointOffsets = new Set(offsets);
    this.memory.i32[Arena.laneMode >> 2] = -1;
    for (const { table } of this.pages)
      for (let offset = 0; offset < 4096; offset++) {
        const record = this.recordAt(table, offset);
        if (record === 0) continue;
        if (offsets.has(offset)) this.breakAt(record);
        else if (u16[record >> 1] === Handler.breakpoint) u16[record >> 1] = u16[(record + Rec.alternative) >> 1];
      }
  }

  /** Puts a breakpoint on a record (0: there is none). */
  private breakAt(record: number): void {
    const { u16 } = this.memory;
    if (record === 0 || u16[record >> 1] === Handler.breakpoint) return;
    u16[(record + Rec.alternative) >> 1] = u16[record >> 1];
    u16[record >> 1] = Handler.breakpoint;
  }

  /** Bytes of a code page have changed: the instructions that they belonged to are forgotten. */
  written(hpa: number, length: number): void {
    const page = Math.floor(hpa / 4096);
    const first = hpa % 4096;
    const last = first + length - 1;
    this.regions?.written(page * 4096, first, last);
    let holdsCode = false;
    for (const tables of this.tables.values()) {
      const table = tables[page];
      if (table === 0) continue;
      holdsCode = true;
      this.forget(table, first, last);
    }
    if (!holdsCode) this.memory.pageFlags[page] &= ~PageFlag.code;
  }

  private forget(table: number, first: number, last: number): void {
    const { i32, u16 } = this.memory;
    // An instruction may begin up to 14 bytes before the first byte written.
    for (let offset = Math.max(0, first - 14); offset <= last; offset++) {
      if (i32[(table >> 2) + (offset >> 6)] === Arena.emptyLine) {
        offset |= 63;
        continue;
      }
      const record = this.recordAt(table, offset);
      if (record === 0) continue;
      if (u16[(record + Rec.nextOffset) >> 1] <= first && u16[record >> 1] !== Handler.cross) continue;
      this.setRecordAt(table, offset, 0);
      u16[record >> 1] = Handler.link;
    }
  }

  /** Keeps the records just emitted (from `first` on) as a template. */
  private learn(codeMode: number, at: number, decoded: Decoded, first: number, ends: boolean): void {
    const { samples, templates, emitter } = this;
    if (!decoded.layout.repeatable || decoded.row.body === undefined || samples.length >= MAX_TEMPLATES || !templates.hasRoom) return;
    const { i32 } = this.memory;
    samples.push(decoded.instruction);
    for (let r = first; r < emitter.top; r += Rec.bytes) i32[(r + Rec.instruction) >> 2] = -samples.length;
    templates.learn(codeMode, at, decoded, first, emitter.top - Rec.bytes, ends);
  }
}

/** The part of the mode word that decoded code depends on. */
const codeModeOf = (mode: number): number => (mode & Mode.code64 ? Mode.code64 : mode & (Mode.segmented | Mode.code32 | Mode.stack32));

/** After these the next instruction is not simply the one behind. */
function endsRun(d: Decoded): boolean {
  return d.row.body === undefined || ENDS_RUN.has(d.row.body.name);
}
const ENDS_RUN = new Set(['JMP', 'JMPI', 'CALL', 'CALLI', 'RET']);
