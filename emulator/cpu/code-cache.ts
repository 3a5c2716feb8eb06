/**
 * Decoded code: for each host-physical page and mode a table from page offset to packed record, built on demand and taken back line by line
 * when the page is written. Derived state: it can be thrown away at any time without the guest noticing.
 */
import { Handler, Rec } from '../codegen/record';
import type { InterpreterModule } from '../codegen/interpreter';
import { type DecodeMode, type Decoded, type OpcodeTable, decode } from '../isa/decode';
import { BASE_RIP, type Instruction } from '../isa/instruction';
import { handlerOf } from '../isa/shapes';
import type { Row } from '../isa/row';
import { ARENA_BYTES, ARENA_FIRST, Mode, RAM_FIRST, SEGMENT_STRIDE, Seg, SegmentState, State, TlbEntry } from '../spec/vcpu-state';
import type { Mmu } from '../mmu/mmu';
import type { PhysicalMemory } from '../memory/physical-memory';
import type { Cpu } from './cpu';
import { type RecordTemplate, RecordTemplates, signedAt } from './record-templates';

const TABLE_BYTES = 4097 * 4 + 4; // one more: a link record at the page's end has offset 4096
const LINES = 64;
/** Branches to a record before it is thought of as the beginning of a hot region, unless told otherwise. */
const HOT_AFTER = 200;
/** Headers that are remembered. */
const MAX_TEMPLATES = 40_000;
/** Straight runs are decoded at most this far at once. */
const RUN = 64;

interface CodePage {
  readonly hpa: number;
  readonly mode: number;
  readonly table: number;
  /** Which 64-byte lines hold bytes of decoded instructions. */
  readonly lines: Uint8Array;
}

/** What is compiled out of the records and must go with them. */
export interface CompiledCode {
  written(hpaPage: number, first: number, last: number): void;
  reset(): void;
}

