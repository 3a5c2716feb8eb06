/** ELF symbols and DWARF line tables, versions 2 to 5 and both formats, against what binutils says of the same files (fixtures/build.mjs). */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { createSymbolSource } from '../../../debug-adapter/symbols/image-symbols';
import { loadSymbols } from '../../../debug-adapter/program-symbols';
import { validateLaunch } from '../../../debug-adapter/launch/configuration';
import type { SymbolSource } from '../../../debug-adapter/symbol-source';

const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`./fixtures/${name}`, import.meta.url)));
const open = (name: string, base = 0n): SymbolSource => createSymbolSource([{ path: `/project/${name}`, bytes: fixture(name), base }]);

/** Lines of the .txt files: first last function file:line. */
function expected(name: string): { first: bigint; last: bigint; name: string; file: string; line: number | undefined }[] {
  return new TextDecoder()
    .decode(fixture(name))
    .trim()
    .split('\n')
    .map((text) => {
      const [first, last, symbol, place] = text.split(' ');
      const [file, line] = place.split(':');
      return { first: BigInt(first), last: BigInt(last), name: symbol, file, line: line === '?' ? undefined : Number(line) };
    });
}

const files: [elf: string, text: string][] = [
  ['dwarf2.elf', 'dwarf2.txt'], ['dwarf3.elf', 'dwarf3.txt'], ['dwarf4.elf', 'dwarf4.txt'], ['dwarf5.elf', 'dwarf5.txt'], ['dwarf5-wide.elf', 'dwarf5.txt'],
  ['nasm-elf64.elf', 'nasm-elf64.txt'], ['nasm-elf32.elf', 'nasm-elf32.txt'],
]; // prettier-ignore

