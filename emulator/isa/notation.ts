/** Parses the manual's opcode and instruction columns ('REX.W + 81 /2 id', 'ADC r/m64, imm32') into what the decoder and the shapes need. */
import type { Size } from './ir';
import type { Row } from './row';

export interface OperandSpec {
  readonly encoding: 'rm' | 'memory' | 'reg' | 'vvvv' | 'opcode-reg' | 'immediate' | 'one' | 'relative' | 'moffs' | 'fixed' | 'other';
  /** Undefined: as the instruction, or irrelevant. */
  readonly size: Size | undefined;
  /** Register number of 'fixed'. */
  readonly register: number;
}
export interface ParsedRow {
  readonly mnemonic: string;
  readonly map: 0 | 1 | 2 | 3;
  /** Encoded with a VEX prefix, of which `mandatoryPrefix` is the pp field. */
  readonly vex: boolean;
  readonly opcode: number;
  /** The opcode's low three bits are a register. */
  readonly opcodeRegister: boolean;
  readonly mandatoryPrefix: 0 | 0x66 | 0xf2 | 0xf3;
  /** 'NP': no 66, F2 or F3 prefix may be there. */
  readonly noPrefix: boolean;
  readonly hasModRm: boolean;
  /** /0../7, or -1. */
  readonly digit: number;
  /** A fixed ModRM byte (0F 01 C1), or -1. */
  readonly fixedModRm: number;
  /** What the r/m operand may be. */
  readonly rmKind: 'any' | 'register' | 'memory';
  readonly immediates: readonly ('ib' | 'iw' | 'id' | 'io' | 'cb' | 'cw' | 'cd' | 'cp')[];
  readonly operands: readonly OperandSpec[];
  /** Operand size of the row in bytes. */
  readonly size: Size;
}

function operandSpec(text: string, opcodeRegister: boolean): OperandSpec {
  const make = (encoding: OperandSpec['encoding'], bits?: string, register = 0): OperandSpec => ({
    encoding,
    size: bits === undefined || bits === '' ? undefined : ((Number(bits) / 8) as Size),
    register,
  });
  let m: RegExpExecArray | null;
  if ((m = /^r\/m(8|16|32|64)$/.exec(text))) return make('rm', m[1]);
  if ((m = /^r(32|64)a$/.exec(text))) return make('reg', m[1]);
  if ((m = /^r(32|64)b$/.exec(text))) return make('vvvv', m[1]);
  if ((m = /^r(8|16|32|64)$/.exec(text))) return make(opcodeRegister ? 'opcode-reg' : 'reg', m[1]);
  if ((m = /^rAX(16|32|64)$/.exec(text))) return make('fixed', m[1], 0);
  if ((m = /^moffs(8|16|32|64)$/.exec(text))) return make('moffs', m[1]);
  if ((m = /^m(8|16|32|64)$/.exec(text))) return make('memory', m[1]);
  if (/^m/.test(text)) return make('memory');
  if (/^imm/.test(text)) return make('immediate');
  if (/^rel/.test(text)) return make('relative');
  if (text === '1') return make('one');
  if (text === 'AL') return make('fixed', '8', 0);
  if (text === 'CL') return make('fixed', '8', 1);
  return make('other');
}

/** 'VEX.LZ.F2.0F38.W0' as the legacy bytes that it stands for. */
function vexTokens(parts: readonly string[]): string[] {
  const pp = parts.filter((p) => p === '66' || p === 'F2' || p === 'F3');
  const map = parts.find((p) => p.startsWith('0F')) ?? '0F';
  return [...pp, '0F', ...(map.length > 2 ? [map.slice(2)] : [])];
}

export function parseRow(row: Row): ParsedRow {
  const tokens = row.opcode
    .replace(/REX\.W (\+ )?/, '')
    .replace('NP ', '')
    .split(' ');
  const noPrefix = row.opcode.startsWith('NP ');
  const vex = tokens[0].startsWith('VEX.') ? (tokens.shift() ?? '').split('.') : undefined;
  if (vex) tokens.unshift(...vexTokens(vex));
  const bytes: number[] = [];
  let mandatoryPrefix: ParsedRow['mandatoryPrefix'] = 0;
  let digit = -1;
  let slashR = false;
  let opcodeRegister = false;
  const immediates: ParsedRow['immediates'][number][] = [];
  for (const token of tokens) {
    if (/^[0-9A-F]{2}(\+r[bwdo])?$/.test(token)) {
      bytes.push(parseInt(token.slice(0, 2), 16));
      opcodeRegister ||= token.length > 2;
    } else if (token === '/r') slashR = true;
    else if (/^\/[0-7]$/.test(token)) digit = Number(token[1]);
    else if (/^(i[bwdo]|c[bwdp])$/.test(token)) immediates.push(token as ParsedRow['immediates'][number]);
    else throw new Error(`opcode column '${row.opcode}': '${token}'`);
  }
  if (bytes.length > 1 && (bytes[0] === 0x66 || bytes[0] === 0xf2 || bytes[0] === 0xf3)) mandatoryPrefix = bytes.shift() as 0x66;
  let map: ParsedRow['map'] = 0;
  if (bytes[0] === 0x0f && bytes.length > 1) {
    bytes.shift();
    map = 1;
    const second: number = bytes[0];
    if ((second === 0x38 || second === 0x3a) && bytes.length > 1) {
      bytes.shift();
      map = second === 0x38 ? 2 : 3;
    }
  }
  const fixedModRm = bytes.length > 1 ? bytes[1] : -1;
  const space = row.instruction.indexOf(' ');
  const mnemonic = space < 0 ? row.instruction : row.instruction.slice(0, space);
  const operands = space < 0 ? [] : row.instruction.slice(space + 1).split(', ').map((t) => operandSpec(t, opcodeRegister)); // prettier-ignore
  const hasModRm = slashR || digit >= 0 || fixedModRm >= 0;
  // In 'BLSR r32, r/m32' with an opcode extension the register is the VEX.vvvv field.
  if (vex && digit >= 0) operands[0] = { ...operands[0], encoding: 'vvvv' };
  let rmKind: ParsedRow['rmKind'] = 'any';
  if (operands.some((o) => o.encoding === 'memory')) rmKind = 'memory';
  else if (digit >= 0 && !operands.some((o) => o.encoding === 'rm')) rmKind = 'register';
  const first = operands[0]?.size;
  const byteString = /^(MOVS|STOS|LODS|SCAS|CMPS|INS|OUTS)B$/.test(mnemonic);
  const size = row.operandSize ?? (byteString ? 1 : (first ?? 4));
  return {
    mnemonic,
    map,
    vex: vex !== undefined,
    opcode: bytes[0],
    opcodeRegister,
    mandatoryPrefix,
    noPrefix,
    hasModRm,
    digit,
    fixedModRm,
    rmKind,
    immediates,
    operands,
    size,
  };
}
