/**
 * Shapes a hot piece of one code page into a region: basic blocks from one entry, ordered so that loops and forward branches become structured
 * control flow. What cannot be structured is left out: such an edge leaves the region, which is always right.
 */
import type { Decoded } from '../../isa/decode';
import type { Program } from '../../isa/ir';

/** One instruction of a region. */
export interface RegionInstruction {
  readonly offset: number;
  readonly decoded: Decoded;
  readonly program: Program;
  /** Address of its record, for faults. */
  readonly record: number;
}
/** How a block ends: where control goes, as page offsets; outside 0..4095 or not in the region: it leaves. */
export interface RegionBlock {
  readonly offset: number;
  readonly instructions: readonly RegionInstruction[];
  /** Target of the relative branch that ends the block. */
  readonly taken: number | undefined;
  /** The instruction behind it, when control can come there. */
  readonly next: number | undefined;
  /** Places behind calls of this region to which a RET that ends the block may go. */
  readonly returns: readonly number[];
}
export interface Region {
  readonly entry: number;
  /** In the order in which they are emitted. */
  readonly blocks: readonly RegionBlock[];
  /** Position of the last block inside the loop that begins at a position; loops nest. */
  readonly loopEnds: ReadonlyMap<number, number>;
  /** Whether control may go from the block at one position directly to another. */
  canBranch(from: number, to: number): boolean;
  positionOf(offset: number): number | undefined;
  /** Longest way in steps from each loop header (and the entry) to the next check. */
  longestFrom(position: number): number;
}

const MAX_BLOCKS = 48;
const MAX_INSTRUCTIONS = 500;
/** Return sites that a RET looks for. */
const MAX_RETURNS = 6;

/** Gives the instruction at a page offset, or undefined where a region must end (system instructions, page end, breakpoints, not decoded). */
export type InstructionSource = (offset: number) => RegionInstruction | undefined;

const UNCONDITIONAL = new Set(['JMP', 'JMPI', 'CALL', 'CALLI', 'RET']);
const isCall = (insn: RegionInstruction): boolean => insn.decoded.row.body?.name === 'CALL' && insn.decoded.parsed.size !== 2;
const CONDITIONAL = new Set(['Jcc', 'LOOP', 'JRCXZ']);

export function buildRegion(entry: number, source: InstructionSource): Region | undefined {
  const blocks = discover(entry, source);
  if (blocks.size === 0) return undefined;
  const order = reversePostorder(entry, blocks);
  const positions = new Map(order.map((b, i) => [b.offset, i]));
  const targetsOf = (b: RegionBlock): number[] =>
    [b.taken, b.next, ...b.returns]
      .map((o) => (o === undefined ? undefined : positions.get(o)))
      .filter((p): p is number => p !== undefined);
  const loopEnds = loops(order, targetsOf);
  const innermost = (position: number): number[] => [...loopEnds].filter(([h, end]) => h <= position && position <= end).map(([h]) => h);
  const inside = order.map((_, i) => new Set(innermost(i)));
  const canBranch = (from: number, to: number): boolean => {
    if (to <= from) return loopEnds.has(to) && inside[from].has(to);
    // Forward: every loop that holds the target must hold the source too, but for one that begins there.
    for (const h of inside[to]) if (h !== to && !inside[from].has(h)) return false;
    return true;
  };
  const longest = new Map<number, number>();
  const longestFrom = (position: number): number => {
    const known = longest.get(position);
    if (known !== undefined) return known;
    let best = 0;
    for (const t of targetsOf(order[position]))
      if (t > position && canBranch(position, t) && !loopEnds.has(t)) best = Math.max(best, longestFrom(t));
    const total = order[position].instructions.length + best;
    longest.set(position, total);
    return total;
  };
  return { entry, blocks: order, loopEnds, canBranch, positionOf: (o) => positions.get(o), longestFrom };
}

