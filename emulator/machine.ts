/**
 * The composition root: memory, devices, vCPU, VMX and views put together as one Machine that runs in slices. Everything that can be saved is
 * a named part (see `statefulParts`); nothing else holds machine state.
 */
import type {
  AddressSpace, BreakOn, Breakpoint, CpuView, ExceptionRecord, Inspector, InterruptRecord, L0View, Level, Machine, MachineConfig, MachineSnapshot, Resolution, SliceOptions, StopReason, TraceRecord, Watchpoint, WatchpointHit,
} from './api'; // prettier-ignore
import { type ClockState, MachineClock, createClockPort } from './cpu/clock';
import type { Cpu } from './cpu/cpu';
import { readMsr, writeMsr } from './cpu/msr';
import type { CpuPorts } from './cpu/ports';
import { Processor } from './cpu/processor';
import { type MachineRunEnd, Processors } from './cpu/processors';
import { Schedule, type ScheduleState } from './cpu/schedule';
import { type AddressLine20, addressLine20 } from './cpu/address-line-20-gate';
import { type Platform, createPlatform } from './devices/platform';
import { Hypervisor, type HypervisorState, type L0ExitReport } from './hypervisor/hypervisor';
import { createL0View } from './hypervisor/l0-view';
import { createCpuView } from './inspect/cpu-view';
import { createInspector } from './inspect/inspector';
import { Resolver } from './inspect/resolve';
import { levelOf } from './inspect/translation-context';
import { type MachineParts, buildParts, ept02Frames, startVcpus } from './machine-parts';
import { type RamCopy, StateHash, copyRam, copyVcpu, restoreRam, restoreVcpu } from './memory/snapshot';
import { EventType } from './spec/registers';
import { Flag, MonitorWait, Signal, State } from './spec/vcpu-state';
import { Trace, type TraceState } from './trace';
import { UserError, unreachable } from './user-error';
import { forgetChecks } from './vmx/changes';
import type { VmxObserver } from './vmx/observer';
import { type Vmx, createVmx } from './vmx/vmx';

const SNAPSHOT_VERSION = 2;
const PAGE_FAULT = 14;
const DEFAULT_SEED = 1;

/** Creates a machine with its image loaded, at the first instruction. Throws UserError for what the user can mend. */
export async function createMachine(config: MachineConfig): Promise<Machine> {
  return new EmulatedMachine(config, await buildParts(config));
}

class EmulatedMachine implements Machine {
  readonly breakOn: BreakOn = { vmExit: false, vmEntry: false, vmEntryFailure: false, exception: false, interrupt: false };
  readonly inspect: Inspector;
  private readonly clock = new MachineClock();
  private readonly schedule: Schedule;
  private readonly platform: Platform;
  private readonly processors: Processors;
  private readonly trace = new Trace();
  private readonly resolver: Resolver;
  private readonly views: readonly CpuView[];
  private breakpoints: readonly Breakpoint[] = [];
  private hypervisor: Hypervisor | undefined;
  l0: L0View | undefined;
  private vmx: Vmx | undefined;
  private endedBy: StopReason | undefined;
  private stopEvent: StopReason | undefined;

