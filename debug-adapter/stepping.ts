/** Plans for stepping: one instruction or one source line, into, over or out, across levels ("Stepping follows nesting"). */
import type { Breakpoint, CpuView, StopReason } from '../emulator/api';
import type { Debuggee } from './debuggee';
import type { DisassembledCode } from './disassembly';
import type { Plan, Stretch } from './running';
import type { LineRow } from './symbol-source';
import { Unwinder } from './unwinding';

/** What is stepped: one virtual CPU of a debuggee. */
export interface Stepped {
  readonly debuggee: Debuggee;
  readonly vcpu: number;
}

const cpuOf = ({ debuggee, vcpu }: Stepped): CpuView => debuggee.machine.cpu(vcpu);
const instructionOf = (stepped: Stepped): DisassembledCode | undefined => stepped.debuggee.currentInstruction(cpuOf(stepped), stepped.vcpu);
const stackPointer = (cpu: CpuView): bigint => cpu.register('rsp') ?? 0n;

/** One step of the machine: an instruction, an iteration of REP, the delivery of an event, a VM exit, a VM entry. */
export function stepInto(): Plan {
  return { next: () => ({ steps: 1 }), after: () => 'done' };
}

/** On after a VM exit that the machine stands at: until the guest goes on. */
export function untilGuestGoesOn(): Plan {
  return { next: () => ({ vmEntry: true }), after: (stop) => (stop.kind === 'vm-entry' ? 'done' : 'again') };
}

/** Out of a guest: until its next exit to its hypervisor. */
export function untilVmExit(): Plan {
  return { next: () => ({ vmExit: true }), after: (stop) => (stop.kind === 'vm-exit' ? 'done' : 'again') };
}

/** Until an address is reached with the stack at or above the height given (deeper calls of a recursion do not count). */
function untilReturn(stepped: Stepped, address: bigint, leastStackPointer: bigint): Plan {
  const { level } = cpuOf(stepped);
  const until: readonly Breakpoint[] = [{ address, level }];
  return {
    next: () => ({ until }),
    after: () => (stackPointer(cpuOf(stepped)) >= leastStackPointer ? 'done' : 'again'),
  };
}

/** Over the instruction at RIP: a call, an interrupt or a REP is run through; a VM entry is run until the guest's next exit; a VM exit until the guest goes on. */
export function stepOver(stepped: Stepped): Plan {
  const cpu = cpuOf(stepped);
  const code = instructionOf(stepped);
  const next = code ? BigInt.asUintN(64, cpu.rip + BigInt(code.length)) : 0n;
  switch (code?.kind) {
    case 'call':
    case 'interrupt':
    case 'system-call':
      return untilReturn(stepped, next, stackPointer(cpu));
    case 'repeat':
      return untilReturn(stepped, next, 0n);
    default:
      return across(stepped);
  }
}

/** A handler that returns to the very instruction that raised its exception again and again is not run through for ever. */
const MOST_ATTEMPTS = 16;

/**
 * One step; if it changed the level, on until the level is the old one again; if it raised an exception, on until the handler has returned,
 * and once more when it returned to the same instruction.
 */
function across(stepped: Stepped): Plan {
  const { level, rip } = cpuOf(stepped);
  const sp = stackPointer(cpuOf(stepped));
  let rest: Plan | undefined;
  let handling = false;
  let attempts = 1;
  return {
    next: () => rest?.next() ?? { steps: 1, exception: true },
    after(stop) {
      if (rest?.after(stop) === 'again') return 'again';
      const cpu = cpuOf(stepped);
      if (rest && !handling) return 'done';
      if (cpu.level !== level) {
        handling = false;
        rest = level === 1 ? untilVmExit() : untilGuestGoesOn();
        return 'again';
      }
      if (!rest && stop.kind === 'exception') {
        handling = true;
        rest = untilReturnInstruction(stepped);
        return 'again';
      }
      if (!rest) return 'done';
      // A return inside the handler that leaves the stack below where it was is not the handler's own.
      if (stackPointer(cpu) < sp) {
        rest = untilReturnInstruction(stepped);
        return 'again';
      }
      if (cpu.rip !== rip || ++attempts > MOST_ATTEMPTS) return 'done';
      rest = undefined;
      handling = false;
      return 'again';
    },
  };
}

