// One case for one instruction form: random operands and addressing, edge values, memory contents, machine code.
import { addressMemory, pickTarget } from './addressing.mjs';
import { bytesOf, encode, parseOpcode } from './encoding.mjs';
import { defaultFlags, defaultRegisters, defaultRip, region, regionOf } from './layout.mjs';
import { Flag } from './undefined-flags.mjs';
import { adjustments, implicitRegisters, keepsInside, stackBytes } from './instruction-needs.mjs';

const fixedOperands = { al: [0, 8], ax: [0, 16], eax: [0, 32], rax: [0, 64], cl: [1, 8], dx: [2, 16] };
const immediateBytes = { imm8: 1, imm8sex16: 1, imm8sex32: 1, imm8sex64: 1, imm16: 2, imm32: 4, imm32sex64: 4, imm64: 8 };

export class CaseBuilder {
  constructor(form, mode, random, number) {
    Object.assign(this, { form, mode, random, number, undefinedMask: 0, extents: [], operands: [] });
    this.opcode = parseOpcode(form.opcode);
    this.registers = defaultRegisters.map((value) => (mode === 64 ? value : BigInt.asUintN(32, value)));
    /** Registers that hold an address or an implicit operand: number → what may still change them. */
    this.addressRegisters = new Set();
    this.reserved = new Set(implicitRegisters(form));
    this.rflags = defaultFlags;
    for (const flag of [Flag.CF, Flag.PF, Flag.AF, Flag.ZF, Flag.SF, Flag.OF]) if (random.chance(50)) this.rflags |= flag;
    if (form.group === 'string' ? random.chance(45) : random.chance(4)) this.rflags |= Flag.DF;
    this.rip = this.pickRip();
    this.chooseSizes();
  }

  pickRip() {
    const { random } = this;
    if (random.chance(88)) return defaultRip;
    const code = region.code.address;
    return BigInt(random.chance(50) ? code + random.below(0x1f00) : code + 0x1000 - 1 - random.below(4));
  }

  chooseSizes() {
    const { random, mode, opcode, form } = this;
    const long = mode === 64;
    this.rexW = long && opcode.operandBits === 64 && !form.defaults64;
    const rexAllowed = long && !opcode.vex && form.operands.length > 0 && !/^br/.test(form.operands[0]);
    this.rex = this.rexW || (rexAllowed && random.chance(50));
    this.highest = long && (this.rex || opcode.vex) ? 15 : 7;
    this.prefixes = [];
    if (opcode.operandBits === 16) this.prefixes.push(0x66);
    this.addressBits = opcode.addressBits || mode;
    const addresses = form.operands.some((kind) => /mem|rDI|rSI|rBX/.test(kind));
    if (!opcode.addressBits && addresses && random.chance(10)) this.addressBits = mode === 64 ? 32 : 16;
    if (this.addressBits !== mode) this.prefixes.push(0x67);
    // REX.W wins over an operand-size prefix.
    if (this.rexW && opcode.bytes[0] < 0xc0 && opcode.prefixes.length === 0 && opcode.bytes.length === 1 && random.chance(4))
      this.prefixes.push(0x66);
    this.allowSegment = true;
  }

  // Registers ---------------------------------------------------------------------------------------------------------------------

  isFree(register) {
    return !this.reserved.has(register) && !this.addressRegisters.has(register);
  }

  pickAddressRegister(test = () => true) {
    const candidates = Array.from({ length: this.highest + 1 }, (_, n) => n).filter((n) => this.isFree(n) && test(n));
    const register = candidates.length > 0 ? this.random.pick(candidates) : undefined;
    if (register !== undefined) this.addressRegisters.add(register);
    return register;
  }

  /** Bits above an address of fewer bits are noise that the processor must ignore. */
  setAddressRegister(register, value, bits) {
    this.addressRegisters.add(register);
    this.registers[register] = this.withLow(this.random.bits(64), value, bits);
  }

  withLow(old, value, bits, shift = 0) {
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    const merged = (old & ~mask) | ((BigInt.asUintN(bits, value) << BigInt(shift)) & mask);
    return BigInt.asUintN(this.mode, merged);
  }

