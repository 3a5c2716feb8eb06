/** Data movement (SDM volume 2): MOV, MOVZX, MOVSX, LEA, XCHG, XADD, CMPXCHG, CMOVcc, SETcc, conversions, the stack, flag instructions. */
import { type Expr, FlagKind, type Size, bin, c32, c64, select, sx, un, zx } from '../ir';
import type { Semantics } from '../semantics';
import { type Body, type Row, body, row, sized } from '../row';
import { Flag, Seg, State } from '../../spec/vcpu-state';

export const RSP = 4;
const RBP = 5;

const mov = body('MOV', (s) => {
  const v = s.value(1);
  s.write(s.location(0, 'w'), v);
});
const movzx = body('MOVZX', (s) => {
  const v = s.value(1);
  s.write(s.location(0, 'w'), v);
});
const movsx = body('MOVSX', (s) => {
  const v = s.value(1);
  s.write(s.location(0, 'w'), zx(s.size, sx(s.operandSize(1), v)));
});
const lea = body('LEA', (s) => s.write(s.location(0, 'w'), zx(s.size, { op: 'ea', type: 'i64' })));
const movbe = body('MOVBE', (s) => {
  const v = s.value(1);
  const bytes = Array.from({ length: s.size }, (_, i) =>
    bin('shl', bin('and', bin('shr_u', v, c64(i * 8)), c64(0xff)), c64((s.size - 1 - i) * 8)),
  );
  s.write(
    s.location(0, 'w'),
    bytes.reduce((a, b) => bin('or', a, b)),
  );
});
const xchg = body('XCHG', (s) => {
  const dst = s.location(0, 'rw');
  const a = s.read(dst);
  const b = s.value(1);
  s.setRegister({ operand: 1 }, s.size, a);
  s.write(dst, b);
});
const xadd = body('XADD', (s) => {
  const dst = s.location(0, 'rw');
  const a = s.read(dst);
  const b = s.value(1);
  s.flags(FlagKind.add, a, b);
  s.setRegister({ operand: 1 }, s.size, a);
  s.write(dst, zx(s.size, bin('add', a, b)));
});
const cmpxchg = body('CMPXCHG', (s) => {
  const dst = s.location(0, 'rw');
  const a = s.read(dst);
  const src = s.value(1);
  const old = s.gpr(0);
  const accumulator = s.let(zx(s.size, old));
  const equal = s.let(bin('eq', accumulator, a));
  s.flags(FlagKind.sub, accumulator, a);
  // The accumulator keeps all its bits when the values were equal.
  const loaded = s.size <= 2 ? bin('or', bin('and', old, c64(s.size === 1 ? ~0xffn : ~0xffffn)), a) : a;
  s.setGpr(0, select(equal, old, loaded));
  s.write(dst, select(equal, src, a));
});
const cmpxchgPair = (name: string, half: Size): Body =>
  body(name, (s) => {
    const address: Expr = { op: 'ea', type: 'i64' };
    if (half === 8) s.fault(bin('ne', bin('and', address, c64(15)), c64(0)), 13, 0);
    const dst = s.access(address, half * 2, 'rw');
    const low = s.read(dst, half, 0);
    const high = s.read(dst, half, half);
    const a = s.gpr(0, half);
    const d = s.gpr(2, half);
    const oldA = s.gpr(0);
    const oldD = s.gpr(2);
    const equal = s.let(bin('and', bin('eq', a, low), bin('eq', d, high)));
    const b = s.gpr(3, half);
    const c = s.gpr(1, half);
    s.explicitFlags(bin('or', bin('and', s.arithmeticFlags(), c32(~Flag.ZF)), s.at(equal, 6)));
    s.setGpr(0, select(equal, oldA, low));
    s.setGpr(2, select(equal, oldD, high));
    s.store(dst, select(equal, b, low), half, 0);
    s.store(dst, select(equal, c, high), half, half);
    s.storesDone(dst);
  });
const cmov = body(
  'CMOV',
  (s) => {
    const v = s.value(1);
    const c = s.condition(s.shape.parameter);
    const old = s.register({ operand: 0 }, s.size);
    s.write(s.location(0, 'w'), select(c, v, old));
  },
  'parameter',
);
const setcc = body('SETcc', (s) => s.write(s.location(0, 'w'), un('extend_u', s.condition(s.shape.parameter))), 'parameter');

// Conversions -----------------------------------------------------------------------------------------------------------
/** CBW, CWDE, CDQE */
const extendAccumulator = body('CBW', (s) => {
  const half = (s.size / 2) as Size;
  s.setGpr(0, zx(s.size, sx(half, s.gpr(0, half))), s.size);
});
/** CWD, CDQ, CQO */
const signToDx = body('CWD', (s) => s.setGpr(2, zx(s.size, bin('shr_s', sx(s.size, s.gpr(0, s.size)), c64(63))), s.size));

