/** Generates straight copies between the vCPU's state and a region of memory whose offsets are known beforehand (VM entries and exits). */
import { FunctionBody, I32, I64, Op, encodeModule } from './wasm';

/** One value: byte offsets in the vCPU's state and in the region, 64 bits or 32 (the region's upper half is 0 then), and its bit in the result. */
export interface CopyRow {
  readonly slot: number;
  readonly at: number;
  readonly wide: boolean;
  readonly bit: number;
}
export interface CopyPlan {
  /** 'load': region to state; 'save': state to region. */
  readonly direction: 'load' | 'save';
  readonly rows: readonly CopyRow[];
}
/** Wasm addresses of state and region; saving gives the bits of the values that were not there before. */
export type CopyFunction = (state: number, region: number) => number;

const exportName = (n: number): string => `c${n}`;

export function instantiateCopies(memory: WebAssembly.Memory, plans: readonly CopyPlan[]): readonly CopyFunction[] {
  const bytes = encodeModule({
    types: [{ parameters: [I32, I32], results: [I32] }],
    imports: [],
    functions: plans.map((plan, n) => ({ type: 0, body: plan.direction === 'load' ? load(plan) : save(plan), export: exportName(n) })),
    table: [],
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { memory } });
  return plans.map((_, n) => exports[exportName(n)] as CopyFunction);
}

function load({ rows }: CopyPlan): FunctionBody {
  const f = new FunctionBody(2);
  for (const { slot, at, wide } of rows) {
    f.get(0).get(1);
    if (wide) f.mem(Op.i64_load, at).mem(Op.i64_store, slot);
    else f.mem(Op.i32_load, at).mem(Op.i32_store, slot);
  }
  return f.i32(0).op(Op.return).op(Op.unreachable);
}

function save({ rows }: CopyPlan): FunctionBody {
  const f = new FunctionBody(2);
  const changed = f.local(I32);
  const value = f.local(I64);
  for (const { slot, at, wide, bit } of rows) {
    f.get(0)
      .mem(wide ? Op.i64_load : Op.i64_load32_u, slot)
      .tee(value);
    f.get(1).mem(Op.i64_load, at).op(Op.i64_ne).if();
    f.get(1).get(value).mem(Op.i64_store, at);
    if (bit !== 0) f.get(changed).i32(bit).op(Op.i32_or).set(changed);
    f.end();
  }
  return f.get(changed).op(Op.return).op(Op.unreachable);
}
