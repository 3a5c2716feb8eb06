/** The packed form of a decoded instruction that generated code reads, and the codes with which generated code returns. */

import { ARENA_BYTES, ARENA_FIRST } from '../spec/vcpu-state';

/** Byte offsets inside one record. Register operands are byte offsets from the vCPU base (AH is RAX + 1). */
export const Rec = {
  bytes: 48,
  handler: 0, // u16
  alternative: 2, // u16, the real handler of a record that a breakpoint has replaced
  operand: 4, // 3 × u16
  base: 10, // u16, offset of an i64 slot
  index: 12, // u16
  scale: 14, // u8, log2
  segment: 15, // u8, segment register of the memory operand (segmented shapes)
  offset: 16, // u16, page offset of the instruction
  nextOffset: 18, // u16, page offset of the next one
  instruction: 20, // i32, number of the decoded instruction (call-outs, faults)
  immediate: 24, // i64
  displacement: 32, // i64
  counter: 40, // i32, taken branches here until a region is compiled
  region: 44, // u16 element of the function table, u16 steps that the budget must hold to enter it
} as const;

/**
 * Where decoded code lives (spec/vcpu-state ARENA_FIRST): fixed parts, then records, growing upwards, and page tables and their lines, growing
 * downwards from `end`; behind it the templates. A page's table holds one pointer for each of its 64 lines of 64 bytes; a line one pointer
 * to a record (0: none) for each byte. Lines in which nothing is decoded are the empty one.
 */
export const Arena = {
  startRecord: ARENA_FIRST,
  /** i32: first byte behind the records. */
  top: ARENA_FIRST + 64,
  /** i32: first byte of tables and lines. */
  bottom: ARENA_FIRST + 68,
  /** i32: mode word for which generated code may decode by itself (codegen/decode-run decodeHere), -1: none. */
  laneMode: ARENA_FIRST + 72,
  /** i32: root of that mode's tree of headers. */
  laneRoot: ARENA_FIRST + 76,
  /** i32: what must lie between \`top\` and \`bottom\` for a run to fit. */
  laneRoom: ARENA_FIRST + 80,
  /** A link record as it is copied. */
  linkRecord: ARENA_FIRST + 128,
  emptyLine: ARENA_FIRST + 256,
  first: ARENA_FIRST + 512,
  end: ARENA_FIRST + ARENA_BYTES - 0x800000,
  templates: ARENA_FIRST + ARENA_BYTES - 0x800000,
  templatesEnd: ARENA_FIRST + ARENA_BYTES,
  lines: 64,
  tableBytes: 64 * 4,
  lineBytes: 64 * 4,
} as const;

/** Byte offsets inside a template: how to make the records of one header again. */
export const Template = {
  length: 0, // u8, of the instruction
  displacementKind: 1, // u8, see FieldKind
  immediateKind: 2, // u8
  flags: 3, // u8, see TemplateFlag
  displacementAt: 4, // u8, offset in the instruction
  immediateAt: 5, // u8
  plus: 6, // u8, added to the displacement
  ripMask: 8, // i32, -1: the next instruction's offset is added to the displacement
  branchMask: 12, // i32, -1: and to the immediate
  records: 16, // one or two records (an address record first), without offsets, displacement and immediate
} as const;
export const TemplateFlag = { two: 1, endsRun: 2 } as const;
/** How a displacement or an immediate is read; `fixed`: it stands in the record as it is. */
export const FieldKind = { fixed: 0, signed8: 1, signed16: 2, signed32: 4, unsigned16: 3, unsigned32: 5, whole64: 8 } as const;

/** Handlers that are no instruction. */
export const Handler = {
  goto: 0,
  link: 1,
  breakpoint: 2,
  system: 3,
  cross: 4,
  address64: 5,
  address32: 6,
  region: 7,
  first: 8,
} as const;

/** Why generated code came back. */
export const Exit = {
  budget: 1, // the steps are made
  decode: 2, // no record at State.rip, which lies in the current fetch page
  fetch: 3, // State.rip lies in another page, of which the TLB has no fetch entry
  pending: 4, // exception or VM exit pending (State.pending*), the instruction did not happen
  system: 5, // call-out for the record's instruction
  cross: 6, // the instruction crosses its page
  breakpoint: 7,
  hot: 9, // State.rip has been branched to often: a region may be compiled
  short: 11, // the region at State.rip needs more steps than are left: interpret
  redo: 10, // the instruction at State.rip is to be carried out by the interpreter
} as const;
