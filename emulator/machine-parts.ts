/** Builds the parts of a machine out of its configuration: memory, vCPUs, generated code, loaded image. Refuses what the user can mend. */
import type { MachineConfig } from './api';
import type { EntryState } from './boot/entry-state';
import { loadImage } from './boot/load-image';
import type { InterpreterExports } from './codegen/interpreter';
import { createCallbacks, createRegionCallbacks } from './cpu/callbacks';
import { CodeCache } from './cpu/code-cache';
import { Cpu } from './cpu/cpu';
import { instantiateInterpreter } from './cpu/interpreter-instance';
import { resetMsrs, setFirmwareMtrrs } from './cpu/msr';
import { initProcessor } from './cpu/processor-reset';
import { Regions } from './cpu/regions';
import { OpcodeTable } from './isa/decode';
import { instructionRows } from './isa/rows';
import { PhysicalMemory } from './memory/physical-memory';
import { Mmu } from './mmu/mmu';
import { cpuModelNamed, defaultCpuModel } from './spec/cpu-models';
import { GPR_NAMES, MAX_VCPUS, SEGMENT_NAMES, State, VCPU_FIRST, VCPU_STRIDE } from './spec/vcpu-state';
import { UserError } from './user-error';
import { resetVmx } from './vmx/vmx';

const DEFAULT_MEMORY = 128 * 1024 * 1024;

export interface MachineParts {
  readonly memory: PhysicalMemory;
  readonly mmu: Mmu;
  readonly cpus: readonly Cpu[];
  readonly code: CodeCache;
  readonly regions: Regions;
  readonly generated: InterpreterExports;
}

/** Throws UserError. */
export async function buildParts(config: MachineConfig): Promise<MachineParts> {
  const count = config.cpus ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MAX_VCPUS)
    throw new UserError(`${count} virtual CPUs: expected a whole number from 1 to ${MAX_VCPUS}`, 'cpu-count');
  const memory = allocate(config.memoryBytes ?? DEFAULT_MEMORY);
  const model = config.cpuModel === undefined ? defaultCpuModel : cpuModelNamed(config.cpuModel);
  const mmu = new Mmu(memory);
  const cpus: Cpu[] = [];
  const cpuAt = (base: number): Cpu => cpus[(base - VCPU_FIRST) / VCPU_STRIDE];
  const { exports, module } = await instantiateInterpreter(memory, createCallbacks(mmu, cpuAt));
  for (let n = 0; n < count; n++)
    cpus.push(new Cpu(n, memory.vcpuBase(n), memory, model, (base) => exports.arithmeticFlags(base), mmu, count));
  const code = new CodeCache(memory, mmu, new OpcodeTable(instructionRows), module, exports, model.features, () => cpus, config.hotAfter);
  const regions = new Regions(memory, code, module, exports, createRegionCallbacks(mmu, cpuAt));
  regions.enabled = config.tier !== 'interpreter';
  code.regions = regions;
  return { memory, mmu, cpus, code, regions, generated: exports };
}

function allocate(bytes: number): PhysicalMemory {
  if (!Number.isInteger(bytes) || bytes < 1024 * 1024 || bytes > 3 * 2 ** 30 || bytes % 4096 !== 0)
    throw new UserError(`guest memory of ${bytes} bytes: expected a multiple of 4 KiB between 1 MiB and 3 GiB`, 'memory-size');
  try {
    return new PhysicalMemory(bytes);
  } catch {
    throw new UserError(`no room for ${bytes / 2 ** 20} MiB of guest memory: choose a smaller 'memory'`, 'memory-size');
  }
}

/** Power-on state of every vCPU; the first one at the image's first instruction, the others waiting for a start-up IPI. */
export function startVcpus(config: MachineConfig, { cpus, memory }: MachineParts): void {
  for (const cpu of cpus) {
    resetMsrs(cpu);
    setFirmwareMtrrs(cpu);
    resetVmx(cpu);
    if (cpu.index > 0) initProcessor(cpu);
  }
  applyEntryState(cpus[0], loadImage(config, memory));
}

/** Puts the loader's entry state into a CPU that has just been powered on. */
function applyEntryState(cpu: Cpu, entry: EntryState): void {
  GPR_NAMES.forEach((name, n) => cpu.setGpr(n, entry.registers[name] ?? 0n));
  SEGMENT_NAMES.forEach((name, n) => {
    const s = entry.segments[name];
    cpu.setSegment(n, s.selector, s.base, s.limit, s.access);
  });
  cpu.set64(State.cr0, entry.cr0);
  cpu.set64(State.cr3, entry.cr3);
  cpu.set64(State.cr4, entry.cr4);
  cpu.set64(State.efer, entry.efer);
  cpu.set64(State.gdtrBase, entry.gdtr.base);
  cpu.set32(State.gdtrLimit, entry.gdtr.limit);
  cpu.set64(State.idtrBase, entry.idtr.base);
  cpu.set32(State.idtrLimit, entry.idtr.limit);
  cpu.set64(State.dr + 8 * 6, 0xffff0ff0n);
  cpu.set64(State.dr + 8 * 7, 0x400n);
  cpu.rip = entry.rip;
  cpu.flags = entry.rflags;
  cpu.mmu.flushAll(cpu);
}
