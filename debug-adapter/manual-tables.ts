/** Names of exit reasons, VMCS fields (the emulator's tables) and exceptions (SDM volume 3, "Exception and Interrupt Reference"). */
import { EXIT_REASONS, fieldByName } from '../emulator';

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

const EXCEPTIONS: Readonly<Record<number, readonly [mnemonic: string, words: string]>> = {
  0: ['#DE', 'divide error'],
  1: ['#DB', 'debug exception'],
  2: ['NMI', 'non-maskable interrupt'],
  3: ['#BP', 'breakpoint'],
  4: ['#OF', 'overflow'],
  5: ['#BR', 'BOUND range exceeded'],
  6: ['#UD', 'invalid opcode'],
  7: ['#NM', 'device not available'],
  8: ['#DF', 'double fault'],
  10: ['#TS', 'invalid TSS'],
  11: ['#NP', 'segment not present'],
  12: ['#SS', 'stack-segment fault'],
  13: ['#GP', 'general protection'],
  14: ['#PF', 'page fault'],
  16: ['#MF', 'x87 floating-point error'],
  17: ['#AC', 'alignment check'],
  18: ['#MC', 'machine check'],
  19: ['#XM', 'SIMD floating-point exception'],
  20: ['#VE', 'virtualization exception'],
  21: ['#CP', 'control protection exception'],
};

/** '#PF'; 'vector 32' for one that the manual gives no name. */
export function exceptionName(vector: number): string {
  return EXCEPTIONS[vector]?.[0] ?? `vector ${vector}`;
}
export function exceptionWords(vector: number): string | undefined {
  return EXCEPTIONS[vector]?.[1];
}
