// What single instructions need beyond random operands: implicit registers, operand values for which the manual defines the result, stack
// contents, branch targets; and the flags that their counts leave undefined.
import { pickTarget } from './addressing.mjs';
import { bytesOf } from './encoding.mjs';
import { region } from './layout.mjs';
import { Flag, undefinedFlags } from './undefined-flags.mjs';

const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];

const implicit = {
  MUL: [RAX, RDX],
  DIV: [RAX, RDX],
  IDIV: [RAX, RDX],
  CMPXCHG: [RAX],
  CMPXCHG8B: [RAX, RDX, RCX, RBX],
  CMPXCHG16B: [RAX, RDX, RCX, RBX],
  XLATB: [RAX, RBX],
  MULX: [RDX],
  ENTER: [RSP, RBP],
  LEAVE: [RSP, RBP],
};
const accumulators = ['DAA', 'DAS', 'AAA', 'AAS', 'AAM', 'AAD', 'LAHF', 'SAHF', 'CBW', 'CWDE', 'CDQE', 'CWD', 'CDQ', 'CQO'];

/** Registers with a meaning of their own, which no address may use. */
export function implicitRegisters(form) {
  const registers = [...(implicit[form.mnemonic] ?? [])];
  if (form.mnemonic === 'IMUL' && form.operands.length === 1) registers.push(RAX, RDX);
  if (accumulators.includes(form.mnemonic)) registers.push(RAX, RDX);
  if (form.operands.some((kind) => /^(al|ax|eax|rax)$/.test(kind))) registers.push(RAX);
  if (form.operands.includes('cl')) registers.push(RCX);
  if (form.group === 'string') registers.push(RAX, RCX, RSI, RDI);
  if (/^(LOOP|J\w*CXZ)/.test(form.mnemonic)) registers.push(RCX);
  if (stackBytes(form)) registers.push(RSP);
  return registers;
}

/** How many bytes at the stack pointer an instruction may read (0: it does not use the stack). */
export function stackBytes(form) {
  if (form.mnemonic === 'CALL' || form.group === 'stack') return 32;
  return form.mnemonic === 'RET' ? 8 : 0;
}

/** Accesses whose faults the manual leaves to the processor: bit strings and operands that are no plain access. */
export function keepsInside(form) {
  if (form.group === 'bit' && form.operands[1]?.endsWith('_reg') && form.mnemonic.startsWith('BT')) return { inside: true, aligned: true };
  if (/^CMPXCHG(8|16)B$/.test(form.mnemonic)) return { aligned: true };
  if (form.mnemonic === 'BOUND') return { inside: true };
  return {};
}

const conditionHolds = (code, flags) => {
  const has = (flag) => (flags & flag) !== 0;
  const less = has(Flag.SF) !== has(Flag.OF);
  const base = [
    has(Flag.OF),
    has(Flag.CF),
    has(Flag.ZF),
    has(Flag.CF) || has(Flag.ZF),
    has(Flag.SF),
    has(Flag.PF),
    less,
    less || has(Flag.ZF),
  ];
  return base[code >> 1] !== ((code & 1) === 1);
};

/** Counts around every boundary: 0, 1, the sizes, rotate-through-carry's 9 and 17, and above the mask. */
const counts = [0n, 1n, 1n, 2n, 3n, 7n, 8n, 9n, 15n, 16n, 17n, 24n, 31n, 32n, 33n, 63n, 64n, 65n, 0x80n, 0xffn];

function shift(b) {
  const { form, random } = b;
  const target = b.operands[0];
  const bits = target.bits ?? target.bytes * 8;
  const double = form.mnemonic === 'SHLD' || form.mnemonic === 'SHRD';
  const countOperand = b.operands[double ? 2 : 1];
  const masked = (value) => Number(value) & (bits === 64 ? 63 : 31);
  let value = 1n;
  if (countOperand.kind !== 'constant') {
    do value = random.chance(70) ? random.pick(counts) : random.bits(8);
    while (double && masked(value) > bits); // The result is undefined there.
    b.setOperand(countOperand, value);
    if (countOperand.kind === 'register') value = b.valueOf(countOperand);
  }
  b.shiftedByNothing = masked(value) === 0;
  b.undefinedMask = undefinedFlags(form.mnemonic, masked(value), bits);
}