  constructor(
    config: MachineConfig,
    private readonly parts: MachineParts,
  ) {
    const { mmu, cpus, code, regions, generated, memory } = parts;
    const signal = (vcpu: number, bit: number): void => void (cpus[vcpu].i32[State.signals >> 2] |= bit);
    this.platform = createPlatform({
      memory: parts.guestMemory,
      vcpuCount: cpus.length,
      model: cpus[0].model,
      boot: parts.entry.boot,
      time: this.clock,
      signals: {
        interruptsChanged: (vcpu) => (cpus[vcpu].interruptPending = this.platform.interrupts.pending(vcpu) >= 0),
        nmi: (vcpu) => signal(vcpu, Signal.nmi),
        smi: (vcpu) =>
          parts.host === undefined
            ? signal(vcpu, Signal.smi)
            : void cpus[vcpu].notModelled('Not modelled: system-management interrupts in hosted mode.'),
        init(vcpu) {
          // A start-up IPI before it has had its effect, or none.
          cpus[vcpu].i32[State.signals >> 2] &= ~Signal.startUp;
          signal(vcpu, Signal.init);
        },
        startUp: (vcpu, vector) => {
          cpus[vcpu].set32(State.startUpVector, vector);
          signal(vcpu, Signal.startUp);
        },
      },
      guestExit: (value) => this.guestExit(value),
      powerOff: () => this.end({ kind: 'power-off' }),
      reset: (by) => this.end({ kind: 'reset', by }),
      a20: this.addressLine20Gate(),
      notModelled: (sentence, vcpu) => void cpus[Math.max(0, vcpu)].notModelled(sentence),
    });
    memory.mmio = this.platform.mmio;
    for (const cpu of cpus) cpu.controller = this.platform.interrupts;
    const ports = this.createPorts();
    const requests = { eventStop: false };
    const isBreakpoint = (cpu: Cpu, ip: bigint): boolean => this.isBreakpoint(cpu, ip);
    const list = cpus.map((cpu) => new Processor(cpu, mmu, code, regions, generated, ports, isBreakpoint, requests));
    this.schedule = new Schedule(cpus.length, config.seed ?? DEFAULT_SEED);
    this.processors = new Processors(
      list,
      this.clock,
      this.platform.timeline,
      this.schedule,
      requests,
      () => this.canWake(),
      () => this.platform.awaitsSerialInput && this.canWake(),
    );
    this.resolver = new Resolver(memory);
    this.views = cpus.map((cpu) => createCpuView(cpu, memory, this.trace));
    this.inspect = createInspector(cpus, memory, this.resolver, this.trace, this.platform);
    startVcpus(parts);
    this.hypervisor = this.startHypervisor(config);
  }

  /** Hosted mode: the VM's gate, which L0 makes. (The platform asks for it when L0 does not stand yet.) */
  private addressLine20Gate(): AddressLine20 {
    const { cpus, host } = this.parts;
    if (host === undefined) return addressLine20(cpus);
    const gate = (): AddressLine20 => this.hypervisor?.addressLine20 ?? unreachable('a gate is asked for before there is a machine');
    return {
      get enabled() {
        return gate().enabled;
      },
      set: (enabled) => gate().set(enabled),
    };
  }

  /** Some vCPU waits for an interrupt that could come. */
  private canWake(): boolean {
    const { interrupts } = this.platform;
    return this.parts.cpus.some(
      (cpu) =>
        cpu.getF64(State.deadline) !== 0 ||
        ((cpu.flag(Flag.IF) ||
          (cpu.vmxNonRoot && levelOf(cpu) === 2) ||
          (cpu.get32(State.monitorWait) & MonitorWait.maskedInterrupts) !== 0) &&
          interrupts.mayInterrupt(cpu.index)),
    );
  }

  private createPorts(): CpuPorts {
    const clock = createClockPort(this.clock, this.platform.timeline, (cpu, tsc) => vmx.guestTsc(cpu, tsc));
    const position = (): number => this.clock.steps + 1;
    const vmx = createVmx({
      copies: this.parts.copies,
      memory: this.parts.memory,
      model: this.parts.cpus[0].model,
      interrupts: this.platform.interrupts,
      clock,
      msrs: {
        readMsr: (cpu, index) => readMsr(cpu, ports, index),
        writeMsr: (cpu, index, value) => writeMsr(cpu, ports, index, value),
      },
      observer: this.parts.host === undefined ? this.guestObserver() : this.hardwareObserver(),
    });
    this.vmx = vmx;
    const { mmu, code, passing } = this.parts;
    mmu.apicAccesses = vmx.apicAccesses;
    passing.handler = (cpu, record) => !mmu.watchpoints.on && vmx.accessInPassing(cpu, code.instructionAt(record));
    const ports: CpuPorts = {
      io: this.platform.io,
      clock,
      observer: {
        exception: (cpu, vector, errorCode) => {
          const record: ExceptionRecord = {
            event: 'exception', n: position(), vcpu: cpu.index, level: levelOf(cpu), vector, errorCode, rip: cpu.rip,
            cr2: vector === PAGE_FAULT ? cpu.get64(State.pendingLinear) : undefined,
          }; // prettier-ignore
          this.note(record, this.breakOn.exception ? { kind: 'exception', exception: record } : undefined);
        },
        interruptDelivered: (cpu, vector, type, rip) => this.interruptDelivered(cpu, vector, type, rip),
        modeSwitch: () => undefined,
      },
      vmx,
      interrupts: this.platform.interrupts,
      rootSoftware: this.parts.host && { run: (cpu) => this.hypervisor?.run(cpu) },
    };
    return ports;
  }

