/** Shifts and rotates (SDM volume 2): SHL SHR SAR ROL ROR RCL RCR SHLD SHRD. Counts are masked to 5 or 6 bits; a masked count of 0 changes no flag. */
import { type Expr, FlagKind, bin, c32, c64, maskOf, select, sx, un, zx } from '../ir';
import type { Semantics } from '../semantics';
import { type Body, type Row, body, row, sized } from '../row';
import { Flag } from '../../spec/vcpu-state';

const maskedCount = (s: Semantics, i: number): Expr => s.let(bin('and', s.value(i, 1), c64(s.size === 8 ? 63 : 31)));
const nonZero = (e: Expr): Expr => bin('ne', e, c64(0));

const shift = (name: string, kind: number): Body =>
  body(name, (s) => {
    const count = maskedCount(s, 1);
    const dst = s.location(0, 'rw');
    const a = s.read(dst);
    const value =
      kind === FlagKind.shl ? bin('shl', a, count) : kind === FlagKind.shr ? bin('shr_u', a, count) : bin('shr_s', sx(s.size, a), count);
    const r = s.let(zx(s.size, value));
    s.flags(kind, a, count, s.size, nonZero(count));
    s.write(dst, r);
  });
const shl = shift('SHL', FlagKind.shl);
const shr = shift('SHR', FlagKind.shr);
const sar = shift('SAR', FlagKind.sar);

/** Replaces CF and OF (i32 0/1 each) when `when` holds; the other flags stay. */
function rotateFlags(s: Semantics, old: Expr, cf: Expr, of: Expr, when: Expr): void {
  const kept = bin('and', old, c32(~(Flag.CF | Flag.OF)));
  s.explicitFlags(bin('or', kept, bin('or', cf, s.at(of, 11))), when);
}
const rotate = (name: string, left: boolean): Body =>
  body(name, (s) => {
    const count = maskedCount(s, 1);
    const dst = s.location(0, 'rw');
    const a = s.read(dst);
    const old = s.arithmeticFlags();
    let r: Expr;
    if (s.size === 8) r = s.let(bin(left ? 'rotl' : 'rotr', a, count));
    else {
      const n = s.let(bin('and', count, c64(s.bits - 1)));
      const back = bin('sub', c64(s.bits), n);
      r = s.let(zx(s.size, bin('or', bin(left ? 'shl' : 'shr_u', a, n), bin(left ? 'shr_u' : 'shl', a, back))));
    }
    const top = s.bit(r, s.bits - 1);
    if (left) rotateFlags(s, old, s.bit(r, 0), bin('xor', top, s.bit(r, 0)), nonZero(count));
    else rotateFlags(s, old, top, bin('xor', top, s.bit(r, s.bits - 2)), nonZero(count));
    s.write(dst, r);
  });
const rol = rotate('ROL', true);
const ror = rotate('ROR', false);

const rotateCarry = (name: string, left: boolean): Body =>
  body(name, (s) => {
    const masked = maskedCount(s, 1);
    const dst = s.location(0, 'rw');
    const a = s.read(dst);
    const c = s.let(s.carry());
    const old = s.arithmeticFlags();
    let r: Expr;
    let cf: Expr;
    let count: Expr = masked;
    if (s.size === 8) {
      // A rotation of 65 bits: the carry takes part. Shifts of 64 are made of two.
      const back = bin('sub', c64(64), count);
      const turned = left
        ? bin('or', bin('or', bin('shl', a, count), bin('shl', c, bin('sub', count, c64(1)))), bin('shr_u', bin('shr_u', a, c64(1)), back))
        : bin('or', bin('or', bin('shr_u', a, count), bin('shl', c, back)), bin('shl', bin('shl', a, c64(1)), back));
      r = s.let(select(nonZero(count), turned, a));
      cf = s.bit(a, left ? back : bin('sub', count, c64(1)));
    } else {
      const width = s.bits + 1;
      count = s.let(s.size === 4 ? masked : bin('rem_u', masked, c64(width)));
      const x = s.let(bin('or', a, bin('shl', c, c64(s.bits))));
      const back = bin('sub', c64(width), count);
      const turned = s.let(bin('and', bin('or', bin(left ? 'shl' : 'shr_u', x, count), bin(left ? 'shr_u' : 'shl', x, back)), c64((1n << BigInt(width)) - 1n))); // prettier-ignore
      r = s.let(zx(s.size, turned));
      cf = s.bit(turned, s.bits);
    }
    const cfOut = s.let(cf);
    const top = s.bit(r, s.bits - 1);
    rotateFlags(s, old, cfOut, left ? bin('xor', top, cfOut) : bin('xor', top, s.bit(r, s.bits - 2)), nonZero(count));
    s.write(dst, r);
  });
