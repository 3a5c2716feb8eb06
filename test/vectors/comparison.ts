/** Compares what a machine made of a vector with what the processor did, and writes the difference for a reader. */
import {
  type Extent,
  type Vector,
  type VectorFault,
  type VectorOutcome,
  type VectorState,
  REGISTER_NAMES,
  UNRECORDED_FLAGS,
  layout,
} from './vector-file';

const flagNames: readonly (readonly [number, string])[] = [
  [0x800, 'OF'], [0x400, 'DF'], [0x200, 'IF'], [0x80, 'SF'], [0x40, 'ZF'], [0x10, 'AF'], [4, 'PF'], [1, 'CF'],
]; // prettier-ignore

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const flagText = (rflags: number): string =>
  `${hex(rflags)} (${flagNames.filter(([bit]) => rflags & bit).map(([, name]) => name).join(' ')})`; // prettier-ignore
const byteText = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

function faultText(fault: VectorFault | undefined): string {
  if (!fault) return 'no exception';
  const { vector, errorCode, cr2 } = fault;
  return `exception ${vector}${errorCode === undefined ? '' : ` error code ${hex(errorCode)}`}${cr2 === undefined ? '' : ` CR2 ${hex(cr2)}`}`;
}

/** What a region holds after the vector. */
function expectedRegion(vector: Vector, address: number, size: number, filler: Uint8Array): Uint8Array {
  const bytes = filler.slice();
  const put = (extent: Extent): void => {
    for (let i = 0; i < extent.bytes.length; i++) {
      const at = extent.address + i - address;
      if (at >= 0 && at < size) bytes[at] = extent.bytes[i];
    }
  };
  put({ address: Number(vector.before.rip), bytes: vector.code });
  vector.memory.forEach(put);
  vector.changes.forEach(put);
  return bytes;
}

function memoryDifferences(vector: Vector, outcome: VectorOutcome): string[] {
  const differences: string[] = [];
  for (const { address, size, executable } of layout.regions) {
    // Around the code the recorder has INT3, a machine what it likes.
    if (executable) continue;
    const expected = expectedRegion(vector, address, size, new Uint8Array(size));
    const got = outcome.read(address, size);
    for (let i = 0; i < size && differences.length < 8; i++)
      if (got[i] !== expected[i]) differences.push(`[${hex(address + i)}]: expected ${hex(expected[i])}, got ${hex(got[i])}`);
  }
  return differences;
}

/** Every difference as a line; none when the outcome is right. */
export function differences(vector: Vector, outcome: VectorOutcome): string[] {
  const { after } = vector;
  const lines: string[] = [];
  const expectedFault = faultText(vector.fault);
  const gotFault = faultText(outcome.fault);
  if (expectedFault !== gotFault) lines.push(`expected ${expectedFault}, got ${gotFault}`);
  after.registers.forEach((expected, i) => {
    if (expected !== outcome.registers[i]) lines.push(`${REGISTER_NAMES[i]}: expected ${hex(expected)}, got ${hex(outcome.registers[i])}`);
  });
  if (after.rip !== outcome.rip) lines.push(`rip: expected ${hex(after.rip)}, got ${hex(outcome.rip)}`);
  if (after.cs !== outcome.cs) lines.push(`cs: expected ${hex(after.cs)}, got ${hex(outcome.cs)}`);
  const mask = ~(vector.undefinedFlags | UNRECORDED_FLAGS);
  if (((after.rflags ^ outcome.rflags) & mask) !== 0)
    lines.push(`rflags: expected ${flagText(after.rflags & mask)}, got ${flagText(outcome.rflags & mask)}`);
  return [...lines, ...memoryDifferences(vector, outcome)];
}

function stateText(state: VectorState): string {
  const usual = (value: bigint, i: number): boolean =>
    value === BigInt.asUintN(state.registers.length === 8 ? 32 : 64, layout.registers[i]);
  const registers = state.registers.map((value, i) => (usual(value, i) ? '' : `${REGISTER_NAMES[i]}=${value.toString(16)} `)).join('');
  return `${registers}(the others as in layout.json) rip=${state.rip.toString(16)} rflags=${flagText(state.rflags)}`;
}

/** A failed vector in readable form. */
export function mismatchText(vector: Vector, lines: readonly string[]): string {
  const memory = vector.memory.map(({ address, bytes }) => `[${hex(address)}]=${byteText(bytes)}`).join(' ');
  return [
    `${vector.form} [${vector.opcode}], ${vector.mode}-bit: ${byteText(vector.code)}`,
    `  in: ${stateText(vector.before)}`,
    ...(memory ? [`  memory: ${memory}`] : []),
    ...lines.map((line) => `  ${line}`),
  ].join('\n');
}