function divide(b, signed) {
  const { random } = b;
  const divisorOperand = b.operands[0];
  const bits = divisorOperand.bits ?? divisorOperand.bytes * 8;
  const wide = (value) => BigInt.asUintN(2 * bits, value);
  let dividend;
  if (random.chance(25)) dividend = random.bits(64) | (random.value(64) << 64n);
  else {
    if (random.chance(60)) b.setOperand(divisorOperand, random.value(bits) || 7n);
    const read = (value) => (signed ? BigInt.asIntN(bits, value) : value);
    const divisor = read(b.valueOf(divisorOperand));
    const quotient = read(random.value(bits)) + (random.chance(8) ? 1n : 0n);
    const remainder = divisor === 0n ? 0n : random.bits(bits) % (divisor < 0n ? -divisor : divisor);
    const product = quotient * divisor;
    dividend = product + (product < 0n ? -remainder : remainder);
  }
  dividend = wide(dividend);
  if (bits === 8) b.setRegister(RAX, 16, dividend);
  else {
    b.setRegister(RAX, bits, dividend);
    b.setRegister(RDX, bits, dividend >> BigInt(bits));
  }
}

/** Bit offsets in a register reach memory before and behind the operand. */
function bitString(b) {
  const [target, offset] = b.operands;
  b.undefinedMask = undefinedFlags(b.form.mnemonic);
  if (target.kind !== 'memory' || offset.kind !== 'register') return;
  while (b.addressRegisters.has(offset.register)) Object.assign(offset, b.pickRegister(offset.bits));
  b.fields.reg = offset.number;
  const { bits } = offset;
  const span = b.addressBits === 16 ? 0x1000 : 0x2000;
  const start = BigInt(b.addressBits === 16 ? region.low.address : region.data.address);
  // The access goes to the word that the offset selects: choose the word, and what offset gets there from the operand's address.
  const words = BigInt(span / (bits / 8));
  const word = BigInt(b.random.below(Number(words)));
  const from = (target.address - start) / BigInt(bits / 8);
  const value = (word - from) * BigInt(bits) + BigInt(b.random.below(bits));
  const limit = 1n << BigInt(bits - 1);
  if (value < -limit || value >= limit) {
    b.setRegister(offset.register, bits, BigInt(b.random.below(bits)));
    return;
  }
  b.setRegister(offset.register, bits, value);
  b.setMemory(start + word * BigInt(bits / 8), b.random.hexBytes(bits / 8));
}

const scan = (b) => {
  b.undefinedMask = undefinedFlags(b.form.mnemonic);
  const source = b.operands[1];
  if (b.random.chance(50)) b.setOperand(source, b.random.bits(source.bits ?? source.bytes * 8));
};

function stringInstruction(b) {
  const { random, form, mode } = b;
  const bytes = form.memoryBytes;
  const bits = b.addressBits;
  const ends = { RSI: form.operands.includes('seg_rSI'), RDI: form.operands.includes('es_rDI') };
  // At most one of two operands may fault: which is accessed first is the processor's business.
  const faulty = random.pick(['RSI', 'RDI']);
  const place = (name, register) => {
    if (!ends[name]) return undefined;
    const only = !(ends.RSI && ends.RDI);
    const target = pickTarget(random, mode, bits, bytes, { inside: !only && name !== faulty });
    b.setMemory(target, random.hexBytes(bytes));
    b.setAddressRegister(register, target, bits);
    return target;
  };
  const source = place('RSI', RSI);
  const destination = place('RDI', RDI);
  b.setRegister(RAX, 64, random.bits(64));
  const bytesAt = (address) => Array.from({ length: bytes }, (_, i) => b.extents.find(({ at }) => at === address + BigInt(i))?.byte ?? 0);
  if (/^CMPS/.test(form.mnemonic) && random.chance(40)) b.setMemory(destination, bytesAt(source));
  if (/^SCAS/.test(form.mnemonic) && random.chance(40)) b.setMemory(destination, bytesOf(b.registers[RAX], bytes));
  if (form.rep) {
    const count = random.pick([0n, 1n, 1n, 2n, 3n, 5n, random.bits(bits)]);
    b.setRegister(RCX, 64, count);
    if (count === 0n) {
      // With a count of zero processors differ in whether they clear the upper halves of 32-bit pointers.
      for (const register of [RSI, RDI]) b.registers[register] = BigInt.asUintN(bits, b.registers[register]);
    }
  }
}