const rcl = rotateCarry('RCL', true);
const rcr = rotateCarry('RCR', false);

const doubleShift = (name: string, left: boolean): Body =>
  body(name, (s) => {
    const count = maskedCount(s, 2);
    const dst = s.location(0, 'rw');
    const a = s.read(dst);
    const b = s.value(1);
    const back = bin('sub', c64(s.bits), count);
    const joined = bin('or', bin(left ? 'shl' : 'shr_u', a, count), bin(left ? 'shr_u' : 'shl', b, back));
    const r = s.let(select(nonZero(count), zx(s.size, joined), a));
    const cf = s.bit(a, left ? back : bin('sub', count, c64(1)));
    const of = bin('xor', s.bit(r, s.bits - 1), s.bit(a, s.bits - 1));
    s.explicitFlags(bin('or', s.resultFlags(r), bin('or', cf, s.at(of, 11))), nonZero(count));
    s.write(dst, r);
  });
const shld = doubleShift('SHLD', true);
const shrd = doubleShift('SHRD', false);

function group(mnemonic: string, digit: number, by: Body): Row[] {
  return [
    row(`C0 /${digit} ib`, `${mnemonic} r/m8, imm8`, by),
    ...sized(`C1 /${digit} ib`, `${mnemonic} r/m#, imm8`, by),
    row(`D0 /${digit}`, `${mnemonic} r/m8, 1`, by),
    ...sized(`D1 /${digit}`, `${mnemonic} r/m#, 1`, by),
    row(`D2 /${digit}`, `${mnemonic} r/m8, CL`, by),
    ...sized(`D3 /${digit}`, `${mnemonic} r/m#, CL`, by),
  ];
}

// Bit operations -----------------------------------------------------------------------------------------------------

const bitTest = (name: string, change: 'none' | 'set' | 'reset' | 'complement'): Body =>
  body(
    name,
    (s) => {
      const index = s.value(1);
      const access = change === 'none' ? 'r' : 'rw';
      const log2 = s.size === 8 ? 6 : s.size === 4 ? 5 : 4;
      let dst;
      if (s.shape.operands[0] === 'm' && s.shape.operands[1] === 'r') {
        // A register index reaches outside the operand: the bit string begins at the effective address.
        const units = bin('shr_s', sx(s.size, index), c64(log2));
        const address = bin('add', { op: 'ea', type: 'i64' }, bin('mul', units, c64(s.size)));
        dst = s.access(zx(s.shape.address, address), s.size, access);
      } else dst = s.location(0, access);
      const n = s.let(bin('and', index, c64(s.bits - 1)));
      const a = s.read(dst, s.size);
      const bit = s.let(s.bit(a, n));
      s.explicitFlags(bin('or', bin('and', s.arithmeticFlags(), c32(~Flag.CF)), bit));
      if (change === 'none') return;
      const mask = bin('shl', c64(1), n);
      const r = change === 'set' ? bin('or', a, mask) : change === 'reset' ? bin('and', a, bin('xor', mask, c64(-1))) : bin('xor', a, mask);
      s.write(dst, zx(s.size, r), s.size);
    },
    'address',
  );
const scan = (name: string, forward: boolean): Body =>
  body(name, (s) => {
    const v = s.let(s.value(1));
    const dst = s.location(0, 'w');
    const old = s.register({ operand: 0 }, 8);
    const zero = un('eqz', v);
    const r = forward ? un('ctz', v) : bin('sub', c64(63), un('clz', v));
    s.explicitFlags(bin('or', bin('and', s.arithmeticFlags(), c32(~Flag.ZF)), s.at(zero, 6)));
    // With a zero source processors leave the destination as it was.
    if (dst.kind !== 'register') throw new Error('bit scan to memory');
    const kept = s.size === 2 ? bin('and', old, c64(~0xffffn)) : c64(0);
    s.setRegister(dst.ref, 8, select(zero, old, bin('or', kept, r)));
  });
