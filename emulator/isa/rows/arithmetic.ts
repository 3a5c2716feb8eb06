/** Binary arithmetic and logic (SDM volume 2): ADD … TEST, INC, DEC, NEG, NOT, MUL, IMUL, DIV, IDIV, decimal adjustment. */
import { type BinaryOp, ComputeName, type Expr, FlagKind, type Size, bin, c32, c64, maskOf, select, sx, un, zx } from '../ir';
import type { Semantics } from '../semantics';
import { type Body, type Row, body, row, sized } from '../row';
import { Flag } from '../../spec/vcpu-state';

const addSub = (name: string, op: 'add' | 'sub'): Body =>
  body(name, (s) => {
    const dst = s.location(0, 'rw');
    const b = s.value(1);
    const a = s.read(dst);
    const r = s.let(zx(s.size, bin(op, a, b)));
    s.flags(op === 'add' ? FlagKind.add : FlagKind.sub, a, b);
    s.write(dst, r);
  });
const withCarry = (name: string, op: 'add' | 'sub'): Body =>
  body(name, (s) => {
    const dst = s.location(0, 'rw');
    const b = s.value(1);
    const a = s.read(dst);
    const c = s.let(s.carry());
    const r = s.let(zx(s.size, bin(op, bin(op, a, b), c)));
    if (op === 'add') s.carryFlags(FlagKind.adc, FlagKind.add, c, a, b);
    else s.carryFlags(FlagKind.sbb, FlagKind.sub, c, a, b);
    s.write(dst, r);
  });
const logic = (name: string, op: BinaryOp): Body =>
  body(name, (s) => {
    const dst = s.location(0, 'rw');
    const b = s.value(1);
    const r = s.let(bin(op, s.read(dst), b));
    s.logicFlags(r);
    s.write(dst, r);
  });
const cmp = body('CMP', (s) => {
  const a = s.value(0);
  const b = s.value(1);
  s.flags(FlagKind.sub, a, b);
});
const test = body('TEST', (s) => {
  const a = s.value(0);
  const b = s.value(1);
  s.logicFlags(s.let(bin('and', a, b)));
});

function alu(mnemonic: string, base: number, digit: number, by: Body, lock = true): Row[] {
  const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
  const l = { lock };
  return [
    row(`${hex(base)} /r`, `${mnemonic} r/m8, r8`, by, l),
    ...sized(`${hex(base + 1)} /r`, `${mnemonic} r/m#, r#`, by, l),
    row(`${hex(base + 2)} /r`, `${mnemonic} r8, r/m8`, by),
    ...sized(`${hex(base + 3)} /r`, `${mnemonic} r#, r/m#`, by),
    row(`${hex(base + 4)} ib`, `${mnemonic} AL, imm8`, by),
    ...sized(`${hex(base + 5)} i#`, `${mnemonic} rAX#, imm#`, by),
    row(`80 /${digit} ib`, `${mnemonic} r/m8, imm8`, by, l),
    row(`82 /${digit} ib`, `${mnemonic} r/m8, imm8`, by, { lock, only: 32 }),
    ...sized(`81 /${digit} i#`, `${mnemonic} r/m#, imm#`, by, l),
    ...sized(`83 /${digit} ib`, `${mnemonic} r/m#, imm8`, by, l),
  ];
}

const incDec = (name: string, op: 'add' | 'sub', kind: number): Body =>
  body(name, (s) => {
    const dst = s.location(0, 'rw');
    const a = s.read(dst);
    const c = s.let(s.carry());
    const r = s.let(zx(s.size, bin(op, a, c64(1))));
    s.flags(kind, r, c);
    s.write(dst, r);
  });
const inc = incDec('INC', 'add', FlagKind.inc);
const dec = incDec('DEC', 'sub', FlagKind.dec);
const neg = body('NEG', (s) => {
  const dst = s.location(0, 'rw');
  const a = s.read(dst);
  s.flags(FlagKind.sub, c64(0), a);
  s.write(dst, zx(s.size, bin('sub', c64(0), a)));
});
const not = body('NOT', (s) => {
  const dst = s.location(0, 'rw');
  s.write(dst, zx(s.size, bin('xor', s.read(dst), c64(-1))));
});

