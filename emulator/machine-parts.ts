/** Builds the parts of a machine out of its configuration: memory, vCPUs, generated code, loaded image. Refuses what the user can mend. */
import type { MachineConfig } from './api';
import type { EntryState } from './boot/entry-state';
import { loadImage } from './boot/load-image';
import { type CopyFunction, instantiateCopies } from './codegen/copy-functions';
import type { InterpreterExports } from './codegen/interpreter';
import { type Passing, createCallbacks, createRegionCallbacks } from './cpu/callbacks';
import { CodeCache } from './cpu/code-cache';
import { Cpu } from './cpu/cpu';
import { instantiateInterpreter } from './cpu/interpreter-instance';
import { resetMsrs, setFirmwareMtrrs } from './cpu/msr';
import { initProcessor } from './cpu/processor-reset';
import { Regions } from './cpu/regions';
import { writeFirmwareArea } from './devices/firmware/firmware-area';
import { OpcodeTable } from './isa/decode';
import { instructionRows } from './isa/rows';
import { FrameTable } from './hypervisor/frame-table';
import { GuestMemory } from './hypervisor/guest-memory';
import { createEpt01Root, hostBytesFor } from './hypervisor/hypervisor';
import { requireHostedMode } from './hypervisor/vmcs01';
import { type LoadableMemory, PhysicalMemory } from './memory/physical-memory';
import { Mmu } from './mmu/mmu';
import type { CpuModel } from './spec/cpu-model';
import { vmxCapabilities } from './spec/vmx-capabilities';
import { cpuModelNamed, defaultCpuModel } from './spec/cpu-models';
import { GPR_NAMES, MAX_VCPUS, SEGMENT_NAMES, State, VCPU_FIRST, VCPU_STRIDE } from './spec/vcpu-state';
import { UserError } from './user-error';
import { COPY_TABLES, resetVmx } from './vmx/vmx';

const DEFAULT_MEMORY = 128 * 1024 * 1024;

export interface MachineParts {
  /** Host-physical memory. */
  readonly memory: PhysicalMemory;
  /** Memory as loaders and devices know it: the same, or in hosted mode that of the VM. */
  readonly guestMemory: LoadableMemory;
  /** Hosted mode. */
  readonly host?: { readonly frames: FrameTable; readonly guest: GuestMemory };
  readonly mmu: Mmu;
  readonly cpus: readonly Cpu[];
  readonly code: CodeCache;
  readonly regions: Regions;
  readonly generated: InterpreterExports;
  readonly passing: Passing;
  /** Of VM entries and exits. */
  readonly copies: readonly CopyFunction[];
  /** The state in which the loaded image is entered. */
  readonly entry: EntryState;
}

/** Throws UserError. */
export async function buildParts(config: MachineConfig): Promise<MachineParts> {
  const count = config.cpus ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MAX_VCPUS)
    throw new UserError(`${count} virtual CPUs: expected a whole number from 1 to ${MAX_VCPUS}`, 'cpu-count');
  const model = config.cpuModel === undefined ? defaultCpuModel : cpuModelNamed(config.cpuModel);
  const guestBytes = config.memoryBytes ?? DEFAULT_MEMORY;
  const hosted = config.mode === 'hosted';
  if (hosted) checkHosted(config, model, count);
  const memory = allocate(guestBytes, hosted ? hostBytesFor(guestBytes, ept02Frames(config)) : guestBytes);
  const mmu = new Mmu(memory);
  const cpus: Cpu[] = [];
  const cpuAt = (base: number): Cpu => cpus[(base - VCPU_FIRST) / VCPU_STRIDE];
  const passing: Passing = { handler: undefined };
  const { exports, module } = await instantiateInterpreter(memory, createCallbacks(mmu, cpuAt, passing));
  for (let n = 0; n < count; n++)
    cpus.push(new Cpu(n, memory.vcpuBase(n), memory, model, (base) => exports.arithmeticFlags(base), mmu, count));
  const code = new CodeCache(memory, mmu, new OpcodeTable(instructionRows), module, exports, model.features, () => cpus, config.hotAfter);
  const regions = new Regions(memory, code, module, exports, createRegionCallbacks(mmu, cpuAt));
  regions.enabled = config.tier !== 'interpreter';
  code.regions = regions;
  const machine = { memory, mmu, cpus, code, regions, generated: exports, passing, copies: instantiateCopies(memory.memory, COPY_TABLES) };
  if (!hosted) return { ...machine, guestMemory: memory, entry: fill(memory, config, model, count) };
  const frames = new FrameTable(memory.ramBytes);
  const guest = new GuestMemory(memory, frames, guestBytes, createEpt01Root(memory, frames));
  return { ...machine, guestMemory: guest, host: { frames, guest }, entry: fill(guest, config, model, count) };
}

/** Memory at power-on: what the firmware has left there, and the image. */
function fill(memory: LoadableMemory, config: MachineConfig, model: CpuModel, vcpuCount: number): EntryState {
  writeFirmwareArea(memory, { memoryBytes: memory.ramBytes, vcpuCount, cpuSignature: model.signature });
  return loadImage(config, memory);
}

/** The most frames that tables of EPT02 take. */
export const ept02Frames = (config: MachineConfig): number => config.hosted?.ept02Frames ?? DEFAULT_EPT02_FRAMES;
const DEFAULT_EPT02_FRAMES = 512;
/** A root, and the tables of one page. */
const LEAST_EPT02_FRAMES = 4;

function checkHosted(config: MachineConfig, model: CpuModel, cpus: number): void {
  requireHostedMode(vmxCapabilities(model));
  if (cpus > 1) throw new UserError(`${cpus} virtual CPUs in hosted mode: expected 1 (several are not modelled yet there)`, 'hosted-cpus');
  const frames = ept02Frames(config);
  if (!Number.isInteger(frames) || frames < LEAST_EPT02_FRAMES || frames > 65536)
    throw new UserError(`${frames} frames for EPT02: expected a whole number from ${LEAST_EPT02_FRAMES} to 65536`, 'hosted-frames');
}

function allocate(guestBytes: number, bytes: number): PhysicalMemory {
  if (!Number.isInteger(guestBytes) || guestBytes < 1024 * 1024 || bytes > 3 * 2 ** 30 || guestBytes % 4096 !== 0)
    throw new UserError(`guest memory of ${guestBytes} bytes: expected a multiple of 4 KiB between 1 MiB and 3 GiB`, 'memory-size');
  try {
    return new PhysicalMemory(bytes);
  } catch {
    throw new UserError(`no room for ${bytes / 2 ** 20} MiB of guest memory: choose a smaller 'memory'`, 'memory-size');
  }
}

/** Power-on state of every vCPU; the first one at the image's first instruction, the others waiting for a start-up IPI. */
export function startVcpus({ cpus, entry }: MachineParts): void {
  for (const cpu of cpus) {
    resetMsrs(cpu);
    setFirmwareMtrrs(cpu);
    resetVmx(cpu);
    if (cpu.index > 0) initProcessor(cpu);
  }
  applyEntryState(cpus[0], entry);
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
