/**
 * The run loop of one vCPU: generated code until it comes back, then whatever it came back for (decode, fetch, call-out, exception, VM exit),
 * each step counted exactly once (architecture: a retired instruction, a REP iteration, a delivered event, a VM exit or a VM entry is a step).
 */
import type { InterpreterExports } from '../codegen/interpreter';
import { Exit, Handler, Rec } from '../codegen/record';
import type { Instruction } from '../isa/instruction';
import { Activity, Vector } from '../spec/registers';
import { Flag, Mode, Seg, Signal, State, TlbEntry } from '../spec/vcpu-state';
import { Access, type Mmu, NON_CANONICAL } from '../mmu/mmu';
import { ENABLED_BREAKPOINT, breakpointsEnabled, instructionBreakpoints } from '../mmu/breakpoint-registers';
import { entryPage } from '../mmu/tlb';
import { beforeStep, hasBranched, onBranchesOnly } from './branch-traps';
import type { CodeCache } from './code-cache';
import type { Cpu } from './cpu';
import { type EventSink, endWait, mayHaveEvents, takeBoundaryEvent } from './boundary-events';
import { clearVectoring } from './delivery';
import { type ExceptionResult, deliverInstructionBreakpoint, handlePendingException } from './faults';
import { Outcome } from './outcome';
import { count, counts } from './performance-counters';
import type { CpuPorts } from './ports';
import type { Regions } from './regions';
import { noteIoBeforeSmi } from './system-management';
import { systemInstructions } from './system-instructions';

/**
 * Why `run` came back. 'event': the observer asked for a stop after a step; 'due': a device acts now; 'idle': the vCPU waits for an event.
 */
export type RunEnd = 'budget' | 'due' | 'event' | 'breakpoint' | 'watchpoint' | 'idle' | 'shutdown' | 'stopped';

/** What observers ask of the run loop of all vCPUs. */
export interface RunRequests {
  /** End the slice after the current step. */
  eventStop: boolean;
}

/** Steps after which generated code comes back, so that engines can put better code in its place (WebAssembly has no on-stack replacement). */
const CHUNK = 1_000_000;
const SHADOW = 3; // blocking by STI and by MOV SS
const BS = 1 << 14;
/** Call-outs after which an STI or MOV SS shadow that stands is their own. */
const SHADOW_MAKERS = new Set(['RSM', 'STI', 'MOV_TO_SREG', 'POP_SREG', 'LOAD_FAR_POINTER']);
/** Call-outs that load RFLAGS themselves, so that RF is not cleared behind them. */
const FLAG_LOADERS = new Set(['IRET', 'VMX', 'RSM']);
/** Call-outs that touch ports. */
const PORT_USERS = new Set(['IN', 'OUT', 'INS', 'OUTS']);

/** Which of its accesses goes to the stack, in the form with a memory operand. */
const STACK_ACCESS: Readonly<Record<string, number>> = {
  PUSH: 1,
  CALL: 1,
  POP: 0,
  RET: 0,
  LEAVE: 0,
  PUSHA: 0,
  PUSHAD: 0,
  POPA: 0,
  POPAD: 0,
};
/** Prefixes that may stand before a REP prefix. */
const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
/** Deliveries and calls that clear TF: no trap follows them. */
const CLEARS_TF = new Set(['RSM', 'INT', 'INT3', 'INTO', 'INT1', 'SYSCALL']);

export class Processor implements EventSink {
  constructor(
    readonly cpu: Cpu,
    private readonly mmu: Mmu,
    private readonly code: CodeCache,
    private readonly regions: Regions,
    private readonly generated: InterpreterExports,
    private readonly ports: CpuPorts,
    private readonly isBreakpoint: (cpu: Cpu, ip: bigint) => boolean,
    private readonly requests: RunRequests,
  ) {}