const countZeros = (name: string, trailing: boolean): Body =>
  body(name, (s) => {
    const v = s.let(s.value(1));
    const dst = s.location(0, 'w');
    const full = c64(s.bits);
    const counted = trailing ? un('ctz', v) : bin('sub', un('clz', v), c64(64 - s.bits));
    const r = s.let(select(un('eqz', v), full, counted));
    s.explicitFlags(bin('or', s.at(un('eqz', r), 6), un('eqz', v)));
    s.write(dst, r);
  });
const popcnt = body('POPCNT', (s) => {
  const v = s.let(s.value(1));
  const dst = s.location(0, 'w');
  s.explicitFlags(s.at(un('eqz', v), 6));
  s.write(dst, un('popcnt', v));
});
const bswap = body('BSWAP', (s) => {
  const a = s.register({ operand: 0 }, s.size);
  if (s.size === 2) return s.setRegister({ operand: 0 }, 2, c64(0)); // undefined by the manual; processors give 0
  const swap = (e: Expr, shiftBits: number, mask: bigint): Expr =>
    bin('or', bin('and', bin('shr_u', e, c64(shiftBits)), c64(mask)), bin('shl', bin('and', e, c64(mask)), c64(shiftBits)));
  let r: Expr = s.let(swap(a, 8, 0x00ff00ff00ff00ffn));
  r = s.let(swap(r, 16, 0x0000ffff0000ffffn));
  if (s.size === 8) r = bin('rotl', r, c64(32));
  s.setRegister({ operand: 0 }, s.size, bin('and', r, c64(maskOf(s.size))));
});
const bt = bitTest('BT', 'none');
const bts = bitTest('BTS', 'set');
const btr = bitTest('BTR', 'reset');
const btc = bitTest('BTC', 'complement');

export const shiftRows: readonly Row[] = [
  ...group('ROL', 0, rol),
  ...group('ROR', 1, ror),
  ...group('RCL', 2, rcl),
  ...group('RCR', 3, rcr),
  ...group('SHL', 4, shl),
  ...group('SHR', 5, shr),
  ...group('SAL', 6, shl),
  ...group('SAR', 7, sar),
  ...sized('0F A4 /r ib', 'SHLD r/m#, r#, imm8', shld),
  ...sized('0F A5 /r', 'SHLD r/m#, r#, CL', shld),
  ...sized('0F AC /r ib', 'SHRD r/m#, r#, imm8', shrd),
  ...sized('0F AD /r', 'SHRD r/m#, r#, CL', shrd),
  ...sized('0F A3 /r', 'BT r/m#, r#', bt),
  ...sized('0F AB /r', 'BTS r/m#, r#', bts, { lock: true }),
  ...sized('0F B3 /r', 'BTR r/m#, r#', btr, { lock: true }),
  ...sized('0F BB /r', 'BTC r/m#, r#', btc, { lock: true }),
  ...sized('0F BA /4 ib', 'BT r/m#, imm8', bt),
  ...sized('0F BA /5 ib', 'BTS r/m#, imm8', bts, { lock: true }),
  ...sized('0F BA /6 ib', 'BTR r/m#, imm8', btr, { lock: true }),
  ...sized('0F BA /7 ib', 'BTC r/m#, imm8', btc, { lock: true }),
  ...sized('F3 0F BC /r', 'TZCNT r#, r/m#', countZeros('TZCNT', true), { feature: 'bmi1' }),
  ...sized('F3 0F BD /r', 'LZCNT r#, r/m#', countZeros('LZCNT', false), { feature: 'lzcnt' }),
  ...sized('F3 0F B8 /r', 'POPCNT r#, r/m#', popcnt, { feature: 'popcnt' }),
  ...sized('0F BC /r', 'BSF r#, r/m#', scan('BSF', true)),
  ...sized('0F BD /r', 'BSR r#, r/m#', scan('BSR', false)),
  ...sized('0F C8+r#', 'BSWAP r#', bswap),
];