/** CF = OF = `overflow` (i32); the flags that the manual leaves undefined follow the result's low part. */
function productFlags(s: Semantics, low: Expr, overflow: Expr): void {
  s.explicitFlags(bin('or', s.resultFlags(low), select(overflow, c32(Flag.CF | Flag.OF), c32(0))));
}
const mul = body('MUL', (s) => {
  const b = s.value(0);
  const a = s.gpr(0, s.size);
  if (s.size === 8) {
    const low = s.let(bin('mul', a, b));
    const high = s.mulHighUnsigned(a, b);
    s.setGpr(0, low);
    s.setGpr(2, high);
    productFlags(s, low, bin('ne', high, c64(0)));
  } else {
    const p = s.let(bin('mul', a, b));
    const high = s.let(bin('shr_u', p, c64(s.bits)));
    writeProduct(s, p, high);
    productFlags(s, p, bin('ne', zx(s.size, high), c64(0)));
  }
});
function writeProduct(s: Semantics, product: Expr, high: Expr): void {
  if (s.size === 1) s.setGpr(0, product, 2);
  else {
    s.setGpr(0, zx(s.size, product), s.size);
    s.setGpr(2, zx(s.size, high), s.size);
  }
}
const imul1 = body('IMUL1', (s) => {
  const b = s.value(0);
  const a = s.gpr(0, s.size);
  if (s.size === 8) {
    const low = s.let(bin('mul', a, b));
    const high = s.mulHighSigned(a, b);
    s.setGpr(0, low);
    s.setGpr(2, high);
    productFlags(s, low, bin('ne', high, bin('shr_s', low, c64(63))));
  } else {
    const p = s.let(bin('mul', sx(s.size, a), sx(s.size, b)));
    writeProduct(s, p, bin('shr_u', p, c64(s.bits)));
    productFlags(s, p, bin('ne', p, sx(s.size, p)));
  }
});
/** Two and three operand forms: the factors are the last two operands. */
const imul2 = body('IMUL2', (s) => {
  const three = s.shape.operands.length === 3;
  const a = s.value(three ? 1 : 0);
  const b = s.value(three ? 2 : 1);
  const dst = s.location(0, 'w');
  if (s.size === 8) {
    const low = s.let(bin('mul', a, b));
    const high = s.mulHighSigned(a, b);
    s.write(dst, low);
    productFlags(s, low, bin('ne', high, bin('shr_s', low, c64(63))));
  } else {
    const p = s.let(bin('mul', sx(s.size, a), sx(s.size, b)));
    s.write(dst, zx(s.size, p));
    productFlags(s, p, bin('ne', p, sx(s.size, p)));
  }
});

const DE = 0;
function divideNarrow(s: Semantics, signed: boolean): void {
  const size = s.size;
  const divisor = s.let(signed ? sx(size, s.value(0)) : s.value(0));
  let dividend: Expr;
  if (size === 1) dividend = s.gpr(0, 2);
  else dividend = bin('or', bin('shl', s.gpr(2, size), c64(s.bits)), s.gpr(0, size));
  const n = s.let(signed && size < 4 ? sx((size * 2) as Size, dividend) : dividend);
  s.fault(un('eqz', divisor), DE);
  if (signed) s.fault(bin('and', bin('eq', n, c64(-(1n << 63n))), bin('eq', divisor, c64(-1))), DE);
  const q = s.let(bin(signed ? 'div_s' : 'div_u', n, divisor));
  const r = s.let(bin(signed ? 'rem_s' : 'rem_u', n, divisor));
  s.fault(signed ? bin('ne', q, sx(size, q)) : bin('gt_u', q, c64(maskOf(size))), DE);
  if (size === 1) s.setGpr(0, bin('or', zx(1, q), bin('shl', zx(1, r), c64(8))), 2);
  else {
    s.setGpr(0, zx(size, q), size);
    s.setGpr(2, zx(size, r), size);
  }
}
function divideWide(s: Semantics, signed: boolean): void {
  const divisor = s.let(s.value(0));
  const low = s.gpr(0);
  const high = s.gpr(2);
  // Nearly every dividend fits 64 bits: then WebAssembly divides it.
  const fits = signed
    ? bin('and', bin('eq', high, bin('shr_s', low, c64(63))), bin('gt_u', bin('add', divisor, c64(1)), c64(1)))
    : bin('and', un('eqz', high), bin('ne', divisor, c64(0)));
  const [q, r] = s.compute(signed ? ComputeName.divS128 : ComputeName.divU128, [high, low, divisor], 2, DE, {
    condition: fits,
    values: [bin(signed ? 'div_s' : 'div_u', low, divisor), bin(signed ? 'rem_s' : 'rem_u', low, divisor)],
  });
  s.setGpr(0, q);
  s.setGpr(2, r);
}
const div = body('DIV', (s) => (s.size === 8 ? divideWide(s, false) : divideNarrow(s, false)));
const idiv = body('IDIV', (s) => (s.size === 8 ? divideWide(s, true) : divideNarrow(s, true)));

// Decimal adjustment (not in 64-bit mode) ------------------------------------------------------------------------------
const decimalAdjust = (name: string, op: 'add' | 'sub'): Body =>
  body(name, (s) => {
    const al = s.gpr(0, 1);
    const flags = s.arithmeticFlags();
    const af = bin('ne', bin('and', flags, c32(Flag.AF)), c32(0));
    const cf = bin('and', flags, c32(1));
    const lowAdjust = s.let(bin('or', bin('gt_u', bin('and', al, c64(15)), c64(9)), af));
    const highAdjust = s.let(bin('or', bin('gt_u', al, c64(0x99)), cf));
    const step1 = s.let(select(lowAdjust, bin(op, al, c64(6)), al));
    const r = s.let(zx(1, select(highAdjust, bin(op, step1, c64(0x60)), step1)));
    // DAS also reports the borrow of its first step.
    const borrow = op === 'sub' ? bin('and', lowAdjust, bin('lt_u', al, c64(6))) : c32(0);
    const cfOut = bin('or', highAdjust, borrow);
    s.explicitFlags(bin('or', s.resultFlags(r, 1), bin('or', s.at(lowAdjust, 4), cfOut)));
    s.setGpr(0, r, 1);
  });