const canonicalTarget = (b, bits) => (bits === 64 ? b.random.bits(b.random.chance(60) ? 32 : 46) : b.random.bits(bits));

function relativeBranch(b, operand) {
  const { random, mode } = b;
  if (operand.bytes === 1) operand.value = random.bits(8);
  else if (operand.bytes === 4 && mode === 64) operand.value = random.chance(70) ? BigInt(random.below(0x2000) - 0x1000) : random.bits(31);
  else operand.value = random.bits(8 * operand.bytes);
}

function counter(b) {
  const bits = b.opcode.addressBits;
  const value = b.random.pick([0n, 1n, 1n, 2n, b.random.bits(bits), (1n << BigInt(bits)) - 1n]);
  b.registers[RCX] = b.withLow(b.random.bits(64), value, bits);
}

/** Selectors that any flat kernel of the format's description has: the flat data segment, null, and one beyond the table. */
const selectors = [0x2bn, 0x2bn, 0x2bn, 0n, 0xfff8n];

const flagImage = (b) => b.random.bits(22) & ~BigInt(0x100 | 0x10000 | 0x20000 | 0x80000 | 0x100000);

const popSegment = (b) => {
  const kind = b.form.operands[0];
  if (/^[ecsdfg]s$/.test(kind)) b.setMemory(b.registers[RSP], bytesOf(b.random.pick(selectors), 4));
};

