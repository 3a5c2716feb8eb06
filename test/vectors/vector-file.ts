/**
 * Reads the recorded instruction vectors (format.md) into plain data, and says what a machine must offer to be tested with them.
 * Leaves out how a machine is built: see bench-machine.
 */
import layoutText from './layout.json';

export const REGISTER_NAMES = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const; // prettier-ignore

export interface MemoryRegion {
  readonly name: string;
  /** Linear address and size in bytes, whole pages. */
  readonly address: number;
  readonly size: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** What all vectors share: user pages (everything else is not present), GS base in 64-bit mode, initial state where a vector says nothing. */
export interface VectorLayout {
  readonly regions: readonly MemoryRegion[];
  readonly gsBase: bigint;
  readonly rip: bigint;
  readonly rflags: number;
  readonly registers: readonly bigint[];
  /** CS in 64-bit and in 32-bit (compatibility) code, both DPL 3, and the flat data segment in DS, ES and SS. FS and GS are null. */
  readonly selectors: { readonly cs64: number; readonly cs32: number; readonly data: number };
}

export interface Extent {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface VectorState {
  /** Sixteen registers in 64-bit mode, eight 32-bit values in 32-bit mode, in the manual's numbering. */
  readonly registers: readonly bigint[];
  readonly rip: bigint;
  /** TF and RF are never part of it. */
  readonly rflags: number;
  readonly cs: number;
}

/** An exception raised in place of (INT3, INTO, INT n: by) the instruction. */
export interface VectorFault {
  readonly vector: number;
  /** Absent where the exception has none. */
  readonly errorCode?: number;
  /** Page faults only. */
  readonly cr2?: bigint;
}

export interface Vector {
  readonly mode: 64 | 32;
  /** The manual's instruction column ('ADC r32, r/m32') with REP prefixes, or words for cases that are no one form ('LOCK not allowed'). */
  readonly form: string;
  /** The manual's opcode column with operand size ('o32 13 /r'); '' for words. */
  readonly opcode: string;
  readonly group: string;
  /** Bytes at `before.rip`; those that would lie on a page that is not present are not there. */
  readonly code: Uint8Array;
  readonly before: VectorState;
  /** Memory before, where it is not zero; code apart. */
  readonly memory: readonly Extent[];
  readonly after: VectorState;
  /** Memory that is different afterwards. */
  readonly changes: readonly Extent[];
  /** Flags that the manual leaves undefined here. */
  readonly undefinedFlags: number;
  readonly fault?: VectorFault;
}

export interface VectorOutcome {
  readonly registers: readonly bigint[];
  readonly rip: bigint;
  readonly rflags: number;
  readonly cs: number;
  readonly fault?: VectorFault;
  /** Guest memory as it is now, by linear address; asked for whole regions, before the next run. */
  read(address: number, length: number): Uint8Array;
}

/** What is tested: it sets up a vector's whole state (memory of all regions included), makes one step at CPL 3 and reports. */
export interface VectorMachine {
  /** Whether the form is built; `sample` is one of its vectors, for machines that decide by its bytes. */
  supports(form: string, sample: Vector): boolean;
  run(vector: Vector): VectorOutcome;
  /** Instructions that compiled regions carried out (or faulted in), accesses that regions left to the interpreter, regions made: so far. */
  readonly tiers: { readonly regionRuns: number; readonly refused: number; readonly compiled: number };
}

/** RFLAGS bits that no vector speaks about: TF (the recorder's own) and RF. */
export const UNRECORDED_FLAGS = 0x10100;

const big = (digits: string): bigint => BigInt(`0x${digits}`);
const number = (digits: string): number => parseInt(digits, 16);
const bytes = (digits: string): Uint8Array => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

export const layout: VectorLayout = {
  regions: layoutText.regions.map(({ name, address, size, access }) => ({
    name,
    address: number(address),
    size: number(size),
    writable: access[1] === 'w',
    executable: access[2] === 'x',
  })),
  gsBase: big(layoutText.gsBase),
  rip: big(layoutText.rip),
  rflags: number(layoutText.rflags),
  registers: layoutText.registers.map(big),
  selectors: { cs64: 0x33, cs32: 0x23, data: 0x2b },
};

type Changes = Record<string, string>;
interface FileHead {
  readonly vectors: number;
  readonly mode: 64 | 32;
}
interface FormLine {
  readonly form: string;
  readonly opcode: string;
  readonly group: string;
}
interface VectorLine {
  readonly code: string;
  readonly in: Changes;
  readonly mem?: Changes;
  readonly out: Changes;
  readonly memOut?: Changes;
  readonly undef?: string;
  readonly fault?: readonly [number, string?, string?];
}

function changed(from: VectorState, changes: Changes): VectorState {
  const registers = from.registers.map((value, i) => (REGISTER_NAMES[i] in changes ? big(changes[REGISTER_NAMES[i]]) : value));
  return {
    registers,
    rip: changes.rip === undefined ? from.rip : big(changes.rip),
    rflags: changes.rflags === undefined ? from.rflags : number(changes.rflags),
    cs: changes.cs === undefined ? from.cs : number(changes.cs),
  };
}

function extents(memory: Changes | undefined): Extent[] {
  return Object.entries(memory ?? {}).map(([address, digits]) => ({ address: number(address), bytes: bytes(digits) }));
}

function readFault([vector, errorCode, cr2]: readonly [number, string?, string?]): VectorFault {
  return {
    vector,
    ...(errorCode !== undefined && { errorCode: number(errorCode) }),
    ...(cr2 !== undefined && { cr2: big(cr2) }),
  };
}

/** All vectors of one file's text. */
export function readVectors(text: string): Vector[] {
  const [head, ...lines] = text.trimEnd().split('\n');
  const { vectors: version, mode } = JSON.parse(head) as FileHead;
  if (version !== 1) throw new Error(`vector format ${version} is not known`);
  const start: VectorState = {
    registers: mode === 64 ? layout.registers : layout.registers.slice(0, 8).map((value) => BigInt.asUintN(32, value)),
    rip: layout.rip,
    rflags: layout.rflags,
    cs: mode === 64 ? layout.selectors.cs64 : layout.selectors.cs32,
  };
  const result: Vector[] = [];
  let current: FormLine | undefined;
  for (const line of lines) {
    const parsed = JSON.parse(line) as FormLine | VectorLine;
    if ('form' in parsed) {
      current = parsed;
      continue;
    }
    if (!current) throw new Error('a vector stands before the first form');
    const code = bytes(parsed.code);
    const before = changed(start, parsed.in);
    const next = parsed.fault ? before.rip : before.rip + BigInt(code.length);
    result.push({
      ...current,
      mode,
      code,
      before,
      memory: extents(parsed.mem),
      after: changed({ ...before, rip: next }, parsed.out),
      changes: extents(parsed.memOut),
      undefinedFlags: number(parsed.undef ?? '0'),
      ...(parsed.fault && { fault: readFault(parsed.fault) }),
    });
  }
  return result;
}
