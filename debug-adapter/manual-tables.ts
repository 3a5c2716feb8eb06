/** Names of exit reasons, VMCS fields  and exceptions, out of the emulator's tables. */
import { EXIT_REASONS, exceptionRow, fieldByName } from '../emulator';

export function exitReasonNumber(name: string): number | undefined {
  return EXIT_REASONS.find((row) => row.name === name.toUpperCase())?.number;
}
export function exitReasonNames(): string[] {
  return EXIT_REASONS.map((row) => row.name);
}
/** What the manual says of the exit reason. */
export function exitReasonSentence(number: number): string | undefined {
  return EXIT_REASONS.find((row) => row.number === number)?.sentence;
}
export function isVmcsFieldName(name: string): boolean {
  return fieldByName(name) !== undefined;
}

/** '#PF'; 'vector 32' for one that the manual gives no name. */
export function exceptionName(vector: number): string {
  return exceptionRow(vector)?.mnemonic ?? `vector ${vector}`;
}
export function exceptionWords(vector: number): string | undefined {
  return exceptionRow(vector)?.words;
}
