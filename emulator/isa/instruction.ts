/** One decoded instruction as plain data: what call-outs, effect facts and views read. (Hot instructions run from packed records instead.) */

export interface Instruction {
  /** Mnemonic of the row, such as 'ADD'; call-outs are found by `system`. */
  readonly mnemonic: string;
  /** Name of the call-out that carries it out ('' for instructions in generated code). */
  readonly system: string;
  /** Bytes, prefixes included. */
  readonly length: number;
  readonly opcode: number;
  /** Effective operand size in bytes (1 for byte forms). */
  readonly operandSize: 1 | 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly lock: boolean;
  /** 0, 0xf3 (REP/REPE) or 0xf2 (REPNE). */
  readonly rep: 0 | 0xf2 | 0xf3;
  /** Rex.W was there (64-bit mode). */
  readonly rexW: boolean;
  /** A REX prefix was there: byte registers 4..7 are SPL..DIL, not AH..BH. */
  readonly rex: boolean;
  readonly hasModRm: boolean;
  readonly mod: number;
  /** ModRM.reg with REX.R; ModRM.rm with REX.B when it names a register, else -1. For opcode-register forms (push r, mov r, imm) `rm` is that register. */
  readonly reg: number;
  readonly rm: number;
  /** Memory operand: effective segment (Seg.*, override and default rules applied), base and index (-1: none; base 16: RIP), scale, displacement. */
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  readonly scaleLog2: number;
  readonly displacement: bigint;
  /** First immediate, sign-extended to 64 bits where the form says so, else zero-extended; far pointers: the offset. */
  readonly immediate: bigint;
  /** Second immediate (ENTER's level, far pointers' selector). */
  readonly immediate2: number;
}
/** `Instruction.base` of RIP-relative operands. */
export const BASE_RIP = 16;
