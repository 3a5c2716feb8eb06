// The editor's test suites, each in a real VS Code: npm test runs them all; names choose (npm run screenshots runs the person).
//   node-host   test/vscode/*.test.ts in the node extension host, by @vscode/test-electron
//   web-host    the same in the web worker extension host
//   web-oldest  the same in the oldest VS Code for browsers that is supported
//   start       npm start on a clean copy, F5, the page closed, Ctrl+C (test/vscode/start.mjs)
//   person      someone who presses keys, clicks and hovers, and takes screenshots (test/vscode/person.mjs)
// Without VSCODE_EXECUTABLE a code-server of npm's is VS Code; with it, that executable is.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inlineIced, keepImportMeta, root } from '../bundles.mjs';

const extension = 'nestscope.nestscope';
const examples = join(root, 'examples');
const out = join(root, 'out/vscode');
const total = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };

const suites = {
  'node-host': () => child('electron.mjs', { NESTSCOPE_FAILURE_SCREENSHOT: join(out, 'node-host-failed.png') }),
  'web-host': () => child('web-host.mjs', { NESTSCOPE_FAILURE_SCREENSHOT: join(out, 'web-host-failed.png') }),
  'web-oldest': () => child('web-oldest.mjs', { NESTSCOPE_FAILURE_SCREENSHOT: join(out, 'web-oldest-failed.png') }),
  person: () => child('../../test/vscode/person.mjs', {}),
  start: () => child('../../test/vscode/start.mjs', {}),
};

/** What @vscode/test-web says of its work. */
const serverLog = /(GET|HEAD) \/\S+ |^(Serving|Listening on|Using ESM)/;

/** Runs a script of this folder; its line `counts {…}` counts, the others are shown. */
function child(script, env) {
  return new Promise((settle) => {
    const process_ = spawn(process.execPath, [join(import.meta.dirname, script)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NESTSCOPE_EXTENSION: extension, NESTSCOPE_EXAMPLES: examples, NESTSCOPE_OUT: out, ...env },
    });
    let counts;
    createInterface({ input: process_.stdout }).on('line', (line) => {
      const found = /^\s*counts (\{.*\})\s*$/.exec(line);
      if (found) counts = JSON.parse(found[1]);
      else if (line.trim() !== '' && (process.env.VERBOSE || !serverLog.test(line))) console.log(line);
    });
    process_.on('close', (status) => settle({ status, counts }));
  });
}

async function bundleSuites() {
  const { build } = await import('esbuild');
  const base = {
    absWorkingDir: root,
    bundle: true,
    format: 'cjs',
    target: 'es2022',
    sourcemap: 'inline',
    logLevel: 'warning',
    external: ['vscode'],
  };
  await Promise.all([
    build({
      ...base,
      platform: 'node',
      entryPoints: ['test/vscode/run-node.ts'],
      outfile: 'out/vscode/node/index.js',
      plugins: [inlineIced, keepImportMeta],
    }),
    build({
      ...base,
      platform: 'browser',
      entryPoints: ['test/vscode/run-web.ts'],
      outfile: 'out/vscode/web/index.js',
      plugins: [inlineIced],
    }),
  ]);
}

mkdirSync(out, { recursive: true });
const chosen = process.argv.slice(2);
for (const name of chosen.filter((name) => !suites[name]))
  throw new Error(`no editor suite ${name}: there are ${Object.keys(suites).join(', ')}`);
await bundleSuites();
for (const [name, run] of Object.entries(suites)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const started = Date.now();
  const { status, counts } = await run();
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
  console.log(`  ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  for (const key of ['passed', 'failed', 'skipped']) total[key] += counts?.[key] ?? 0;
  total.skips.push(...(counts?.skips ?? []));
  total.failures.push(...(counts?.failures ?? []));
  if (!counts || (status !== 0 && failed === 0)) {
    console.log(`    FAILED  ${name} ended with status ${status}`);
    total.failed++;
  }
}
if (process.env.NESTSCOPE_COUNTS) writeFileSync(process.env.NESTSCOPE_COUNTS, JSON.stringify(total));
process.exitCode = total.failed > 0 ? 1 : 0;