describe('symbols: line tables', () => {
  for (const [elf, text] of files) {
    it(`${elf}: every address has the line that addr2line gives`, () => {
      const s = open(elf);
      for (const run of expected(text)) {
        for (let address = run.first; address <= run.last; address++) {
          const row = s.rowAt(1, address);
          const where = `0x${address.toString(16)}`;
          if (run.line === undefined) {
            assert.equal(row, undefined, where);
            continue;
          }
          assert.ok(row, where);
          assert.equal(row.line, run.line, where);
          assert.equal(row.file.split('/').pop(), run.file, where);
          assert.ok(row.start <= address && address < row.end, where);
        }
      }
      assert.equal(s.rowAt(1, 0x3fffffn), undefined);
      assert.equal(s.rowAt(1, 0x500000n), undefined);
    });
  }

  it('finds the addresses at which a line begins', () => {
    for (const [elf, text] of files) {
      const s = open(elf);
      const runs = expected(text).filter((run) => run.line !== undefined);
      for (const { file, line } of runs) {
        const starts = s.rowsAt(file, line!).map((row) => row.start);
        // An assembler's lines begin where their code begins.
        const firsts = runs.filter((run) => run.file === file && run.line === line).map((run) => run.first);
        if (elf.startsWith('nasm')) assert.deepEqual(starts, firsts, `${elf} ${file}:${line}`);
        for (const row of s.rowsAt(file, line!)) {
          assert.ok(row.line >= line! && row.isStatement && row.file.endsWith(file), `${elf} ${file}:${line}`);
          // A row of no length is the beginning of a line whose code the compiler moved or merged away.
          if (row.start < row.end) assert.equal(s.rowAt(1, row.start)?.line, row.line);
        }
      }
      if (elf.startsWith('nasm')) continue;
      // As readelf --debug-dump=decodedline marks them; line 12 has code, but no address at which it begins as a statement.
      for (const [line, where, start] of [
        [7, 7, 0x400000n],
        [11, 11, 0x400018n],
        [12, 14, 0x400032n],
        [17, 17, 0x400040n],
        [19, 19, 0x40004an],
        [21, 21, 0x400078n],
      ] as const) {
        assert.deepEqual(
          s.rowsAt('/source/first.c', line).map((row) => [row.line, row.start]),
          [[where, start]],
          `${elf} line ${line}`,
        );
      }
    }
    const c = open('dwarf5.elf');
    const inlined = c.rowsAt('/source/shared.h', 5).map((r) => r.start);
    assert.deepEqual(inlined, [0x400010n, 0x400090n]); // in both units
    const s = open('nasm-elf64.elf');
    assert.deepEqual(
      s.rowsAt('labels.asm', 9).map((r) => [r.line, r.start, r.end, r.isStatement]),
      [[9, 0x400005n, 0x400007n, true]],
    );
  });

  it('goes to the next line that has code, and no further than the file', () => {
    const s = open('nasm-elf64.elf');
    assert.deepEqual(s.rowsAt('/project/labels.asm', 1).map((r) => r.line), [7]); // prettier-ignore
    assert.deepEqual(s.rowsAt('/project/labels.asm', 8).map((r) => r.line), [9]); // prettier-ignore
    assert.deepEqual(s.rowsAt('/project/labels.asm', 13), []);
    assert.deepEqual(s.rowsAt('/project/routine.asm', 1).map((r) => r.start), [0x400010n]); // prettier-ignore
  });

  it('knows files by their path or by the longest common tail', () => {
    const s = open('dwarf5.elf');
    for (const known of ['/source/first.c', '/elsewhere/first.c', 'C:\\work\\first.c', 'vscode-test-web://mount/x/second.c', 'shared.h'])
      assert.ok(s.knowsFile(known), known);
    for (const unknown of ['/source/third.c', 'irst.c', '/source', '']) assert.ok(!s.knowsFile(unknown), unknown);
    assert.equal(s.rowAt(1, 0x400040n)?.file, '/source/first.c');
    // Relative names are relative to the image.
    assert.equal(open('nasm-elf64.elf').rowAt(1, 0x400000n)?.file, '/project/labels.asm');
  });

  it('maps sources where the configuration says so', () => {
    const s = createSymbolSource([{ path: '/p/k.elf', bytes: fixture('dwarf4.elf') }], { '/source': '/home/me/kernel', '/sour': '/wrong' }); // prettier-ignore
    assert.equal(s.rowAt(1, 0x400040n)?.file, '/home/me/kernel/first.c');
    assert.equal(s.rowsAt('/home/me/kernel/second.c', 5)[0].line, 5);
  });
});

