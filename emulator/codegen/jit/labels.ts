/** Which structured labels (loops and the ends of forward branches) open and close around each block of a region. */
import type { Region } from './region';

export interface Label {
  readonly kind: 'loop' | 'block';
  /** Loop: the header's position. Block: the target's position; the label ends just before it. */
  readonly position: number;
  /** Position before which (block) or after which (loop) it ends. */
  readonly end: number;
}

/**
 * The labels to open before each block. A forward target's label opens where the innermost loop that holds it begins (or at the start), so
 * that labels and loops nest; among labels that open at one place the ones that end later are opened first.
 */
export function blockLabels(region: Region): Label[][] {
  const open: Label[][] = region.blocks.map(() => []);
  for (const [header, end] of region.loopEnds) open[header].push({ kind: 'loop', position: header, end });
  region.blocks.forEach((_, target) => {
    if (target === 0) return;
    // The innermost loop around the target, not counting one that begins at it.
    let start = 0;
    for (const [header, end] of region.loopEnds) if (header < target && target <= end) start = Math.max(start, header);
    open[start].push({ kind: 'block', position: target, end: target });
  });
  for (const labels of open)
    labels.sort((a, b) => {
      // At one place a loop that begins there comes first: what is opened for targets inside it must be inside.
      if (a.kind !== b.kind) return outside(a, b) ? -1 : 1;
      return b.end - a.end;
    });
  return open;
}
/** Whether label a must enclose label b when both open at one position. */
function outside(a: Label, b: Label): boolean {
  const endOf = (l: Label): number => (l.kind === 'loop' ? l.end + 0.5 : l.end);
  return endOf(a) > endOf(b);
}
/** Labels of forward branches that end just before a block. */
export const forwardEnds = (open: readonly Label[][], position: number): Label[] =>
  open.flat().filter((l) => l.kind === 'block' && l.end === position);
/** Loops that end behind a block. */
export const loopEnds = (open: readonly Label[][], position: number): Label[] =>
  open.flat().filter((l) => l.kind === 'loop' && l.end === position);
