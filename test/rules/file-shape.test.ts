/** What every file looks like (docs/ARCHITECTURE.md, "Names and comments"): a first comment, a kebab-case name, a readable length, no machine's paths. */
import { strict as assert } from 'node:assert';
import { filesBelow, read } from './source-files';

const code = filesBelow('').filter((file) => /\.(ts|mjs|cjs)$/.test(file));
const ours = /^(emulator|debug-adapter|extension|test|scripts|examples)\//;

/** Tables may be as long as the manual's. */
const tables = [
  /^emulator\/spec\//,
  /^emulator\/isa\/[a-z0-9-]*rows[a-z0-9-]*\.ts$/,
  /^emulator\/isa\/rows\//,
  /^test\/vectors\//,
  /^test\/.*-cases\.ts$/,
];
const longest = 500;

/** Folders of one person's machine, and workplaces that a reader cannot have. */
const machinePath = /(?<![\w.$}])\/(work|home|root|Users)\/(?!me\b|you\b)[\w.-]+|\/tmp\/[a-z]|[A-Z]:\\Users\\|\/mnt\/[a-z]/;
const textFile = /\.(ts|mjs|cjs|json|md|asm|inc|s|S|c|h|ld|yml|yaml|sh|txt|html|css|svg)$|^\.[a-z]+(\/run)?$|^LICENSE$/;

function report(wrong: readonly string[]): void {
  assert.equal(wrong.length, 0, `\n${wrong.join('\n')}`);
}

describe('rule: the shape of files', () => {
  it('finds the files', () => assert.ok(code.length > 20));

  it('each opens with a comment that says what it is for', () => {
    const opens = /^(#![^\n]*\n)?\s*(\/\/ ?\S|\/\*\*?\s*(\*\s*)?\S)/;
    report(code.filter((file) => ours.test(file) && !opens.test(read(file))));
  });

  it('each has a kebab-case name', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.(ts|mjs|cjs)$/;
    report(code.filter((file) => !kebab.test(file.split('/').pop()!)));
  });

  it(`no hand-written file is longer than ${longest} lines, tables apart`, () => {
    report(
      code
        .filter((file) => ours.test(file) && !tables.some((table) => table.test(file)))
        .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
        .filter(({ lines }) => lines > longest)
        .map(({ file, lines }) => `${file}: ${lines} lines`),
    );
  });

  it("nothing names one machine's paths", () => {
    const wrong: string[] = [];
    for (const file of filesBelow('').filter(
      // .git is a file, with a path, in a second working tree.
      (name) => textFile.test(name) && name !== '.git' && name !== 'package-lock.json' && name !== 'test/rules/file-shape.test.ts',
    )) {
      for (const [index, line] of read(file).split('\n').entries()) {
        const found = machinePath.exec(line);
        if (found) wrong.push(`${file}:${index + 1}: ${found[0]}`);
      }
    }
    report(wrong);
  });

  it('no folder or file is called utils, common code, helpers or manager', () => {
    report(code.filter((file) => /(^|\/)(utils?|helpers?|managers?|misc)(\/|\.)/.test(file)));
  });

  it('the package lock names no registry but the public one', () => {
    const wrong = read('package-lock.json').match(/"resolved": "(?!https:\/\/registry\.npmjs\.org\/)[^"]*"/g) ?? [];
    report(wrong);
  });
});
