/** What the command line prints about a run: trace lines, refused VM entries, how it ended, statistics. Pure text. */
import type { ExceptionRecord, StopReason, TraceRecord, VmEntryFailureRecord } from '../../emulator/api';
import { exceptionName } from '../manual-tables';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** One line of `--trace`, without its line feed; undefined for records that are no VM exit or entry. */
export function traceLine(record: TraceRecord): string | undefined {
  const { n, vcpu, level, event } = record;
  switch (record.event) {
    case 'exit': {
      const { reason, qualification, rip, gpa } = record;
      const line = { n, vcpu, level, event, reason, qualification: hex(qualification), rip: hex(rip) };
      return JSON.stringify(gpa === undefined ? line : { ...line, gpa: hex(gpa) });
    }
    case 'entry':
      return JSON.stringify({ n, vcpu, level, event, instruction: record.instruction, from: hex(record.from), rip: hex(record.rip) });
    case 'entry-failure': {
      const { instruction, kind, number, qualification, rip, check } = record;
      return JSON.stringify({
        n,
        vcpu,
        level,
        event,
        instruction,
        kind,
        number,
        ...(qualification !== undefined && { qualification: hex(qualification) }),
        rip: hex(rip),
        ...(check && { check: check.name, fields: Object.fromEntries(check.fields.map((f) => [f.name, hex(f.value)])) }),
      });
    }
    case 'exception':
      return undefined;
  }
}

/** A refused VM entry in one line: what refused it, and with which values. */
export function entryFailureText(failure: VmEntryFailureRecord): string {
  const { n, instruction, rip, kind, number, check } = failure;
  const how =
    kind === 'exit' ? `VM-entry failure, exit reason ${number}` : kind === 'VMfailValid' ? `VMfailValid, error ${number}` : 'VMfailInvalid';
  const head = `step ${n}: ${instruction} at ${hex(rip)} refused (${how})`;
  if (!check) return `${head}.`;
  const values = check.fields.map((f) => `${f.name} = ${hex(f.value)}`).join(', ');
  return `${head}: check ${check.name}: ${check.sentence}${values === '' ? '' : ` [${values}]`} (${check.section})`;
}

const exceptionText = (e: ExceptionRecord): string =>
  `${exceptionName(e.vector)}${e.errorCode === undefined ? '' : ` error code 0x${e.errorCode.toString(16)}`} at L${e.level} ${hex(e.rip)}${e.cr2 === undefined ? '' : ` CR2 ${hex(e.cr2)}`}`;

/** Exit statuses; the odd ones belong to the guest. */
export const Status = {
  halted: 0,
  usage: 64,
  tripleFault: 70,
  reset: 71,
  notModelled: 72,
  bug: 74,
  stepLimit: 124,
  interrupted: 130,
  /** The reader of stdout is gone: what a shell shows for SIGPIPE is 141. */
  brokenPipe: 141,
} as const;

/** How a run ended: exit status, and the sentence for stderr when there is something to say. */
export function endOf(stop: StopReason, steps: number): { readonly status: number; readonly sentence?: string } {
  switch (stop.kind) {
    case 'guest-exit':
      return { status: ((stop.value << 1) | 1) & 0xff };
    case 'halted':
      return { status: Status.halted };
    case 'power-off':
      return { status: Status.halted };
    case 'reset':
      return { status: Status.reset, sentence: `The guest reset the machine by ${stop.by} after ${steps} steps; it is not started anew.` };
    case 'step-limit':
      return { status: Status.stepLimit, sentence: `The step limit ended the run after ${steps} steps.` };
    case 'triple-fault': {
      const chain = stop.chain.map(exceptionText).join(', then ');
      return {
        status: Status.tripleFault,
        sentence: `The guest ended in a triple fault after ${steps} steps${chain === '' ? '' : `: ${chain}`}.`,
      };
    }
    case 'vmx-abort':
      return { status: Status.tripleFault, sentence: `VMX abort ${stop.indicator} after ${steps} steps: ${stop.sentence}` };
    case 'not-modelled':
      return { status: Status.notModelled, sentence: stop.sentence };
    case 'internal-error':
      return { status: Status.bug, sentence: stop.sentence };
    default:
      return { status: Status.bug, sentence: `Nestscope bug: the run stopped for '${stop.kind}', which nobody had asked for.` };
  }
}

/** The lines of `--stats`. */
export function statsText(steps: number, instructions: number, seconds: number, exits: ReadonlyMap<string, number>): string {
  const mips = seconds > 0 ? instructions / seconds / 1e6 : 0;
  const counts = [...exits].filter(([, count]) => count > 0).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const list = counts.map(([reason, count]) => `${reason} ${count}`).join(', ');
  return `stats: ${steps} steps, ${instructions} instructions, ${seconds.toFixed(3)} s, ${mips.toFixed(1)} MIPS\nexits: ${list === '' ? 'none' : list}\n`;
}
