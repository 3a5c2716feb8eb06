/**
 * The functions, labels and data of an ELF symbol table (System V ABI, "Symbol Table"), and the nearest one before an address. Constants
 * (absolute symbols) and nasm's macro-local labels are left out; sizes are not trusted, as assemblers give none or those of one element.
 */
import { ByteReader, Malformed, stringAt } from './byte-reader';
import type { ElfSection, ElfSections } from './elf-sections';
import { SHF_ALLOC } from './elf-sections';

export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
  readonly kind: 'function' | 'label' | 'data';
  readonly global: boolean;
  readonly section: number;
}

const SHT_SYMTAB = 2;
const STT_NOTYPE = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const SHN_LORESERVE = 0xff00;

export function readSymbols(elf: ElfSections): ElfSymbol[] {
  const symbols: ElfSymbol[] = [];
  for (const table of elf.sections) {
    if (table.type !== SHT_SYMTAB) continue;
    const names = elf.sections[table.link]?.bytes;
    try {
      readTable(elf, table, names, symbols);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
  return symbols;
}

function readTable(elf: ElfSections, table: ElfSection, names: Uint8Array | undefined, symbols: ElfSymbol[]): void {
  const wide = elf.elfClass === 64;
  const entryBytes = wide ? 24 : 16;
  for (let at = 0; at + entryBytes <= table.bytes.length; at += entryBytes) {
    const r = new ByteReader(table.bytes, at);
    const nameAt = r.u32();
    let info: number, section: number, address: bigint, size: bigint;
    if (wide) {
      info = r.u8();
      r.skip(1);
      section = r.u16();
      address = r.u64();
      size = r.u64();
    } else {
      address = BigInt(r.u32());
      size = BigInt(r.u32());
      info = r.u8();
      r.skip(1);
      section = r.u16();
    }
    if (section === 0 || section >= SHN_LORESERVE || !((elf.sections[section]?.flags ?? 0n) & SHF_ALLOC)) continue;
    const type = info & 0xf;
    const kind =
      type === STT_FUNC || type === STT_GNU_IFUNC ? 'function' : type === STT_NOTYPE ? 'label' : type === STT_OBJECT ? 'data' : undefined;
    const name = stringAt(names, nameAt);
    if (kind === undefined || name === '' || name.startsWith('..@') || name.startsWith('.L')) continue;
    symbols.push({ name, address, size, kind, global: info >> 4 !== 0, section });
  }
}

/** Marks that linkers set at the borders of sections: they tell less than any symbol of the program. */
const LINKER_MARKS = new Set(['_edata', 'edata', '__bss_start', '_end', 'end', '_etext', 'etext', '__etext', '__executable_start']);

/** Of several symbols at one address the most telling comes last: functions, then what has a size, then labels; global before local. */
function weight(s: ElfSymbol): number {
  if (LINKER_MARKS.has(s.name)) return -1;
  return (s.kind === 'function' ? 8 : 0) + (s.size > 0n ? 4 : 0) + (s.kind === 'label' ? 2 : 0) + (s.global ? 1 : 0);
}

export class SymbolIndex {
  private readonly sorted: readonly ElfSymbol[];
  private readonly names = new Map<string, ElfSymbol>();
  private readonly sections: readonly { readonly first: bigint; readonly end: bigint }[];

  constructor(elf: ElfSections) {
    this.sorted = readSymbols(elf).sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : weight(a) - weight(b)));
    for (const symbol of this.sorted) {
      const known = this.names.get(symbol.name);
      // Local symbols of several files may share a name: a global one goes before them, else the first.
      if (known === undefined || (symbol.global && !known.global)) this.names.set(symbol.name, symbol);
    }
    this.sections = elf.sections.map((s) => ({ first: s.address, end: s.address + s.size }));
  }

  get count(): number {
    return this.sorted.length;
  }

  /** The nearest symbol at or before the address, in the section in which the address lies. */
  at(address: bigint): ElfSymbol | undefined {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.sorted[low - 1];
    const section = found && this.sections[found.section];
    // A label at the very end of a section (`stack_top`) names that address alone.
    return section && (address < section.end || address === found.address) ? found : undefined;
  }

  named(name: string): ElfSymbol | undefined {
    return this.names.get(name);
  }

  allNames(): Iterable<string> {
    return this.names.keys();
  }
}
