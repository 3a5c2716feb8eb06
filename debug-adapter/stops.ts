/** Why the machine stands: the protocol's stop reasons, and every stop told in words. */
import { explainEntryFailure, explainExit } from '../emulator';
import type { ExceptionRecord, InterruptRecord, StopReason, VmEntryFailureRecord, VmExitRecord, WatchpointHit } from '../emulator/api';
import { exceptionName, exceptionWords } from './manual-tables';
import { numberOf } from './breakpoints/watching';
import { formatPlace, hex } from './memory-reference';
import { symbolText, type SymbolSource } from './symbol-source';

export interface Stop {
  /** The virtual CPU that it is about. */
  readonly vcpu: number;
  readonly reason:
    'entry' | 'step' | 'goto' | 'pause' | 'breakpoint' | 'function breakpoint' | 'instruction breakpoint' | 'data breakpoint' | 'exception';
  readonly hitBreakpointIds?: readonly number[];
  /** What the machine said, when an event of the processor or the end of the machine stopped it. */
  readonly cause?: StopReason;
  /** Stopped on the exit itself: the guest's frame, marked as exited, is on top. */
  readonly exitView: boolean;
}

export interface StopInWords {
  /** Short: the title of the stop. */
  readonly title: string;
  /** One sentence or several: what happened and why. */
  readonly text: string;
  /** Identifier for exceptionInfo: EPT_VIOLATION, #PF, TRIPLE_FAULT … */
  readonly id: string;
}

/** Undefined for stops that need no explanation. */
export function stopInWords(stop: StopReason | undefined, symbols: SymbolSource): StopInWords | undefined {
  switch (stop?.kind) {
    case 'vm-exit':
      return exitInWords(stop.exit, symbols);
    case 'vm-entry': {
      const { instruction, from, rip, vmcs } = stop.entry;
      const text = `${instruction} at ${symbolText(symbols, 1, from)} entered the guest at ${symbolText(symbols, 2, rip)} with the VMCS at ${hex(vmcs)}.`;
      return { id: 'VM_ENTRY', title: 'VM entry', text };
    }
    case 'watchpoint':
      return { id: 'DATA', title: 'Data breakpoint', text: [stop, ...stop.others].map((hit) => accessInWords(hit, symbols)).join('\n') };
    case 'vm-entry-failure':
      return entryFailureInWords(stop.failure, symbols);
    case 'exception':
      return {
        id: exceptionName(stop.exception.vector),
        title: `Exception ${exceptionName(stop.exception.vector)}`,
        text: exceptionInWords(stop.exception, symbols),
      };
    case 'interrupt':
      return { id: `INTERRUPT_${hex(stop.interrupt.vector)}`, ...interruptInWords(stop.interrupt, symbols) };
    case 'triple-fault':
      return tripleFaultInWords(stop.chain, symbols);
    case 'vmx-abort':
      return {
        id: 'VMX_ABORT',
        title: 'VMX abort',
        text: `A VM exit could not be completed, and the processor went to the shutdown state. VMX-abort indicator ${stop.indicator}: ${stop.sentence}`,
      };
    case 'halted':
      return {
        id: 'HALTED',
        title: 'Halted for ever',
        text: `L${stop.level} executed HLT with interrupts off: nothing can wake this virtual CPU.`,
      };
    case 'guest-exit':
      return { id: 'GUEST_EXIT', title: 'The guest ended', text: guestExitInWords(stop.value) };
    case 'power-off':
      return { id: 'POWER_OFF', title: 'Switched off', text: 'The guest switched the machine off by ACPI (sleeping state S5).' };
    case 'reset':
      return {
        id: 'RESET',
        title: 'Reset',
        text: `The guest reset the machine by ${stop.by}. It is not started anew: restart the session for that.`,
      };
    case 'not-modelled':
      return {
        id: 'NOT_MODELLED',
        title: 'Not modelled',
        text: `The guest used something that the emulator does not model yet: ${stop.sentence.replace(/^Not modelled: /, '')}`,
      };
    case 'internal-error':
      return {
        id: 'INTERNAL_ERROR',
        title: 'Mistake of the emulator',
        text: `The emulator made a mistake and stopped; the machine is kept for inspection. Please report this with the image: ${stop.sentence}`,
      };
    default:
      return undefined;
  }
}

