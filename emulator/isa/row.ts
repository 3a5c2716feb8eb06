/** The form of an instruction row: the manual's opcode and instruction columns with what the body needs to know, and how families are expanded over operand sizes. */
import type { Semantics, Shape } from './semantics';

/** One body of semantics, traced for each shape that rows ask for. */
export interface Body {
  readonly name: string;
  /** Which aspects of the shape the program depends on, beside size and operands. */
  readonly uses: readonly (keyof Shape)[];
  readonly trace: (s: Semantics) => void;
}

export interface Row {
  /** The manual's opcode column: 'REX.W + 13 /r', 'VEX.LZ.0F38.W0 F2 /r'. */
  readonly opcode: string;
  /** The manual's instruction column: 'ADC r64, r/m64'; of VEX forms 'r32a' is ModRM.reg and 'r32b' VEX.vvvv. */
  readonly instruction: string;
  readonly body?: Body;
  /** Call-out in TypeScript that carries the instruction out. */
  readonly system?: string;
  /** 64: valid only in 64-bit code; 32: invalid in 64-bit code. */
  readonly only?: 64 | 32;
  /** Operand size that selects this row (16/32/64-bit forms that share an opcode). */
  readonly operandSize?: 2 | 4 | 8;
  /** LOCK is allowed with a memory destination. */
  readonly lock?: boolean;
  /** In 64-bit code: operand size defaults to 64 (no 32-bit form), or is always 64. */
  readonly in64?: 'default64' | 'always64';
  readonly parameter?: number;
  /** The memory operand is only an address (LEA, multi-byte NOP): no segment, no access. */
  readonly addressOnly?: boolean;
  /** String instruction: REP prefixes repeat it. */
  readonly string?: 'rep' | 'repe';
  /** The CPU feature that brings it; without it the opcode is what it was before (or undefined). */
  readonly feature?: string;
}

export type RowAttributes = Partial<Omit<Row, 'opcode' | 'instruction' | 'body' | 'system'>>;

export const body = (name: string, trace: (s: Semantics) => void, ...uses: (keyof Shape)[]): Body => ({ name, uses, trace });

export const row = (opcode: string, instruction: string, by: Body | string, attributes: RowAttributes = {}): Row =>
  typeof by === 'string' ? { opcode, instruction, system: by, ...attributes } : { opcode, instruction, body: by, ...attributes };

/** Expands '#' to the 16, 32 and 64-bit forms: `i#` is iw, id, id and `imm#` imm16, imm32, imm32; the 64-bit form gets REX.W. */
export function sized(opcode: string, instruction: string, by: Body | string, attributes: RowAttributes = {}): Row[] {
  return ([2, 4, 8] as const).map((size) => {
    const bits = String(size * 8);
    const immediate = size === 2 ? ['iw', 'imm16'] : ['id', 'imm32'];
    const op =
      (size === 8 && attributes.in64 === undefined ? 'REX.W + ' : '') +
      opcode.replace('i#', immediate[0]).replace('+r#', size === 2 ? '+rw' : size === 4 ? '+rd' : '+ro');
    const text = instruction.replaceAll('imm#', immediate[1]).replaceAll('#', bits);
    const only = size === 8 ? ({ only: 64 } as const) : {};
    const skip32 = size === 4 && attributes.in64 !== undefined ? ({ only: 32 } as const) : {};
    return row(op, text, by, { ...only, ...skip32, ...attributes, operandSize: size });
  });
}
