/** Near control transfer and string instructions (SDM volume 2): Jcc JMP CALL RET LOOP JrCXZ, MOVS STOS LODS SCAS CMPS XLAT. */
import { type Expr, FlagKind, type Size, bin, c32, c64, select, un, zx } from '../ir';
import type { Semantics } from '../semantics';
import { type Body, type Row, body, row, sized } from '../row';
import { Flag, Seg, State } from '../../spec/vcpu-state';
import { pop, push } from './moves';

const RCX = 1;
const RSI = 6;
const RDI = 7;
const GP = 13;

/** Near targets outside the canonical range fault at the branch itself. */
function checkTarget(s: Semantics, target: Expr): Expr {
  if (!s.shape.code64) {
    const near = s.let(zx(s.size, target));
    if (s.shape.segmented) s.checkCodeLimit(near);
    return near;
  }
  const t = s.let(target);
  s.fault(s.isNotCanonical(t), GP, 0);
  return t;
}

const jcc = body(
  'Jcc',
  (s) => {
    const taken = s.condition(s.shape.parameter);
    s.checkBranch(taken);
    s.branch(taken);
  },
  'parameter',
  'segmented',
);
const jmp = body(
  'JMP',
  (s) => {
    s.checkBranch();
    s.branch();
  },
  'segmented',
);
const jmpIndirect = body('JMPI', (s) => s.jump(checkTarget(s, s.value(0))), 'code64', 'segmented');
const call = body(
  'CALL',
  (s) => {
    s.checkBranch();
    s.checkCanonicalBranch();
    push(s, zx(s.size, s.nextIp()));
    s.branch();
  },
  'stack',
  'code64',
);
const callIndirect = body(
  'CALLI',
  (s) => {
    const target = checkTarget(s, s.let(s.value(0)));
    push(s, zx(s.size, s.nextIp()));
    s.jump(target);
  },
  'stack',
  'code64',
);
const ret = body(
  'RET',
  (s) => {
    const top = pop(s);
    const target = s.let(checkTarget(s, top.value));
    top.setSp(s.shape.operands.length > 0 ? bin('and', s.immediate(), c64(0xffff)) : undefined);
    s.jump(target);
  },
  'stack',
  'code64',
);
const decrementCounter = (s: Semantics): Expr => s.let(zx(s.shape.address, bin('sub', s.gpr(RCX, s.shape.address), c64(1))));
/** LOOP, LOOPE (parameter 1), LOOPNE (parameter 0); parameter 2: no flag. */
const loop = body(
  'LOOP',
  (s) => {
    const count = decrementCounter(s);
    let taken: Expr = bin('ne', count, c64(0));
    if (s.shape.parameter < 2) taken = bin('and', taken, s.condition(s.shape.parameter === 1 ? 4 : 5));
    const t = s.let(taken);
    s.checkBranch(t);
    s.checkCanonicalBranch(t);
    s.setGpr(RCX, count, s.shape.address);
    s.branch(t);
  },
  'address',
  'parameter',
  'segmented',
);
const jrcxz = body(
  'JRCXZ',
  (s) => {
    const taken = s.let(un('eqz', s.gpr(RCX, s.shape.address)));
    s.checkBranch(taken);
    s.branch(taken);
  },
  'address',
  'segmented',
);

// String instructions: one iteration; REP repeats the instruction, each iteration a step -----------------------------------
const masked = (s: Semantics, e: Expr): Expr => zx(s.shape.address, e);
const stringBody = (name: string, iteration: (s: Semantics, size: Size) => void): Body =>
  body(
    name,
    (s) => {
      if (s.shape.rep !== 0) s.retireIf(un('eqz', s.gpr(RCX, s.shape.address)));
      iteration(s, s.size);
    },
    'address',
    'rep',
    'segmented',
  );
const step = (s: Semantics): Expr => s.let(select(bin('and', s.state(State.systemFlags), c32(Flag.DF)), c64(-s.size), c64(s.size)));
const source = (s: Semantics): Expr => s.gpr(RSI, s.shape.address);
const destination = (s: Semantics): Expr => s.gpr(RDI, s.shape.address);
/** In flat shapes the record's memory operand holds the base of the source segment. */
const inSourceSegment = (s: Semantics, address: Expr): Expr =>
  s.shape.segmented ? address : bin('add', { op: 'ea', type: 'i64' }, address);
const advance = (s: Semantics, register: number, from: Expr, by: Expr): void =>
  s.setGpr(register, masked(s, bin('add', from, by)), s.shape.address);
