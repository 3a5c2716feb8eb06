/**
 * Generates the interpreter: one WebAssembly function, a loop around a br_table over the hot handlers, with the rare ones behind
 * call_indirect; both lowered from the same programs.
 */
import { type Handler as ShapeHandler, allHandlers, traceProgram } from '../isa/shapes';
import type { Row } from '../isa/row';
import { State, TlbEntry } from '../spec/vcpu-state';
import { decodeHereFunction, decodeRunFunction } from './decode-run';
import { arithmeticFlagsFunction } from './flags';
import { type Continuation, type InterpreterFunctions, type LowerContext, Lowering } from './lower';
import { Exit, Handler, Rec } from './record';
import { FunctionBody, I32, I64, type FunctionType, Op, encodeModule } from './wasm';

/** Imports: slow memory access, commit of a slow store, computations. See cpu/callbacks. */
export interface InterpreterImports {
  slowAccess(base: number, packed: number): number;
  /** Likewise at an offset of a segment (bits 27:24 of `packed`). */
  segmentedAccess(base: number, packed: number): number;
  /** Many iterations of REP MOVS or STOS at once; 0: none. See cpu/string-runs. */
  stringRun(base: number, packed: number): number;
  commitStore(base: number, slot: number): void;
  compute(base: number, name: number): number;
  /** The system instruction of a record, where it can be carried out in passing: 1 done, 0 nothing has happened (Exit.system). */
  inPassing(base: number, record: number): number;
}
export interface InterpreterExports {
  /** Runs from State.rip for at most State.budget steps; returns an Exit code. */
  enter(base: number, start: number): number;
  arithmeticFlags(base: number): number;
  /** See codegen/decode-run. */
  decodeRun(root: number, table: number, origin: number, offset: number, left: number): number;
  /** Cold handlers, then compiled regions. */
  readonly table: WebAssembly.Table;
}
export interface InterpreterModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Handler number by shape key. */
  readonly handlers: ReadonlyMap<string, number>;
  readonly hotCount: number;
  /** First element of the function table for compiled regions. */
  readonly firstRegion: number;
}

const types: FunctionType[] = [
  { parameters: [I32, I32], results: [I32] },
  { parameters: [I32, I32], results: [] },
  { parameters: [I32], results: [I32] },
  { parameters: [I32, I32, I32, I32, I32], results: [I32] },
  { parameters: [I32, I32, I32], results: [I32] },
];
/** What a cold handler returns: 0 next, 1 again, 2 jump to State.rip, 16 + Exit code. */
const Cold = { next: 0, again: 1, jump: 2, exit: 16 } as const;
/** Elements of the function table that compiled regions may take, after the cold handlers. */
export const REGION_ELEMENTS = 8192;

/** Which shapes stand in the hot function: what compilers emit all the time. */
function isHot(h: ShapeHandler): boolean {
  const { name } = h.body;
  if (h.shape.segmented) return false;
  const { size, operands, rep } = h.shape;
  if (['ADD', 'SUB', 'AND', 'OR', 'XOR', 'CMP', 'TEST', 'MOV'].includes(name)) return size !== 2;
  if (['MOVZX', 'MOVSX'].includes(name)) return size >= 4;
  if (['LEA', 'IMUL2', 'INC', 'DEC', 'NEG', 'NOT', 'ADC', 'SBB', 'SHL', 'SHR', 'SAR', 'ROL', 'ROR'].includes(name))
    return size >= 4 && operands[0] === 'r';
  if (['PUSH', 'POP', 'CALL', 'CALLI', 'RET', 'JMPI', 'JMP', 'Jcc', 'LEAVE', 'NOP', 'NOPM', 'CWD', 'CBW'].includes(name))
    return h.shape.stack === 8 && h.shape.code64;
  if (name === 'CMOV') return size >= 4 && operands[1] === 'r';
  if (name === 'SETcc') return operands[0] === 'r';
  return (name === 'MOVS' || name === 'STOS') && rep !== 0 && h.shape.address === 8;
}