  /** Notes what the program under test sees of VMX. */
  private guestObserver(): VmxObserver {
    const position = (): number => this.clock.steps + 1;
    return {
      exit: (cpu, report) => {
        const n = position();
        const vcpuSteps = cpu.getF64(State.steps) + 1;
        this.trace.addExit(report, n, cpu.index, vcpuSteps);
        if (!this.breakOn.vmExit) return;
        this.stopAt({ kind: 'vm-exit', exit: { event: 'exit', n, vcpu: cpu.index, level: 2, vcpuSteps, ...report } });
      },
      entry: (cpu, report) => {
        const n = position();
        this.trace.addEntry(report, n, cpu.index);
        if (this.breakOn.vmEntry) this.stopAt({ kind: 'vm-entry', entry: { event: 'entry', n, vcpu: cpu.index, level: 2, ...report } });
      },
      entryFailure: (cpu, report) => {
        const failure = { event: 'entry-failure', n: position(), vcpu: cpu.index, level: 1, ...report } as const;
        this.note(failure, this.breakOn.vmEntryFailure ? { kind: 'vm-entry-failure', failure } : undefined);
      },
      abort: (_cpu, indicator, sentence) => {
        this.end({ kind: 'vmx-abort', indicator, sentence });
      },
    };
  }
  /** Hosted mode: exits and entries of the hardware are L0's; it tells what the program under test sees of them. */
  private hardwareObserver(): VmxObserver {
    return {
      exit: () => undefined,
      entry: () => undefined,
      entryFailure: (_cpu, report) => this.hypervisor?.entryRefused(report),
      abort: (_cpu, indicator, sentence) => {
        this.end({ kind: 'vmx-abort', indicator, sentence });
      },
    };
  }

  private startHypervisor(config: MachineConfig): Hypervisor | undefined {
    const { host, cpus } = this.parts;
    if (host === undefined || this.vmx === undefined) return undefined;
    const exited = (cpu: Cpu, report: L0ExitReport): void =>
      this.trace.add({ event: 'l0-exit', n: this.clock.steps, vcpu: cpu.index, ...report });
    const options = { shadowing: config.hosted?.vmcsShadowing ?? true, ept02Frames: ept02Frames(config) };
    const { context } = this.vmx;
    const hypervisor = new Hypervisor(
      cpus[0],
      host.guest,
      host.frames,
      context,
      this.guestObserver(),
      this.platform.interrupts,
      exited,
      options,
    );
    hypervisor.begin();
    this.l0 = createL0View(hypervisor);
    return hypervisor;
  }

  private interruptDelivered(cpu: Cpu, vector: number, type: number, rip: bigint): void {
    const kind = type === EventType.nmi ? 'nmi' : type === EventType.softwareInterrupt ? 'software' : 'external';
    const interrupt: InterruptRecord = {
      event: 'interrupt',
      n: this.clock.steps + 1,
      vcpu: cpu.index,
      level: levelOf(cpu),
      vector,
      kind,
      rip,
    };
    this.note(interrupt, this.breakOn.interrupt ? { kind: 'interrupt', interrupt } : undefined);
  }
  private note(record: TraceRecord, stop: StopReason | undefined): void {
    this.trace.add(record);
    if (stop !== undefined) this.stopAt(stop);
  }
  private stopAt(stop: StopReason): void {
    this.stopEvent = stop;
    this.processors.requests.eventStop = true;
  }
  private guestExit(value: number): void {
    this.end({ kind: 'guest-exit', value });
  }
  private end(reason: StopReason): void {
    this.endedBy = reason;
    this.processors.requests.eventStop = true;
  }
  private isBreakpoint(cpu: Cpu, ip: bigint): boolean {
    const level = levelOf(cpu);
    return this.breakpoints.some(
      (b) => b.address === ip && (b.level === undefined || b.level === level) && (b.vcpu === undefined || b.vcpu === cpu.index),
    );
  }

