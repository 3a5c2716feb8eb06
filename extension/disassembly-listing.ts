/** Disassembly as lines of text in which addresses can be found again: what a disassembly document holds. */

/** As the protocol's disassemble answers. */
export interface DisassembledInstruction {
  readonly address: string;
  readonly instructionBytes?: string;
  readonly instruction: string;
  readonly symbol?: string;
}

export interface Listing {
  readonly text: string;
  /** Address → line, from 1. */
  readonly lines: ReadonlyMap<bigint, number>;
  /** By line, from 1: what the line says. */
  readonly rows: readonly string[];
}

const bytesWidth = 30;

function rowOf(instruction: DisassembledInstruction): string {
  const address = BigInt(instruction.address).toString(16).padStart(16, '0');
  return `    ${instruction.instruction.padEnd(44)} ; ${address}  ${(instruction.instructionBytes ?? '').slice(0, bytesWidth)}`.trimEnd();
}

/** Symbols stand on lines of their own, as labels. */
export function listingOf(instructions: readonly DisassembledInstruction[]): Listing {
  const rows: string[] = [];
  const lines = new Map<bigint, number>();
  for (const instruction of instructions) {
    if (instruction.symbol && !/\+/.test(instruction.symbol)) rows.push(`${instruction.symbol}:`);
    rows.push(rowOf(instruction));
    lines.set(BigInt(instruction.address), rows.length);
  }
  return { text: rows.join('\n') + '\n', lines, rows };
}

/** The instruction on a line, or the next one after a label. */
export function instructionAt(listing: Listing, line: number): { readonly address: bigint; readonly line: number } | undefined {
  let next: { readonly address: bigint; readonly line: number } | undefined;
  for (const [address, at] of listing.lines) if (at >= line && (next === undefined || at < next.line)) next = { address, line: at };
  return next;
}

/** True where a listing has the instruction at an address, has it as it is now, and goes on for a while. */
export function stillShows(listing: Listing, now: readonly DisassembledInstruction[], goesOn = 8): boolean {
  const first = now[0];
  const line = first && listing.lines.get(BigInt(first.address));
  if (first === undefined || line === undefined || listing.rows.length - line < Math.min(goesOn, now.length - 1)) return false;
  return now.every((instruction) => {
    const at = listing.lines.get(BigInt(instruction.address));
    // Past the end of the listing nothing can differ.
    return at === undefined ? BigInt(instruction.address) > [...listing.lines.keys()].at(-1)! : listing.rows[at - 1] === rowOf(instruction);
  });
}