const asciiAdjust = (name: string, op: 'add' | 'sub'): Body =>
  body(name, (s) => {
    const ax = s.gpr(0, 2);
    const af = bin('ne', bin('and', s.arithmeticFlags(), c32(Flag.AF)), c32(0));
    const adjust = s.let(bin('or', bin('gt_u', bin('and', ax, c64(15)), c64(9)), af));
    const adjusted = bin(op, ax, c64(0x106));
    const r = s.let(bin('and', select(adjust, adjusted, ax), c64(0xff0f)));
    s.explicitFlags(bin('or', s.resultFlags(r, 1), select(adjust, c32(Flag.AF | Flag.CF), c32(0))));
    s.setGpr(0, r, 2);
  });
const aam = body('AAM', (s) => {
  const base = s.value(0, 1);
  s.fault(un('eqz', base), DE);
  const al = s.gpr(0, 1);
  const low = s.let(bin('rem_u', al, base));
  const high = s.let(bin('div_u', al, base));
  s.explicitFlags(s.resultFlags(low, 1));
  s.setGpr(0, bin('or', low, bin('shl', high, c64(8))), 2);
});
const aad = body('AAD', (s) => {
  const base = s.value(0, 1);
  const ax = s.gpr(0, 2);
  const r = s.let(zx(1, bin('add', bin('and', ax, c64(0xff)), bin('mul', bin('shr_u', ax, c64(8)), base))));
  s.explicitFlags(s.resultFlags(r, 1));
  s.setGpr(0, r, 2);
});

const l = { lock: true };
export const arithmeticRows: readonly Row[] = [
  ...alu('ADD', 0x00, 0, addSub('ADD', 'add')),
  ...alu('OR', 0x08, 1, logic('OR', 'or')),
  ...alu('ADC', 0x10, 2, withCarry('ADC', 'add')),
  ...alu('SBB', 0x18, 3, withCarry('SBB', 'sub')),
  ...alu('AND', 0x20, 4, logic('AND', 'and')),
  ...alu('SUB', 0x28, 5, addSub('SUB', 'sub')),
  ...alu('XOR', 0x30, 6, logic('XOR', 'xor')),
  ...alu('CMP', 0x38, 7, cmp, false),
  row('84 /r', 'TEST r/m8, r8', test),
  ...sized('85 /r', 'TEST r/m#, r#', test),
  row('A8 ib', 'TEST AL, imm8', test),
  ...sized('A9 i#', 'TEST rAX#, imm#', test),
  row('F6 /0 ib', 'TEST r/m8, imm8', test),
  row('F6 /1 ib', 'TEST r/m8, imm8', test),
  ...sized('F7 /0 i#', 'TEST r/m#, imm#', test),
  ...sized('F7 /1 i#', 'TEST r/m#, imm#', test),
  row('FE /0', 'INC r/m8', inc, l),
  ...sized('FF /0', 'INC r/m#', inc, l),
  row('FE /1', 'DEC r/m8', dec, l),
  ...sized('FF /1', 'DEC r/m#', dec, l),
  row('40+rw', 'INC r16', inc, { only: 32, operandSize: 2 }),
  row('40+rd', 'INC r32', inc, { only: 32, operandSize: 4 }),
  row('48+rw', 'DEC r16', dec, { only: 32, operandSize: 2 }),
  row('48+rd', 'DEC r32', dec, { only: 32, operandSize: 4 }),
  row('F6 /2', 'NOT r/m8', not, l),
  ...sized('F7 /2', 'NOT r/m#', not, l),
  row('F6 /3', 'NEG r/m8', neg, l),
  ...sized('F7 /3', 'NEG r/m#', neg, l),
  row('F6 /4', 'MUL r/m8', mul),
  ...sized('F7 /4', 'MUL r/m#', mul),
  row('F6 /5', 'IMUL r/m8', imul1),
  ...sized('F7 /5', 'IMUL r/m#', imul1),
  ...sized('0F AF /r', 'IMUL r#, r/m#', imul2),
  ...sized('69 /r i#', 'IMUL r#, r/m#, imm#', imul2),
  ...sized('6B /r ib', 'IMUL r#, r/m#, imm8', imul2),
  row('F6 /6', 'DIV r/m8', div),
  ...sized('F7 /6', 'DIV r/m#', div),
  row('F6 /7', 'IDIV r/m8', idiv),
  ...sized('F7 /7', 'IDIV r/m#', idiv),
  row('27', 'DAA', decimalAdjust('DAA', 'add'), { only: 32 }),
  row('2F', 'DAS', decimalAdjust('DAS', 'sub'), { only: 32 }),
  row('37', 'AAA', asciiAdjust('AAA', 'add'), { only: 32 }),
  row('3F', 'AAS', asciiAdjust('AAS', 'sub'), { only: 32 }),
  row('D4 ib', 'AAM imm8', aam, { only: 32 }),
  row('D5 ib', 'AAD imm8', aad, { only: 32 }),
];
