/** VM exits and refused VM entries in words, for exceptionInfo, the trace views and the command line. */
import { explainQualification } from '../spec/exit-qualification';
import { exitReasonRow } from '../spec/exit-reasons';
import { vmInstructionErrorSentence } from '../spec/vm-instruction-errors';
import type { EntryFailureReport, ExitReport } from '../vmx/observer';
import { explainInterruption } from './field-words';

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** What happened, line by line: the reason and its sentence, the qualification in words, addresses, the event, the instruction. */
export function explainExit(exit: ExitReport): string {
  const lines = [`VM exit ${exit.reason} (${exit.reasonNumber}) at RIP ${hex(exit.rip)}.`];
  const sentence = exitReasonRow(exit.reasonNumber)?.sentence;
  if (sentence !== undefined) lines.push(sentence);
  const words = explainQualification(exit.reasonNumber, exit.qualification, exit.interruptionInfo & 0xff);
  if (words !== '') lines.push(`Exit qualification ${hex(exit.qualification)}: ${words}.`);
  if (exit.gpa !== undefined) lines.push(`Guest-physical address ${hex(exit.gpa)}.`);
  if (exit.linear !== undefined) lines.push(`Guest linear address ${hex(exit.linear)}.`);
  if (exit.interruptionInfo >>> 31) {
    const error = exit.interruptionInfo & 0x800 ? `, error code ${hex(exit.interruptionError)}` : '';
    lines.push(`Event: ${explainInterruption(exit.interruptionInfo)}${error}.`);
  }
  if (exit.instructionLength > 0)
    lines.push(`The instruction is ${exit.instructionLength} byte${exit.instructionLength === 1 ? '' : 's'} long.`);
  return lines.join('\n');
}

/** How the entry was refused, the check that refused it and the values that failed it. */
export function explainEntryFailure(failure: EntryFailureReport): string {
  const lines: string[] = [];
  if (failure.kind === 'exit') {
    const name = exitReasonRow(failure.number)?.name ?? String(failure.number);
    lines.push(
      `${failure.instruction} failed with exit reason ${failure.number} (${name}), exit qualification ${hex(failure.qualification ?? 0n)}.`,
    );
  } else if (failure.kind === 'VMfailValid') {
    lines.push(
      `${failure.instruction} failed with VMfailValid, VM-instruction error ${failure.number}: ${vmInstructionErrorSentence(failure.number)}.`,
    );
  } else lines.push(`${failure.instruction} failed with VMfailInvalid: there is no current VMCS.`);
  if (failure.check !== undefined) {
    lines.push(`Check “${failure.check.name}” (SDM “${failure.check.section}”): ${failure.check.sentence}`);
    for (const field of failure.check.fields) lines.push(`  ${field.name} = ${hex(field.value)}`);
  }
  return lines.join('\n');
}
