/** Makes one WebAssembly module of several regions; compiled together, since each module costs the engine a fixed time. */
import { type FunctionType, I32, encodeModule } from '../wasm';
import { lowerRegion } from './lower-region';
import type { Region } from './region';

const types: FunctionType[] = [
  { parameters: [I32, I32], results: [I32] },
  { parameters: [I32, I32], results: [] },
  { parameters: [I32], results: [I32] },
];

/** Exports r0, r1 … of type (vcpu, pc) → code. Imports as the interpreter's, and its arithmeticFlags. */
export function buildRegionModule(regions: readonly { readonly region: Region; readonly code64: boolean }[]): Uint8Array<ArrayBuffer> {
  const functions = { slowAccess: 0, commitStore: 1, compute: 2, arithmeticFlags: 3 };
  return encodeModule({
    types,
    imports: [
      { name: 'slowAccess', type: 0 },
      { name: 'commitStore', type: 1 },
      { name: 'compute', type: 0 },
      { name: 'arithmeticFlags', type: 2 },
    ],
    functions: regions.map(({ region, code64 }, i) => ({ type: 0, body: lowerRegion(region, functions, code64), export: `r${i}` })),
    table: [],
  });
}