// The stack ---------------------------------------------------------------------------------------------------------------
const stackMask = (s: Semantics, e: Expr): Expr => zx(s.shape.stack, e);
export function push(s: Semantics, value: Expr, size: Size = s.size): void {
  const sp = s.let(stackMask(s, bin('sub', s.gpr(RSP, s.shape.stack), c64(size))));
  const slot = s.access(sp, size, 'w', Seg.ss);
  s.setGpr(RSP, sp, s.shape.stack);
  s.write(slot, value);
}
/** Reads the top of the stack; the new stack pointer is committed by `setSp`. */
export function pop(s: Semantics, size: Size = s.size): { value: Expr; setSp: (extra?: Expr) => void } {
  const sp = s.gpr(RSP, s.shape.stack);
  const value = s.read(s.access(sp, size, 'r', Seg.ss), size);
  return {
    value,
    setSp: (extra) => {
      const next = bin('add', sp, c64(size));
      s.setGpr(RSP, stackMask(s, extra ? bin('add', next, extra) : next), s.shape.stack);
    },
  };
}
const pushBody = body('PUSH', (s) => push(s, s.value(0)), 'stack');
const popBody = body(
  'POP',
  (s) => {
    const top = pop(s);
    // The decoder has already added the operand size to a displacement based on RSP.
    const dst = s.location(0, 'w');
    top.setSp();
    s.write(dst, top.value);
  },
  'stack',
);
const pusha = body(
  'PUSHA',
  (s) => {
    const sp = s.gpr(RSP, s.shape.stack);
    const bottom = s.let(stackMask(s, bin('sub', sp, c64(8 * s.size))));
    const area = s.access(bottom, 8 * s.size, 'w', Seg.ss);
    const values = Array.from({ length: 8 }, (_, n) => (n === RSP ? zx(s.size, sp) : s.gpr(n, s.size)));
    s.setGpr(RSP, bottom, s.shape.stack);
    values.forEach((v, n) => s.store(area, v, s.size, (7 - n) * s.size));
    s.storesDone(area);
  },
  'stack',
);
const popa = body(
  'POPA',
  (s) => {
    const sp = s.gpr(RSP, s.shape.stack);
    const area = s.access(sp, 8 * s.size, 'r', Seg.ss);
    const values = Array.from({ length: 8 }, (_, n) => s.read(area, s.size, (7 - n) * s.size));
    values.forEach((v, n) => n !== RSP && s.setGpr(n, v, s.size));
    s.setGpr(RSP, stackMask(s, bin('add', sp, c64(8 * s.size))), s.shape.stack);
  },
  'stack',
);
const leave = body(
  'LEAVE',
  (s) => {
    const bp = s.gpr(RBP, s.shape.stack);
    const value = s.read(s.access(bp, s.size, 'r', Seg.ss), s.size);
    s.setGpr(RSP, stackMask(s, bin('add', bp, c64(s.size))), s.shape.stack);
    s.setGpr(RBP, value, s.size);
  },
  'stack',
);

// Flags -------------------------------------------------------------------------------------------------------------------
const carryTo = (name: string, change: (old: Expr) => Expr): Body => body(name, (s) => s.explicitFlags(change(s.arithmeticFlags())));
const direction = (name: string, on: boolean): Body =>
  body(name, (s) => {
    const old = s.state(State.systemFlags);
    s.writeState(State.systemFlags, on ? bin('or', old, c32(Flag.DF)) : bin('and', old, c32(~Flag.DF)));
  });
const SAHF_MASK = Flag.SF | Flag.ZF | Flag.AF | Flag.PF | Flag.CF;
const lahf = body('LAHF', (s) => {
  const f = bin('or', bin('and', s.arithmeticFlags(), c32(SAHF_MASK)), c32(2));
  const ax = s.gpr(0, 2);
  s.setGpr(0, bin('or', bin('and', ax, c64(0xff)), bin('shl', un('extend_u', f), c64(8))), 2);
});
const sahf = body('SAHF', (s) => {
  const ah = un('wrap', bin('shr_u', s.gpr(0, 2), c64(8)));
  s.explicitFlags(bin('or', bin('and', s.arithmeticFlags(), c32(Flag.OF)), bin('and', ah, c32(SAHF_MASK))));
});
/** Undocumented in the manual's opcode map, but there: AL = CF ? FFH : 0. */
const salc = body('SALC', (s) => s.setGpr(0, bin('sub', c64(0), s.carry()), 1));
const nop = body('NOP', () => undefined);
const nopMemory = body('NOPM', () => undefined);

const conditions = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
const lock = { lock: true };
const d64 = { in64: 'default64' } as const;