describe('symbols: symbol tables', () => {
  it('names every address of the code', () => {
    for (const [elf, text] of files) {
      const s = open(elf);
      for (const run of expected(text)) {
        // addr2line names the inlined function; the symbol table knows only where its code went.
        if (run.name === 'twice') continue;
        assert.equal(s.symbolAt(1, run.first)?.name, run.name, `${elf} 0x${run.first.toString(16)}`);
        const at = s.symbolAt(1, run.last)!;
        assert.equal(at.address + at.offset, run.last);
      }
    }
  });

  it('finds functions, labels and data by name, but no constants', () => {
    for (const elf of ['nasm-elf64.elf', 'nasm-elf32.elf']) {
      const s = open(elf);
      assert.equal(s.addressOf('routine.next')?.address, 0x400015n);
      assert.equal(s.addressOf('CONSTANT'), undefined);
      const buffer = s.addressOf('buffer')!.address;
      assert.deepEqual(s.symbolAt(2, buffer + 63n), { name: 'buffer', address: buffer, offset: 63n });
      assert.equal(s.symbolAt(1, buffer + 64n)?.name, 'buffer_end');
      assert.equal(s.symbolAt(1, buffer + 65n), undefined); // behind the section
      assert.deepEqual([...s.symbolNames()].filter((n) => n.startsWith('_start')).sort(), ['_start', '_start.again']);
    }
    const c = open('dwarf5.elf');
    assert.equal(c.symbolAt(1, c.addressOf('table')!.address + 4n)?.name, 'table');
  });

  it('adds the load bias and keeps images to their levels', () => {
    const bias = 0xffff_ffff_8000_0000n;
    const s = createSymbolSource([
      { path: 'l1.elf', bytes: fixture('dwarf5.elf'), level: 1 },
      { path: 'l2.elf', bytes: fixture('nasm-elf64.elf'), level: 2, base: bias },
    ]);
    assert.equal(s.symbolAt(1, 0x400000n)?.name, 'sum');
    assert.equal(s.symbolAt(2, 0x400000n), undefined);
    assert.deepEqual(s.symbolAt(2, bias + 0x400011n), { name: 'routine', address: bias + 0x400010n, offset: 1n });
    assert.deepEqual(s.addressOf('routine'), { address: bias + 0x400010n, level: 2 });
    assert.equal(s.rowAt(2, bias + 0x400010n)?.start, bias + 0x400010n);
    assert.deepEqual(s.rowsAt('routine.asm', 3).map((r) => [r.start, r.level]), [[bias + 0x400010n, 2]]); // prettier-ignore
    assert.deepEqual(s.modules.map((m) => [m.name, m.low !== undefined && m.low >= bias]), [['l1.elf', false], ['l2.elf', true]]); // prettier-ignore
    assert.ok(s.modules.every((m) => m.symbols > 0 && m.lines > 0));
  });

  it('are loaded as the configuration says, before those of the program', async () => {
    const launch = validateLaunch({ program: '/p/a.elf', symbols: [{ file: '/p/b.elf', base: '0x1000000' }] });
    const readFile = (path: string): Promise<Uint8Array> =>
      path === '/p/b.elf' ? Promise.resolve(fixture('nasm-elf64.elf')) : Promise.reject(new Error('no'));
    const s = await loadSymbols(launch, fixture('dwarf5.elf'), readFile);
    assert.equal(s.symbolAt(1, 0x400000n)?.name, 'sum');
    assert.equal(s.symbolAt(1, 0x1400000n)?.name, '_start');
    assert.equal(s.addressOf('_start')?.address, 0x1400000n);
    await assert.rejects(
      loadSymbols(validateLaunch({ program: 'a', symbols: [{ file: 'gone' }] }), new Uint8Array(0), readFile),
      /The symbol file 'gone' cannot be read: no\./,
    );
  });
});

describe('symbols: damaged files', () => {
  it('know nothing, or less, but never throw or hang', () => {
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array(100).fill(0xff),
      new TextEncoder().encode('\x7fELF'),
      new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]),
    ]) {
      const s = createSymbolSource([{ path: 'x', bytes }]);
      assert.equal(s.symbolAt(1, 0n), undefined);
      assert.equal(s.rowAt(1, 0n), undefined);
      assert.deepEqual(s.rowsAt('x.c', 1), []);
      assert.deepEqual(s.modules, [{ name: 'x', path: 'x', symbols: 0, lines: 0 }]);
    }
    let knowing = 0;
    let seed = 0x2545f491;
    const next = (): number => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 0;
    };
    for (const [elf] of files) {
      const whole = fixture(elf);
      for (let i = 0; i < 250; i++) {
        let damaged: Uint8Array = whole.slice();
        if (i % 5 === 0) damaged = damaged.subarray(0, next() % damaged.length);
        else for (let flips = 1 + (next() % 24); flips > 0; flips--) damaged[next() % damaged.length] = i % 2 ? next() & 0xff : 0xff;
        const s = createSymbolSource([{ path: elf, bytes: damaged }]);
        const row = s.rowAt(1, 0x400010n);
        s.symbolAt(1, 0x400010n);
        s.rowsAt('first.c', 10);
        if (row) knowing++;
      }
    }
    assert.ok(knowing > 300 && knowing < 1700, String(knowing));
  });
});
