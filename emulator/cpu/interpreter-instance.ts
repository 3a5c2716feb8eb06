/** Brings the generated interpreter to life on a machine's memory. The module is generated once per machine; engines cache its compilation by its bytes. */
import { type InterpreterExports, type InterpreterImports, type InterpreterModule, buildInterpreter } from '../codegen/interpreter';
import { instructionRows } from '../isa/rows';
import type { PhysicalMemory } from '../memory/physical-memory';

export interface InterpreterInstance {
  readonly module: InterpreterModule;
  readonly exports: InterpreterExports;
}

export async function instantiateInterpreter(memory: PhysicalMemory, imports: InterpreterImports): Promise<InterpreterInstance> {
  const module = buildInterpreter(instructionRows);
  const { instance } = await WebAssembly.instantiate(module.bytes, { e: { memory: memory.memory, ...imports } });
  return { module, exports: instance.exports as unknown as InterpreterExports };
}
