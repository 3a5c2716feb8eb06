// npm run test:planted: shows that the suites find bugs. In a copy of the working tree each bug of scripts/planted-bugs/bugs.mjs is planted in its
// turn and the test that it names must fail, after all of them have passed without it.
//   npm run test:planted                every bug
//   npm run test:planted -- budget      those whose name or subject holds the word
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './bundles.mjs';
import { bugs } from './planted-bugs/bugs.mjs';

const words = process.argv.slice(2);
const chosen = bugs.filter(({ name, about }) => words.length === 0 || words.some((word) => `${about} ${name}`.includes(word)));
if (chosen.length === 0) {
  console.error(`no planted bug has a name or subject with ${words.join(', ')}`);
  process.exit(64);
}

function copyTree(to) {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  if (status !== 0) throw new Error('git ls-files failed: this script copies what git knows');
  for (const file of stdout.toString().split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    try {
      cpSync(join(root, file), join(to, file));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error; // deleted in the working tree
    }
  }
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'), 'dir');
}

/** Runs a suite in the copy: its last line's counts, and the first words of the first failure. */
function run(tree, suite) {
  const { stdout } = spawnSync(process.execPath, ['scripts/test.mjs', suite], { cwd: tree, maxBuffer: 1 << 28 });
  const text = stdout.toString();
  const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(text);
  const failed = counts === null ? -1 : Number(counts[2]);
  const passed = counts === null ? -1 : Number(counts[1]);
  // A bug that does not build has not been found by a suite.
  const builds = !/does not bundle|FAILED {2}Build/.test(text);
  return { passed, failed, builds, first: /FAILED {2}(.*)/.exec(text)?.[1] ?? '' };
}

const tree = mkdtempSync(join(tmpdir(), 'nestscope-planted-'));
let missed = 0;
try {
  copyTree(tree);
  for (const suite of new Set(chosen.map((bug) => bug.suite))) {
    const { passed, failed } = run(tree, suite);
    console.log(`without a bug: ${suite}: ${passed} passed, ${failed} failed`);
    if (failed !== 0 || passed < 1) throw new Error(`${suite} fails without a planted bug`);
  }
  for (const { name, about, file, search, replace, suite } of chosen) {
    const path = join(tree, file);
    const source = readFileSync(path, 'utf8');
    if (source.split(search).length !== 2) throw new Error(`${file} has the text of '${name}' ${source.split(search).length - 1} times`);
    writeFileSync(
      path,
      source.replace(search, () => replace),
    );
    const { failed, passed, builds, first } = run(tree, suite);
    writeFileSync(path, source);
    const found = failed > 0 && builds;
    if (!found) missed++;
    console.log(`${found ? 'found ' : 'MISSED'}  ${about}: ${name}`);
    console.log(`        ${suite}: ${failed} failed, ${passed} passed${first === '' ? '' : `; first: ${first.slice(0, 150)}`}`);
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}
console.log(`${chosen.length - missed} of ${chosen.length} planted bugs were found`);
process.exitCode = missed > 0 ? 1 : 0;
