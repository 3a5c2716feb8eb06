/**
 * Makes a vector's one instruction run in the second tier: a region is compiled at it before it is carried out for the first time, and entered
 * as the dispatcher enters it, but for one step (the dispatcher asks for two). What regions cannot hold goes to the interpreter, and is not
 * counted.
 */
import type { InterpreterExports } from '../../emulator/codegen/interpreter';
import { Exit, Handler, Rec } from '../../emulator/codegen/record';
import type { CodeCache } from '../../emulator/cpu/code-cache';
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Regions } from '../../emulator/cpu/regions';
import { State } from '../../emulator/spec/vcpu-state';

const PATIENCE = 4;

export class CompiledStep {
  /** Instructions that a region carried out, faults included. */
  runs = 0;
  /** Instructions that a region began and left to the interpreter. */
  refused = 0;
  /** What the processor runs in place of the interpreter. */
  readonly exports: InterpreterExports;
  private armed = false;

  constructor(
    private readonly cpu: Cpu,
    private readonly code: CodeCache,
    private readonly regions: Regions,
    private readonly real: InterpreterExports,
  ) {
    this.exports = { ...real, enter: (base, start) => this.enter(base, start) };
  }

  /** The next instruction is to run in a region. */
  arm(): void {
    this.armed = true;
  }

  private enter(base: number, start: number): number {
    const { cpu, real } = this;
    // The first return is for the page's translation, which the processor then makes.
    if (!this.armed || cpu.get64(State.fetchPage) !== (cpu.rip & ~0xfffn)) return real.enter(base, start);
    this.armed = false;
    const record = this.region();
    if (record === 0) return real.enter(base, start);
    const region = real.table.get(cpu.memory.u16[(record + Rec.region) >> 1]) as (base: number, record: number) => number;
    const exit = region(base, record);
    if (exit === Exit.redo) this.refused++;
    else this.runs++;
    // The dispatcher takes the IP to its width as it looks the next record up.
    if (exit === 0) cpu.set64(State.rip, cpu.rip & cpu.get64(State.ipMask));
    return exit === 0 ? Exit.budget : exit;
  }

  /** The record of the region at RIP, 0 when there is none. */
  private region(): number {
    const { cpu, code, regions } = this;
    const hpa = cpu.getF64(State.fetchHpa);
    const mode = cpu.get32(State.mode);
    const offset = Number(cpu.rip & 0xfffn);
    code.decodeRun(hpa, mode, offset);
    regions.hot(hpa, mode, offset);
    for (let n = 0; n < PATIENCE; n++) regions.breathe();
    const table = code.tableFor(hpa, mode);
    cpu.set32(State.codeTable, table);
    const record = code.recordAt(table, offset);
    return record !== 0 && cpu.memory.u16[record >> 1] === Handler.region ? record : 0;
  }
}