function repeat(s: Semantics, whileEqual?: Expr): void {
  if (s.shape.rep === 0) return;
  const count = decrementCounter(s);
  s.setGpr(RCX, count, s.shape.address);
  const more = bin('ne', count, c64(0));
  s.again(whileEqual === undefined ? more : bin('and', more, s.shape.rep === 0xf3 ? whileEqual : un('eqz', whileEqual)));
}
const movs = stringBody('MOVS', (s, size) => {
  const by = step(s);
  const si = source(s);
  const di = destination(s);
  const v = s.read(s.access(inSourceSegment(s, si), size, 'r'), size);
  const dst = s.access(di, size, 'w', Seg.es);
  advance(s, RSI, si, by);
  advance(s, RDI, di, by);
  s.write(dst, v);
  repeat(s);
});
const stos = stringBody('STOS', (s, size) => {
  const by = step(s);
  const di = destination(s);
  const v = s.gpr(0, size);
  const dst = s.access(di, size, 'w', Seg.es);
  advance(s, RDI, di, by);
  s.write(dst, v);
  repeat(s);
});
const lods = stringBody('LODS', (s, size) => {
  const by = step(s);
  const si = source(s);
  const v = s.read(s.access(inSourceSegment(s, si), size, 'r'), size);
  advance(s, RSI, si, by);
  s.setGpr(0, v, size);
  repeat(s);
});
const scas = stringBody('SCAS', (s, size) => {
  const by = step(s);
  const di = destination(s);
  const v = s.read(s.access(di, size, 'r', Seg.es), size);
  const a = s.gpr(0, size);
  const equal = s.let(bin('eq', a, v));
  s.flags(FlagKind.sub, a, v);
  advance(s, RDI, di, by);
  repeat(s, equal);
});
const cmps = stringBody('CMPS', (s, size) => {
  const by = step(s);
  const si = source(s);
  const di = destination(s);
  const a = s.read(s.access(inSourceSegment(s, si), size, 'r'), size);
  const b = s.read(s.access(di, size, 'r', Seg.es), size);
  const equal = s.let(bin('eq', a, b));
  s.flags(FlagKind.sub, a, b);
  advance(s, RSI, si, by);
  advance(s, RDI, di, by);
  repeat(s, equal);
});
const xlat = body(
  'XLAT',
  (s) => {
    const address = masked(s, bin('add', s.gpr(3, s.shape.address), s.gpr(0, 1)));
    s.setGpr(0, s.read(s.access(inSourceSegment(s, address), 1, 'r'), 1), 1);
  },
  'address',
  'segmented',
);

const conditions = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
/** Near transfers by register, memory or stack: 64-bit in 64-bit code, else 32 or 16. */
const nearSized = (opcode: string, instruction: string, by: Body): Row[] =>
  sized(opcode, instruction, by, { in64: 'always64' }).map((r) => (r.operandSize === 8 ? r : { ...r, only: 32 }));
/** Near branches: 32-bit offsets (64-bit IP in 64-bit code); 16-bit ones outside 64-bit code with a 16-bit operand size. */
const branch = (opcode: string, instruction: string, by: Body, parameter = 0): Row[] => [
  row(opcode, instruction, by, { operandSize: 4, only: 32, parameter }),
  row(opcode, instruction, by, { operandSize: 8, only: 64, in64: 'always64', parameter }),
  row(opcode.replace('cd', 'cw'), instruction.replace('rel32', 'rel16'), by, { operandSize: 2, only: 32, parameter }),
];
const strings = (opcode: number, mnemonic: string, by: Body, kind: 'rep' | 'repe'): Row[] => [
  row(hex(opcode), `${mnemonic}B`, by, { string: kind }),
  ...sized(hex(opcode + 1), `${mnemonic}#`, by, { string: kind }),
];

export const controlRows: readonly Row[] = [
  ...conditions.flatMap((c, n) => [
    ...branch(`${hex(0x70 + n)} cb`, `J${c} rel8`, jcc, n),
    ...branch(`0F ${hex(0x80 + n)} cd`, `J${c} rel32`, jcc, n),
  ]),
  ...branch('EB cb', 'JMP rel8', jmp),
  ...branch('E9 cd', 'JMP rel32', jmp),
  ...branch('E8 cd', 'CALL rel32', call),
  ...nearSized('FF /4', 'JMP r/m#', jmpIndirect),
  ...nearSized('FF /2', 'CALL r/m#', callIndirect),
  ...nearSized('C3', 'RET', ret),
  ...nearSized('C2 iw', 'RET imm16', ret),
  ...branch('E0 cb', 'LOOPNE rel8', loop, 0),
  ...branch('E1 cb', 'LOOPE rel8', loop, 1),
  ...branch('E2 cb', 'LOOP rel8', loop, 2),
  ...branch('E3 cb', 'JRCXZ rel8', jrcxz),
  ...strings(0xa4, 'MOVS', movs, 'rep'),
  ...strings(0xaa, 'STOS', stos, 'rep'),
  ...strings(0xac, 'LODS', lods, 'rep'),
  ...strings(0xae, 'SCAS', scas, 'repe'),
  ...strings(0xa6, 'CMPS', cmps, 'repe'),
  row('D7', 'XLATB', xlat),
];