  setRegister(register, bits, value, shift = 0) {
    if (this.addressRegisters.has(register)) return;
    const upper = bits === 32 ? (this.cleanUpper ? 0n : this.random.bits(64)) : this.registers[register];
    this.registers[register] = this.withLow(upper, value, bits, shift);
  }

  readRegister({ register, bits, shift }) {
    return BigInt.asUintN(bits, this.registers[register] >> BigInt(shift));
  }

  /** A register operand for an encoding field: byte registers 4..7 are AH..BH without REX. */
  registerOperand(bits, number) {
    const high = bits === 8 && !this.rex && !this.opcode.vex && number >= 4;
    return { kind: 'register', number, register: high ? number - 4 : number, shift: high ? 8 : 0, bits };
  }

  pickRegister(bits) {
    const usable = (n) => this.random.chance(15) || this.isFree(n);
    for (;;) {
      const number = this.random.below(this.highest + 1);
      const operand = this.registerOperand(bits, number);
      if (usable(operand.register) && !(operand.register === 4 && this.reserved.has(4) && this.form.group === 'branch')) return operand;
    }
  }

  // Memory ------------------------------------------------------------------------------------------------------------------------

  /** Puts bytes where memory is; those of an access that leaves its page are dropped. */
  setMemory(address, bytes) {
    const present = bytes.map((byte, i) => ({ at: address + BigInt(i), byte })).filter(({ at }) => regionOf(at));
    for (const { at, byte } of present) {
      const known = this.extents.find((extent) => extent.at === at);
      if (known) known.byte = byte;
      else this.extents.push({ at, byte });
    }
  }

  setOperand(operand, value) {
    if (operand.kind === 'register') this.setRegister(operand.register, operand.bits, value, operand.shift);
    else if (operand.kind === 'memory') this.setMemory(operand.address, bytesOf(BigInt.asUintN(operand.bytes * 8, value), operand.bytes));
    else if (operand.kind === 'immediate') operand.value = BigInt.asUintN(operand.bytes * 8, value);
  }

  /** The value that an operand has now. */
  valueOf(operand) {
    if (operand.kind === 'register') return this.readRegister(operand);
    if (operand.kind === 'immediate') return operand.value;
    const byte = (at) => BigInt(this.extents.find((extent) => extent.at === at)?.byte ?? 0);
    let value = 0n;
    for (let i = operand.bytes - 1; i >= 0; i--) value = (value << 8n) | byte(operand.address + BigInt(i));
    return value;
  }

  memoryOperand(bytes, wish = {}) {
    const lock = this.lock;
    const target = pickTarget(this.random, this.mode, this.addressBits, bytes || 1, { aligned: lock, ...keepsInside(this.form), ...wish });
    this.allowSegment = this.form.group !== 'nothing';
    this.memory = addressMemory(this, target, this.addressBits);
    this.prefixes.push(...this.memory.prefixes);
    return { kind: 'memory', address: target, bytes };
  }

  // The case ----------------------------------------------------------------------------------------------------------------------

  buildOperand(kind) {
    const { random } = this;
    if (kind in fixedOperands) {
      const [register, bits] = fixedOperands[kind];
      return { kind: 'register', number: register, register, shift: 0, bits };
    }
    if (kind in immediateBytes) return { kind: 'immediate', bytes: immediateBytes[kind], value: random.value(8 * immediateBytes[kind]) };
    if (kind === 'imm8_const_1') return { kind: 'constant', value: 1n };
    const general = /^r(\d+)_(or_mem|reg|opcode|vvvv|rm)$/.exec(kind);
    if (general) {
      const bits = Number(general[1]);
      if (general[2] === 'or_mem' && this.useMemory) return this.memoryOperand(this.form.memoryBytes);
      const operand = this.pickRegister(bits);
      this.fields[{ or_mem: 'rm', reg: 'reg', opcode: 'plus', vvvv: 'vvvv', rm: 'rm' }[general[2]]] = operand.number;
      return operand;
    }
    if (kind === 'mem') return this.memoryOperand(this.form.memoryBytes);
    if (kind === 'mem_offs') {
      const target = pickTarget(random, this.mode, this.addressBits, this.form.memoryBytes);
      this.offsetBytes = this.addressBits / 8;
      return { kind: 'memory', address: target, bytes: this.form.memoryBytes };
    }
    if (kind === 'seg_reg') {
      this.fields.reg = random.below(6);
      return { kind: 'segment', number: this.fields.reg };
    }
    const branch = /^br\d+_(\d)$/.exec(kind);
    if (branch) return { kind: 'branch', bytes: Number(branch[1]) };
    return { kind };
  }