const isRepeatedStore = (h: ShapeHandler): boolean => (h.body.name === 'MOVS' || h.body.name === 'STOS') && h.shape.rep !== 0;

export function buildInterpreter(rows: readonly Row[]): InterpreterModule {
  const all = [...allHandlers(rows).values()];
  const hot = all.filter(isHot);
  const cold = all.filter((h) => !isHot(h));
  const handlers = new Map<string, number>();
  [...hot, ...cold].forEach((h, i) => handlers.set(h.key, Handler.first + i));
  const hotCount = Handler.first + hot.length;

  // Function index space: imports 0..5, then flags, enter, cold handlers.
  const functions: InterpreterFunctions = { slowAccess: 0, commitStore: 1, compute: 2, segmentedAccess: 3, arithmeticFlags: 6 };
  const [stringRun, inPassing] = [4, 5];
  const bodies = cold.map((h) => coldFunction(h, functions));
  const firstBody = functions.arithmeticFlags + 2;
  const decodeRun = firstBody + bodies.length;
  const bytes = encodeModule({
    types,
    imports: [
      { name: 'slowAccess', type: 0 },
      { name: 'commitStore', type: 1 },
      { name: 'compute', type: 0 },
      { name: 'segmentedAccess', type: 0 },
      { name: 'stringRun', type: 0 },
      { name: 'inPassing', type: 0 },
    ],
    functions: [
      { type: 2, body: arithmeticFlagsFunction(), export: 'arithmeticFlags' },
      { type: 0, body: hotFunction(hot, functions, hotCount, { stringRun, inPassing, decodeHere: decodeRun + 1 }), export: 'enter' },
      ...bodies.map((body) => ({ type: 0, body })),
      { type: 3, body: decodeRunFunction(), export: 'decodeRun' },
      { type: 4, body: decodeHereFunction(decodeRun) },
    ],
    table: bodies.map((_, i) => firstBody + i),
    tableSize: bodies.length + REGION_ELEMENTS,
    exportTable: 'table',
  });
  return { bytes, handlers, hotCount, firstRegion: bodies.length };
}

/** One rare shape as a function (vcpu, pc) → Cold. */
function coldFunction(h: ShapeHandler, functions: InterpreterFunctions): FunctionBody {
  const f = new FunctionBody(2);
  const context = f.local(I64);
  f.get(0).mem(Op.i64_load, State.contextData).set(context);
  const leave = (code: number): void => {
    f.i32(code).op(Op.return);
  };
  const ip = f.local(I64);
  const to: Continuation = {
    next: () => leave(Cold.next),
    again: () => leave(Cold.again),
    exit: (code) => leave(Cold.exit + code),
    jump: () => {
      f.set(ip).get(0).get(ip).mem(Op.i64_store, State.rip);
      leave(Cold.jump);
    },
    branch: (refuse) => {
      f.get(0).mem(Op.i64_load, State.pageIp).get(1).mem(Op.i64_load, Rec.immediate).op(Op.i64_add).set(ip);
      refuse(ip);
      f.get(0).get(ip).mem(Op.i64_store, State.rip);
      leave(Cold.jump);
    },
  };
  new Lowering({ f, vcpu: 0, pc: 1, context, functions, to, pool: { i32: [], i64: [] } }).program(traceProgram(h));
  f.op(Op.unreachable);
  return f;
}