  /** Runs at most `maxSteps` steps of this vCPU. */
  run(maxSteps: number, ignoreFirstBreakpoint = false): RunEnd {
    const { cpu, ports } = this;
    const { clock } = ports;
    let ignore = ignoreFirstBreakpoint;
    const last = cpu.getF64(State.steps) + maxSteps;
    const { watchpoints } = this.mmu;
    watchpoints.enter(cpu);
    for (;;) {
      if (cpu.stop !== undefined) return 'stopped';
      if (this.requests.eventStop) return 'event';
      if (watchpoints.reached(cpu)) return 'watchpoint';
      const activity = cpu.i32[State.activity >> 2];
      let left = last - cpu.getF64(State.steps);
      if (left <= 0) return 'budget';
      const remaining = clock.remaining();
      if (remaining <= 0) return 'due';
      left = Math.min(left, remaining);
      if (ports.rootSoftware !== undefined && !cpu.vmxNonRoot) {
        ports.rootSoftware.run(cpu);
        if (cpu.stop === undefined) this.step(0);
        continue;
      }
      if (mayHaveEvents(cpu)) {
        if (takeBoundaryEvent(cpu, ports, this)) {
          endWait(cpu);
          continue;
        }
        const own = cpu.f64[State.deadline >> 3];
        if (own !== 0) left = Math.min(left, Math.max(1, own - clock.now()));
      }
      // A guest's hypervisor may be asked still: the preemption timer and NMIs end the shutdown of a virtual machine.
      if (activity === Activity.shutdown) return cpu.vmxNonRoot ? 'idle' : 'shutdown';
      if (activity !== Activity.active || cpu.i32[State.monitorWait >> 2] !== 0) return 'idle';
      const shadow = cpu.i32[State.interruptibility >> 2] & SHADOW;
      const resume = cpu.i32[State.systemFlags >> 2] & Flag.RF;
      const watched = breakpointsEnabled(cpu);
      if (watched && this.atBreakpointRegister(resume, shadow)) continue;
      const single = cpu.i32[State.boundary >> 2] !== 0 || shadow !== 0 || resume !== 0 || watched || watchpoints.waits;
      const end = this.enter(this.code.startRecord, single ? 1 : Math.min(left, CHUNK), shadow, resume, ignore);
      if (end !== undefined) return end;
      ignore = false;
    }
  }

  /** DR0 to DR3 before an instruction: its breakpoint is a fault unless RF is set; data breakpoints are watched for. True: a step was made. */
  private atBreakpointRegister(resume: number, shadow: number): boolean {
    const { cpu } = this;
    cpu.set32(State.debugMatches, 0);
    this.mmu.slowWatchedPages(cpu);
    if (resume !== 0 || (shadow & 2) !== 0) return false;
    const met = instructionBreakpoints(cpu, this.linearIp());
    if (met === 0) return false;
    this.concludeException(deliverInstructionBreakpoint(cpu, this.ports, met));
    return true;
  }

  /** Runs generated code and deals with its return; `undefined`: go on. */
  private enter(start: number, budget: number, shadow: number, resume: number, ignoreBreakpoint: boolean): RunEnd | undefined {
    const { cpu } = this;
    const trap = (cpu.i32[State.systemFlags >> 2] & Flag.TF) !== 0;
    cpu.i32[State.budget >> 2] = budget;
    const from = resume !== 0 ? cpu.rip : 0n;
    const branch = trap && onBranchesOnly(cpu) ? beforeStep(cpu, this.code, Number(this.linearIp() & 0xfffn)) : undefined;
    this.regions.breathe();
    this.mmu.watchpoints.single = budget === 1;
    const exit = this.generated.enter(cpu.base, start);
    const done = budget - cpu.i32[State.budget >> 2];
    if (done > 0) {
      this.step(done);
      this.retired(shadow, resume !== 0 && this.repeats(from) ? 0 : resume, branch ? hasBranched(cpu, branch) : trap);
    }
    // With the steps made, what the next instruction needs is left to the next run: where a slice ends must make no difference.
    if (cpu.i32[State.budget >> 2] === 0) return undefined;
    switch (exit) {
      case Exit.decode:
        this.decode();
        return undefined;
      case Exit.fetch:
        return this.fetch(shadow, resume, ignoreBreakpoint);
      case Exit.pending:
        if (this.mmu.watchpoints.takeLeave()) return this.enter(this.code.startRecord, 1, shadow, resume, true);
        this.mmu.watchpoints.forgetReads();
        if (cpu.stop !== undefined) {
          cpu.set32(State.pendingKind, 0);
          return undefined;
        }
        this.correctStackFault();
        this.concludeException(handlePendingException(cpu, this.ports));
        return undefined;
      case Exit.system:
        this.callOut(this.code.instructionAt(cpu.get32(State.exitRecord)), shadow, resume, trap);
        return undefined;
      case Exit.cross:
        return this.singleInstruction(shadow, resume, ignoreBreakpoint);
      case Exit.breakpoint:
        if (!ignoreBreakpoint && this.isBreakpoint(cpu, this.linearIp())) return 'breakpoint';
        return this.underneath(Handler.breakpoint, shadow, resume);
      case Exit.hot:
        this.regions.hot(cpu.getF64(State.fetchHpa), this.mode(), Number(this.linearIp() & 0xfffn));
        return undefined;
      case Exit.short:
        return this.underneath(Handler.region, shadow, resume);
      case Exit.redo:
        return this.enter(this.code.startRecord, 1, shadow, resume, true);
      default:
        throw new Error(`generated code returned ${exit}`);
    }
  }

