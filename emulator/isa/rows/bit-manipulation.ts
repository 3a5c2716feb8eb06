/** Bit manipulation and multi-precision arithmetic (SDM volume 2): BMI1, BMI2, ADCX, ADOX, CRC32. The VEX forms do not change AF and PF where the manual leaves them undefined. */
import { type Expr, type Size, bin, c32, c64, select, sx, un, zx } from '../ir';
import type { Semantics } from '../semantics';
import { type Body, type Row, type RowAttributes, body, row } from '../row';
import { Flag } from '../../spec/vcpu-state';

const not = (e: Expr): Expr => bin('xor', e, c64(-1));
const writeFirst = (s: Semantics, value: Expr): void => s.setRegister({ operand: 0 }, s.size, value);

/** SF and ZF of a result with this CF; OF is cleared, AF and PF (undefined) stay. */
function bitFlags(s: Semantics, result: Expr, carry: Expr): void {
  const kept = bin('and', s.arithmeticFlags(), c32(Flag.AF | Flag.PF));
  const sf = s.at(bin('lt_s', sx(s.size, result), c64(0)), 7);
  s.explicitFlags(bin('or', bin('or', kept, bin('or', sf, s.at(un('eqz', result), 6))), carry));
}

// BMI1 ----------------------------------------------------------------------------------------------------------------
const andn = body('ANDN', (s) => {
  const r = s.let(bin('and', bin('xor', s.value(1), c64(-1)), s.value(2)));
  bitFlags(s, r, c32(0));
  writeFirst(s, r);
});
const bextr = body('BEXTR', (s) => {
  const source = s.value(1);
  const control = s.value(2);
  const start = s.let(bin('and', control, c64(0xff)));
  const length = s.let(bin('and', bin('shr_u', control, c64(8)), c64(0xff)));
  const shifted = select(bin('lt_u', start, c64(s.bits)), bin('shr_u', source, start), c64(0));
  const mask = select(bin('lt_u', length, c64(s.bits)), bin('sub', bin('shl', c64(1), length), c64(1)), c64(-1));
  const r = s.let(bin('and', shifted, mask));
  // SF is undefined with AF and PF; ZF follows the result.
  const kept = bin('and', s.arithmeticFlags(), c32(Flag.AF | Flag.PF | Flag.SF));
  s.explicitFlags(bin('or', kept, s.at(un('eqz', r), 6)));
  writeFirst(s, r);
});
const lowestBit = (name: string, value: (s: Semantics, a: Expr) => Expr, carryOfZero: boolean): Body =>
  body(name, (s) => {
    const a = s.let(s.value(1));
    const r = s.let(zx(s.size, value(s, a)));
    bitFlags(s, r, bin(carryOfZero ? 'eq' : 'ne', a, c64(0)));
    writeFirst(s, r);
  });
const blsi = lowestBit('BLSI', (_s, a) => bin('and', a, bin('sub', c64(0), a)), false);
const blsmsk = lowestBit('BLSMSK', (_s, a) => bin('xor', a, bin('sub', a, c64(1))), true);
const blsr = lowestBit('BLSR', (_s, a) => bin('and', a, bin('sub', a, c64(1))), true);

// BMI2 ----------------------------------------------------------------------------------------------------------------
const bzhi = body('BZHI', (s) => {
  const source = s.value(1);
  const index = s.let(bin('and', s.value(2), c64(0xff)));
  const inside = s.let(bin('lt_u', index, c64(s.bits)));
  const r = s.let(select(inside, bin('and', source, bin('sub', bin('shl', c64(1), index), c64(1))), source));
  bitFlags(s, r, un('eqz', inside));
  writeFirst(s, r);
});
const mulx = body('MULX', (s) => {
  const b = s.value(2);
  const a = s.gpr(2, s.size);
  const low = s.let(bin('mul', a, b));
  const high = s.size === 8 ? s.mulHighUnsigned(a, b) : s.let(bin('shr_u', low, c64(32)));
  // With one register named twice the high half remains.
  s.setRegister({ operand: 1 }, s.size, zx(s.size, low));
  s.setRegister({ operand: 0 }, s.size, high);
});
/**
 * For each power of two the bits that parallel extraction moves right by it, so that the bits under the mask come together at the bottom:
 * how far a bit moves is the number of zeros of the mask below it.
 */
