/** Packs decoded instructions into the records that generated code reads (codegen/record), one after the other into the arena. */
import type { InterpreterModule } from '../codegen/interpreter';
import { Arena, Handler, Rec } from '../codegen/record';
import type { Decoded } from '../isa/decode';
import { BASE_RIP, type Instruction } from '../isa/instruction';
import type { Row } from '../isa/row';
import { handlerOf } from '../isa/shapes';
import type { PhysicalMemory } from '../memory/physical-memory';
import { Mode, SEGMENT_STRIDE, Seg, SegmentState, State } from '../spec/vcpu-state';

export class RecordEmitter {
  /** By number of instruction; number 0 is kept for records that are used once. */
  readonly instructions = new Array<Instruction>(1);
  private readonly handlers = new Map<Row, Map<string, number>>();

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly interpreter: InterpreterModule,
    private readonly hotAfter: number,
  ) {}

  /** First byte behind the records. */
  get top(): number {
    return this.memory.i32[Arena.top >> 2];
  }
  set top(value: number) {
    this.memory.i32[Arena.top >> 2] = value;
  }

  /** A record that is no instruction of its own. */
  bare(handler: number, offset: number, next: number): number {
    const record = this.top;
    this.top += Rec.bytes;
    this.bareAt(record, handler, offset, next);
    return record;
  }
  bareAt(record: number, handler: number, offset: number, next: number): void {
    const { u8, u16, i32 } = this.memory;
    u8.fill(0, record, record + Rec.bytes);
    u16[record >> 1] = handler;
    i32[(record + Rec.counter) >> 2] = this.hotAfter;
    u16[(record + Rec.alternative) >> 1] = handler;
    u16[(record + Rec.offset) >> 1] = offset;
    u16[(record + Rec.nextOffset) >> 1] = next;
  }

  /** Emits the records of a decoded instruction; their numbers of instruction are those of `instructions`. */
  emit(d: Decoded, offset: number, mode: number): number {
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
    return first !== 0 ? first : record;
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
const checksSegment = (segment: number, mode: number): boolean =>
  (mode & Mode.segmented) !== 0 || segment === Seg.cs || segment === Seg.fs || segment === Seg.gs;
const segmentSlot = (segment: number, field: number): number => State.segment + segment * SEGMENT_STRIDE + field;