/**
 * Out of the function: to the return address if the unwinder knows it, else step by step over everything until a return instruction has been
 * executed, or a VM entry, by which a VM-exit handler returns to its guest. Inside a guest: until its next VM exit.
 */
export function stepOut(stepped: Stepped): Plan {
  const cpu = cpuOf(stepped);
  if (cpu.level === 2) return untilVmExit();
  const unwinder = new Unwinder(stepped.debuggee.machine, stepped.debuggee.symbols, stepped.debuggee.disassembler);
  const start = {
    vcpu: stepped.vcpu,
    level: cpu.level,
    codeBits: cpu.codeBits,
    rip: cpu.rip,
    rsp: stackPointer(cpu),
    rbp: cpu.register('rbp'),
  };
  const caller = cpu.exitJustCommitted ? undefined : unwinder.callers(start, 1)[0];
  if (caller) return untilReturn(stepped, caller.returnAddress, caller.slot + 1n);
  return untilReturnInstruction(stepped);
}

function untilReturnInstruction(stepped: Stepped): Plan {
  let inner: Plan | undefined;
  let returning = false;
  return {
    next() {
      if (!inner) {
        const kind = instructionOf(stepped)?.kind;
        returning = kind === 'return' || kind === 'vm-entry';
        inner = returning ? stepInto() : stepOver(stepped);
      }
      return inner.next();
    },
    after(stop) {
      if (inner?.after(stop) === 'again') return 'again';
      inner = undefined;
      return returning ? 'done' : 'again';
    },
  };
}

/** A plan by source line, unless the client asks for instructions or RIP has no source line. */
export function lineOr(stepped: Stepped, granularity: unknown, into: boolean): Plan | undefined {
  if (granularity === 'instruction') return undefined;
  const cpu = cpuOf(stepped);
  const row = stepped.debuggee.symbols.rowAt(cpu.level, cpu.rip);
  return row && stepLine(stepped, row, into);
}

/** By source line; the caller has made sure that RIP has one. */
function stepLine(stepped: Stepped, row: LineRow, into: boolean): Plan {
  const start = cpuOf(stepped);
  const level = start.level;
  let current = row;
  let inner: Plan | undefined;
  let called = false;
  const arm = (): Stretch => {
    if (!inner) {
      called = instructionOf(stepped)?.kind === 'call';
      inner = into ? stepInto() : stepOver(stepped);
    }
    return inner.next();
  };
  return {
    next: arm,
    after(stop: StopReason) {
      if (inner?.after(stop) === 'again') return 'again';
      inner = undefined;
      const cpu = cpuOf(stepped);
      // Into a guest, out to a hypervisor: the step is over wherever that is.
      if (cpu.level !== level) return 'done';
      const here = stepped.debuggee.symbols.rowAt(cpu.level, cpu.rip);
      if (!here) {
        if (!into || !called) return 'done';
        // Called something without source lines: come back first.
        const size = cpu.codeBits / 8;
        const bytes = stepped.debuggee.machine.readMemory(stepped.vcpu, cpu.level, 'gva', stackPointer(cpu), size);
        if (bytes.length < size) return 'done';
        const address = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
        inner = untilReturn(stepped, address, stackPointer(cpu) + 1n);
        called = false;
        return 'again';
      }
      const sameLine = here.file === current.file && here.line === current.line;
      if (sameLine && !(called && into && cpu.rip === here.start)) return 'again';
      // In the middle of a line (after a return): on to the beginning of the next one.
      if (cpu.rip !== here.start || !here.isStatement) {
        current = here;
        return 'again';
      }
      return 'done';
    },
  };
}