  build() {
    const { form, random, mode } = this;
    this.fields = {};
    const takesMemory = form.operands.some((kind) => /or_mem|^mem$/.test(kind));
    this.useMemory = form.operands.includes('mem') || (takesMemory && random.chance(45));
    this.lock = this.useMemory && form.canLock && random.chance(form.mnemonic === 'XCHG' ? 8 : 16);
    if (stackBytes(form)) this.pickStack();
    // Memory first: the other operands then keep off its registers, mostly.
    const order = form.operands.map((kind, i) => ({ kind, i })).sort((a, b) => Number(/mem/.test(b.kind)) - Number(/mem/.test(a.kind)));
    for (const { kind, i } of order) this.operands[i] = this.buildOperand(kind);
    for (const register of this.reserved) this.setRegister(register, mode, random.value(mode));
    for (const operand of this.operands) {
      const bits = operand.kind === 'memory' ? operand.bytes * 8 : (operand.bits ?? 0);
      if (bits > 0) this.setOperand(operand, random.value(bits));
    }
    this.relateOperands();
    this.adjust();
    return this.finish();
  }

  /** Equal and opposite operands are where comparisons and subtractions turn. */
  relateOperands() {
    const [first, second] = this.operands;
    if (!first || !second || second.kind === 'constant' || !['register', 'memory'].includes(first.kind) || !this.random.chance(18)) return;
    const value = this.valueOf(first);
    this.setOperand(second, this.random.pick([value, value + 1n, -value, ~value]));
  }

  adjust() {
    adjustments[this.form.mnemonic]?.(this);
    adjustments[this.form.group]?.(this);
  }

  pickStack() {
    const { random, mode } = this;
    const { address, size } = region.stack;
    const kind = random.below(100);
    let pointer = BigInt(address + size / 2);
    if (kind >= 70) pointer = BigInt(address + 0x100 + random.below(size - 0x200));
    if (kind >= 90) pointer = BigInt(address + random.below(12));
    if (kind >= 94) pointer = BigInt(address + size - random.below(12));
    if (kind >= 98 && mode === 64) pointer = (0x1234n << 48n) | random.bits(48);
    this.setAddressRegister(4, pointer, 64);
    this.setMemory(pointer, random.hexBytes(stackBytes(this.form)));
  }

  finish() {
    const { form, mode, random, rip } = this;
    const immediate = this.operands
      .filter(({ kind }) => kind === 'immediate' || kind === 'branch')
      .flatMap((operand) => bytesOf(operand.value, operand.bytes));
    if (this.offsetBytes) immediate.push(...bytesOf(this.operands.find(({ kind }) => kind === 'memory').address, this.offsetBytes));
    if (form.rep) this.prefixes.push(form.rep);
    if (this.lock) this.prefixes.push(0xf0);
    random.shuffle(this.prefixes);
    // A mandatory prefix comes last, so that it is the one in force.
    const prefixes = [...this.prefixes, ...this.opcode.prefixes.filter((byte) => byte !== form.rep)];
    const code = encode(this.opcode, {
      mode,
      rip,
      ...this.fields,
      memory: this.memory,
      immediate,
      prefixes,
      rex: this.rex,
      rexW: this.rexW,
    });
    return {
      form,
      mode,
      code,
      rip,
      rflags: this.rflags,
      registers: this.registers.map((value) => BigInt.asUintN(mode, value)),
      memory: this.extents,
      undefinedMask: this.undefinedMask,
      shiftedByNothing: this.shiftedByNothing,
    };
  }
}