  private step(instructions: number): void {
    const { cpu } = this;
    const steps = Math.max(1, instructions);
    cpu.f64[State.steps >> 3] += steps;
    cpu.f64[State.instructions >> 3] += instructions;
    this.ports.clock.stepped(steps);
    if (counts(cpu)) count(cpu, this.ports.clock.now());
  }
  eventStep(): void {
    this.step(0);
  }

  /** What the completion of an instruction ends: the shadow it stood in, RF; and the trap that TF asks for. */
  private retired(shadow: number, resume: number, trap: boolean): void {
    const { cpu } = this;
    if (shadow !== 0) cpu.i32[State.interruptibility >> 2] &= ~shadow;
    if (resume !== 0) cpu.i32[State.systemFlags >> 2] &= ~Flag.RF;
    if (trap) cpu.i32[State.pendingDebug >> 2] |= BS;
    const matches = cpu.i32[State.debugMatches >> 2];
    if (matches === 0) return;
    cpu.i32[State.pendingDebug >> 2] |= matches | ENABLED_BREAKPOINT;
    cpu.i32[State.debugMatches >> 2] = 0;
  }

  /** Whether the step made from this IP was one iteration of a REP that goes on: RF stays set until its last one. */
  private repeats(from: bigint): boolean {
    const { cpu } = this;
    if (cpu.rip !== from || cpu.get64(State.fetchPage) !== (this.linearIp() & ~0xfffn)) return false;
    const bytes = cpu.memory.physRead(cpu.getF64(State.fetchHpa) + Number(this.linearIp() & 0xfffn), 4);
    return bytes.some((b, i) => (b === 0xf2 || b === 0xf3) && bytes.subarray(0, i).every((p) => PREFIXES.has(p)));
  }

  private callOut(insn: Instruction, shadow: number, resume: number, trap: boolean): void {
    const { cpu } = this;
    const handler = systemInstructions[insn.system];
    if (handler === undefined) {
      cpu.notModelled(`the instruction ${insn.mnemonic} (opcode ${insn.opcode.toString(16)})`);
      return;
    }
    const wasNonRoot = cpu.vmxNonRoot;
    const task = cpu.segmentSelector(Seg.tr);
    const waiting = cpu.i32[State.signals >> 2];
    const outcome = handler(cpu, insn, this.ports);
    if (cpu.i32[State.signals >> 2] & ~waiting & Signal.smi && PORT_USERS.has(insn.system)) noteIoBeforeSmi(cpu, insn);
    switch (outcome) {
      case Outcome.next:
        cpu.advanceRip(insn.length);
        break;
      case Outcome.jumped:
        break;
      case Outcome.pending:
        this.mmu.watchpoints.forgetReads();
        this.concludeException(handlePendingException(cpu, this.ports));
        return;
      case Outcome.exited:
        this.step(0);
        return;
      case Outcome.stopped:
        return;
    }
    this.step(1);
    const entered = cpu.vmxNonRoot !== wasNonRoot;
    this.retired(
      shadow === 0 || entered || SHADOW_MAKERS.has(insn.system) ? 0 : shadow,
      resume === 0 || FLAG_LOADERS.has(insn.system) ? 0 : resume,
      trap &&
        !entered &&
        (!onBranchesOnly(cpu) || (outcome === Outcome.jumped && insn.rep === 0)) &&
        !CLEARS_TF.has(insn.system) &&
        (insn.system === 'LTR' || task === cpu.segmentSelector(Seg.tr)) &&
        (cpu.i32[State.interruptibility >> 2] & 2) === 0,
    );
  }

