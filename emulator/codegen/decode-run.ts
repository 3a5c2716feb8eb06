/**
 * Generates the decoder's fast lane: decodes a straight run of instructions whose headers are known (cpu/record-templates) into records, page
 * table and all, without TypeScript. What it does not know it leaves to isa/decode.
 */
import { RAM_FIRST, State } from '../spec/vcpu-state';
import { Arena, FieldKind, Rec, Template, TemplateFlag } from './record';
import { FunctionBody, I32, I64, Op } from './wasm';

/** What the fast lane returns: page offset | instructions that were left to do << 16 | why << 24. */
export const DecodeRun = { done: 0, unknown: 1 } as const;

/** Straight runs are decoded at most this far at once. */
export const RUN = 64;

const WORDS = Rec.bytes / 8;
const OFFSETS_WORD = Rec.offset / 8;

/**
 * Parameters: root of the mode's tree of headers, the page's table, wasm address of the page, offset of the first instruction (of which there
 * is no record yet), and the most instructions. The caller sees to it that there is room. The run ends like that of cpu/code-cache.
 */
export function decodeRunFunction(): FunctionBody {
  const f = new FunctionBody(5);
  const [root, table, origin, offset, left] = [0, 1, 2, 3, 4];
  const [top, at, from, end, node, next, entry, line] = [0, 1, 2, 3, 4, 5, 6, 7].map(() => f.local(I32));
  const value = f.local(I64);

  f.i32(0).mem(Op.i32_load, Arena.top).set(top);
  f.get(offset).set(at);
  f.get(origin).i32(4096).op(Op.i32_add).set(end);
  f.block('UNKNOWN').block('LINK').loop('RUN');

  // Down the tree, byte by byte; odd numbers are templates.
  f.get(origin).get(at).op(Op.i32_add).set(from);
  f.get(root).set(node);
  f.loop('WALK');
  f.get(from).get(end).op(Op.i32_ge_u).brIf('UNKNOWN');
  f.get(node).get(from).mem(Op.i32_load8_u, 0).i32(2).op(Op.i32_shl).op(Op.i32_add).mem(Op.i32_load, 0).tee(node);
  f.op(Op.i32_eqz).brIf('UNKNOWN');
  f.get(from).i32(1).op(Op.i32_add).set(from);
  f.get(node).i32(1).op(Op.i32_and).op(Op.i32_eqz).brIf('WALK');
  f.end();
  f.get(node).i32(1).op(Op.i32_xor).set(node);
  f.get(at).get(node).mem(Op.i32_load8_u, Template.length).op(Op.i32_add).tee(next).i32(4096).op(Op.i32_gt_u).brIf('UNKNOWN');

  // Its place in the table.
  f.get(table).get(at).i32(4).op(Op.i32_shr_u).i32(0xfc).op(Op.i32_and).op(Op.i32_add).tee(entry).mem(Op.i32_load, 0).tee(line);
  f.i32(Arena.emptyLine).op(Op.i32_eq).if();
  f.i32(0).i32(0).mem(Op.i32_load, Arena.bottom).i32(Arena.lineBytes).op(Op.i32_sub).tee(line).mem(Op.i32_store, Arena.bottom);
  f.get(entry).get(line).mem(Op.i32_store, 0);
  for (let n = 0; n < Arena.lineBytes; n += 8) f.get(line).i64(0n).mem(Op.i64_store, n);
  f.end();
  f.get(line).get(at).i32(2).op(Op.i32_shl).i32(0xfc).op(Op.i32_and).op(Op.i32_add).tee(entry);
  // Where the run comes to what is decoded already it goes on there; its first instruction is not.
  f.mem(Op.i32_load, 0).brIf('LINK');
  f.get(entry).get(top).mem(Op.i32_store, 0);

  // An address record goes in front; it has the displacement then.
  f.get(top).set(entry);
  f.get(node).mem(Op.i32_load8_u, Template.flags).i32(TemplateFlag.two).op(Op.i32_and).if();
  copy(node, Template.records);
  f.get(node).i32(Rec.bytes).op(Op.i32_add).set(line);
  f.else();
  f.get(node).set(line);
  f.end();
  copy(line, Template.records);
  const main = (): FunctionBody => f.get(top);
  field(Template.displacementKind, Template.displacementAt, [FieldKind.signed8, FieldKind.signed32, FieldKind.signed16, FieldKind.unsigned16, FieldKind.unsigned32]); // prettier-ignore
  f.get(entry).get(value);
  f.get(node).mem(Op.i64_load8_u, Template.plus).op(Op.i64_add);
  addNext(Template.ripMask);
  f.mem(Op.i64_store, Rec.displacement).end();
  field(Template.immediateKind, Template.immediateAt, [FieldKind.signed32, FieldKind.signed8, FieldKind.signed16, FieldKind.whole64]);
  main().i32(Rec.bytes).op(Op.i32_sub).get(value);
  addNext(Template.branchMask);
  f.mem(Op.i64_store, Rec.immediate).end();

  f.get(next).set(at);
  f.get(left).i32(1).op(Op.i32_sub).set(left);
  f.get(node).mem(Op.i32_load8_u, Template.flags).i32(TemplateFlag.endsRun).op(Op.i32_and).if();
  leave(DecodeRun.done);
  f.end();
  f.get(left).op(Op.i32_eqz).get(at).i32(4096).op(Op.i32_ge_u).op(Op.i32_or).op(Op.i32_eqz).brIf('RUN');
  f.end();

  f.end(); // LINK: the run goes on with other records
  f.get(at).set(next);
  f.i32(0).set(node);
  copy(node, Arena.linkRecord);
  leave(DecodeRun.done);
  f.end(); // UNKNOWN
  leave(DecodeRun.unknown);
  f.op(Op.unreachable);
  return f;

  /** Appends a record: a copy of that at source + where, at the offsets of this instruction. */
  function copy(source: number, where: number): void {
    for (let n = 0; n < WORDS; n++) {
      f.get(top);
      if (n === OFFSETS_WORD) {
        f.get(source)
          .mem(Op.i64_load32_u, where + Rec.instruction)
          .i64(32n)
          .op(Op.i64_shl);
        f.get(next).i32(16).op(Op.i32_shl).get(at).op(Op.i32_or).op(Op.i64_extend_i32_u).op(Op.i64_or);
      } else f.get(source).mem(Op.i64_load, where + n * 8);
      f.mem(Op.i64_store, n * 8);
    }
    f.get(top).i32(Rec.bytes).op(Op.i32_add).set(top);
  }
  /** `value` is the field that is not fixed in the records; the caller goes on inside an `if`. */
  function field(kind: number, place: number, kinds: readonly number[]): void {
    const loads: Readonly<Record<number, number>> = {
      [FieldKind.signed8]: Op.i64_load8_s,
      [FieldKind.signed16]: Op.i64_load16_s,
      [FieldKind.signed32]: Op.i64_load32_s,
      [FieldKind.unsigned16]: Op.i64_load16_u,
      [FieldKind.unsigned32]: Op.i64_load32_u,
      [FieldKind.whole64]: Op.i64_load,
    };
    f.get(node).mem(Op.i32_load8_u, kind).tee(line).if();
    f.get(origin).get(at).op(Op.i32_add).get(node).mem(Op.i32_load8_u, place).op(Op.i32_add).set(from);
    for (const k of kinds.slice(0, -1)) f.get(line).i32(k).op(Op.i32_eq).if().get(from).mem(loads[k], 0).set(value).else();
    f.get(from)
      .mem(loads[kinds[kinds.length - 1]], 0)
      .set(value);
    for (let n = 1; n < kinds.length; n++) f.end();
  }
  function addNext(mask: number): void {
    f.get(next).get(node).mem(Op.i32_load, mask).op(Op.i32_and).op(Op.i64_extend_i32_u).op(Op.i64_add);
  }
  function leave(why: number): void {
    f.i32(0).get(top).mem(Op.i32_store, Arena.top);
    f.get(at)
      .get(left)
      .i32(16)
      .op(Op.i32_shl)
      .op(Op.i32_or)
      .i32(why << 24)
      .op(Op.i32_or)
      .op(Op.return);
  }
}