export class CodeCache {
  readonly startRecord: number;
  /** How often all decoded code was thrown away. */
  resets = 0;
  /** Compiled regions, which stand on the records. */
  regions: CompiledCode | undefined;
  private top: number;
  private pages = new Map<string, CodePage>();
  private byPage = new Map<number, CodePage[]>();
  private readonly instructions = new Array<Instruction>(1);
  /** Low 12 bits of breakpoint addresses. */
  private breakpointOffsets = new Set<number>();
  private readonly templates = new RecordTemplates();
  /** Instructions that templates were learnt from, by number -1, -2 … */
  private readonly samples: Instruction[] = [];
  private readonly handlers = new Map<Row, Map<string, number>>();

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly mmu: Mmu,
    private readonly table: OpcodeTable,
    private readonly interpreter: InterpreterModule,
    private readonly features: ReadonlySet<string>,
    private readonly cpus: () => readonly Cpu[],
    private readonly hotAfter = HOT_AFTER,
  ) {
    this.startRecord = ARENA_FIRST;
    this.top = ARENA_FIRST;
    this.reset();
    memory.codeWatcher = { written: (hpa, length) => this.written(hpa, length) };
  }

  /** Throws all decoded code away. */
  reset(): void {
    this.resets++;
    this.regions?.reset();
    for (const list of this.byPage.values()) for (const p of list) this.memory.pageFlags[p.hpa / 4096] &= ~1;
    this.pages = new Map();
    this.byPage = new Map();
    this.instructions.length = 1;
    this.memory.u8.fill(0, ARENA_FIRST, ARENA_FIRST + Rec.bytes);
    this.top = ARENA_FIRST + 64;
    for (const cpu of this.cpus()) {
      cpu.set32(State.codeTable, 0);
      for (let i = 0; i < TlbEntry.count; i++) cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, 0);
    }
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
    return number < 0 ? this.samples[-1 - number] : this.instructions[number];
  }

  recordAt(table: number, offset: number): number {
    return table === 0 ? 0 : this.memory.i32[(table >> 2) + offset];
  }

  /** Table of records of a page in a mode; 0 when the page is not RAM. */
  tableFor(hpaPage: number, mode: number): number {
    return this.pageFor(hpaPage, mode)?.table ?? 0;
  }

  private pageFor(hpaPage: number, mode: number): CodePage | undefined {
    const codeMode = codeModeOf(mode);
    const key = `${hpaPage}/${codeMode}`;
    const known = this.pages.get(key);
    if (known !== undefined) return known;
    if (this.memory.offsetOf(hpaPage) < 0) return undefined;
    if (this.top + TABLE_BYTES > ARENA_FIRST + ARENA_BYTES) this.reset();
    const page: CodePage = { hpa: hpaPage, mode: codeMode, table: this.top, lines: new Uint8Array(LINES) };
    this.memory.u8.fill(0, this.top, this.top + TABLE_BYTES);
    this.top += TABLE_BYTES;
    this.top = (this.top + 7) & ~7;
    this.pages.set(key, page);
    const siblings = this.byPage.get(hpaPage);
    if (siblings) siblings.push(page);
    else this.byPage.set(hpaPage, [page]);
    this.mmu.markCodePage(this.cpus(), hpaPage);
    return page;
  }

  /** Decodes the straight run at a page offset. The page's table must be asked for again afterwards. */
  decodeRun(hpaPage: number, mode: number, offset: number): void {
    if (this.top + (RUN + 2) * 2 * Rec.bytes + TABLE_BYTES + 64 > ARENA_FIRST + ARENA_BYTES) this.reset();
    const page = this.pageFor(hpaPage, mode);
    if (page === undefined) return;
    const { u8, i32 } = this.memory;
    const origin = RAM_FIRST + hpaPage;
    let at = offset;
    const codeMode = codeModeOf(mode);
    for (let n = 0; n < RUN; n++) {
      if (at >= 4096 || (n > 0 && i32[(page.table >> 2) + at] !== 0)) break;
      const template = this.templates.find(codeMode, u8, origin + at, origin + 4096);
      if (template !== undefined) {
        i32[(page.table >> 2) + at] = this.emitTemplate(template, origin, at);
        this.mark(page, at, template.length);
        at += template.length;
        if (template.endsRun) return;
        continue;
      }
      const decoded = decode(this.table, u8, origin + at, origin + 4096, this.decodeMode(mode));
      if (decoded === undefined) {
        i32[(page.table >> 2) + at] = this.bare(Handler.cross, at, at);
        this.mark(page, at, 4096 - at);
        return;
      }
      const before = this.top;
      const start = this.emit(decoded, at, mode);
      i32[(page.table >> 2) + at] = start;
      const ends = endsRun(decoded);
      this.learn(codeMode, origin + at, decoded, before, ends);
      this.mark(page, at, decoded.instruction.length);
      at += decoded.instruction.length;
      if (ends) return;
    }
    this.bare(Handler.link, at, at);
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
    if (this.top + 8 * Rec.bytes > ARENA_FIRST + ARENA_BYTES) this.reset();
    const decoded = decode(this.table, bytes, 0, bytes.length, this.decodeMode(mode));
    if (decoded === undefined) return undefined;
    const keep = this.top;
    const count = this.instructions.length;
    const record = this.emit(decoded, offset, mode);
    // Number 0 is kept for these, so that running them often does not make the list grow.
    this.instructions.length = count;
    this.instructions[0] = decoded.instruction;
    const { i32, u16 } = this.memory;
    for (let r = record; r < this.top; r += Rec.bytes) {
      i32[(r + Rec.instruction) >> 2] = 0;
      if (u16[r >> 1] === Handler.breakpoint) u16[r >> 1] = u16[(r + Rec.alternative) >> 1];
    }
    this.bare(Handler.link, offset + decoded.instruction.length, offset + decoded.instruction.length);
    this.top = keep; // used at once, then overwritten
    return record;
  }

  setBreakpointOffsets(offsets: ReadonlySet<number>): void {
    this.regions?.reset();
    const { i32, u16 } = this.memory;
    this.breakpointOffsets = new Set(offsets);
    for (const page of this.pages.values())
      for (let offset = 0; offset < 4096; offset++) {
        const record = i32[(page.table >> 2) + offset];
        if (record === 0) continue;
        const handler = u16[record >> 1];
        const wanted = offsets.has(offset);
        if (wanted && handler !== Handler.breakpoint) {
          u16[(record + Rec.alternative) >> 1] = handler;
          u16[record >> 1] = Handler.breakpoint;
        } else if (!wanted && handler === Handler.breakpoint) u16[record >> 1] = u16[(record + Rec.alternative) >> 1];
      }
  }

  /** Bytes of a code page have changed: instructions in the touched lines are forgotten. */
  written(hpa: number, length: number): void {
    const hpaPage = hpa - (hpa % 4096);
    const first = hpa % 4096;
    const last = first + length - 1;
    this.regions?.written(hpaPage, first, last);
    for (const page of this.byPage.get(hpaPage) ?? []) {
      let touched = false;
      for (let line = first >> 6; line <= last >> 6; line++) if (page.lines[line] !== 0) touched = true;
      if (!touched) continue;
      const { i32, u16 } = this.memory;
      // An instruction may begin up to 14 bytes before the first byte written.
      for (let offset = Math.max(0, first - 14); offset <= last; offset++) {
        const record = i32[(page.table >> 2) + offset];
        if (record === 0) continue;
        if (u16[(record + Rec.nextOffset) >> 1] <= first && u16[record >> 1] !== Handler.cross) continue;
        i32[(page.table >> 2) + offset] = 0;
        u16[record >> 1] = Handler.link;
      }
    }
  }

  private mark(page: CodePage, offset: number, length: number): void {
    for (let line = offset >> 6; line <= Math.min(offset + length - 1, 4095) >> 6; line++) page.lines[line] = 1;
  }

  private bare(handler: number, offset: number, next: number): number {
    const record = this.top;
    this.top += Rec.bytes;
    const { u8, u16 } = this.memory;
    u8.fill(0, record, record + Rec.bytes);
    u16[record >> 1] = handler;
    this.memory.i32[(record + Rec.counter) >> 2] = this.hotAfter;
    u16[(record + Rec.alternative) >> 1] = handler;
    u16[(record + Rec.offset) >> 1] = offset;
    u16[(record + Rec.nextOffset) >> 1] = next;
    return record;
  }

  /** Keeps the records just emitted (from `first` on) as a template, unless a breakpoint stands on them. */
  private learn(codeMode: number, at: number, decoded: Decoded, first: number, ends: boolean): void {
    if (!decoded.layout.repeatable || decoded.row.body === undefined || this.samples.length >= MAX_TEMPLATES) return;
    const { u8, u16, i32 } = this.memory;
    if (u16[first >> 1] === Handler.breakpoint) return;
    this.samples.push(decoded.instruction);
    for (let r = first; r < this.top; r += Rec.bytes) i32[(r + Rec.instruction) >> 2] = -this.samples.length;
    this.templates.learn(codeMode, u8, at, decoded, i32, first, this.top - Rec.bytes, ends);
  }

  /** Emits the records of an instruction whose header is known. */
  private emitTemplate(t: RecordTemplate, origin: number, offset: number): number {
    const { u8, u16, i32 } = this.memory;
    const first = this.top;
    const { words } = t;
    const bytes = words.length * 4;
    this.top += bytes;
    for (let i = 0, to = first >> 2; i < words.length; i++, to++) i32[to] = words[i];
    const next = offset + t.length;
    const main = this.top - Rec.bytes;
    for (let r = first; r <= main; r += Rec.bytes) {
      u16[(r + Rec.offset) >> 1] = offset;
      u16[(r + Rec.nextOffset) >> 1] = next;
    }
    let at = origin + offset + t.headerBytes;
    if (t.displacementBytes > 0) {
      if (!t.keepsDisplacement) {
        let value = signedAt(u8, at, t.displacementBytes);
        if (t.unsignedDisplacement) value = t.displacementBytes === 4 ? value >>> 0 : value & 0xffff;
        value += t.displacementPlus + (t.ripRelative ? next : 0);
        i32[(first + Rec.displacement) >> 2] = value | 0;
        i32[((first + Rec.displacement) >> 2) + 1] = value < 0 ? -1 : 0;
      }
      at += t.displacementBytes;
    }
    if (t.immediateBytes === 8) {
      i32[(main + Rec.immediate) >> 2] = signedAt(u8, at, 4);
      i32[((main + Rec.immediate) >> 2) + 1] = signedAt(u8, at + 4, 4);
    } else if (t.immediateBytes > 0) {
      const value = signedAt(u8, at, t.immediateBytes) + (t.branch ? next : 0);
      i32[(main + Rec.immediate) >> 2] = value | 0;
      i32[((main + Rec.immediate) >> 2) + 1] = value < 0 ? -1 : 0;
    }
    if (this.breakpointOffsets.has(offset)) this.breakAt(first);
    return first;
  }

  private emit(d: Decoded, offset: number, mode: number): number {
    const { instruction: insn, row } = d;
    const { u8, u16, i32, view } = this.memory;
    const code64 = (mode & Mode.code64) !== 0;
    const next = offset + insn.length;
    let first = 0;
    let base = slot(insn.base);
    let index = slot(insn.index);
    let scale = insn.scaleLog2;
    let displacement = insn.displacement;
    const string = row.string !== undefined || d.parsed.mnemonic === 'XLATB';
    if (insn.base === BASE_RIP) displacement += BigInt(next);
    if (row.body?.name === 'POP' && d.memory && insn.base === 4) displacement += BigInt(insn.operandSize);
    const checked = !code64 && checksSegment(insn.segment, mode);
    const withSegment = code64 && (insn.segment === Seg.fs || insn.segment === Seg.gs);
    if (row.body !== undefined && string) {
      base = withSegment ? segmentSlot(insn.segment, SegmentState.base) : State.zero;
      index = State.zero;
      displacement = 0n;
    } else if (row.body !== undefined && d.memory) {
      const wraps = insn.addressSize !== 8 && !(insn.base < 0 && insn.index < 0);
      const addsBase = withSegment && row.addressOnly !== true;
      if (!wraps && insn.addressSize !== 8) displacement = BigInt.asUintN(insn.addressSize * 8, displacement);
      if (wraps || addsBase) {
        first = this.bare(code64 ? Handler.address64 : Handler.address32, offset, next);
        u16[(first + Rec.base) >> 1] = base;
        u16[(first + Rec.index) >> 1] = index;
        u8[first + Rec.scale] = scale;
        view.setBigInt64(first + Rec.displacement, displacement, true);
        view.setBigInt64(first + Rec.immediate, insn.addressSize === 8 ? -1n : (1n << BigInt(insn.addressSize * 8)) - 1n, true);
        u16[(first + Rec.operand) >> 1] = addsBase ? segmentSlot(insn.segment, SegmentState.base) : State.zero;
        base = State.eaTemp;
        index = State.zero;
        scale = 0;
        displacement = 0n;
      }
    }
    const record = this.bare(Handler.system, offset, next);
    const number = this.instructions.length;
    this.instructions.push(insn);
    i32[(record + Rec.instruction) >> 2] = number;
    if (first !== 0) i32[(first + Rec.instruction) >> 2] = number;
    d.operands.forEach((o, i) => {
      if (o.register >= 0) u16[(record + Rec.operand + 2 * i) >> 1] = o.register * 8 + (o.high ? 1 : 0);
    });
    u16[(record + Rec.base) >> 1] = base;
    u16[(record + Rec.index) >> 1] = index;
    u8[record + Rec.scale] = scale;
    u8[record + Rec.segment] = insn.segment;
    view.setBigInt64(record + Rec.displacement, BigInt.asIntN(64, displacement), true);
    const relative = d.parsed.operands.some((o) => o.encoding === 'relative');
    view.setBigInt64(record + Rec.immediate, relative ? insn.immediate + BigInt(next) : insn.immediate, true);
    if (row.body !== undefined) u16[record >> 1] = this.handlerNumber(d, mode, checked);
    u16[(record + Rec.alternative) >> 1] = u16[record >> 1];
    const start = first !== 0 ? first : record;
    if (this.breakpointOffsets.has(offset)) this.breakAt(start);
    return start;
  }

  private breakAt(record: number): void {
    const { u16 } = this.memory;
    u16[(record + Rec.alternative) >> 1] = u16[record >> 1];
    u16[record >> 1] = Handler.breakpoint;
  }

  private handlerNumber(d: Decoded, mode: number, checked: boolean): number {
    const { addressSize, rep } = d.instruction;
    const code64 = (mode & Mode.code64) !== 0;
    const segmented =
      (mode & Mode.segmented) !== 0 || (checked && (d.memory || d.row.string !== undefined || d.parsed.mnemonic === 'XLATB'));
    const stack = code64 ? 8 : mode & Mode.stack32 ? 4 : 2;
    const key = `${d.memory}${code64}${segmented}${stack}${addressSize}${d.row.string ? rep : 0}`;
    let byKey = this.handlers.get(d.row);
    if (byKey === undefined) this.handlers.set(d.row, (byKey = new Map()));
    let number = byKey.get(key);
    if (number === undefined) {
      const h = handlerOf(d.row, d.memory, { stack, address: addressSize, code64, segmented, rep });
      number = this.interpreter.handlers.get(h.key);
      if (number === undefined) throw new Error(`no handler for ${h.key}`);
      byKey.set(key, number);
    }
    return number;
  }
}

const slot = (register: number): number => (register < 0 ? State.zero : register === BASE_RIP ? State.pageIp : State.gpr + register * 8);
/** In flat code DS, ES and SS need no check; CS (which cannot be written), FS and GS (which may have any base and limit) do. */
export const checksSegment = (segment: number, mode: number): boolean =>
  (mode & Mode.segmented) !== 0 || segment === Seg.cs || segment === Seg.fs || segment === Seg.gs;
/** The part of the mode word that decoded code depends on. */
const codeModeOf = (mode: number): number => (mode & Mode.code64 ? Mode.code64 : mode & (Mode.segmented | Mode.code32 | Mode.stack32));
const segmentSlot = (segment: number, field: number): number => State.segment + segment * SEGMENT_STRIDE + field;

/** After these the next instruction is not simply the one behind. */
function endsRun(d: Decoded): boolean {
  if (d.row.body === undefined) return true;
  return (
    ['JMP', 'JMPI', 'CALL', 'CALLI', 'RET', 'Jcc', 'LOOP', 'JRCXZ'].includes(d.row.body.name) &&
    !['Jcc', 'LOOP', 'JRCXZ'].includes(d.row.body.name)
  );
}