export const adjustments = {
  shift,
  alias: shift,
  bit: (b) => (b.form.mnemonic.startsWith('BT') ? bitString(b) : undefined),
  string: stringInstruction,
  arithmetic: (b) => (b.undefinedMask = undefinedFlags(b.form.mnemonic)),
  multiply: (b) => (b.undefinedMask = undefinedFlags(b.form.mnemonic)),
  bmi1: (b) => (b.undefinedMask = undefinedFlags(b.form.mnemonic)),
  bmi2: (b) => (b.undefinedMask = undefinedFlags(b.form.mnemonic)),
  lzcnt: scan,
  DIV: (b) => divide(b, false),
  IDIV: (b) => divide(b, true),
  decimal(b) {
    b.undefinedMask = undefinedFlags(b.form.mnemonic);
    b.setRegister(RAX, 32, b.random.bits(32));
    if (b.form.mnemonic === 'AAM' || b.form.mnemonic === 'AAD') {
      if (b.random.chance(50)) b.operands[0].value = 10n;
    } else if (b.random.chance(50))
      b.setRegister(RAX, 8, b.random.pick([0n, 5n, 6n, 9n, 0xan, 0xfn, 0x90n, 0x99n, 0x9an, 0x9fn, 0xa0n, 0xf9n, 0xffn]));
  },
  BSF: (b) => scanBackAndForth(b),
  BSR: (b) => scanBackAndForth(b),
  CMPXCHG(b) {
    // Whether a failed 32-bit exchange clears the destination's upper half differs: keep upper halves clear.
    const target = b.operands[0];
    const bits = target.bits ?? target.bytes * 8;
    b.cleanUpper = true;
    if (bits === 32 && b.mode === 64) clearUpper(b, [...b.operands, { kind: 'register', register: RAX }]);
    if (b.random.chance(50)) b.setRegister(RAX, bits, b.valueOf(target));
  },
  CMPXCHG8B: (b) => compareWide(b, 32),
  CMPXCHG16B: (b) => compareWide(b, 64),
  XLATB(b) {
    const target = pickTarget(b.random, b.mode, b.addressBits, 1);
    b.setMemory(target, b.random.hexBytes(1));
    b.setAddressRegister(RBX, target - (b.registers[RAX] & 0xffn), b.addressBits);
  },
  BSWAP: (b) => b.setOperand(b.operands[0], b.random.bits(b.operands[0].bits)),
  BOUND(b) {
    const [index, limits] = b.operands;
    const bits = index.bits;
    const lower = BigInt.asIntN(bits, b.random.value(bits));
    const upper = b.random.chance(80) ? lower + b.random.bits(bits - 1) : BigInt.asIntN(bits, b.random.value(bits));
    const clipped = upper >= 1n << BigInt(bits - 1) ? (1n << BigInt(bits - 1)) - 1n : upper;
    b.setOperand(limits, BigInt.asUintN(bits, lower) | (BigInt.asUintN(bits, clipped) << BigInt(bits)));
    b.setOperand(index, b.random.pick([lower, clipped, lower - 1n, clipped + 1n, (lower + clipped) / 2n, b.random.bits(bits)]));
  },
  MOV(b) {
    const [target, source] = b.operands;
    if (target.kind === 'segment') {
      // ES and DS: FS and GS carry the recorder's own bases, SS inhibits the trap; CS is among the invalid opcodes.
      b.fields.reg = b.random.pick([0, 3]);
      b.setOperand(source, b.random.pick(selectors));
    }
  },
  INTO(b) {
    b.rflags = b.number % 2 === 0 ? b.rflags | Flag.OF : b.rflags & ~Flag.OF;
  },
  condition(b) {
    const last = b.opcode.bytes[b.opcode.bytes.length - 1] & 15;
    while (conditionHolds(last, b.rflags) !== (b.number % 2 === 0)) b.rflags ^= b.random.pick([1, 4, 0x40, 0x80, 0x800]);
    if (b.operands[0].kind === 'branch') relativeBranch(b, b.operands[0]);
  },
  branch(b) {
    const operand = b.operands[0];
    if (operand?.kind === 'branch') relativeBranch(b, operand);
    if (b.form.mnemonic === 'JMP' || b.form.mnemonic === 'CALL') {
      if (operand.kind !== 'branch') b.setOperand(operand, canonicalTarget(b, operand.bits ?? operand.bytes * 8));
    } else if (b.form.mnemonic === 'RET') {
      const bits = b.opcode.operandBits || 32;
      b.setMemory(b.registers[RSP], bytesOf(canonicalTarget(b, bits), bits / 8));
    } else counter(b);
  },
  stack(b) {
    popSegment(b);
    if (/^POPF/.test(b.form.mnemonic)) b.setMemory(b.registers[RSP], bytesOf(flagImage(b), 8));
  },
  ENTER(b) {
    const [size, level] = b.operands;
    size.value = BigInt(b.random.pick([0, 8, 0x10, 0x33, 0x100]));
    level.value = BigInt(b.random.pick([0, 0, 1, 1, 2, 3, 5, 31, 32, 34, 0xff]));
    b.setAddressRegister(RBP, BigInt(region.stack.address + 0x400 + b.random.below(0x800)), 64);
    if (b.random.chance(85)) b.setAddressRegister(RSP, BigInt(region.stack.address + 0x500 + b.random.below(0xa00)), 64);
    b.setMemory(b.registers[RBP] - 64n, b.random.hexBytes(64));
  },
  LEAVE(b) {
    const frame = b.random.chance(85)
      ? region.stack.address + 0x400 + b.random.below(0x800)
      : region.stack.address + region.stack.size - b.random.below(9);
    b.setAddressRegister(RBP, BigInt(frame), 64);
    b.setMemory(BigInt(frame), b.random.hexBytes(8));
  },
};

function scanBackAndForth(b) {
  scan(b);
  // With a source of zero the destination keeps its value; what becomes of a 32-bit register's upper half differs.
  const [target] = b.operands;
  if (target.bits === 32 && b.mode === 64) clearUpper(b, [target]);
}

function clearUpper(b, operands) {
  for (const { kind, register } of operands)
    if (kind === 'register' && !b.addressRegisters.has(register)) b.registers[register] = BigInt.asUintN(32, b.registers[register]);
}

function compareWide(b, bits) {
  const { random } = b;
  for (const register of [RCX, RBX, RDX, RAX])
    b.registers[register] = b.mode === 64 && bits === 32 ? random.bits(32) : BigInt.asUintN(b.mode, random.bits(64));
  if (random.chance(60)) {
    const low = BigInt.asUintN(bits, b.registers[RAX]);
    const high = BigInt.asUintN(bits, b.registers[RDX]);
    b.setOperand(b.operands[0], low | (high << BigInt(bits)));
  }
}
