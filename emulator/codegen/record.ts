/** The packed form of a decoded instruction that generated code reads, and the codes with which generated code returns. */

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
