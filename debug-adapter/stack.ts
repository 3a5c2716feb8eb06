/** The call stack, which spans the levels: L2's frames, the VM entry that led there, L1's frames from the host state it will exit to. */
import type { CpuView, Level, VmEntryRecord } from '../emulator/api';
import type { Debuggee } from './debuggee';
import { inExitView } from './debuggee';
import type { CodeBits } from './disassembly';
import { exceptionName } from './manual-tables';
import { hex } from './memory-reference';
import { callerRegisters, exitedGuestRegisters, hostRegisters, liveRegisters, type FrameRegisters } from './registers';
import { returnText, symbolText } from './symbol-source';
import { Unwinder } from './unwinding';

export interface Frame {
  readonly vcpu: number;
  readonly level: Level;
  readonly kind: 'live' | 'exited' | 'host' | 'caller' | 'entry';
  readonly name: string;
  /** Linear address of the instruction that the frame shows. */
  readonly address: bigint;
  /** Address to look source lines up by: for a caller the CALL itself, not what follows it. */
  readonly lineAddress: bigint;
  readonly codeBits: CodeBits;
  readonly registers: FrameRegisters;
}

export function framesOf(debuggee: Debuggee, vcpu: number): Frame[] {
  const { machine } = debuggee;
  const cpu = machine.cpu(vcpu);
  const exit = inExitView(debuggee, vcpu) ? cpu.exitJustCommitted : undefined;
  if (exit) {
    const registers = exitedGuestRegisters(cpu, debuggee.vmcs(vcpu), exit.rip);
    const bits = cpu.other()?.codeBits ?? 64;
    const top = frame(debuggee, vcpu, 2, 'exited', exit.rip, bits, registers, ` (exited: ${exit.reason})`);
    return [
      top,
      ...callersOf(debuggee, vcpu, top, cpu),
      ...entryFrame(debuggee, vcpu, cpu),
      ...liveFrames(debuggee, vcpu, cpu, ' (VM-exit handler)'),
    ];
  }
  const frames = liveFrames(debuggee, vcpu, cpu, '');
  frames.splice(1, 0, ...interruptedFrame(debuggee, vcpu, cpu));
  const other = cpu.other();
  if (cpu.level !== 2 || !other) return frames;
  const host = frame(
    debuggee,
    vcpu,
    1,
    'host',
    other.rip,
    other.codeBits,
    hostRegisters(debuggee.vmcs(vcpu), other.rip),
    ' (next VM exit)',
  );
  return [...frames, ...entryFrame(debuggee, vcpu, cpu), host];
}

function liveFrames(debuggee: Debuggee, vcpu: number, cpu: CpuView, suffix: string): Frame[] {
  const top = frame(debuggee, vcpu, cpu.level, 'live', cpu.rip, cpu.codeBits, liveRegisters(cpu), suffix);
  // Right after a VM exit the stack is the hypervisor's but RBP is still the guest's: nothing to unwind by.
  return cpu.exitJustCommitted ? [top] : [top, ...callersOf(debuggee, vcpu, top, cpu)];
}

/** Below the handler of the exception or interrupt that the machine has just stopped at: what raised it, or was interrupted. */
function interruptedFrame(debuggee: Debuggee, vcpu: number, cpu: CpuView): Frame[] {
  const cause = debuggee.stop?.cause;
  const event = cause?.kind === 'exception' ? cause.exception : cause?.kind === 'interrupt' ? cause.interrupt : undefined;
  if (event?.vcpu !== vcpu || event.level !== cpu.level || event.rip === cpu.rip) return [];
  const { rip, vector, level } = event;
  const how = event.event === 'exception' ? ` (raised ${exceptionName(vector)})` : ` (interrupted by ${hex(vector)})`;
  const { name, ...rest } = frame(debuggee, vcpu, level, 'live', rip, cpu.codeBits, callerRegisters(level, { rip }), how);
  return [{ ...rest, kind: 'caller', name }];
}

function callersOf(debuggee: Debuggee, vcpu: number, top: Frame, cpu: CpuView): Frame[] {
  const rsp = top.registers.get('rsp');
  if (rsp === undefined || (top.kind === 'live' && cpu.level !== top.level)) return [];
  const unwinder = new Unwinder(debuggee.machine, debuggee.symbols, debuggee.disassembler);
  const start = { vcpu, level: top.level, codeBits: top.codeBits, rip: top.address, rsp, rbp: top.registers.get('rbp') };
  return unwinder.callers(start).map(({ returnAddress, slot, rbp }) => {
    const known: Record<string, bigint> = { rip: returnAddress, rsp: slot + BigInt(top.codeBits / 8) };
    if (rbp !== undefined) known.rbp = rbp;
    const cr3 = top.registers.get('cr3');
    if (cr3 !== undefined) known.cr3 = cr3;
    return {
      ...frame(debuggee, vcpu, top.level, 'caller', returnAddress, top.codeBits, callerRegisters(top.level, known), ''),
      lineAddress: returnAddress - 1n,
    };
  });
}

function frame(
  debuggee: Debuggee,
  vcpu: number,
  level: Level,
  kind: Frame['kind'],
  address: bigint,
  codeBits: CodeBits,
  registers: FrameRegisters,
  suffix: string,
): Frame {
  const place = kind === 'caller' ? returnText(debuggee.symbols, level, address) : symbolText(debuggee.symbols, level, address);
  const name = `L${level} ${place}${suffix}`;
  return { vcpu, level, kind, name, address, lineAddress: address, codeBits, registers };
}

/** The label between a guest and its hypervisor. */
function entryFrame(debuggee: Debuggee, vcpu: number, cpu: CpuView): Frame[] {
  const entry = cpu.lastEntry;
  if (!entry) return [];
  return [
    {
      vcpu,
      level: 1,
      kind: 'entry',
      name: entryInWords(debuggee, entry),
      address: entry.from,
      lineAddress: entry.from,
      codeBits: cpu.level === 1 ? cpu.codeBits : (cpu.other()?.codeBits ?? 64),
      registers: callerRegisters(1, { rip: entry.from }),
    },
  ];
}

function entryInWords(debuggee: Debuggee, entry: VmEntryRecord): string {
  return `VM entry: ${entry.instruction} at ${symbolText(debuggee.symbols, 1, entry.from)}, VMCS 0x${entry.vmcs.toString(16)}`;
}
