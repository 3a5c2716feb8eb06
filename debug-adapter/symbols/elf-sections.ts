/**
 * The sections of an ELF file (System V ABI, "Sections"), for debug information. Damaged headers give fewer sections, never an error.
 * Leaves out compressed sections (SHF_COMPRESSED) and big-endian files.
 */
import { ByteReader, Malformed, stringAt } from './byte-reader';

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: bigint;
  readonly address: bigint;
  readonly size: bigint;
  readonly link: number;
  /** Contents; empty for SHT_NOBITS, for compressed sections and where the file ends before them. */
  readonly bytes: Uint8Array;
}

export interface ElfSections {
  readonly elfClass: 32 | 64;
  readonly sections: readonly ElfSection[];
  byName(name: string): Uint8Array | undefined;
}

const SHT_NOBITS = 8;
export const SHF_ALLOC = 2n;
const SHF_COMPRESSED = 0x800n;

/** Undefined when the file is no little-endian ELF file. */
export function readSections(file: Uint8Array): ElfSections | undefined {
  try {
    return read(file);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function read(file: Uint8Array): ElfSections | undefined {
  const head = new ByteReader(file);
  if (head.u32() !== 0x464c457f) return undefined;
  const [elfClass, encoding] = [head.u8() === 2 ? 64 : 32, head.u8()] as const;
  if ((file[4] !== 1 && file[4] !== 2) || encoding !== 1) return undefined;
  const wide = elfClass === 64;
  head.position = wide ? 40 : 32;
  const tableAt = head.offset(wide);
  head.position = wide ? 58 : 46;
  const [entryBytes, count, namesIndex] = [head.u16(), head.u16(), head.u16()];
  const rows: { name: number; type: number; flags: bigint; address: bigint; offset: number; size: bigint; link: number }[] = [];
  const least = wide ? 64 : 40;
  for (let i = 0; i < count && entryBytes >= least; i++) {
    const at = tableAt + i * entryBytes;
    if (!(at + least <= file.length)) break;
    const r = new ByteReader(file, at);
    const word = (): bigint => (wide ? r.u64() : BigInt(r.u32()));
    const [name, type] = [r.u32(), r.u32()];
    const [flags, address] = [word(), word()];
    const [offset, size] = [Number(word()), word()];
    rows.push({ name, type, flags, address, offset, size, link: r.u32() });
  }
  const contents = (row: (typeof rows)[number]): Uint8Array => {
    if (row.type === SHT_NOBITS || row.flags & SHF_COMPRESSED) return new Uint8Array(0);
    const end = row.offset + Number(row.size);
    return end <= file.length ? file.subarray(row.offset, end) : new Uint8Array(0);
  };
  const names = rows[namesIndex] && contents(rows[namesIndex]);
  const sections = rows.map(({ name, type, flags, address, size, link }, index) => ({
    index,
    name: stringAt(names, name),
    type,
    flags,
    address,
    size,
    link,
    bytes: contents(rows[index]),
  }));
  return { elfClass, sections, byName: (name) => sections.find((s) => s.name === name)?.bytes };
}