function moves(s: Semantics, mask: Expr): Expr[] {
  let m = mask;
  let zerosBelow: Expr = s.let(bin('shl', not(mask), c64(1)));
  return [0, 1, 2, 3, 4, 5].map((n) => {
    let odd = zerosBelow;
    for (const shift of [1, 2, 4, 8, 16, 32]) odd = s.let(bin('xor', odd, bin('shl', odd, c64(shift))));
    const moved = s.let(bin('and', odd, m));
    m = s.let(bin('or', bin('xor', m, moved), bin('shr_u', moved, c64(1 << n))));
    zerosBelow = s.let(bin('and', zerosBelow, not(odd)));
    return moved;
  });
}
const pext = body('PEXT', (s) => {
  const source = s.value(1);
  const mask = s.let(s.value(2));
  let x: Expr = s.let(bin('and', source, mask));
  moves(s, mask).forEach((moved, n) => {
    const t = s.let(bin('and', x, moved));
    x = s.let(bin('or', bin('xor', x, t), bin('shr_u', t, c64(1 << n))));
  });
  writeFirst(s, x);
});
const pdep = body('PDEP', (s) => {
  const source = s.value(1);
  const mask = s.let(s.value(2));
  let x: Expr = source;
  for (const [n, moved] of [...moves(s, mask).entries()].reverse())
    x = s.let(bin('or', bin('and', x, not(moved)), bin('and', bin('shl', x, c64(1 << n)), moved)));
  writeFirst(s, bin('and', x, mask));
});
const rorx = body('RORX', (s) => {
  const a = s.value(1);
  const n = s.let(bin('and', s.immediate(), c64(s.bits - 1)));
  const rotated = s.size === 8 ? bin('rotr', a, n) : bin('or', bin('shr_u', a, n), bin('shl', a, bin('sub', c64(32), n)));
  writeFirst(s, zx(s.size, rotated));
});
const shiftX = (name: string, op: 'shl' | 'shr_u' | 'shr_s'): Body =>
  body(name, (s) => {
    const a = s.value(1);
    const n = s.let(bin('and', s.value(2), c64(s.bits - 1)));
    writeFirst(s, zx(s.size, bin(op, op === 'shr_s' ? sx(s.size, a) : a, n)));
  });

// ADX -----------------------------------------------------------------------------------------------------------------
/** Addition with one flag as carry in and out; the other flags stay. */
const addFlag = (name: string, flag: number, position: number): Body =>
  body(name, (s) => {
    const b = s.value(1);
    const a = s.register({ operand: 0 }, s.size);
    const old = s.arithmeticFlags();
    const carry = un('extend_u', bin('and', bin('shr_u', old, c32(position)), c32(1)));
    const r = s.let(bin('add', bin('add', a, b), carry));
    // Carry out of the top: the majority of both operands and the complement of the sum there.
    const out = bin('or', bin('and', a, b), bin('and', bin('or', a, b), not(r)));
    s.explicitFlags(bin('or', bin('and', old, c32(~flag)), s.at(s.bit(out, s.bits - 1), position)));
    writeFirst(s, zx(s.size, r));
  });

// CRC32 ---------------------------------------------------------------------------------------------------------------
/** The polynomial 11EDC6F41H with its bits reflected. */
const POLYNOMIAL = 0x82f63b78;
const crc32 = body('CRC32', (s) => {
  const source = s.value(1);
  const size: Size = s.operandSize(1);
  const start = s.register({ operand: 0 }, 4);
  let x: Expr = s.let(bin('xor', start, source));
  for (let n = 0; n < size * 8; n++)
    x = s.let(bin('xor', bin('shr_u', x, c64(1)), bin('and', bin('sub', c64(0), bin('and', x, c64(1))), c64(POLYNOMIAL))));
  // A short source has touched only its low bits: the rest of the old remainder has moved down with them.
  s.setRegister({ operand: 0 }, 8, zx(4, x));
});

