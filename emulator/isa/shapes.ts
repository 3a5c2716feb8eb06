/** Enumerates the shapes in which rows are executed: each is one generated handler, named by its key. */
import type { Program, Size } from './ir';
import { type OperandSpec, parseRow } from './notation';
import type { Body, Row } from './row';
import { type OperandShape, Semantics, type Shape } from './semantics';

export interface Handler {
  readonly key: string;
  readonly body: Body;
  readonly shape: Shape;
}

/** Mode facts that a shape may depend on. */
export interface ShapeMode {
  readonly stack: 8 | 4 | 2;
  readonly address: 8 | 4 | 2;
  readonly code64: boolean;
  readonly rep: 0 | 0xf2 | 0xf3;
  readonly segmented: boolean;
}

function operandShape(spec: OperandSpec, memory: boolean): OperandShape {
  if (spec.encoding === 'rm') return memory ? 'm' : 'r';
  if (spec.encoding === 'memory' || spec.encoding === 'moffs') return 'm';
  if (spec.encoding === 'immediate' || spec.encoding === 'one' || spec.encoding === 'relative') return 'i';
  return 'r';
}

/** The handler of a row with a body, for a register or memory r/m operand. */
export function handlerOf(row: Row, memory: boolean, mode: ShapeMode): Handler {
  const { body } = row;
  if (body === undefined) throw new Error(`${row.instruction} has no body`);
  const parsed = parseRow(row);
  const uses = new Set(body.uses);
  const operands = row.addressOnly && body.name !== 'LEA' ? [] : parsed.operands.map((o) => operandShape(o, memory));
  const operandSizes = parsed.operands.map((o) => (o.encoding === 'immediate' || o.encoding === 'one' || o.encoding === 'relative' ? parsed.size : (o.size ?? parsed.size))); // prettier-ignore
  // What neither reaches memory nor transfers control is the same in every segment.
  const segments = uses.has('segmented') || uses.has('stack') || (operands.includes('m') && row.addressOnly !== true);
  const rep = row.string === undefined || mode.rep === 0 ? 0 : row.string === 'rep' ? 0xf3 : mode.rep;
  const shape: Shape = {
    size: parsed.size,
    operands,
    operandSizes: operands.length === 0 ? [] : operandSizes,
    stack: uses.has('stack') ? mode.stack : 8,
    address: uses.has('address') ? mode.address : 8,
    code64: uses.has('code64') ? mode.code64 : true,
    segmented: segments && mode.segmented,
    rep,
    parameter: uses.has('parameter') ? (row.parameter ?? 0) : 0,
  };
  const sizes = shape.operandSizes.map((s) => (s === shape.size ? '' : String(s)));
  const parts = [
    body.name,
    shape.size,
    shape.operands.map((o, i) => o + sizes[i]).join(','),
    ...(uses.has('stack') ? [`s${shape.stack}`] : []),
    ...(uses.has('address') ? [`a${shape.address}`] : []),
    ...(uses.has('code64') ? [shape.code64 ? 'l' : 'p'] : []),
    ...(shape.segmented ? ['seg'] : []),
    ...(shape.rep ? [`rep${shape.rep.toString(16)}`] : []),
    ...(uses.has('parameter') ? [`/${shape.parameter}`] : []),
  ];
  return { key: parts.join(' '), body, shape };
}

export function traceProgram(handler: Handler): Program {
  const s = new Semantics(handler.shape);
  handler.body.trace(s);
  return s.program();
}

/** A 16-bit stack is a segment that is not flat. */
const stackShapes = [
  { stack: 8, segmented: false },
  { stack: 4, segmented: false },
  { stack: 4, segmented: true },
  { stack: 2, segmented: true },
] as const;

/** All handlers that the rows can ask for, by key, in row order. */
export function allHandlers(rows: readonly Row[]): Map<string, Handler> {
  const found = new Map<string, Handler>();
  for (const row of rows) {
    if (row.body === undefined) continue;
    for (const memory of [false, true])
      for (const code64 of [true, false])
        for (const address of [8, 4, 2] as const)
          for (const rep of [0, 0xf3, 0xf2] as const)
            for (const { stack, segmented } of stackShapes) {
              if (code64 ? address === 2 : address === 8) continue;
              if (code64 !== (stack === 8)) continue;
              const h = handlerOf(row, memory, { stack, address, code64, rep, segmented });
              if (!found.has(h.key)) found.set(h.key, h);
            }
  }
  return found;
}

export type { Size };