  // Running -----------------------------------------------------------------------------------------------------------

  get steps(): number {
    return this.clock.steps;
  }
  get instructions(): number {
    return this.parts.cpus.reduce((sum, cpu) => sum + cpu.getF64(State.instructions), 0);
  }
  get vcpuCount(): number {
    return this.parts.cpus.length;
  }
  get currentVcpu(): number {
    return this.processors.last;
  }
  get time(): number {
    return this.clock.now();
  }
  get tiers(): Machine['tiers'] {
    return { ...this.parts.regions.statistics };
  }
  get ended(): StopReason | undefined {
    return this.endedBy;
  }

  setBreakpoints(list: readonly Breakpoint[]): void {
    this.breakpoints = [...list];
    this.parts.code.setBreakpointOffsets(new Set(list.map((b) => Number(b.address & 0xfffn))));
  }

  setWatchpoints(list: readonly Watchpoint[]): void {
    for (const w of list)
      if (!Number.isSafeInteger(w.length) || w.length < 1 || w.address < 0n || w.address + BigInt(w.length) > 1n << 64n)
        throw new UserError(
          `a watchpoint of ${w.length} bytes at 0x${w.address.toString(16)}: expected at least one byte inside the 64-bit address space`,
          'watchpoint',
        );
    this.parts.mmu.watchpoints.set(list, this.parts.cpus);
  }

  runSlice(options: SliceOptions): StopReason {
    if (this.endedBy !== undefined) return this.endedBy;
    this.stopEvent = undefined;
    this.parts.mmu.watchpoints.begin();
    let end: MachineRunEnd;
    try {
      end = this.processors.run(options);
    } catch (e) {
      const what = e instanceof Error ? e.message : String(e);
      this.endedBy = { kind: 'internal-error', sentence: `Nestscope met an error of its own (${what}); the machine is kept as it is. Please report it with the image and this sentence.` }; // prettier-ignore
      return this.endedBy;
    } finally {
      this.parts.mmu.watchpoints.end();
    }
    return this.stopReason(end);
  }