/** The 32-bit and 64-bit forms of a VEX row; '#' stands for the operand size. */
function vex(opcode: string, instruction: string, by: Body, feature: string): Row[] {
  return ([4, 8] as const).map((size) => {
    const attributes: RowAttributes = { operandSize: size, feature, ...(size === 8 && { only: 64 }) };
    return row(opcode.replace('W#', size === 8 ? 'W1' : 'W0'), instruction.replaceAll('#', String(size * 8)), by, attributes);
  });
}
/** ADCX and ADOX: the mandatory prefix 66 does not select a size. */
const add = (prefix: string, mnemonic: string, by: Body): Row[] => [
  row(`${prefix} REX.W 0F 38 F6 /r`, `${mnemonic} r64, r/m64`, by, { operandSize: 8, only: 64, feature: 'adx' }),
  row(`${prefix} 0F 38 F6 /r`, `${mnemonic} r32, r/m32`, by, { feature: 'adx' }),
];

export const bitManipulationRows: readonly Row[] = [
  ...vex('VEX.LZ.0F38.W# F2 /r', 'ANDN r#a, r#b, r/m#', andn, 'bmi1'),
  ...vex('VEX.LZ.0F38.W# F7 /r', 'BEXTR r#a, r/m#, r#b', bextr, 'bmi1'),
  ...vex('VEX.LZ.0F38.W# F3 /3', 'BLSI r#, r/m#', blsi, 'bmi1'),
  ...vex('VEX.LZ.0F38.W# F3 /2', 'BLSMSK r#, r/m#', blsmsk, 'bmi1'),
  ...vex('VEX.LZ.0F38.W# F3 /1', 'BLSR r#, r/m#', blsr, 'bmi1'),
  ...vex('VEX.LZ.0F38.W# F5 /r', 'BZHI r#a, r/m#, r#b', bzhi, 'bmi2'),
  ...vex('VEX.LZ.F2.0F38.W# F6 /r', 'MULX r#a, r#b, r/m#', mulx, 'bmi2'),
  ...vex('VEX.LZ.F2.0F38.W# F5 /r', 'PDEP r#a, r#b, r/m#', pdep, 'bmi2'),
  ...vex('VEX.LZ.F3.0F38.W# F5 /r', 'PEXT r#a, r#b, r/m#', pext, 'bmi2'),
  ...vex('VEX.LZ.F2.0F3A.W# F0 /r ib', 'RORX r#, r/m#, imm8', rorx, 'bmi2'),
  ...vex('VEX.LZ.66.0F38.W# F7 /r', 'SHLX r#a, r/m#, r#b', shiftX('SHLX', 'shl'), 'bmi2'),
  ...vex('VEX.LZ.F2.0F38.W# F7 /r', 'SHRX r#a, r/m#, r#b', shiftX('SHRX', 'shr_u'), 'bmi2'),
  ...vex('VEX.LZ.F3.0F38.W# F7 /r', 'SARX r#a, r/m#, r#b', shiftX('SARX', 'shr_s'), 'bmi2'),
  ...add('66', 'ADCX', addFlag('ADCX', Flag.CF, 0)),
  ...add('F3', 'ADOX', addFlag('ADOX', Flag.OF, 11)),
  row('F2 REX.W 0F 38 F0 /r', 'CRC32 r64, r/m8', crc32, { operandSize: 8, only: 64, feature: 'crc32' }),
  row('F2 0F 38 F0 /r', 'CRC32 r32, r/m8', crc32, { feature: 'crc32' }),
  row('F2 REX.W 0F 38 F1 /r', 'CRC32 r64, r/m64', crc32, { operandSize: 8, only: 64, feature: 'crc32' }),
  row('F2 0F 38 F1 /r', 'CRC32 r32, r/m16', crc32, { operandSize: 2, feature: 'crc32' }),
  row('F2 0F 38 F1 /r', 'CRC32 r32, r/m32', crc32, { operandSize: 4, feature: 'crc32' }),
];
