/** Launch files: JSON with comments, the choice of a configuration, variables. */
import { strict as assert } from 'node:assert';
import { sep } from 'node:path';
import { chooseConfiguration, rawConfiguration } from '../../../debug-adapter/doors/cli-launch-file';
import { JsonSyntaxError, parseJsonWithComments } from '../../../debug-adapter/launch/json-with-comments';
import { UserError } from '../../../emulator';

const FILE = ['', 'project', '.vscode', 'launch.json'].join(sep);

describe('launch files: JSON with comments', () => {
  it('reads what VS Code reads', () => {
    const text =
      '\ufeff// head\n{ "a": [1, -2.5e3, true, null,], /* in\nside */ "b": "x // \\"no\\" /* comment */ \\u0041", "c": {}, }\n// tail';
    assert.deepEqual(parseJsonWithComments(text), { a: [1, -2500, true, null], b: 'x // "no" /* comment */ A', c: {} });
  });

  it('agrees with JSON.parse on plain JSON', () => {
    for (const value of [{}, [], [[], {}], { a: { b: [1, 'two', false] }, '': 0 }, 'text', 12, { __proto__x: 1 }])
      for (const indent of [0, 2]) assert.deepEqual(parseJsonWithComments(JSON.stringify(value, null, indent)), value);
  });

  it('says where it goes wrong', () => {
    for (const [text, what, line, column] of [
      ['{\n  "a": 1\n  "b": 2}', "expected ',' or '}'", 3, 3],
      ['{"a" 1}', `expected ':' after "a"`, 1, 6],
      ['{a: 1}', 'expected a name in double quotes', 1, 2],
      ['["x', 'a string is not closed', 1, 2],
      ['[1, 01]', 'expected a value', 1, 5],
      ['[1] 2', 'something follows the end', 1, 5],
      ['/* never', 'a comment is not closed', 1, 1],
      ['[1,', 'the file ends where a value was expected', 1, 4],
      ['', 'the file ends where a value was expected', 1, 1],
      ['"\\q"', 'a string has an invalid character or escape', 1, 1],
      ['['.repeat(5000), 'it is nested too deeply', 1, 102],
      ['[,]', 'expected a value', 1, 2],
    ] as const) {
      assert.throws(
        () => parseJsonWithComments(text),
        (error: unknown) => error instanceof JsonSyntaxError && error.what === what && error.line === line && error.column === column,
        `${text.slice(0, 30)} … ${what}`,
      );
    }
  });

  it('ends on any text, with a value or a syntax error', () => {
    const alphabet = '{}[]",:/*\\ \n\t-0123e.tfrue';
    let seed = 99;
    const next = (n: number): number => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % 65536) % n;
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: next(24) }, () => alphabet[next(alphabet.length)]).join('');
      try {
        parseJsonWithComments(text);
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError, `${JSON.stringify(text)}: ${String(error)}`);
      }
    }
  });
});

describe('launch files: configurations', () => {
  const two =
    '{"configurations": [{"type": "node", "name": "other"}, {"type": "nestscope", "name": "a", "program": "${workspaceFolder}/a.elf"}, {"type": "nestscope", "name": "b", "program": "b.elf"}]}';

  it('picks the configuration named, or the only one', () => {
    assert.equal(chooseConfiguration(FILE, two, 'a').program, ['', 'project', 'a.elf'].join(sep));
    assert.equal(chooseConfiguration(FILE, two, 'b').program, ['', 'project', 'b.elf'].join(sep));
    const one = '{"configurations": [{"type": "nestscope", "name": "x", "program": "p"}]}';
    assert.equal(chooseConfiguration(FILE, one, undefined).name, 'x');
  });

  it('refuses the rest with a sentence', () => {
    const refuse = (text: string, name: string | undefined, sentence: RegExp): void => {
      assert.throws(
        () => chooseConfiguration(FILE, text, name),
        (e: unknown) => e instanceof UserError && sentence.test(e.message),
      );
    };
    refuse(two, undefined, /has 2 configurations; choose one with --config: 'a', 'b'/);
    refuse(two, 'c', /has no configuration 'c'; expected 'a', 'b'/);
    refuse('{}', undefined, /no configuration of type "nestscope"/);
    refuse('[]', undefined, /no configuration of type "nestscope"/);
    refuse('{\n"configurations": [}', undefined, /is not valid JSON: expected a value at line 2, column 20/);
    refuse(
      '{"configurations": [{"program": "${file}"}]}',
      undefined,
      /uses \$\{file\}, which has no value on the command line; expected \$\{workspaceFolder\}/,
    );
  });

  it('resolves variables in every text, and paths against the folder of the workspace', () => {
    process.env.NESTSCOPE_TEST = 'value';
    const text =
      '{"configurations": [{"program": "k${pathSeparator}a", "cmdline": "${env:NESTSCOPE_TEST} ${workspaceFolderBasename}", "modules": [{"file": "${workspaceFolder}/m"}]}]}';
    const chosen = chooseConfiguration(FILE, text, undefined);
    assert.equal(chosen.program, ['', 'project', 'k', 'a'].join(sep));
    assert.equal(chosen.cmdline, 'value project');
    assert.deepEqual(chosen.modules, [{ file: ['', 'project', 'm'].join(sep) }]);
    // A file that is not in .vscode: its own folder is the workspace.
    const beside = chooseConfiguration(['', 'project', 'run.json'].join(sep), '{"configurations": [{"program": "a"}]}', undefined);
    assert.equal(beside.program, ['', 'project', 'a'].join(sep));
  });

  it('takes an image as it is', async () => {
    const readFile = (): Promise<Uint8Array> => Promise.reject(new Error('not read'));
    assert.deepEqual(await rawConfiguration('k.elf', undefined, readFile, String), { program: 'k.elf' });
    await assert.rejects(rawConfiguration('k.elf', 'c', readFile, String), /--config needs a launch file/);
    await assert.rejects(
      rawConfiguration('l.json', undefined, readFile, () => 'why'),
      /The launch file 'l\.json' cannot be read: why\./,
    );
  });
});