export const moveRows: readonly Row[] = [
  row('88 /r', 'MOV r/m8, r8', mov),
  ...sized('89 /r', 'MOV r/m#, r#', mov),
  row('8A /r', 'MOV r8, r/m8', mov),
  ...sized('8B /r', 'MOV r#, r/m#', mov),
  row('A0', 'MOV AL, moffs8', mov),
  ...sized('A1', 'MOV rAX#, moffs#', mov),
  row('A2', 'MOV moffs8, AL', mov),
  ...sized('A3', 'MOV moffs#, rAX#', mov),
  row('B0+rb ib', 'MOV r8, imm8', mov),
  row('B8+rw iw', 'MOV r16, imm16', mov, { operandSize: 2 }),
  row('B8+rd id', 'MOV r32, imm32', mov, { operandSize: 4 }),
  row('REX.W + B8+rd io', 'MOV r64, imm64', mov, { operandSize: 8, only: 64 }),
  row('C6 /0 ib', 'MOV r/m8, imm8', mov),
  ...sized('C7 /0 i#', 'MOV r/m#, imm#', mov),
  ...sized('0F B6 /r', 'MOVZX r#, r/m8', movzx),
  ...sized('0F B7 /r', 'MOVZX r#, r/m16', movzx),
  ...sized('0F BE /r', 'MOVSX r#, r/m8', movsx),
  ...sized('0F BF /r', 'MOVSX r#, r/m16', movsx),
  row('63 /r', 'MOVSXD r16, r/m16', movsx, { only: 64, operandSize: 2 }),
  row('63 /r', 'MOVSXD r32, r/m32', movsx, { only: 64, operandSize: 4 }),
  row('REX.W + 63 /r', 'MOVSXD r64, r/m32', movsx, { only: 64, operandSize: 8 }),
  ...sized('8D /r', 'LEA r#, m', lea, { addressOnly: true }),
  // Reported with SSE2, which every processor with 64-bit mode has.
  row('NP 0F C3 /r', 'MOVNTI m32, r32', mov, { operandSize: 4 }),
  row('NP REX.W + 0F C3 /r', 'MOVNTI m64, r64', mov, { operandSize: 8, only: 64 }),
  ...sized('0F 38 F0 /r', 'MOVBE r#, m#', movbe, { feature: 'movbe' }),
  ...sized('0F 38 F1 /r', 'MOVBE m#, r#', movbe, { feature: 'movbe' }),
  row('86 /r', 'XCHG r/m8, r8', xchg, lock),
  ...sized('87 /r', 'XCHG r/m#, r#', xchg, lock),
  row('90', 'NOP', nop),
  ...sized('90+r#', 'XCHG rAX#, r#', xchg),
  row('0F C0 /r', 'XADD r/m8, r8', xadd, lock),
  ...sized('0F C1 /r', 'XADD r/m#, r#', xadd, lock),
  row('0F B0 /r', 'CMPXCHG r/m8, r8', cmpxchg, lock),
  ...sized('0F B1 /r', 'CMPXCHG r/m#, r#', cmpxchg, lock),
  row('0F C7 /1', 'CMPXCHG8B m64', cmpxchgPair('CMPXCHG8B', 4), { ...lock, operandSize: 2 }),
  row('0F C7 /1', 'CMPXCHG8B m64', cmpxchgPair('CMPXCHG8B', 4), { ...lock, operandSize: 4 }),
  row('REX.W + 0F C7 /1', 'CMPXCHG16B m128', cmpxchgPair('CMPXCHG16B', 8), { ...lock, operandSize: 8, only: 64, feature: 'cx16' }),
  ...conditions.flatMap((c, n) => [
    ...sized(`0F ${hex(0x40 + n)} /r`, `CMOV${c} r#, r/m#`, cmov, { parameter: n }),
    row(`0F ${hex(0x90 + n)} /r`, `SET${c} r/m8`, setcc, { parameter: n }),
  ]),
  ...sized('98', 'CBW#', extendAccumulator),
  ...sized('99', 'CWD#', signToDx),
  ...sized('50+r#', 'PUSH r#', pushBody, d64),
  ...sized('FF /6', 'PUSH r/m#', pushBody, d64),
  ...sized('68 i#', 'PUSH imm#', pushBody, d64),
  ...sized('6A ib', 'PUSH imm8', pushBody, d64),
  ...sized('58+r#', 'POP r#', popBody, d64),
  ...sized('8F /0', 'POP r/m#', popBody, d64),
  row('60', 'PUSHA', pusha, { only: 32, operandSize: 2 }),
  row('60', 'PUSHAD', pusha, { only: 32, operandSize: 4 }),
  row('61', 'POPA', popa, { only: 32, operandSize: 2 }),
  row('61', 'POPAD', popa, { only: 32, operandSize: 4 }),
  ...sized('C9', 'LEAVE', leave, d64),
  row('F5', 'CMC', carryTo('CMC', (f) => bin('xor', f, c32(1)))), // prettier-ignore
  row('F8', 'CLC', carryTo('CLC', (f) => bin('and', f, c32(~1)))), // prettier-ignore
  row('F9', 'STC', carryTo('STC', (f) => bin('or', f, c32(1)))), // prettier-ignore
  row('FC', 'CLD', direction('CLD', false)),
  row('FD', 'STD', direction('STD', true)),
  row('D6', 'SALC', salc, { only: 32 }),
  row('9F', 'LAHF', lahf),
  row('9E', 'SAHF', sahf),
  ...sized('0F 1F /0', 'NOP r/m#', nopMemory, { addressOnly: true }),
  ...[0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e].map((o) =>
    row(`0F ${hex(o)} /r`, 'NOP r/m32, r32', nopMemory, { addressOnly: true }),
  ),
  ...[1, 2, 3, 4, 5, 6, 7].map((d) => row(`0F 1F /${d}`, 'NOP r/m32', nopMemory, { addressOnly: true })),
];
