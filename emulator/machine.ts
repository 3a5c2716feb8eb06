/**
 * The composition root: memory, devices, vCPU, VMX and views put together as one Machine that runs in slices. Everything that can be saved is
 * a named part (see `statefulParts`); nothing else holds machine state.
 */
import type {
  AddressSpace, BreakOn, Breakpoint, CpuView, ExceptionRecord, Inspector, Level, Machine, MachineConfig, MachineSnapshot, Resolution, SliceOptions, StopReason, TraceRecord,
} from './api'; // prettier-ignore
import { loadImage } from './boot/load-image';
import type { EntryState } from './boot/entry-state';
import { createCallbacks, createRegionCallbacks } from './cpu/callbacks';
import { createClock } from './cpu/clock';
import { CodeCache } from './cpu/code-cache';
import { Cpu } from './cpu/cpu';
import type { InterpreterExports } from './codegen/interpreter';
import { instantiateInterpreter } from './cpu/interpreter-instance';
import { readMsr, resetMsrs, setFirmwareMtrrs, writeMsr } from './cpu/msr';
import type { CpuPorts } from './cpu/ports';
import { Processor, type RunEnd } from './cpu/processor';
import { Regions } from './cpu/regions';
import { type Platform, createPlatform, notModelledRegions } from './devices/platform';
import { createCpuView } from './inspect/cpu-view';
import { createInspector } from './inspect/inspector';
import { Resolver } from './inspect/resolve';
import { levelOf } from './inspect/translation-context';
import { OpcodeTable } from './isa/decode';
import { instructionRows } from './isa/rows';
import { PhysicalMemory } from './memory/physical-memory';
import { type RamCopy, StateHash, copyRam, copyVcpu, restoreRam, restoreVcpu } from './memory/snapshot';
import { Mmu } from './mmu/mmu';
import { cpuModelNamed, defaultCpuModel } from './spec/cpu-models';
import { Flag, GPR_NAMES, SEGMENT_NAMES, State } from './spec/vcpu-state';
import { Trace, type TraceState } from './trace';
import { UserError } from './user-error';
import { forgetChecks } from './vmx/changes';
import { createVmx, resetVmx } from './vmx/vmx';

const DEFAULT_MEMORY = 128 * 1024 * 1024;
const SNAPSHOT_VERSION = 1;
const PAGE_FAULT = 14;

/** Creates a machine with its image loaded, at the first instruction. Throws UserError for what the user can mend. */
export async function createMachine(config: MachineConfig): Promise<Machine> {
  const bytes = config.memoryBytes ?? DEFAULT_MEMORY;
  if (!Number.isInteger(bytes) || bytes < 1024 * 1024 || bytes > 3 * 2 ** 30 || bytes % 4096 !== 0)
    throw new UserError(`guest memory of ${bytes} bytes: expected a multiple of 4 KiB between 1 MiB and 3 GiB`, 'memory-size');
  const model = config.cpuModel === undefined ? defaultCpuModel : cpuModelNamed(config.cpuModel);
  let memory: PhysicalMemory;
  try {
    memory = new PhysicalMemory(bytes);
  } catch {
    throw new UserError(`no room for ${bytes / 2 ** 20} MiB of guest memory: choose a smaller 'memory'`, 'memory-size');
  }
  const mmu = new Mmu(memory);
  const cpus: Cpu[] = [];
  const interpreter = await instantiateInterpreter(
    memory,
    createCallbacks(mmu, () => cpus[0]),
  );
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, model, (base) => interpreter.exports.arithmeticFlags(base), mmu);
  cpus.push(cpu);
  const code = new CodeCache(
    memory,
    mmu,
    new OpcodeTable(instructionRows),
    interpreter.module,
    model.features,
    () => cpus,
    config.hotAfter,
  );
  const regions = new Regions(
    memory,
    code,
    interpreter.module,
    interpreter.exports,
    createRegionCallbacks(mmu, () => cpus[0]),
  );
  regions.enabled = config.tier !== 'interpreter';
  code.regions = regions;
  return new EmulatedMachine(config, memory, mmu, cpu, code, regions, interpreter.exports);
}

class EmulatedMachine implements Machine {
  readonly vcpuCount = 1;
  readonly breakOn: BreakOn = { vmExit: false, vmEntry: false, vmEntryFailure: false, exception: false };
  readonly inspect: Inspector;
  private readonly platform: Platform;
  private readonly processor: Processor;
  private readonly trace = new Trace();
  private readonly resolver: Resolver;
  private readonly view: CpuView;
  private breakpoints: readonly Breakpoint[] = [];
  private endedBy: StopReason | undefined;
  private stopEvent: StopReason | undefined;

