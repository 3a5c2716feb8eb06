/** Symbols and source lines of the images of a session, put together as the adapter asks for them: by level, with each image's load bias. */
import type { Level } from '../../emulator/api';
import type { LineRow, SymbolModule, SymbolPosition, SymbolSource } from '../symbol-source';
import { readSections } from './elf-sections';
import { type LineTable, readLineTable, type TableRow } from './line-table';
import { baseName, directoryOf, isAbsolutePath, joinPath, mapSource, normalizePath, sharedTail } from './source-path';
import { SymbolIndex } from './symbol-table';

export interface SymbolImage {
  /** Path or URI, for names and for finding relative source files. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Undefined: every level. */
  readonly level?: Level;
  /** Added to every address of the file. */
  readonly base?: bigint;
}

/** One image, with addresses as the file has them. */
class ImageSymbols {
  private readonly index: SymbolIndex | undefined;
  private readonly table: LineTable;
  /** File index of the line table → name shown. */
  readonly files: readonly string[];
  readonly base: bigint;
  readonly module: SymbolModule;
  /** Rows that begin a statement, by file index and line. */
  private readonly statements = new Map<number, Map<number, TableRow[]>>();

  constructor(
    readonly image: SymbolImage,
    sourceMap: Readonly<Record<string, string>>,
  ) {
    const elf = readSections(image.bytes);
    this.base = image.base ?? 0n;
    this.index = elf && new SymbolIndex(elf);
    this.table = elf ? readLineTable(elf) : { files: [], rows: [] };
    const folder = directoryOf(image.path);
    this.files = this.table.files.map((file) => mapSource(file, sourceMap) ?? (isAbsolutePath(file) ? file : joinPath(folder, file)));
    this.collectStatements();
    const loaded = elf?.sections.filter((s) => s.flags & 2n && s.size > 0n) ?? [];
    const lows = loaded.map((s) => s.address);
    const highs = loaded.map((s) => s.address + s.size);
    this.module = {
      name: baseName(image.path),
      path: image.path,
      symbols: this.index?.count ?? 0,
      lines: this.table.rows.length,
      ...(loaded.length > 0 && {
        low: this.base + lows.reduce((a, b) => (a < b ? a : b)),
        high: this.base + highs.reduce((a, b) => (a > b ? a : b)),
      }),
    };
  }

  serves(level: Level): boolean {
    return this.image.level === undefined || this.image.level === level;
  }

  symbolAt(address: bigint): SymbolPosition | undefined {
    const found = this.index?.at(address - this.base);
    return found && { name: found.name, address: found.address + this.base, offset: address - this.base - found.address };
  }

  addressOf(name: string): bigint | undefined {
    const found = this.index?.named(name);
    return found && found.address + this.base;
  }

  names(): Iterable<string> {
    return this.index?.allNames() ?? [];
  }

  rowAt(address: bigint): LineRow | undefined {
    const { rows } = this.table;
    const wanted = address - this.base;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].start <= wanted) low = middle + 1;
      else high = middle;
    }
    // Rows without length, and sequences that overlap by mistake, may lie between.
    for (let i = low - 1; i >= 0 && i >= low - 64; i--) if (wanted < rows[i].end) return this.lineRow(rows[i]);
    return undefined;
  }

  /** Indices of the files that a client's path means: the same path, else those with the longest common tail. */
  filesLike(path: string): number[] {
    const wanted = normalizePath(path);
    let best = 1;
    let found: number[] = [];
    this.files.forEach((file, i) => {
      if (!this.statements.has(i)) return;
      const shared = file === wanted ? Infinity : sharedTail(file, wanted);
      if (shared < best) return;
      if (shared > best) found = [];
      best = shared;
      found.push(i);
    });
    return found;
  }

  /** The line itself or the next one of these files that has code; undefined behind the last. */
  lineWithCode(files: readonly number[], line: number): number | undefined {
    let best: number | undefined;
    for (const file of files)
      for (const candidate of this.statements.get(file)?.keys() ?? [])
        if (candidate >= line && (best === undefined || candidate < best)) best = candidate;
    return best;
  }

  rowsOn(files: readonly number[], line: number): LineRow[] {
    return files.flatMap((file) => this.statements.get(file)?.get(line) ?? []).map((row) => this.lineRow(row));
  }

  private lineRow(row: TableRow): LineRow {
    const { line, isStatement } = row;
    return { file: this.files[row.file], line, start: row.start + this.base, end: row.end + this.base, isStatement };
  }

  /** A row begins a statement when the row before it, without a gap, is of another line. */
  private collectStatements(): void {
    let before: TableRow | undefined;
    for (const row of this.table.rows) {
      const continues = before !== undefined && before.end === row.start && before.line === row.line && before.file === row.file;
      before = row;
      if (continues || !row.isStatement) continue;
      let lines = this.statements.get(row.file);
      if (lines === undefined) this.statements.set(row.file, (lines = new Map()));
      const list = lines.get(row.line);
      if (list === undefined) lines.set(row.line, [row]);
      else if (list[list.length - 1].start !== row.start) list.push(row);
    }
  }
}

/** Reads the symbols of ELF images; a file that is none, or has none, simply knows nothing. Earlier images go before later ones. */
export function createSymbolSource(images: readonly SymbolImage[], sourceMap: Readonly<Record<string, string>> = {}): SymbolSource {
  const all = images.map((image) => new ImageSymbols(image, sourceMap));
  const first = <T>(level: Level, ask: (image: ImageSymbols) => T | undefined): T | undefined => {
    for (const image of all) {
      const answer = image.serves(level) ? ask(image) : undefined;
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  return {
    symbolAt: (level, address) => first(level, (image) => image.symbolAt(address)),
    rowAt: (level, address) => first(level, (image) => image.rowAt(address)),
    addressOf: (name) => {
      for (const image of all) {
        const address = image.addressOf(name);
        if (address !== undefined) return { address, level: image.image.level };
      }
      return undefined;
    },
    symbolNames: () => new Set(all.flatMap((image) => [...image.names()])),
    rowsAt: (file, line) => {
      const places = all.map((image) => ({ image, files: image.filesLike(file) }));
      const lines = places.flatMap(({ image, files }) => image.lineWithCode(files, line) ?? []);
      if (lines.length === 0) return [];
      const chosen = Math.min(...lines);
      return places.flatMap(({ image, files }) => image.rowsOn(files, chosen).map((row) => ({ ...row, level: image.image.level })));
    },
    knowsFile: (file) => all.some((image) => image.filesLike(file).length > 0),
    modules: all.map((image) => image.module),
  };
}
