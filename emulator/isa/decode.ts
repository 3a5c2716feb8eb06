/**
 * Decodes one instruction by the rows (SDM volume 2, "Instruction Format"), for 16-bit, 32-bit and 64-bit code. Undefined opcodes decode
 * to the UD call-out, too long ones to TOO_LONG.
 */
import { Seg } from '../spec/vcpu-state';
import type { Size } from './ir';
import { BASE_RIP, type Instruction } from './instruction';
import { type OperandSpec, type ParsedRow, parseRow } from './notation';
import type { Row } from './row';

/** A register operand is a number, with high = AH..BH. */
export interface DecodedOperand {
  readonly spec: OperandSpec;
  /** Register number, or -1. */
  readonly register: number;
  readonly high: boolean;
}
export interface Decoded {
  readonly instruction: Instruction;
  readonly row: Row;
  readonly parsed: ParsedRow;
  readonly operands: readonly DecodedOperand[];
  /** The r/m operand (or moffs) is memory. */
  readonly memory: boolean;
  readonly layout: ByteLayout;
}
/** Where an instruction's parts lie: header (prefixes, opcode, ModRM, SIB), displacement, immediate, in bytes. */
export interface ByteLayout {
  readonly header: number;
  readonly displacement: number;
  readonly immediate: number;
  /** Another instruction with the same header differs only in displacement and immediate. */
  readonly repeatable: boolean;
}
const NO_LAYOUT: ByteLayout = { header: 0, displacement: 0, immediate: 0, repeatable: false };

interface Candidate {
  readonly row: Row;
  readonly parsed: ParsedRow;
}

/** Added to the map number of VEX-encoded rows. */
const VEX_MAP = 4;

/** Rows by opcode map and opcode byte, mandatory prefixes first. */
export class OpcodeTable {
  private readonly candidates: (Candidate[] | undefined)[] = new Array<Candidate[] | undefined>(2048);
  readonly undefinedRow: Candidate;
  readonly tooLongRow: Candidate;

  constructor(rows: readonly Row[]) {
    const make = (row: Row): Candidate => ({ row, parsed: parseRow(row) });
    this.undefinedRow = make({ opcode: '0F 0B', instruction: 'UD', system: 'UD' });
    this.tooLongRow = make({ opcode: '0F 0B', instruction: 'TOO_LONG', system: 'TOO_LONG' });
    for (const row of rows) {
      const c = make(row);
      const first = c.parsed.opcode;
      const map = c.parsed.map | (c.parsed.vex ? VEX_MAP : 0);
      for (let n = 0; n < (c.parsed.opcodeRegister ? 8 : 1); n++) (this.candidates[(map << 8) | (first + n)] ??= []).push(c);
    }
    const rank = (c: Candidate): number => (c.parsed.mandatoryPrefix ? 0 : 2) + (c.parsed.fixedModRm >= 0 ? 0 : 1);
    for (const list of this.candidates) list?.sort((a, b) => rank(a) - rank(b));
  }
  at(map: number, opcode: number): readonly Candidate[] | undefined {
    return this.candidates[(map << 8) | opcode];
  }
}

export interface DecodeMode {
  readonly code64: boolean;
  /** Default operand and address sizes of 16 bits (CS.D = 0 outside 64-bit code, real-address and virtual-8086 mode). */
  readonly code16?: boolean;
  readonly features: ReadonlySet<string>;
}

/**
 * @param bytes memory from which `start` is the first byte; @param end bytes at and after it are not available.
 * @returns undefined when the instruction goes on at or after `end` (and is not yet too long).
 */