function discover(entry: number, source: InstructionSource): Map<number, RegionBlock> {
  // First every instruction that can be reached, then blocks between the leaders.
  const found = new Map<number, RegionInstruction>();
  const leaders = new Set<number>([entry]);
  const sites = new Set<number>();
  const queue = [entry];
  while (queue.length > 0 && found.size < MAX_INSTRUCTIONS && leaders.size <= MAX_BLOCKS) {
    let at = queue.shift() as number;
    while (!found.has(at) && found.size < MAX_INSTRUCTIONS) {
      const insn = source(at);
      if (insn === undefined) break;
      found.set(at, insn);
      const { taken, next } = successors(insn);
      if (taken !== undefined && taken >= 0 && taken < 4096) {
        if (!leaders.has(taken)) queue.push(taken);
        leaders.add(taken);
      }
      if (taken !== undefined && next !== undefined) leaders.add(next);
      const behind = at + insn.decoded.instruction.length;
      if (isCall(insn) && taken !== undefined && taken >= 0 && taken < 4096 && sites.size < MAX_RETURNS) {
        sites.add(behind);
        leaders.add(behind);
        queue.push(behind);
      }
      if (next === undefined) break;
      at = next;
    }
  }
  const blocks = new Map<number, RegionBlock>();
  for (const leader of leaders) {
    const instructions: RegionInstruction[] = [];
    let at = leader;
    let end: { taken: number | undefined; next: number | undefined } = { taken: undefined, next: leader };
    for (;;) {
      const insn = found.get(at);
      if (insn === undefined || (at !== leader && leaders.has(at))) break;
      instructions.push(insn);
      end = successors(insn);
      if (end.taken !== undefined || end.next === undefined) break;
      at = end.next;
    }
    if (instructions.length === 0) continue;
    const last = instructions[instructions.length - 1];
    const returns = last.decoded.row.body?.name === 'RET' ? [...sites] : [];
    blocks.set(leader, { offset: leader, instructions, ...end, returns });
  }
  return blocks;
}

function successors(insn: RegionInstruction): { taken: number | undefined; next: number | undefined } {
  const name = insn.decoded.row.body?.name ?? '';
  const next = insn.offset + insn.decoded.instruction.length;
  const narrow = insn.decoded.parsed.size === 2;
  const relative = name === 'JMP' || name === 'CALL' || CONDITIONAL.has(name);
  if (!relative) return { taken: undefined, next: UNCONDITIONAL.has(name) ? undefined : next };
  // 16-bit branches truncate the target: they jump, and end the region.
  if (narrow) return { taken: undefined, next: undefined };
  const target = Number(BigInt.asIntN(53, insn.decoded.instruction.immediate)) + next;
  return { taken: target, next: CONDITIONAL.has(name) ? next : undefined };
}

/** Depth first, larger offsets first, so that a loop's body comes before what follows the loop. */
function reversePostorder(entry: number, blocks: ReadonlyMap<number, RegionBlock>): RegionBlock[] {
  const seen = new Set<number>();
  const out: RegionBlock[] = [];
  const visit = (offset: number): void => {
    const block = blocks.get(offset);
    if (block === undefined || seen.has(offset)) return;
    seen.add(offset);
    const targets = [block.taken, block.next, ...block.returns].filter((t): t is number => t !== undefined).sort((a, b) => b - a);
    for (const t of targets) visit(t);
    out.push(block);
  };
  visit(entry);
  return out.reverse();
}

/** Loop headers are targets of backward edges; intervals that overlap are widened until they nest. */
function loops(order: readonly RegionBlock[], targetsOf: (b: RegionBlock) => number[]): Map<number, number> {
  const ends = new Map<number, number>();
  order.forEach((b, i) => {
    for (const t of targetsOf(b)) if (t <= i) ends.set(t, Math.max(ends.get(t) ?? 0, i));
  });
  for (let changed = true; changed;) {
    changed = false;
    for (const [h1, e1] of ends)
      for (const [h2, e2] of ends)
        if (h1 < h2 && h2 <= e1 && e1 < e2) {
          ends.set(h1, e2);
          changed = true;
        }
  }
  return ends;
}