  /** An event's delivery has been tried as part of this step. */
  concludeDelivery(outcome: Outcome): void {
    if (outcome === Outcome.jumped) this.step(0);
    else if (outcome === Outcome.exited) this.step(0);
    else if (outcome === Outcome.pending) this.concludeException(handlePendingException(this.cpu, this.ports));
  }

  concludeException(result: ExceptionResult): void {
    const { cpu } = this;
    if (result === 'pending VM exit') {
      if (!this.ports.vmx.commitPendingExit(cpu)) {
        this.concludeException(handlePendingException(cpu, this.ports));
        return;
      }
      clearVectoring(cpu);
    }
    cpu.set32(State.nmiUnblocked, 0);
    cpu.set32(State.pendingKind, 0);
    cpu.set32(State.pendingReason, 0);
    cpu.set32(State.debugMatches, 0);
    if (result !== 'stopped') this.step(0);
  }

  /** A non-canonical stack address is #SS(0); the access did not know which segment it was for. */
  private correctStackFault(): void {
    const { cpu } = this;
    const access = cpu.get32(State.pendingReason) - NON_CANONICAL;
    if (access < 0 || access > 3 || cpu.get32(State.pendingKind) !== 1) return;
    const insn = this.code.instructionAt(cpu.get32(State.exitRecord));
    const stack = STACK_ACCESS[insn.mnemonic];
    const withMemory = insn.hasModRm && insn.mod !== 3;
    const byStack = stack !== undefined && (!withMemory || stack === access);
    if (byStack || (withMemory && insn.segment === Seg.ss)) cpu.set32(State.pendingVector, 12);
    cpu.set32(State.pendingReason, 0);
  }

  private mode(): number {
    return this.cpu.i32[State.mode >> 2];
  }

  /** No record at RIP in the current fetch page: find or make it. */
  private decode(): void {
    const { cpu, code } = this;
    const hpa = cpu.getF64(State.fetchHpa);
    const table = code.tableFor(hpa, this.mode());
    const offset = Number(this.linearIp() & 0xfffn);
    if (this.code.recordAt(table, offset) === 0) code.decodeRun(hpa, this.mode(), offset);
    cpu.set32(State.codeTable, code.tableFor(hpa, this.mode()));
  }

  /** Linear address of the instruction pointer. */
  private linearIp(): bigint {
    const { cpu } = this;
    return (cpu.rip + cpu.get64(State.csBase)) & cpu.get64(State.ipMask);
  }

  /** Control has come to another page: its translation, through the TLB. */
  private fetch(shadow: number, resume: number, ignoreBreakpoint: boolean): RunEnd | undefined {
    const { cpu, code } = this;
    const segmented = (this.mode() & Mode.segmented) !== 0;
    if (segmented && cpu.rip > BigInt(cpu.get32(State.csLimit))) return this.beyondCodeLimit();
    const linear = this.linearIp();
    const lo = Number(linear & 0xffffffffn) >>> 0;
    const hi = Number(linear >> 32n) >>> 0;
    const i = this.translateFetch(lo, hi);
    if (i < 0) return undefined;
    const hpa = entryPage(cpu, i);
    const page = linear & ~0xfffn;
    const pageIp = page - cpu.get64(State.csBase);
    cpu.setF64(State.fetchHpa, hpa);
    cpu.set64(State.pageIp, BigInt.asUintN(64, pageIp));
    // Where the limit of CS ends inside the page, each instruction is asked for by itself.
    const lastIp = BigInt.asUintN(32, pageIp + 4095n);
    if (segmented && (lastIp > BigInt(cpu.get32(State.csLimit)) || lastIp < cpu.rip))
      return this.singleInstruction(shadow, resume, ignoreBreakpoint);
    const table = code.tableFor(hpa, this.mode());
    // Segmented code asks here at every change of page: the entry does not say which base and limit its table was checked for.
    cpu.set32(State.tlb + i * TlbEntry.stride + TlbEntry.code, segmented ? 0 : table);
    cpu.set32(State.codeTable, table);
    cpu.set64(State.fetchPage, page);
    return undefined;
  }