export function decode(table: OpcodeTable, bytes: Uint8Array, start: number, end: number, mode: DecodeMode): Decoded | undefined {
  const limit = Math.min(end, start + 15);
  const { code64 } = mode;
  const code16 = mode.code16 === true;
  let at = start;
  let prefix66 = false;
  let otherAddress = false;
  let lock = false;
  let rep: 0 | 0xf2 | 0xf3 = 0;
  let override = -1;
  let rex = 0;
  for (; ; at++) {
    if (at >= limit) return outOfBytes(table, start, end);
    const b = bytes[at];
    if (b === 0x66) prefix66 = true;
    else if (b === 0x67) otherAddress = true;
    else if (b === 0xf0) lock = true;
    else if (b === 0xf2 || b === 0xf3) rep = b;
    else if (b === 0x26 || b === 0x2e || b === 0x36 || b === 0x3e) override = code64 ? override : (b - 0x26) >> 3;
    else if (b === 0x64 || b === 0x65) override = b - 0x60;
    else if (code64 && (b & 0xf0) === 0x40) {
      rex = b;
      continue;
    } else break;
    rex = 0; // a REX prefix counts only immediately before the opcode
  }
  let map = 0;
  let opcode = bytes[at++];
  /** VEX.pp as the prefix that it stands for, -1: no VEX prefix. */
  let vexPrefix = -1;
  let vvvv = 0;
  if (opcode === 0xc4 || opcode === 0xc5) {
    if (at >= limit) return outOfBytes(table, start, end);
    // Outside 64-bit code a memory operand makes it LES or LDS. Not modelled: real-address and virtual-8086 mode know no VEX prefix (#UD).
    if (code64 || bytes[at] >= 0xc0) {
      const three = opcode === 0xc4;
      if (at + (three ? 2 : 1) >= limit) return outOfBytes(table, start, end);
      const inverted = ~bytes[at] & 0xe0;
      map = three ? bytes[at++] & 0x1f : 1;
      const last = bytes[at++];
      opcode = bytes[at++];
      vexPrefix = [0, 0x66, 0xf3, 0xf2][last & 3];
      vvvv = (~last >> 3) & 15;
      // 66, F2, F3, LOCK and REX before it are #UD; so are 256-bit lengths here.
      if (prefix66 || rep !== 0 || lock || rex !== 0 || map < 1 || map > 3 || (last & 4) !== 0)
        return plain(table.undefinedRow, at - start, code64);
      if (code64) rex = (three ? (last >> 4) & 8 : 0) | (three ? inverted >> 5 : (inverted >> 5) & 4);
      else vvvv &= 7;
      map |= VEX_MAP;
    }
  }
  if (opcode === 0x0f && vexPrefix < 0) {
    if (at >= limit) return outOfBytes(table, start, end);
    opcode = bytes[at++];
    map = 1;
    if (opcode === 0x38 || opcode === 0x3a) {
      if (at >= limit) return outOfBytes(table, start, end);
      map = opcode === 0x38 ? 2 : 3;
      opcode = bytes[at++];
    }
  }
  const candidates = table.at(map, opcode);
  const rexW = (rex & 8) !== 0;
  const ud = (length: number): Decoded => plain(table.undefinedRow, length, code64);
  if (candidates === undefined) return ud(at - start);
  const needsModRm = candidates.some((c) => c.parsed.hasModRm);
  let modrm = 0;
  if (needsModRm) {
    if (at >= limit) return outOfBytes(table, start, end);
    modrm = bytes[at];
  }
  const mod = modrm >> 6;
  let chosen: Candidate | undefined;
  let operandSize: Size = 4;
  for (const c of candidates) {
    const { parsed, row } = c;
    if (row.only !== undefined && (row.only === 64) !== code64) continue;
    if (row.feature !== undefined && !mode.features.has(row.feature)) continue;
    if (parsed.vex) {
      if (parsed.mandatoryPrefix !== vexPrefix || (vvvv !== 0 && !parsed.operands.some((o) => o.encoding === 'vvvv'))) continue;
    } else if (parsed.mandatoryPrefix === 0x66 ? !prefix66 || rep !== 0 : parsed.mandatoryPrefix !== 0 && parsed.mandatoryPrefix !== rep)
      continue;
    if (parsed.noPrefix && (prefix66 || rep !== 0)) continue;
    if (parsed.map >= 2 && !parsed.vex && parsed.mandatoryPrefix === 0 && rep !== 0) continue;
    if (parsed.fixedModRm >= 0 && parsed.fixedModRm !== modrm) continue;
    if (parsed.digit >= 0 && parsed.digit !== ((modrm >> 3) & 7)) continue;
    if (parsed.hasModRm && parsed.fixedModRm < 0 && parsed.rmKind === (mod === 3 ? 'memory' : 'register')) continue;
    if (parsed.mnemonic === 'NOP' && map === 0 && (rex & 1) !== 0) continue;
    operandSize = effectiveOperandSize(row, code64, rexW, prefix66 !== code16);
    if (row.operandSize !== undefined && row.operandSize !== operandSize) continue;
    chosen = c;
    break;
  }
  if (chosen === undefined) return ud(at - start + (needsModRm ? 1 : 0));
  const { row, parsed } = chosen;
  if (parsed.hasModRm) at++;

  const addressSize: 2 | 4 | 8 = code64 ? (otherAddress ? 4 : 8) : otherAddress !== code16 ? 2 : 4;
  let rm = -1;
  let base = -1;
  let index = -1;
  let scaleLog2 = 0;
  let displacement = 0n;
  let displacementBytes = 0;
  let segment: number = Seg.ds;
  let memory = false;
  const signed = (size: 1 | 2 | 4): bigint => {
    let v = 0;
    for (let n = size - 1; n >= 0; n--) v = v * 256 + bytes[at + n];
    at += size;
    return BigInt.asIntN(size * 8, BigInt(v));
  };
  if (parsed.hasModRm && mod !== 3 && parsed.fixedModRm < 0 && !isRegisterOnly(row)) {
    memory = true;
    base = (modrm & 7) | ((rex & 1) << 3);
    if (addressSize === 2) [base, index] = ADDRESS_16[modrm & 7];
    else if ((modrm & 7) === 4) {
      if (at >= limit) return outOfBytes(table, start, end);
      const sib = bytes[at++];
      scaleLog2 = sib >> 6;
      index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index === 4) index = -1;
      base = (sib & 7) | ((rex & 1) << 3);
      if ((sib & 7) === 5 && mod === 0) base = -1;
    } else if ((modrm & 7) === 5 && mod === 0) base = code64 ? BASE_RIP : -1;
    if (addressSize === 2 && (modrm & 7) === 6 && mod === 0) base = -1;
    const bytesOfDisplacement =
      addressSize === 2
        ? mod === 1
          ? 1
          : mod === 2 || base === -1
            ? 2
            : 0
        : mod === 1
          ? 1
          : mod === 2 || base === BASE_RIP || (base === -1 && mod === 0)
            ? 4
            : 0;
    if (at + bytesOfDisplacement > limit) return outOfBytes(table, start, end);
    displacementBytes = bytesOfDisplacement;
    if (bytesOfDisplacement) displacement = signed(bytesOfDisplacement as 1 | 2 | 4);
    if (base === 4 || base === 5) segment = Seg.ss;
  } else if (parsed.hasModRm) rm = (modrm & 7) | ((rex & 1) << 3);
  else if (parsed.opcodeRegister) rm = (opcode & 7) | ((rex & 1) << 3);
  const moffs = parsed.operands.some((o) => o.encoding === 'moffs');
  if (moffs) {
    if (at + addressSize > limit) return outOfBytes(table, start, end);
    let v = 0n;
    for (let n = addressSize - 1; n >= 0; n--) v = (v << 8n) | BigInt(bytes[at + n]);
    at += addressSize;
    displacement = addressSize === 8 ? BigInt.asIntN(64, v) : v;
    memory = true;
  }
  if (override >= 0) segment = override;
  const immediateStart = at;

  let immediate = 0n;
  let immediate2 = 0;
  for (const [n, kind] of parsed.immediates.entries()) {
    const size = kind === 'cp' ? (operandSize === 2 ? 4 : 6) : { b: 1, w: 2, d: 4, o: 8 }[kind[1] as 'b'];
    if (at + size > limit) return outOfBytes(table, start, end);
    if (kind === 'cp') {
      immediate = BigInt.asUintN(operandSize === 2 ? 16 : 32, signed(operandSize === 2 ? 2 : 4));
      immediate2 = Number(BigInt.asUintN(16, signed(2)));
    } else if (kind === 'io') {
      const low = BigInt.asUintN(32, signed(4));
      immediate = (signed(4) << 32n) | low;
    } else if (n > 0) immediate2 = Number(BigInt.asUintN(8, signed(1)));
    else immediate = signed(size as 1 | 2 | 4);
  }
  if (parsed.operands.some((o) => o.encoding === 'one')) immediate = 1n;
  const length = at - start;
  const immediateBytes = at - immediateStart;
  const layout: ByteLayout = {
    header: length - immediateBytes - displacementBytes,
    displacement: displacementBytes,
    immediate: immediateBytes,
    repeatable: !moffs && parsed.immediates.length <= 1 && parsed.immediates[0] !== 'cp',
  };
  const writesMemory = memory && (parsed.operands[0]?.encoding === 'rm' || parsed.operands[0]?.encoding === 'memory' || row.lock === true);
  if (lock && !(row.lock === true && writesMemory && parsed.operands[0]?.encoding !== 'reg')) return ud(length);

  const byteForm = parsed.size === 1 && row.operandSize === undefined;
  const portForm = row.system === 'IN' || row.system === 'OUT' || row.system === 'INS' || row.system === 'OUTS';
  const byteOperand = byteForm || (portForm && (opcode & 1) === 0);
  const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const instruction: Instruction = {
    mnemonic: parsed.mnemonic,
    system: row.system ?? '',
    length,
    opcode: map === 0 ? opcode : (map & 3) === 1 ? 0x0f00 | opcode : ((map & 3) === 2 ? 0x0f3800 : 0x0f3a00) | opcode,
    operandSize: byteOperand ? 1 : portForm && operandSize === 8 ? 4 : operandSize,
    addressSize,
    lock,
    rep,
    rexW,
    rex: rex !== 0,
    hasModRm: parsed.hasModRm,
    mod,
    reg,
    rm,
    segment,
    base,
    index,
    scaleLog2,
    displacement,
    immediate,
    immediate2,
  };
  const operands = parsed.operands.map((spec): DecodedOperand => {
    let register = -1;
    if (spec.encoding === 'reg') register = reg;
    else if (spec.encoding === 'rm' && !memory) register = rm;
    else if (spec.encoding === 'opcode-reg') register = rm;
    else if (spec.encoding === 'fixed') register = spec.register;
    else if (spec.encoding === 'vvvv') register = vvvv;
    const high = register >= 4 && register < 8 && rex === 0 && spec.size === 1 && spec.encoding !== 'fixed';
    return { spec, register: high ? register - 4 : register, high };
  });
  return { instruction, row, parsed, operands, memory, layout };
}