  constructor(
    config: MachineConfig,
    private readonly memory: PhysicalMemory,
    mmu: Mmu,
    private readonly vcpu: Cpu,
    private readonly code: CodeCache,
    private readonly regions: Regions,
    generated: InterpreterExports,
  ) {
    this.platform = createPlatform({ guestExit: (value) => this.guestExit(value) });
    for (const region of notModelledRegions((sentence) => vcpu.notModelled(sentence))) memory.addRegion(region);
    const ports = this.createPorts();
    this.processor = new Processor(vcpu, mmu, code, regions, generated, ports, (ip) => this.isBreakpoint(ip));
    this.resolver = new Resolver(memory);
    this.view = createCpuView(vcpu, memory, this.trace);
    this.inspect = createInspector(vcpu, memory, this.resolver, this.trace);
    resetMsrs(vcpu);
    setFirmwareMtrrs(vcpu);
    resetVmx(vcpu);
    applyEntryState(vcpu, loadImage(config, memory));
  }

  private createPorts(): CpuPorts {
    const clock = createClock((cpu) => vmx.tscOffset(cpu));
    const position = (cpu: Cpu): number => cpu.getF64(State.steps) + 1;
    const vmx = createVmx({
      memory: this.memory,
      model: this.vcpu.model,
      clock,
      msrs: {
        readMsr: (cpu, index) => readMsr(cpu, ports, index),
        writeMsr: (cpu, index, value) => writeMsr(cpu, ports, index, value),
      },
      observer: {
        exit: (cpu, report) => {
          const exit = { event: 'exit', n: position(cpu), vcpu: cpu.index, level: 2, ...report } as const;
          this.note(exit, this.breakOn.vmExit ? { kind: 'vm-exit', exit } : undefined);
        },
        entry: (cpu, report) => {
          const entry = { event: 'entry', n: position(cpu), vcpu: cpu.index, level: 2, ...report } as const;
          this.note(entry, this.breakOn.vmEntry ? { kind: 'vm-entry', entry } : undefined);
        },
        entryFailure: (cpu, report) => {
          const failure = { event: 'entry-failure', n: position(cpu), vcpu: cpu.index, level: 1, ...report } as const;
          this.note(failure, this.breakOn.vmEntryFailure ? { kind: 'vm-entry-failure', failure } : undefined);
        },
        abort: (_cpu, indicator, sentence) => {
          this.endedBy = { kind: 'vmx-abort', indicator, sentence };
          this.processor.eventStop = true;
        },
      },
    });
    const ports: CpuPorts = {
      io: this.platform.io,
      clock,
      observer: {
        exception: (cpu, vector, errorCode) => {
          const record: ExceptionRecord = {
            event: 'exception', n: position(cpu), vcpu: cpu.index, level: levelOf(cpu), vector, errorCode, rip: cpu.rip,
            cr2: vector === PAGE_FAULT ? cpu.get64(State.pendingLinear) : undefined,
          }; // prettier-ignore
          this.note(record, this.breakOn.exception ? { kind: 'exception', exception: record } : undefined);
        },
        interruptDelivered: () => undefined,
        modeSwitch: () => undefined,
      },
      vmx,
    };
    return ports;
  }

  private note(record: TraceRecord, stop: StopReason | undefined): void {
    this.trace.add(record);
    if (stop === undefined) return;
    this.stopEvent = stop;
    this.processor.eventStop = true;
  }
  private guestExit(value: number): void {
    this.endedBy = { kind: 'guest-exit', value };
    this.processor.eventStop = true;
  }
  private isBreakpoint(ip: bigint): boolean {
    const level = levelOf(this.vcpu);
    return this.breakpoints.some((b) => b.address === ip && (b.level === undefined || b.level === level));
  }

  // Running -----------------------------------------------------------------------------------------------------------

  get steps(): number {
    return this.vcpu.getF64(State.steps);
  }
  get instructions(): number {
    return this.vcpu.getF64(State.instructions);
  }
  get tiers(): Machine['tiers'] {
    return { ...this.regions.statistics };
  }
  get ended(): StopReason | undefined {
    return this.endedBy;
  }

  setBreakpoints(list: readonly Breakpoint[]): void {
    this.breakpoints = [...list];
    this.code.setBreakpointOffsets(new Set(list.map((b) => Number(b.address & 0xfffn))));
  }

  runSlice(options: SliceOptions): StopReason {
    if (this.endedBy !== undefined) return this.endedBy;
    this.stopEvent = undefined;
    let end: RunEnd;
    try {
      end = this.processor.run(options.maxSteps, options.ignoreFirstBreakpoint);
    } catch (e) {
      const what = e instanceof Error ? e.message : String(e);
      this.endedBy = { kind: 'internal-error', sentence: `Nestscope met an error of its own (${what}); the machine is kept as it is. Please report it with the image and this sentence.` }; // prettier-ignore
      return this.endedBy;
    }
    return this.stopReason(end);
  }