  private stopReason(end: MachineRunEnd): StopReason {
    const vcpu = this.parts.cpus[this.processors.last];
    switch (end) {
      case 'budget':
      case 'waiting':
        return this.endedBy ?? this.stopEvent ?? { kind: 'step-limit' };
      case 'event':
        return this.endedBy ?? this.stopEvent ?? { kind: 'step-limit' };
      case 'breakpoint':
        return { kind: 'breakpoint', address: vcpu.rip + vcpu.get64(State.csBase), level: levelOf(vcpu) };
      case 'watchpoint': {
        const [hit, ...others] = byWeight(this.parts.mmu.watchpoints.hits);
        return { kind: 'watchpoint', ...hit, others };
      }
      case 'halted':
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
  takeTrace(only?: readonly TraceRecord['event'][]): ReturnType<Machine['takeTrace']> {
    return this.trace.take(only);
  }
  get recentExits(): Machine['recentExits'] {
    return this.trace.recentExits;
  }
  get exitCounts(): Machine['exitCounts'] {
    return this.trace.exitCounts;
  }

  // State ---------------------------------------------------------------------------------------------------------------

  private vcpuCopies(): Uint8Array[] {
    return this.parts.cpus.map((cpu) => copyVcpu(this.parts.memory, cpu.base, cpu.flags));
  }

  save(): MachineSnapshot {
    return {
      version: SNAPSHOT_VERSION,
      parts: {
        ram: copyRam(this.parts.memory),
        vcpus: this.vcpuCopies(),
        clock: this.clock.save(),
        schedule: this.schedule.save(),
        platform: this.platform.save(),
        trace: this.trace.save(),
        ended: this.endedBy,
        ...(this.hypervisor && { hypervisor: this.hypervisor.save() }),
      },
    };
  }

  restore(snapshot: MachineSnapshot): void {
    const { memory, cpus, code } = this.parts;
    if (snapshot.version !== SNAPSHOT_VERSION)
      throw new UserError(`a snapshot of version ${snapshot.version}: expected version ${SNAPSHOT_VERSION}`, 'snapshot-version');
    const ram = snapshot.parts.ram as RamCopy;
    if (ram.bytes !== memory.ramBytes)
      throw new UserError(`a snapshot of a machine with ${ram.bytes} bytes of memory: this one has ${memory.ramBytes}`, 'snapshot-memory');
    const vcpus = snapshot.parts.vcpus as readonly Uint8Array[];
    if (vcpus.length !== cpus.length)
      throw new UserError(`a snapshot of a machine with ${vcpus.length} virtual CPUs: this one has ${cpus.length}`, 'snapshot-cpus');
    code.reset();
    restoreRam(memory, ram);
    cpus.forEach((cpu, n) => {
      restoreVcpu(memory, cpu.base, vcpus[n]);
      cpu.stop = undefined;
    });
    this.clock.restore(snapshot.parts.clock as ClockState);
    this.schedule.restore(snapshot.parts.schedule as ScheduleState);
    this.platform.restore(snapshot.parts.platform);
    this.trace.restore(snapshot.parts.trace as TraceState);
    this.endedBy = snapshot.parts.ended as StopReason | undefined;
    this.hypervisor?.restore(snapshot.parts.hypervisor as HypervisorState);
    this.parts.mmu.watchpoints.renew(cpus);
  }

  hash(): string {
    const h = new StateHash();
    for (const copy of this.vcpuCopies()) h.bytes(copy);
    h.ram(this.parts.memory);
    const plain = [this.clock.save(), this.schedule.save(), this.platform.save(), this.hypervisor?.save()];
    h.bytes(new TextEncoder().encode(JSON.stringify(plain, (_k, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v))));
    return h.digest();
  }

  // Looking inside ------------------------------------------------------------------------------------------------------

  cpu(vcpu: number): CpuView {
    return this.views[vcpu];
  }
  resolve(vcpu: number, level: Level, space: AddressSpace, address: bigint): Resolution {
    return this.resolver.resolve(this.parts.cpus[vcpu], level, space, address);
  }

  readMemory(vcpu: number, level: Level, space: AddressSpace, address: bigint, length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let done = 0;
    while (done < length) {
      const at = address + BigInt(done);
      const inPage = Math.min(length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.parts.cpus[vcpu], level, space, at);
      const bytes = hpa === undefined ? new Uint8Array(0) : this.parts.memory.physRead(hpa, inPage);
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

  writeMemory(vcpu: number, level: Level, space: AddressSpace, address: bigint, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const at = address + BigInt(done);
      const inPage = Math.min(bytes.length - done, 4096 - Number(at & 0xfffn));
      const hpa = this.resolver.toHpa(this.parts.cpus[vcpu], level, space, at);
      if (hpa === undefined || !this.parts.memory.isRam(hpa, inPage)) break;
      this.parts.memory.physWrite(hpa, bytes.subarray(done, done + inPage));
      done += inPage;
    }
    // The bytes may lie in a VMCS: every check is made again at the next entry.
    for (const cpu of this.parts.cpus) forgetChecks(cpu);
    this.hypervisor?.forgetChecks();
    return done;
  }
}

/** Writes before reads: of an instruction that does both the write is told first. */
const byWeight = (hits: readonly WatchpointHit[]): WatchpointHit[] =>
  [...hits].sort((a, b) => Number(a.access === 'read') - Number(b.access === 'read'));