/** Base and index of the eight 16-bit addressing forms ("16-Bit Addressing Forms with the ModR/M Byte"): BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX. */
const ADDRESS_16: readonly (readonly [number, number])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6, -1], [7, -1], [5, -1], [3, -1]]; // prettier-ignore

/** MOV to and from control and debug registers ignore ModRM.mod: the operand is always a register. */
const isRegisterOnly = (row: Row): boolean => /_(TO|FROM)_(CR|DR)$/.test(row.system ?? '');

function effectiveOperandSize(row: Row, code64: boolean, rexW: boolean, operand16: boolean): 2 | 4 | 8 {
  if (!code64) return operand16 ? 2 : 4;
  if (row.in64 === 'always64') return 8;
  if (row.in64 === 'default64') return operand16 && !rexW ? 2 : 8;
  return rexW ? 8 : operand16 ? 2 : 4;
}

/** No more bytes: too long when 15 were there, else the caller must bring the next page. */
function outOfBytes(table: OpcodeTable, start: number, end: number): Decoded | undefined {
  return end - start >= 15 ? plain(table.tooLongRow, 15, true) : undefined;
}

function plain(c: Candidate, length: number, code64: boolean): Decoded {
  const instruction: Instruction = {
    mnemonic: c.parsed.mnemonic, system: c.row.system ?? '', length, opcode: 0, operandSize: 4, addressSize: code64 ? 8 : 4, lock: false, rep: 0, rexW: false, rex: false,
    hasModRm: false, mod: 0, reg: 0, rm: -1, segment: Seg.ds, base: -1, index: -1, scaleLog2: 0, displacement: 0n, immediate: 0n, immediate2: 0,
  }; // prettier-ignore
  return { instruction, row: c.row, parsed: c.parsed, operands: [], memory: false, layout: NO_LAYOUT };
}