  private stopReason(end: RunEnd): StopReason {
    const { vcpu } = this;
    switch (end) {
      case 'budget':
        return this.endedBy ?? this.stopEvent ?? { kind: 'step-limit' };
      case 'event':
        return this.endedBy ?? this.stopEvent ?? { kind: 'step-limit' };
      case 'breakpoint':
        return { kind: 'breakpoint', address: vcpu.rip + vcpu.get64(State.csBase), level: levelOf(vcpu) };
      case 'halted':
        if (vcpu.flag(Flag.IF)) {
          this.endedBy = { kind: 'not-modelled', sentence: 'Not modelled: interrupt controllers and timers; the guest waits (HLT with interrupts enabled) for an interrupt that cannot come.' }; // prettier-ignore
          return this.endedBy;
        }
        this.endedBy = { kind: 'halted', level: levelOf(vcpu) };
        return this.endedBy;
      case 'shutdown': {
        if (this.endedBy !== undefined) return this.endedBy;
        const last = this.trace.exceptions[this.trace.exceptions.length - 1];
        const chain = last === undefined ? [] : this.trace.exceptions.filter((e) => e.n === last.n);
        this.endedBy = { kind: 'triple-fault', chain };
        return this.endedBy;
      }
      case 'stopped': {
        const stop = vcpu.stop;
        vcpu.stop = undefined;
        const sentence = stop?.sentence ?? 'stopped without a reason';
        this.endedBy =
          stop?.kind === 'internal-error'
            ? { kind: 'internal-error', sentence }
            : { kind: 'not-modelled', sentence: sentence.startsWith('Not modelled:') ? sentence : `Not modelled: ${sentence}` };
        return this.endedBy;
      }
    }
  }

  // Input and output ----------------------------------------------------------------------------------------------------

  takeSerialOutput(): Uint8Array {
    return this.platform.serialOutput();
  }
  takeDebugConsoleOutput(): Uint8Array {
    return this.platform.debugOutput();
  }
  sendSerialInput(bytes: Uint8Array): void {
    this.platform.sendSerial(bytes);
  }
  takeTrace(): ReturnType<Machine['takeTrace']> {
    return this.trace.take();
  }
  get recentExits(): Machine['recentExits'] {
    return this.trace.recentExits;
  }
  get exitCounts(): Machine['exitCounts'] {
    return this.trace.exitCounts;
  }

  // State ---------------------------------------------------------------------------------------------------------------

  private vcpuCopy(): Uint8Array {
    return copyVcpu(this.memory, this.vcpu.base, this.vcpu.flags);
  }

  save(): MachineSnapshot {
    return {
      version: SNAPSHOT_VERSION,
      parts: {
        ram: copyRam(this.memory),
        vcpu0: this.vcpuCopy(),
        platform: this.platform.save(),
        trace: this.trace.save(),
        ended: this.endedBy,
      },
    };
  }

  restore(snapshot: MachineSnapshot): void {
    if (snapshot.version !== SNAPSHOT_VERSION)
      throw new UserError(`a snapshot of version ${snapshot.version}: expected version ${SNAPSHOT_VERSION}`, 'snapshot-version');
    const ram = snapshot.parts.ram as RamCopy;
    if (ram.bytes !== this.memory.ramBytes)
      throw new UserError(
        `a snapshot of a machine with ${ram.bytes} bytes of memory: this one has ${this.memory.ramBytes}`,
        'snapshot-memory',
      );
    this.code.reset();
    restoreRam(this.memory, ram);
    restoreVcpu(this.memory, this.vcpu.base, snapshot.parts.vcpu0 as Uint8Array);
    this.platform.restore(snapshot.parts.platform);
    this.trace.restore(snapshot.parts.trace as TraceState);
    this.endedBy = snapshot.parts.ended as StopReason | undefined;
    this.vcpu.stop = undefined;
  }

  hash(): string {
    const h = new StateHash();
    h.bytes(this.vcpuCopy());
    h.ram(this.memory);
    h.bytes(new TextEncoder().encode(JSON.stringify(this.platform.save(), (_k, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v))));
    return h.digest();
  }

  // Looking inside ------------------------------------------------------------------------------------------------------

  cpu(): CpuView {
    return this.view;
  }
  resolve(_vcpu: number, level: Level, space: AddressSpace, address: bigint): Resolution {
    return this.resolver.resolve(this.vcpu, level, space, address);
  }

  readMemory(_vcpu: number, level: Level, space: AddressSpace, address: bigint, length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let done = 0;
    while (done < length) {
      const at = address + BigInt(done);
      const inPage = Math.min(length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.vcpu, level, space, at);
      const bytes = hpa === undefined ? new Uint8Array(0) : this.memory.physRead(hpa, inPage);
      parts.push(bytes);
      done += bytes.length;
      if (bytes.length < inPage) break;
    }
    const all = new Uint8Array(done);
    let to = 0;
    for (const p of parts) {
      all.set(p, to);
      to += p.length;
    }
    return all;
  }

  writeMemory(_vcpu: number, level: Level, space: AddressSpace, address: bigint, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const at = address + BigInt(done);
      const inPage = Math.min(bytes.length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.vcpu, level, space, at);
      if (hpa === undefined || !this.memory.isRam(hpa, inPage)) break;
      this.memory.physWrite(hpa, bytes.subarray(done, done + inPage));
      done += inPage;
    }
    // The bytes may lie in a VMCS: every check is made again at the next entry.
    forgetChecks(this.vcpu);
    return done;
  }
}

/** Puts the loader's entry state into a CPU that has just been powered on. */
function applyEntryState(cpu: Cpu, entry: EntryState): void {
  cpu.setF64(State.vmxonPointer, -1);
  cpu.setF64(State.currentVmcs, -1);
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
