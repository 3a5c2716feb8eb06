/** Exceptions by vector (SDM volume 3, "Exception and Interrupt Reference"): mnemonic and the manual's words. */
export interface ExceptionRow {
  readonly vector: number;
  readonly mnemonic: string;
  readonly words: string;
}
const ROWS: readonly (readonly [vector: number, mnemonic: string, words: string])[] = [
  [0, '#DE', 'divide error'],
  [1, '#DB', 'debug exception'],
  [2, 'NMI', 'non-maskable interrupt'],
  [3, '#BP', 'breakpoint'],
  [4, '#OF', 'overflow'],
  [5, '#BR', 'BOUND range exceeded'],
  [6, '#UD', 'invalid opcode'],
  [7, '#NM', 'device not available'],
  [8, '#DF', 'double fault'],
  [10, '#TS', 'invalid TSS'],
  [11, '#NP', 'segment not present'],
  [12, '#SS', 'stack-segment fault'],
  [13, '#GP', 'general protection'],
  [14, '#PF', 'page fault'],
  [16, '#MF', 'x87 floating-point error'],
  [17, '#AC', 'alignment check'],
  [18, '#MC', 'machine check'],
  [19, '#XM', 'SIMD floating-point exception'],
  [20, '#VE', 'virtualization exception'],
  [21, '#CP', 'control protection exception'],
];
export const EXCEPTIONS: readonly ExceptionRow[] = ROWS.map(([vector, mnemonic, words]) => ({ vector, mnemonic, words }));

export function exceptionRow(vector: number): ExceptionRow | undefined {
  return EXCEPTIONS.find((row) => row.vector === vector);
}
