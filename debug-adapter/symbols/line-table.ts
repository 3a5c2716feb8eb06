/**
 * Line number tables (DWARF 5, "Line Number Information"; versions 2 to 5, 32- and 64-bit format): which source line every address belongs
 * to. A damaged table gives the rows before the damage. Leaves out VLIW operation indices, discriminators and ISA numbers.
 */
import { ByteReader, Malformed } from './byte-reader';
import { type CompilationUnit, type FormContext, readForm, readUnits } from './dwarf-units';
import type { ElfSections } from './elf-sections';
import { SHF_ALLOC } from './elf-sections';
import { joinPath } from './source-path';

export interface TableRow {
  readonly start: bigint;
  /** One past the last byte; equal to `start` for rows that another row at the same address replaces. */
  readonly end: bigint;
  /** Index into `files`. */
  readonly file: number;
  readonly line: number;
  /** 1 is the leftmost; 0: not known. */
  readonly column: number;
  readonly isStatement: boolean;
}

export interface LineTable {
  /** Distinct files, directory and name joined as the debug information gives them. */
  readonly files: readonly string[];
  /** Sorted by address. */
  readonly rows: readonly TableRow[];
}

/** Damaged or hostile files may not fill the memory. */
const MOST_ROWS = 20_000_000;

export function readLineTable(elf: ElfSections): LineTable {
  const files = new FileList();
  const rows: TableRow[] = [];
  const section = elf.byName('.debug_line');
  if (section !== undefined) {
    const units = readUnits(elf);
    const loaded = elf.sections.filter((s) => s.flags & SHF_ALLOC && s.size > 0n);
    const isLoaded = (address: bigint): boolean => loaded.some((s) => address >= s.address && address < s.address + s.size);
    const all = new ByteReader(section);
    try {
      while (!all.done && rows.length < MOST_ROWS) {
        const at = all.position;
        let length = all.u32();
        const dwarf64 = length === 0xffffffff;
        if (dwarf64) length = Number(all.u64());
        const program = new ByteReader(section, all.position, all.position + length);
        all.skip(length);
        try {
          runProgram(elf, program, dwarf64, units.get(at), files, rows, isLoaded);
        } catch (error) {
          if (!(error instanceof Malformed)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
  // Stable: rows of one address keep their order, the one that counts last.
  rows.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  return { files: files.names, rows };
}

class FileList {
  readonly names: string[] = [];
  private readonly indices = new Map<string, number>();

  indexOf(name: string): number {
    let index = this.indices.get(name);
    if (index === undefined) {
      index = this.names.push(name) - 1;
      this.indices.set(name, index);
    }
    return index;
  }
}

interface Header {
  readonly minimumInstructionLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Number of ULEB128 operands of each standard opcode, from opcode 1 on. */
  readonly operandCounts: readonly number[];
  /** By file number as the program uses it: from 1 on before version 5, from 0 on in it. */
  readonly files: Map<number, string>;
  readonly directories: readonly string[];
  readonly unitDirectory: string;
}

function readHeader(elf: ElfSections, r: ByteReader, dwarf64: boolean, unit: CompilationUnit | undefined): Header {
  const version = r.u16();
  if (version < 2 || version > 5) throw new Malformed(`line table version ${version}`);
  let addressBytes = elf.elfClass / 8;
  if (version === 5) {
    addressBytes = r.u8();
    r.skip(1); // segment selector size
  }
  const headerLength = r.offset(dwarf64);
  const programAt = r.position + headerLength;
  if (!(programAt <= r.limit)) throw new Malformed('line table header');
  const minimumInstructionLength = r.u8();
  if (version >= 4) r.skip(1); // operations per instruction
  const defaultIsStatement = r.u8() !== 0;
  const lineBase = r.i8();
  const lineRange = r.u8();
  const opcodeBase = r.u8();
  const operandCounts: number[] = [];
  for (let opcode = 1; opcode < opcodeBase; opcode++) operandCounts.push(r.u8());

  let unitDirectory = unit?.directory ?? '';
  const files = new Map<number, string>();
  let directories: string[];
  if (version === 5) {
    const context: FormContext = { version, dwarf64, addressBytes };
    directories = readEntries(elf, r, context).map((entry) => entry.path);
    unitDirectory = directories[0] ?? unitDirectory;
    directories = directories.map((directory) => joinPath(unitDirectory, directory));
    readEntries(elf, r, context).forEach((entry, i) => files.set(i, joinPath(directories[entry.directory] ?? unitDirectory, entry.path)));
  } else {
    directories = [unitDirectory];
    for (let name = r.string(); name !== ''; name = r.string()) directories.push(joinPath(unitDirectory, name));
    for (let name = r.string(), number = 1; name !== ''; name = r.string(), number++) files.set(number, readOldFile(r, name, directories));
  }
  r.position = programAt;
  return {
    minimumInstructionLength,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    files,
    directories,
    unitDirectory,
  };
}

/** An entry of a file table before version 5, behind its name: directory, time, length. */
function readOldFile(r: ByteReader, name: string, directories: readonly string[]): string {
  const directory = r.count();
  r.uleb();
  r.uleb();
  return joinPath(directories[directory] ?? directories[0], name);
}

const DW_LNCT_PATH = 1;
const DW_LNCT_DIRECTORY_INDEX = 2;

/** A directory or file table of version 5, which says itself what its entries hold. */
function readEntries(elf: ElfSections, r: ByteReader, context: FormContext): { path: string; directory: number }[] {
  const format: [type: number, form: number][] = [];
  for (let count = r.u8(); count > 0; count--) format.push([r.count(), r.count()]);
  const entries: { path: string; directory: number }[] = [];
  const count = r.count();
  // Entries without contents would take no bytes and never end.
  if (format.length === 0) return entries;
  for (let i = 0; i < count; i++) {
    const before = r.position;
    let path = '';
    let directory = 0;
    for (const [type, form] of format) {
      const value = readForm(elf, r, form, 0n, context);
      if (type === DW_LNCT_PATH && typeof value === 'string') path = value;
      else if (type === DW_LNCT_DIRECTORY_INDEX && typeof value === 'bigint') directory = Number(value);
    }
    if (r.position === before) throw new Malformed('entries of no length');
    entries.push({ path, directory });
  }
  return entries;
}

interface Registers {
  address: bigint;
  file: number;
  line: number;
  column: number;
  isStatement: boolean;
}

function runProgram(
  elf: ElfSections,
  r: ByteReader,
  dwarf64: boolean,
  unit: CompilationUnit | undefined,
  files: FileList,
  rows: TableRow[],
  isLoaded: (address: bigint) => boolean,
): void {
  const header = readHeader(elf, r, dwarf64, unit);
  const { lineBase, lineRange, opcodeBase, operandCounts } = header;
  const step = BigInt(header.minimumInstructionLength);
  const initial = (): Registers => ({ address: 0n, file: 1, line: 1, column: 0, isStatement: header.defaultIsStatement });
  let state = initial();
  let sequence: Registers[] = [];
  const addressAdvance = (operations: bigint): void => {
    state.address = BigInt.asUintN(64, state.address + step * operations);
  };
  const lineAdvance = (lines: number): void => {
    state.line = (state.line + lines) >>> 0;
  };
  const append = (): void => {
    sequence.push({ ...state });
  };
  const special = (opcode: number): number => {
    if (lineRange === 0) throw new Malformed('line range 0');
    return Math.floor((opcode - opcodeBase) / lineRange);
  };
  /** A sequence ends at `end`; those of code that the linker threw away begin outside every section. */
  const endSequence = (end: bigint | undefined): void => {
    if (sequence.length > 0 && isLoaded(sequence[0].address)) {
      sequence.forEach((row, i) => {
        const next = sequence[i + 1]?.address ?? end ?? row.address;
        const file = header.files.get(row.file);
        if (file === undefined || next < row.address || row.line === 0) return;
        rows.push({
          start: row.address,
          end: next,
          file: files.indexOf(file),
          line: row.line,
          column: row.column,
          isStatement: row.isStatement,
        });
      });
    }
    sequence = [];
    state = initial();
  };

  try {
    while (!r.done && rows.length + sequence.length < MOST_ROWS) {
      const opcode = r.u8();
      if (opcode >= opcodeBase) {
        addressAdvance(BigInt(special(opcode)));
        lineAdvance(lineBase + ((opcode - opcodeBase) % lineRange));
        append();
        continue;
      }
      switch (opcode) {
        case 0: {
          const length = r.count();
          const next = r.position + length;
          if (!(next <= r.limit)) throw new Malformed('extended opcode');
          if (length === 0) break;
          const extended = r.u8();
          if (extended === 1) endSequence(state.address);
          else if (extended === 2) state.address = r.unsigned(Math.min(8, length - 1));
          else if (extended === 3) header.files.set(header.files.size + 1, readOldFile(r, r.string(), header.directories));
          r.position = next;
          break;
        }
        case 1:
          append();
          break;
        case 2:
          addressAdvance(r.uleb());
          break;
        case 3:
          lineAdvance(Number(BigInt.asIntN(32, r.sleb())));
          break;
        case 4:
          state.file = r.count();
          break;
        case 5:
          state.column = Number(BigInt.asUintN(32, r.uleb()));
          break;
        case 6:
          state.isStatement = !state.isStatement;
          break;
        case 8:
          addressAdvance(BigInt(special(255)));
          break;
        case 9:
          state.address = BigInt.asUintN(64, state.address + BigInt(r.u16()));
          break;
        default:
          // basic_block, prologue_end, epilogue_begin, set_isa, and opcodes that are newer than this: only their operands matter.
          for (let i = operandCounts[opcode - 1] ?? 0; i > 0; i--) r.uleb();
      }
    }
  } finally {
    // What was read before the damage (or a missing end) still counts.
    endSequence(undefined);
  }
}
