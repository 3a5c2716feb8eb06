/** What the adapter borrows of the emulator's tables of the manual: names of exit reasons and exceptions. */
import { EXIT_REASONS, exitReasonRow } from '../emulator/spec/exit-reasons';
import { Vector } from '../emulator/spec/registers';
import { VM_INSTRUCTION_ERRORS } from '../emulator/spec/vm-instruction-errors';
import { fieldByName } from '../emulator/spec/vmcs-fields';

export function exitReasonNumber(name: string): number | undefined {
  return EXIT_REASONS.find((row) => row.name === name.toUpperCase())?.number;
}
export function exitReasonNames(): string[] {
  return EXIT_REASONS.map((row) => row.name);
}
/** What the manual says of the exit reason. */
export function exitReasonSentence(number: number): string | undefined {
  return exitReasonRow(number)?.sentence;
}
export function vmInstructionErrorSentence(number: number): string | undefined {
  return VM_INSTRUCTION_ERRORS.find((row) => row.number === number)?.sentence;
}
/** '#PF'; 'vector 32' for one that the manual gives no name. */
export function exceptionName(vector: number): string {
  const name = Object.entries(Vector).find(([, number]) => number === vector)?.[0];
  if (name === undefined) return `vector ${vector}`;
  return name === 'NMI' ? name : `#${name}`;
}

const EXCEPTION_WORDS: Readonly<Record<string, string>> = {
  '#DE': 'divide error',
  '#DB': 'debug exception',
  NMI: 'non-maskable interrupt',
  '#BP': 'breakpoint',
  '#OF': 'overflow',
  '#BR': 'bound range exceeded',
  '#UD': 'invalid opcode',
  '#NM': 'device not available',
  '#DF': 'double fault',
  '#TS': 'invalid TSS',
  '#NP': 'segment not present',
  '#SS': 'stack-segment fault',
  '#GP': 'general protection',
  '#PF': 'page fault',
  '#MF': 'x87 floating-point error',
  '#AC': 'alignment check',
  '#MC': 'machine check',
  '#XM': 'SIMD floating-point exception',
  '#VE': 'virtualization exception',
  '#CP': 'control protection exception',
};
export function exceptionWords(vector: number): string | undefined {
  return EXCEPTION_WORDS[exceptionName(vector)];
}

export function isVmcsFieldName(name: string): boolean {
  return fieldByName(name) !== undefined;
}