/**
 * Decodes the run at State.rip's page offset in the middle of generated code, where all of its headers are known or a part of it is: parameters
 * vCPU, the page's table, offset; 1: there is a record now, 0: TypeScript must see to it (an unknown header, no room, breakpoints).
 */
export function decodeHereFunction(decodeRun: number): FunctionBody {
  const f = new FunctionBody(3);
  const [vcpu, table, offset] = [0, 1, 2];
  const [run, at, top] = [0, 1, 2].map(() => f.local(I32));
  const refuseIf = (): void => {
    f.if().i32(0).op(Op.return).end();
  };
  f.get(vcpu).mem(Op.i32_load, State.mode).i32(0).mem(Op.i32_load, Arena.laneMode).op(Op.i32_ne);
  refuseIf();
  f.i32(0).mem(Op.i32_load, Arena.bottom).i32(0).mem(Op.i32_load, Arena.top).op(Op.i32_sub);
  f.i32(0).mem(Op.i32_load, Arena.laneRoom).op(Op.i32_lt_s);
  refuseIf();
  f.i32(0).mem(Op.i32_load, Arena.laneRoot).get(table);
  f.get(vcpu).mem(Op.f64_load, State.fetchHpa).op(Op.i32_trunc_f64_u).i32(RAM_FIRST).op(Op.i32_add);
  f.get(offset).i32(RUN).call(decodeRun).tee(run).i32(0xffff).op(Op.i32_and).set(at);
  f.get(run).i32(24).op(Op.i32_shr_u).i32(DecodeRun.done).op(Op.i32_eq).if().i32(1).op(Op.return).end();
  f.get(at).get(offset).op(Op.i32_eq);
  refuseIf();
  // A part of the run: what comes behind it is looked for when control gets there.
  f.i32(0).mem(Op.i32_load, Arena.top).set(top);
  for (let n = 0; n < WORDS; n++) {
    f.get(top);
    if (n === OFFSETS_WORD) f.get(at).i32(0x10001).op(Op.i32_mul).op(Op.i64_extend_i32_u);
    else f.i32(0).mem(Op.i64_load, Arena.linkRecord + n * 8);
    f.mem(Op.i64_store, n * 8);
  }
  f.i32(0).get(top).i32(Rec.bytes).op(Op.i32_add).mem(Op.i32_store, Arena.top);
  f.i32(1).op(Op.return);
  f.op(Op.unreachable);
  return f;
}