function hotFunction(
  hot: readonly ShapeHandler[],
  functions: InterpreterFunctions,
  hotCount: number,
  { stringRun, inPassing, decodeHere }: { readonly stringRun: number; readonly inPassing: number; readonly decodeHere: number },
): FunctionBody {
  const f = new FunctionBody(2);
  const [vcpu, pc] = [0, 1];
  const [budget, table, code, entry, handler, count] = [0, 1, 2, 3, 4, 5].map(() => f.local(I32));
  const [context, ip, page, linear] = [0, 1, 2, 3].map(() => f.local(I64));

  f.get(vcpu).mem(Op.i32_load, State.budget).set(budget);
  f.get(vcpu).mem(Op.i32_load, State.codeTable).set(table);
  f.get(vcpu).mem(Op.i64_load, State.contextData).set(context);

  const to: Continuation = {
    next: () => f.get(pc).i32(Rec.bytes).op(Op.i32_add).set(pc).br('L'),
    again: () => f.br('L'),
    exit: (c) => f.i32(c).set(code).br('UNDONE'),
    jump: () => f.set(ip).br('GOTO'),
    branch: (refuse) => {
      // Targets in the same page need no look-up but the page's table.
      f.get(pc).mem(Op.i64_load, Rec.immediate).tee(ip).i64(4096n).op(Op.i64_lt_u).if();
      recordAt(ip);
      f.tee(entry).if();
      f.get(entry).set(pc);
      countEntry();
      f.get(count).brIf('L');
      f.get(vcpu).mem(Op.i64_load, State.pageIp).get(ip).op(Op.i64_add).set(ip);
      leaveAt(Exit.hot);
      f.end().end();
      f.get(ip).get(vcpu).mem(Op.i64_load, State.pageIp).op(Op.i64_add).set(ip);
      refuse(ip);
      f.br('GOTO');
    },
  };
  const context0: LowerContext = { f, vcpu, pc, context, functions, to, pool: { i32: [], i64: [] } };
  const giveBack = (): void => {
    f.get(budget).i32(1).op(Op.i32_add).set(budget);
  };

  const special: Record<number, () => void> = {
    [Handler.goto]: () => {
      giveBack();
      f.get(vcpu).mem(Op.i64_load, State.rip).set(ip).br('GOTO');
    },
    [Handler.link]: () => {
      giveBack();
      f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).set(ip).br('GOTO');
    },
    [Handler.breakpoint]: () => to.exit(Exit.breakpoint),
    [Handler.system]: () => {
      // The last step of a slice, and a single one, goes the long way: something may be asked for behind it.
      f.get(budget).if();
      f.get(vcpu).get(pc).call(inPassing).if();
      // A run of records ends with a system instruction.
      f.get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.nextOffset).op(Op.i64_add).set(ip).br('GOTO');
      f.end().end();
      to.exit(Exit.system);
    },
    [Handler.cross]: () => to.exit(Exit.cross),
    [Handler.region]: () => {
      giveBack();
      f.loop('R');
      f.get(budget)
        .get(pc)
        .mem(Op.i32_load16_u, Rec.region + 2)
        .op(Op.i32_lt_s)
        .if();
      // Too few steps are left for the region's longest way to its next check: interpret, or, come from another region with none left, stop.
      f.get(budget).op(Op.i32_eqz).brIf('GOTO');
      f.get(budget).i32(1).op(Op.i32_sub).set(budget);
      to.exit(Exit.short);
      f.end();
      f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
      f.get(vcpu).get(pc).get(pc).mem(Op.i32_load16_u, Rec.region).callIndirect(0).set(code);
      f.get(vcpu).mem(Op.i32_load, State.budget).set(budget);
      f.get(vcpu).mem(Op.i64_load, State.rip).set(ip);
      f.get(code).if();
      f.get(code).op(Op.return).end();
      // From region to region in the same page without the long way round.
      f.get(ip).i64(-4096n).op(Op.i64_and).get(vcpu).mem(Op.i64_load, State.fetchPage).op(Op.i64_ne).brIf('GOTO');
      recordAt(ip);
      f.tee(entry).op(Op.i32_eqz).brIf('GOTO');
      f.get(entry).mem(Op.i32_load16_u, Rec.handler).i32(Handler.region).op(Op.i32_ne).brIf('GOTO');
      f.get(entry).set(pc).br('R').end();
      f.op(Op.unreachable);
    },
    [Handler.address64]: () => address(true),
    [Handler.address32]: () => address(false),
  };
  /** Address records put the linear address of an operand with a segment base or 32-bit wrap-around into State.eaTemp for the next record. */
  function address(wide: boolean): void {
    f.get(vcpu);
    new Lowering(context0).expr({ op: 'ea', type: 'i64' });
    f.get(pc).mem(Op.i64_load, Rec.immediate).op(Op.i64_and);
    f.get(vcpu).get(pc).mem(Op.i32_load16_u, Rec.operand).op(Op.i32_add).mem(Op.i64_load, 0).op(Op.i64_add);
    if (!wide) f.i64(0xffffffffn).op(Op.i64_and);
    f.mem(Op.i64_store, State.eaTemp);
    giveBack();
    to.next();
  }

  f.loop('L');
  f.block('GOTO').block('DONE').block('UNDONE');
  // Every handler is entered with one step taken off the budget.
  f.get(budget).i32(1).op(Op.i32_sub).tee(budget).i32(0).op(Op.i32_lt_s).if();
  f.i32(0).set(budget);
  f.get(vcpu).get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).mem(Op.i64_store, State.rip); // prettier-ignore
  f.i32(Exit.budget).set(code).br('DONE').end();

  const labels = Array.from({ length: hotCount }, (_, i) => `h${i}`);
  f.block('cold');
  for (let i = hotCount - 1; i >= 0; i--) f.block(labels[i]);
  f.get(pc).mem(Op.i32_load16_u, Rec.handler).tee(handler).brTable(labels, 'cold');
  for (let i = 0; i < hotCount; i++) {
    f.end();
    if (i in special) special[i]();
    else if (i < Handler.first) f.op(Op.unreachable);
    else {
      const h = hot[i - Handler.first];
      if (isRepeatedStore(h)) manyIterations(h);
      new Lowering(context0).program(traceProgram(h));
    }
  }
  f.end();
  // A cold handler: its function says how to go on.
  f.get(vcpu).get(pc).get(handler).i32(hotCount).op(Op.i32_sub).callIndirect(0).tee(code).op(Op.i32_eqz).if();
  to.next();
  f.end();
  f.get(code).i32(Cold.again).op(Op.i32_eq).if().br('L').end();
  f.get(code).i32(Cold.jump).op(Op.i32_eq).if();
  f.get(vcpu).mem(Op.i64_load, State.rip).set(ip).br('GOTO').end();
  f.get(code).i32(Cold.exit).op(Op.i32_sub).set(code);

  f.end(); // UNDONE: the instruction at pc did not happen
  giveBack();
  f.get(vcpu).get(vcpu).mem(Op.i64_load, State.pageIp).get(pc).mem(Op.i64_load16_u, Rec.offset).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).mem(Op.i64_store, State.rip); // prettier-ignore
  f.end(); // DONE
  f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
  f.get(vcpu).get(pc).mem(Op.i32_store, State.exitRecord);
  f.get(code).op(Op.return);

  f.end(); // GOTO: to the IP in `ip`; `linear` is its linear address
  f.get(ip).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).tee(ip);
  f.get(vcpu).mem(Op.i64_load, State.csBase).op(Op.i64_add).get(vcpu).mem(Op.i64_load, State.ipMask).op(Op.i64_and).tee(linear).i64(-4096n).op(Op.i64_and).tee(page); // prettier-ignore
  f.get(vcpu).mem(Op.i64_load, State.fetchPage).op(Op.i64_ne).if();
  // With the steps made the page stays the old one: whether the new one's table is known here is no state of the machine.
  f.get(budget).op(Op.i32_eqz).if();
  leaveAt(Exit.budget);
  f.end();
  f.get(linear).op(Op.i32_wrap_i64).i32(7).op(Op.i32_shr_u).i32((TlbEntry.count - 1) * TlbEntry.stride).op(Op.i32_and).get(vcpu).op(Op.i32_add).tee(entry); // prettier-ignore
  f.mem(Op.i64_load, State.tlb + TlbEntry.fetch);
  f.get(page).get(vcpu).mem(Op.i64_load, State.contextFetch).op(Op.i64_or).op(Op.i64_ne);
  f.get(entry)
    .mem(Op.i32_load, State.tlb + TlbEntry.code)
    .op(Op.i32_eqz)
    .op(Op.i32_or)
    .if();
  leaveAt(Exit.fetch);
  f.end();
  f.get(entry)
    .mem(Op.i32_load, State.tlb + TlbEntry.code)
    .set(table);
  f.get(vcpu).get(table).mem(Op.i32_store, State.codeTable);
  f.get(vcpu).get(page).mem(Op.i64_store, State.fetchPage);
  f.get(vcpu).get(page).get(vcpu).mem(Op.i64_load, State.csBase).op(Op.i64_sub).mem(Op.i64_store, State.pageIp);
  // tlbPage holds the host-physical page beside each entry: 8 bytes for every 32
  f.get(vcpu);
  f.get(entry).get(vcpu).op(Op.i32_sub).i32(2).op(Op.i32_shr_u).get(vcpu).op(Op.i32_add).mem(Op.i64_load, State.tlbPage).mem(Op.i64_store, State.fetchHpa); // prettier-ignore
  f.end();
  f.get(table).op(Op.i32_eqz).if();
  leaveAt(Exit.decode);
  f.end();
  recordAt(linear);
  f.tee(entry).op(Op.i32_eqz).if();
  f.get(vcpu).get(table).get(linear).op(Op.i32_wrap_i64).i32(0xfff).op(Op.i32_and).call(decodeHere).op(Op.i32_eqz).if();
  leaveAt(Exit.decode);
  f.end();
  recordAt(linear);
  f.set(entry);
  f.end();
  f.get(entry).set(pc);
  countEntry();
  f.get(count).brIf('L');
  leaveAt(Exit.hot);
  f.end();
  f.op(Op.unreachable);
  return f;

  /** REP MOVS and STOS with something left to do: as many iterations at once as can be made (cpu/string-runs). */
  function manyIterations(h: ShapeHandler): void {
    const log2 = h.shape.size === 8 ? 3 : h.shape.size >> 1;
    f.get(vcpu)
      .mem(Op.i64_load, State.gpr + 8)
      .i64(8n)
      .op(Op.i64_gt_u)
      .if();
    f.get(vcpu).get(budget).i32(1).op(Op.i32_add).mem(Op.i32_store, State.budget);
    f.get(vcpu)
      .get(pc)
      .i32((log2 << 27) | (h.body.name === 'MOVS' ? 1 << 26 : 0))
      .op(Op.i32_or)
      .call(stringRun)
      .tee(count)
      .if();
    // One of these steps has been taken off the budget already.
    f.get(budget).i32(1).op(Op.i32_add).get(count).op(Op.i32_sub).set(budget);
    f.get(vcpu)
      .mem(Op.i64_load, State.gpr + 8)
      .i64(0n)
      .op(Op.i64_ne)
      .brIf('L');
    to.next();
    f.end().end();
  }

  /** Pushes the pointer to the record that the page's table has for an address, 0: none. */
  function recordAt(address: number): void {
    f.get(address).op(Op.i32_wrap_i64).tee(entry).i32(4).op(Op.i32_shr_u).i32(0xfc).op(Op.i32_and).get(table).op(Op.i32_add).mem(Op.i32_load, 0); // prettier-ignore
    f.get(entry).i32(2).op(Op.i32_shl).i32(0xfc).op(Op.i32_and).op(Op.i32_add).mem(Op.i32_load, 0);
  }

  /** Counts a branch to the record at pc; `count` is 0 when it has become hot. */
  function countEntry(): void {
    f.get(pc).get(pc).mem(Op.i32_load, Rec.counter).i32(1).op(Op.i32_sub).tee(count).mem(Op.i32_store, Rec.counter);
  }

  function leaveAt(exit: number): void {
    f.get(vcpu).get(ip).mem(Op.i64_store, State.rip);
    f.get(vcpu).get(budget).mem(Op.i32_store, State.budget);
    f.i32(exit).op(Op.return);
  }
}
