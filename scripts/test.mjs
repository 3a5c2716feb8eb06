// npm test: from a fresh clone to one line, `N passed, N failed, N skipped`.
//   npm test                    everything
//   npm test -- unit rules      these suites
//   npm test -- unit/vmx        the files of a suite whose path begins so
//   --long                      the long variants too (npm run test:long)
//   --strict                    a test skipped for something that could have been installed counts as failed (.ci/run)
// VERBOSE=1 names every test; UPDATE=1 rewrites golden text.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { canInstall, ensurePackages, findCommand, packages } from './peers/packages.mjs';
import { root, testBundle } from './bundles.mjs';

/** Folder of test/, its share of patience in seconds, and the Debian packages that it wants. */
const suites = [
  { name: 'rules', seconds: 120 },
  { name: 'unit', seconds: 300 },
  { name: 'codegen', seconds: 120 },
  { name: 'vectors', seconds: 240 },
  { name: 'guests', seconds: 360, wants: [...packages.build, ...packages.bochs, ...packages.qemu] },
  { name: 'dap', seconds: 180 },
  { name: 'differential', seconds: 240 },
  { name: 'vscode', seconds: 720, wants: ['chromium', 'fonts-dejavu-core'], run: runVscode },
];

/** What a long run may take, as a multiple of the others' patience: runs of hours. */
const LONG_FACTOR = 150;

const args = process.argv.slice(2);
const long = args.includes('--long');
const strict = args.includes('--strict');
const chosen = args.filter((arg) => !arg.startsWith('--'));
const total = { passed: 0, failed: 0, skipped: 0 };
const skips = [];
const started = Date.now();
const elapsed = (since = started) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
}

function add(counts) {
  for (const key of Object.keys(total)) total[key] += counts[key];
  skips.push(...(counts.skips ?? []));
}

/** Runs a command in a process group of its own that ends at its limit; its output is ours. Returns the exit status or 'limit'. */
function runLimited(command, commandArgs, seconds, env = {}) {
  return new Promise((settle) => {
    const child = spawn(command, commandArgs, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      detached: true,
    });
    let late = false;
    const stop = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has ended already.
      }
    };
    const timer = setTimeout(
      () => {
        late = true;
        stop('SIGTERM');
        setTimeout(() => stop('SIGKILL'), 3000).unref();
      },
      seconds * 1000 * (long ? LONG_FACTOR : 1),
    );
    const interrupted = () => stop('SIGKILL');
    process.once('SIGINT', interrupted);
    child.on('close', (status) => {
      clearTimeout(timer);
      process.removeListener('SIGINT', interrupted);
      settle(late ? 'limit' : (status ?? 1));
    });
  });
}

function readCounts(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** Bundles the files; where one does not bundle it fails and the others still run. */
async function bundle(files) {
  const { build } = await import('esbuild');
  const out = (file) => join(root, 'out/test', relative(join(root, 'test'), file)).replace(/\.ts$/, '.cjs');
  try {
    await build({ ...testBundle(files), logLevel: 'silent' });
    return { bundles: files.map(out), broken: 0 };
  } catch {
    const good = [];
    for (const file of files) {
      await build(testBundle([file])).then(
        () => good.push(out(file)),
        () => console.log(`    FAILED  ${relative(root, file)} does not bundle`),
      );
    }
    return { bundles: good, broken: files.length - good.length };
  }
}

async function runMocha(suite, files) {
  const { bundles, broken } = await bundle(files);
  total.failed += broken;
  if (bundles.length === 0) return;
  const countsFile = join(root, `out/counts-${suite.name}-${process.pid}.json`);
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js');
  const options = [
    '--enable-source-maps',
    mocha,
    '--no-config',
    '--reporter',
    join(root, 'scripts/mocha-reporter.cjs'),
    '--timeout',
    long ? '600000' : '20000',
  ];
  const status = await runLimited(process.execPath, [...options, ...bundles], suite.seconds, {
    NESTSCOPE_COUNTS: countsFile,
    ...(long && { NESTSCOPE_LONG: '1' }),
  });
  const counts = readCounts(countsFile);
  rmSync(countsFile, { force: true });
  if (counts) add(counts);
  if (status === 'limit') console.log(`    FAILED  ${suite.name} was stopped at its limit of ${suite.seconds} s`);
  if (status === 'limit' || !counts || (status !== 0 && counts.failed === 0)) {
    if (status !== 'limit') console.log(`    FAILED  ${suite.name} ended with status ${status}`);
    total.failed++;
  }
}

async function runVscode(suite) {
  const runner = join(root, 'scripts/vscode/run-suites.mjs');
  if (!existsSync(runner)) return;
  if (!findCommand('chromium') && !process.env.CHROMIUM && !process.env.VSCODE_EXECUTABLE) {
    add({ passed: 0, failed: 0, skipped: 1, skips: ['vscode: needs the Debian package chromium'] });
    return;
  }
  const countsFile = join(root, `out/counts-vscode-${process.pid}.json`);
  const status = await runLimited(process.execPath, [runner], suite.seconds, { NESTSCOPE_COUNTS: countsFile });
  const counts = readCounts(countsFile);
  rmSync(countsFile, { force: true });
  if (counts) add(counts);
  if (!counts || status === 'limit' || (status !== 0 && counts.failed === 0)) {
    console.log(
      status === 'limit'
        ? `    FAILED  vscode was stopped at its limit of ${suite.seconds} s`
        : `    FAILED  vscode ended with status ${status}`,
    );
    total.failed++;
  }
}

if (!existsSync(join(root, 'node_modules/esbuild'))) {
  console.log('installing npm packages (npm ci)');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const unknown = chosen.filter((name) => !suites.some((suite) => suite.name === name.split('/')[0]));
if (unknown.length > 0) {
  console.error(`no suite named ${unknown.join(', ')}; there are ${suites.map(({ name }) => name).join(', ')}`);
  process.exit(64);
}
const wanted = suites.filter(({ name }) => chosen.length === 0 || chosen.some((choice) => choice.split('/')[0] === name));

const missing = ensurePackages([...new Set(wanted.flatMap((suite) => suite.wants ?? []))]);
if (missing.length > 0) console.log(`without the Debian packages ${missing.join(' ')} some tests are skipped`);

const { build } = await import('./build.mjs');
mkdirSync(join(root, 'out'), { recursive: true });
await build({ quiet: true }).catch((error) => {
  console.log(`    FAILED  ${error.message}`);
  total.failed++;
});
console.log(`built after ${elapsed()}`);

for (const suite of wanted) {
  const choices = chosen.filter((choice) => choice.startsWith(`${suite.name}/`)).map((choice) => join(root, 'test', choice));
  const files = testFiles(join(root, 'test', suite.name)).filter(
    (file) => choices.length === 0 || choices.some((choice) => file.startsWith(choice)),
  );
  if (files.length === 0) continue;
  const begun = Date.now();
  console.log(`\n${suite.name} (${files.length} ${files.length === 1 ? 'file' : 'files'})`);
  await (suite.run ?? runMocha)(suite, files);
  console.log(`  ${suite.name} took ${elapsed(begun)}`);
}

if (skips.length > 0) console.log(`\nskipped:\n${skips.map((skip) => `  ${skip}`).join('\n')}`);
if (strict && total.skipped > 0 && canInstall()) {
  console.log('--strict: on a machine where packages can be installed nothing may be skipped');
  process.exitCode = 1;
}
if (total.failed > 0 || total.passed === 0) process.exitCode = 1;
console.log(`\nafter ${elapsed()}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