/** QEMU's rule for isa-debug-exit, which the command line follows too. */
export function exitStatus(value: number): number {
  return ((value << 1) | 1) & 0xff;
}

export function guestExitInWords(value: number): string {
  return `The guest wrote ${hex(value)} to port 0xf4: exit status ${exitStatus(value)}.`;
}

/** L2 at guest_touch+0x12 wrote 8 bytes at l2:gpa:0x20000: 0x0 → 0x1234. */
function accessInWords(
  { watchpoint, access, by, level, rip, address, length, oldBytes, newBytes }: WatchpointHit,
  symbols: SymbolSource,
): string {
  const who = `L${level} at ${symbolText(symbols, level, rip)}`;
  const how = access === 'read' ? 'read' : by === 'machine' ? 'made the processor write' : 'wrote';
  const where = formatPlace({ space: watchpoint.space, level: watchpoint.level ?? level, address });
  const [before, after] = [numberOf(oldBytes), numberOf(newBytes)];
  const values =
    after !== undefined
      ? `: ${before === undefined ? '' : `${hex(before)} → `}${hex(after)}`
      : before === undefined
        ? ''
        : `: ${hex(before)}`;
  return `${who} ${how} ${length} ${length === 1 ? 'byte' : 'bytes'} at ${where}${values}.`;
}

function exitInWords(exit: VmExitRecord, symbols: SymbolSource): StopInWords {
  const text = `${explainExit(exit)}\nThe guest was at ${symbolText(symbols, 2, exit.rip)}.`;
  return { id: exit.reason, title: `VM exit: ${exit.reason}`, text };
}

function entryFailureInWords(failure: VmEntryFailureRecord, symbols: SymbolSource): StopInWords {
  const text = `${explainEntryFailure(failure)}\nThe hypervisor was at ${symbolText(symbols, 1, failure.rip)}.`;
  return { id: failure.check?.name ?? failure.kind, title: 'VM entry refused', text };
}

function exceptionInWords(exception: ExceptionRecord, symbols: SymbolSource): string {
  const { vector, level, rip, errorCode, cr2 } = exception;
  const words = exceptionWords(vector);
  const name = `${exceptionName(vector)}${words ? ` (${words})` : ''}`;
  const code = errorCode === undefined ? '' : `, error code ${hex(errorCode)}${vector === 14 ? ` (${pageFaultInWords(errorCode)})` : ''}`;
  const address = cr2 === undefined ? '' : `, linear address ${hex(cr2)}`;
  return `${name} in L${level} at ${symbolText(symbols, level, rip)}${code}${address}.`;
}

const INTERRUPT_WORDS = { external: 'Interrupt', nmi: 'Non-maskable interrupt', software: 'Software interrupt' } as const;

function interruptInWords({ vector, kind, level, rip }: InterruptRecord, symbols: SymbolSource): Omit<StopInWords, 'id'> {
  const title = `${INTERRUPT_WORDS[kind]} ${hex(vector)}`;
  return { title, text: `${title} interrupted L${level} at ${symbolText(symbols, level, rip)}.` };
}

/** SDM volume 3, "Page-Fault Exceptions": bits 0 to 5 of the error code. */
function pageFaultInWords(errorCode: number): string {
  const access = errorCode & 0x10 ? 'instruction fetch' : errorCode & 2 ? 'write' : 'read';
  const who = errorCode & 4 ? 'user mode' : 'supervisor mode';
  const why =
    errorCode & 8 ? 'a reserved bit is set' : errorCode & 0x20 ? 'protection key' : errorCode & 1 ? 'not permitted' : 'not present';
  return `${access} in ${who}, ${why}`;
}

function tripleFaultInWords(chain: readonly ExceptionRecord[], symbols: SymbolSource): StopInWords {
  const how = chain.map((exception, index) => {
    const before = chain[index - 1];
    const link = before === undefined ? 'First' : `While ${exceptionName(before.vector)} was being delivered`;
    return `${index + 1}. ${link}: ${exceptionInWords(exception, symbols)}`;
  });
  const sentence = 'The processor met an exception while it tried to call the double-fault handler, and shut down.';
  return { id: 'TRIPLE_FAULT', title: 'Triple fault', text: [sentence, ...how].join('\n') };
}
