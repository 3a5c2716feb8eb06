// npm start on a clean copy of the project, as someone does it who has just cloned it: the address answers, the examples are open with the
// extension in them, F5 stops at entry; the page closed in the middle of a run and Ctrl+C leave nothing running.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../../scripts/bundles.mjs';
import { openBrowser } from '../../scripts/vscode/browser.mjs';
import { installServer } from '../../scripts/vscode/server.mjs';

const out = process.env.NESTSCOPE_OUT ?? join(root, 'out/vscode');
const counts = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
const patience = 20_000;

installServer();
const copy = mkdtempSync(join(tmpdir(), 'nestscope-clone-'));
const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
for (const file of listed.stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  cpSync(join(root, file), join(copy, file), { verbatimSymlinks: true });
}
// What npm ci and the first start would fetch; everything that is built is built there anew.
for (const fetched of ['node_modules', '.vscode-server']) {
  rmSync(join(copy, fetched), { recursive: true, force: true });
  symlinkSync(join(root, fetched), join(copy, fetched));
}

// Without a display npm start opens no browser of its own.
const quiet = { ...process.env };
delete quiet.DISPLAY;
delete quiet.WAYLAND_DISPLAY;
const npm = spawn('npm', ['start', '--silent', '--', '--server'], {
  cwd: copy,
  env: quiet,
  stdio: ['ignore', 'pipe', 'inherit'],
  detached: true,
});
let said = '';
npm.stdout.on('data', (data) => (said += data));

/** [pid, parent, command line] of every process. */
function processes() {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state !== 'Z') found.push({ pid: Number(pid), parent: Number(parent), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8') });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}
function descendants(of) {
  const all = processes();
  const found = all.filter(({ pid }) => pid === of);
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid));
  return found;
}
const extensionHosts = () => descendants(npm.pid).filter(({ command }) => command.includes('--type=extensionHost'));
/** Milliseconds of processor time that a process has used. */
const used = ({ pid }) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return 10 * (Number(user) + Number(system));
};

async function until(ask, what, milliseconds = patience) {
  const limit = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > limit) throw new Error(`waited in vain: ${what}\n${said}`);
    await new Promise((settle) => setTimeout(settle, 50));
  }
}

let page;
async function does(what, act) {
  const name = `npm start ${what}`;
  const started = Date.now();
  try {
    await act();
    counts.passed++;
    console.log(`    ok  ${name}  ${Date.now() - started} ms`);
  } catch (error) {
    counts.failed++;
    counts.failures.push(name);
    await page?.screenshot({ path: join(out, 'start-failed.png') }).catch(() => {});
    console.log(`    FAILED  ${name}\n${error.message}\n    (screenshot out/vscode/start-failed.png)`);
    throw error;
  }
}

let browser;
try {
  let url;
  await does('builds, prints an address and what to do there', async () => {
    [, url] = await until(() => /VS Code is at (http\S+)/.exec(said), 'the address', 90_000);
    if (!/nested-hello\.asm and press F5/.test(said)) throw new Error(`it says ${said}`);
    const { status } = await fetch(url);
    if (status !== 200) throw new Error(`the address answers ${status}`);
  });

  await does('has the examples open, with the extension that knows their language', async () => {
    browser = await openBrowser();
    page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    await page.goto(url);
    for (const folder of ['entry-failure', 'hello64', 'nested-hello'])
      await page.getByRole('treeitem', { name: folder, exact: true }).waitFor({ timeout: 60_000 });
    await page.getByRole('treeitem', { name: 'nested-hello', exact: true }).click();
    await page.getByRole('treeitem', { name: 'nested-hello.asm' }).dblclick({ timeout: patience });
    await page.locator('.statusbar-item', { hasText: 'x86 Assembly' }).waitFor({ timeout: patience });
  });

  await does('F5 on nested-hello stops at entry', async () => {
    const frame = page.locator('.debug-call-stack .monaco-list-row', { hasText: /^L1 start/ }).first();
    await page.keyboard.press('Control+Shift+D');
    // F5 does nothing until the debug contributions have loaded.
    for (let attempt = 0; !(await frame.isVisible()); attempt++) {
      if (attempt === 12) throw new Error('no frame after twelve times F5');
      await page.keyboard.press('F5');
      await frame.waitFor({ timeout: 2500 }).catch(() => {});
    }
    await page.locator('.pane-header', { hasText: 'Control Structures' }).waitFor({ timeout: patience });
    await page.screenshot({ path: join(out, 'start.png') });
  });

  await does('leaves no extension host when the page is closed in the middle of a run', async () => {
    const input = page.locator('.repl-input-wrapper .native-edit-context, .repl-input-wrapper textarea').first();
    await input.focus();
    await page.keyboard.type('word [rip] = 0xfeeb'); // JMP to itself: the guest runs for ever.
    await page.keyboard.press('Enter');
    await page.locator('.repl .monaco-list-row', { hasText: '0xfeeb' }).first().waitFor({ timeout: patience });
    await page.keyboard.press('F5');
    const [host] = extensionHosts();
    if (!host) throw new Error('there is no extension host');
    const before = used(host);
    await until(() => used(host) > before + 1500, 'the guest runs', 30_000);
    await page.close({ runBeforeUnload: true });
    await until(() => extensionHosts().length === 0, 'the extension host has ended', 30_000);
  });

  await does('ends with Ctrl+C and leaves nothing running', async () => {
    const all = descendants(npm.pid);
    if (all.length < 2) throw new Error(`only ${all.length} processes were there`);
    const gone = new Promise((settle) => npm.once('exit', settle));
    process.kill(-npm.pid, 'SIGINT');
    await Promise.race([gone, new Promise((_, reject) => setTimeout(() => reject(new Error('npm start did not end')), patience).unref())]);
    await until(
      () => processes().every(({ pid, command }) => !all.some((one) => one.pid === pid && one.command === command)),
      'all its processes have ended',
    );
  });
} catch {
  process.exitCode = 1;
} finally {
  console.log(`counts ${JSON.stringify(counts)}`);
  await browser?.close();
  for (const { pid } of descendants(npm.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
  rmSync(copy, { recursive: true, force: true });
}
