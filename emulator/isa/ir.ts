/**
 * The intermediate form of an instruction's semantics: typed expressions without side effects and statements in three phases (translate
 * every access, compute, commit). The interpreter, the JIT and the effect analysis are uses of it.
 */
export type Size = 1 | 2 | 4 | 8;
export type Type = 'i64' | 'i32';

export interface Temp {
  readonly op: 'temp';
  readonly type: Type;
  readonly id: number;
}
export type Expr =
  | Temp
  | { readonly op: 'const'; readonly type: Type; readonly value: bigint }
  /** The record's immediate, sign-extended to 64 bits; a relative branch's: its target relative to the code page. */
  | { readonly op: 'imm'; readonly type: 'i64' }
  /** IP of a relative branch's target, before any truncation to the operand size. */
  | { readonly op: 'branchTarget'; readonly type: 'i64' }
  /** IP of the next instruction. */
  | { readonly op: 'nextIp'; readonly type: 'i64' }
  /** Linear address of the memory operand; in segmented shapes its offset, cut to the address size. */
  | { readonly op: 'ea'; readonly type: 'i64' }
  | { readonly op: BinaryOp; readonly type: Type; readonly a: Expr; readonly b: Expr }
  | { readonly op: UnaryOp; readonly type: Type; readonly a: Expr }
  | { readonly op: 'select'; readonly type: Type; readonly c: Expr; readonly a: Expr; readonly b: Expr };

/** WebAssembly's operators on operands of one type; comparisons give i32. */
export type BinaryOp =
  | 'add' | 'sub' | 'mul' | 'div_s' | 'div_u' | 'rem_s' | 'rem_u' | 'and' | 'or' | 'xor' | 'shl' | 'shr_s' | 'shr_u' | 'rotl' | 'rotr'
  | 'eq' | 'ne' | 'lt_s' | 'lt_u' | 'gt_s' | 'gt_u' | 'le_s' | 'le_u' | 'ge_s' | 'ge_u'; // prettier-ignore
export type UnaryOp = 'clz' | 'ctz' | 'popcnt' | 'eqz' | 'wrap' | 'extend_u' | 'extend_s' | 'sx8' | 'sx16' | 'sx32';

/** A register operand: a fixed general register, or the register named by operand `operand` of the record. */
export type RegisterRef = { readonly fixed: number } | { readonly operand: number };

/** A checked place: memory that may be read or written without a further fault, or a register. */
export type Location =
  | { readonly kind: 'register'; readonly ref: RegisterRef; readonly size: Size }
  | { readonly kind: 'memory'; readonly id: number; readonly access: 'r' | 'w' | 'rw'; readonly bytes: number };

/** The effective segment of the instruction's memory operand (default or override), as the decoder found it. */
export const OPERAND_SEGMENT = -1;

/** How the lazy triple gives the arithmetic flags; see codegen/flags. */
export const FlagKind = { explicit: 0, logic: 1, inc: 2, dec: 3, sub: 4, add: 5, adc: 6, sbb: 7, shl: 8, shr: 9, sar: 10 } as const;

/** Computations done by TypeScript with values in scratch slots. */
export const ComputeName = { divU128: 0, divS128: 1 } as const;

export type Statement =
  | { readonly k: 'let'; readonly temp: Temp; readonly value: Expr }
  | { readonly k: 'readRegister'; readonly temp: Temp; readonly ref: RegisterRef; readonly size: Size }
  | { readonly k: 'readState'; readonly temp: Temp; readonly offset: number }
  /** @param segment of the access in segmented shapes (the address is an offset then): Seg.*, or OPERAND_SEGMENT; undefined in flat shapes. */
  | {
      readonly k: 'access';
      readonly location: Location & { kind: 'memory' };
      readonly address: Expr;
      readonly segment: number | undefined;
    }
  | {
      readonly k: 'load';
      readonly temp: Temp;
      readonly location: Location & { kind: 'memory' };
      readonly size: Size;
      readonly offset: number;
    }
  | { readonly k: 'condition'; readonly temp: Temp; readonly code: number }
  | { readonly k: 'readFlags'; readonly temp: Temp }
  /** A computation by TypeScript through scratch slots; when it refuses, exception `vector` (before any commit). */
  | {
      readonly k: 'compute';
      readonly name: number;
      readonly ins: readonly Expr[];
      readonly outs: readonly Temp[];
      readonly vector: number;
      readonly fast?: FastCompute;
    }
  | { readonly k: 'fault'; readonly condition: Expr; readonly vector: number; readonly errorCode: number }
  /** Retires without effect when the condition holds (REP with count 0). */
  | { readonly k: 'retireIf'; readonly condition: Expr }
  | { readonly k: 'writeRegister'; readonly ref: RegisterRef; readonly size: Size; readonly value: Expr }
  | {
      readonly k: 'store';
      readonly location: Location & { kind: 'memory' };
      readonly size: Size;
      readonly offset: number;
      readonly value: Expr;
    }
  | { readonly k: 'storesDone'; readonly location: Location & { kind: 'memory' } }
  | { readonly k: 'setFlags'; readonly kind: Expr; readonly a: Expr; readonly b: Expr; /** only when it holds */ readonly when?: Expr }
  | { readonly k: 'writeState'; readonly offset: number; readonly value: Expr }
  /** Branch to the record's page-relative target, when the condition holds; `canonical`: one that is not canonical is #GP(0) at the branch. */
  | { readonly k: 'branch'; readonly condition?: Expr; readonly canonical: boolean }
  | { readonly k: 'jump'; readonly target: Expr }
  /** The same instruction again (REP) while the condition holds. */
  | { readonly k: 'again'; readonly condition: Expr };

/** When `condition` (i32) holds, a computation's results are these expressions, and TypeScript is not asked. */
export interface FastCompute {
  readonly condition: Expr;
  readonly values: readonly Expr[];
}

/** The semantics of one shape of an instruction form. */
export interface Program {
  readonly statements: readonly Statement[];
  /** Ends a straight run: it jumps or may. */
  readonly controlFlow: boolean;
}

export const c64 = (value: bigint | number): Expr => ({ op: 'const', type: 'i64', value: BigInt(value) });
export const c32 = (value: number): Expr => ({ op: 'const', type: 'i32', value: BigInt(value) });
const comparisons = new Set<BinaryOp>(['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u']);
export function bin(op: BinaryOp, a: Expr, b: Expr): Expr {
  if (a.type !== b.type) throw new Error(`${op}: ${a.type} and ${b.type}`);
  return { op, type: comparisons.has(op) ? 'i32' : a.type, a, b };
}
export function un(op: UnaryOp, a: Expr): Expr {
  const type: Type = op === 'eqz' || op === 'wrap' ? 'i32' : op === 'extend_u' || op === 'extend_s' ? 'i64' : a.type;
  return { op, type, a };
}
export const select = (c: Expr, a: Expr, b: Expr): Expr => ({ op: 'select', type: a.type, c, a, b });
/** Operand type of a comparison or other operator (the type of its arguments). */
export const operandType = (e: { a: Expr }): Type => e.a.type;

export const maskOf = (size: Size): bigint => (1n << BigInt(size * 8)) - 1n;
/** Zero-extended low `size` bytes. */
export const zx = (size: Size, e: Expr): Expr => (size === 8 ? e : bin('and', e, c64(maskOf(size))));
/** Sign-extended low `size` bytes. */
export const sx = (size: Size, e: Expr): Expr => (size === 8 ? e : un(size === 4 ? 'sx32' : size === 2 ? 'sx16' : 'sx8', e));
