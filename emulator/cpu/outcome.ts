/** What became of an instruction carried out in TypeScript. */
export const Outcome = {
  /** Retired: RIP moves to the next instruction. */
  next: 0,
  /** Retired (or VM entry made): RIP and mode were set by the instruction itself. */
  jumped: 1,
  /** Not retired: `cpu.pending*` says which exception or VM exit is due. */
  pending: 2,
  /** Not retired: a VM exit (or a VM entry failure that ends as one) is committed, the state is the host's. */
  exited: 3,
  /** Not retired: the machine stops (`cpu.stop` says why). */
  stopped: 4,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];
