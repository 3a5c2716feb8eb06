/**
 * Which rows of the instruction table no recorded vector reaches, in 64-bit and in 32-bit code, each with its reason; the list is
 * forms-without-vectors.txt (UPDATE=1 writes it). A row without vector and without reason fails, and so does a reason that is not needed.
 */
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OpcodeTable, decode } from '../../emulator/isa/decode';
import type { Row } from '../../emulator/isa/row';
import { instructionRows } from '../../emulator/isa/rows';
import { defaultCpuModel } from '../../emulator/spec/cpu-models';
import { readVectors } from './vector-file';

const LIST = join(import.meta.dirname, 'forms-without-vectors.txt');

interface Reason {
  readonly name: string;
  readonly rows: (row: Row, mode: 64 | 32) => boolean;
}
const systems =
  (...names: string[]) =>
  (row: Row): boolean =>
    names.includes(row.system ?? '');

/** The first that holds counts. */
const reasons: readonly Reason[] = [
  { name: 'no integer instruction: x87, MMX, SSE are not modelled', rows: systems('FPU') },
  { name: 'VMX: #UD outside VMX operation, which needs ring 0; proven by test/guests/vmx', rows: systems('VMX') },
  {
    name: 'needs ring 0: in user mode only its fault could be recorded; see test/guests/modes and test/unit (cpu, mmu, vmx)',
    rows: systems('SYSEXIT', 'SYSRET', 'CLAC', 'STAC', 'INVPCID', 'XSETBV'),
  },
  {
    name: 'enters the kernel, whose handler answers instead; proven by test/guests/modes and test/unit/cpu',
    rows: systems('SYSENTER', 'SYSCALL', 'INT1'),
  },
  {
    name: 'the answer is the machine’s own: identity, time, counters, chance, or what the kernel puts in its place (UMIP)',
    rows: systems('CPUID', 'RDTSC', 'RDTSCP', 'RDPMC', 'RDPID', 'RDRAND', 'RDSEED', 'SGDT', 'SIDT', 'SMSW', 'STR', 'XGETBV'),
  },
  { name: 'not on the recording machine, or switched off there', rows: systems('MONITOR', 'MWAIT', 'RDPKRU', 'WRPKRU') },
  {
    name: 'FS and GS carry the recorder’s own bases; SS inhibits the trap that ends the recording',
    rows: (row, mode) =>
      systems('RDFSBASE', 'RDGSBASE', 'WRFSBASE', 'WRGSBASE')(row) ||
      /^POP (FS|GS|SS)$/.test(row.instruction) ||
      (mode === 32 && /^PUSH (FS|GS)$/.test(row.instruction)) ||
      /^L[SFG]S /.test(row.instruction),
  },
  {
    name: 'far transfers to another mode or code segment: only same-mode ones can be recorded; proven by test/guests/modes',
    rows: systems('JMP_FAR', 'CALL_FAR', 'RET_FAR', 'IRET'),
  },
  { name: 'the manual leaves the result undefined', rows: ({ instruction }) => instruction === 'BSWAP r16' },
  { name: 'Intel reads 16 bits from the source, AMD 32', rows: ({ instruction }) => instruction === 'MOVSXD r16, r/m16' },
  {
    name: 'reserved NOP encodings: not in the tables that the recorder takes its forms from; 0F 1F /0, which compilers emit, has vectors',
    rows: ({ body, instruction }) => body?.name === 'NOPM' && instruction.startsWith('NOP '),
  },
  {
    name: 'not in the manual, nor in the recorder’s table; only its decoding is tested (test/unit/isa)',
    rows: ({ instruction }) => instruction === 'SALC',
  },
  {
    name: 'an operand-size prefix changes nothing: the same body has vectors without it',
    rows: ({ instruction, operandSize }) => instruction === 'CMPXCHG8B m64' && operandSize === 2,
  },
];

function rowsWithoutVector(mode: 64 | 32): Row[] {
  const table = new OpcodeTable(instructionRows);
  const met = new Set<Row>();
  for (const { code } of readVectors(readFileSync(join(import.meta.dirname, `int${mode}.jsonl`), 'utf8'))) {
    const bytes = new Uint8Array(32);
    bytes.set(code);
    const decoded = decode(table, bytes, 0, bytes.length, { code64: mode === 64, features: defaultCpuModel.features });
    if (decoded !== undefined) met.add(decoded.row);
  }
  return instructionRows.filter((row) => (row.only ?? mode) === mode && !met.has(row));
}

describe('forms without a recorded vector', () => {
  const without = ([64, 32] as const).flatMap((mode) => rowsWithoutVector(mode).map((row) => ({ mode, row })));
  const reasonOf = (row: Row, mode: 64 | 32): Reason | undefined => reasons.find(({ rows }) => rows(row, mode));

  it('have a reason, each', () => {
    const unexplained = without.filter(({ row, mode }) => reasonOf(row, mode) === undefined);
    assert.deepEqual(
      unexplained.map(({ row, mode }) => `${row.instruction} [${row.opcode}] in ${mode}-bit code`),
      [],
    );
  });

  it('need every reason that is given', () => {
    const used = new Set(without.map(({ row, mode }) => reasonOf(row, mode)));
    assert.deepEqual(
      reasons.filter((reason) => !used.has(reason)).map(({ name }) => name),
      [],
    );
  });

  it('are listed in forms-without-vectors.txt', () => {
    const lines = ['Rows of the instruction table that no recorded vector reaches, and why (made by forms-without-vectors.test.ts)'];
    for (const reason of reasons) {
      lines.push('', `${reason.name}:`);
      const modes = new Map<string, Set<number>>();
      for (const { row, mode } of without) {
        if (reasonOf(row, mode) !== reason) continue;
        const size = row.operandSize === undefined ? '' : `, operand size ${row.operandSize * 8}`;
        const text = `${row.instruction} [${row.opcode}${size}]`;
        modes.set(text, (modes.get(text) ?? new Set()).add(mode));
      }
      for (const [text, set] of modes) lines.push(`  ${text}: ${[...set].join(' and ')}-bit code`);
    }
    const actual = `${lines.join('\n')}\n`;
    if (process.env.UPDATE === '1') writeFileSync(LIST, actual);
    assert.equal(readFileSync(LIST, 'utf8'), actual, 'run with UPDATE=1 and look at the difference');
  });
});