  /** #GP(0): the instruction, or part of it, lies beyond the limit of CS. */
  private beyondCodeLimit(): undefined {
    this.cpu.raise(Vector.GP, 0);
    this.concludeException(handlePendingException(this.cpu, this.ports));
    return undefined;
  }

  /** TLB entry for a fetch; -1: the fault has been dealt with as a step, or the machine stops. */
  private translateFetch(lo: number, hi: number): number {
    const { cpu } = this;
    const i = this.mmu.translate(cpu, lo, hi, Access.execute);
    if (i < 0) {
      cpu.set32(State.pendingReason, cpu.get32(State.pendingKind) === 1 ? 0 : cpu.get32(State.pendingReason));
      this.concludeException(handlePendingException(cpu, this.ports));
      return -1;
    }
    if (cpu.memory.offsetOf(entryPage(cpu, i)) < 0) {
      cpu.notModelled(`fetching instructions from outside RAM (physical address 0x${entryPage(cpu, i).toString(16)})`);
      return -1;
    }
    return i;
  }

  /**
   * An instruction that is decoded each time: its bytes lie in two pages, of which the second one's translation can change, or near the
   * limit of CS. State.fetchHpa and State.pageIp are those of its first page.
   */
  private singleInstruction(shadow: number, resume: number, ignoreBreakpoint: boolean): RunEnd | undefined {
    const { cpu, code } = this;
    const linear = this.linearIp();
    if (!ignoreBreakpoint && this.isBreakpoint(cpu, linear)) return 'breakpoint';
    const offset = Number(linear & 0xfffn);
    const segmented = (this.mode() & Mode.segmented) !== 0;
    const allowed = segmented ? Math.min(15, cpu.get32(State.csLimit) - Number(cpu.rip) + 1) : 15;
    const inPage = Math.min(allowed, 4096 - offset);
    let bytes = cpu.memory.physRead(cpu.getF64(State.fetchHpa) + offset, inPage);
    if (inPage < allowed && !code.isWhole(bytes, this.mode())) {
      const next = (linear + BigInt(inPage)) & cpu.get64(State.ipMask);
      const i = this.translateFetch(Number(next & 0xffffffffn) >>> 0, Number(next >> 32n) >>> 0);
      if (i < 0) return undefined;
      const first = bytes;
      bytes = new Uint8Array(allowed);
      bytes.set(first);
      bytes.set(cpu.memory.physRead(entryPage(cpu, i), allowed - inPage), inPage);
    }
    const record = code.temporaryRecord(bytes, offset, this.mode());
    if (record === undefined) return this.beyondCodeLimit();
    cpu.set32(State.codeTable, code.tableFor(cpu.getF64(State.fetchHpa), this.mode()));
    return this.enter(record, 1, shadow, resume, true);
  }

  /** Carries out the one instruction under a breakpoint that does not stop, or under a region that needs more steps than are left. */
  private underneath(cover: number, shadow: number, resume: number): RunEnd | undefined {
    const { cpu } = this;
    const { u16 } = cpu.memory;
    const record = cpu.get32(State.exitRecord);
    const real = u16[(record + Rec.alternative) >> 1];
    const { resets } = this.code;
    u16[record >> 1] = real;
    const end = this.enter(this.code.startRecord, 1, shadow, resume, true);
    // The instruction may have rewritten itself (the record is a link by now), or thrown the region or all decoded code away.
    const stands = this.code.resets === resets && (cover === Handler.breakpoint || this.regions.standsAt(record));
    if (stands && u16[record >> 1] === real) u16[record >> 1] = cover;
    return end;
  }
}
