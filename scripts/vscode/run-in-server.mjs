// Runs a test suite inside the extension host of a real VS Code: code-server for the host, a headless browser for its window.
import { resolve } from 'node:path';
import { format } from 'node:util';
import { openBrowser } from './browser.mjs';
import { startServer } from './server.mjs';

/** What the suites print (test/vscode/run-suite.ts). */
const ours = /^ {4}|^counts /;
/** What VS Code says of itself while it starts and stops without a network. */
const noise =
  /socket|connection token|grace.time|AccountPolicy|AgentHost|Service Worker|open-vsx|builtin extensions cache|bindings file|spdlog|reconnection|marketplace|gallery|native-watchdog|\[LifecycleService\]|ERR_(NAME|INTERNET|FAILED)|github|chat|copilot|DialogService|devextension|vscode-test-web-support|workspace folder vscode-test-web|Found additional builtin/i;

/** Opens the workbench, prints what the suite in it prints, and resolves to its exit code, 'limit' or 'crash'. */
export async function runInPage(page, url, { screenshot, seconds = 300 } = {}) {
  let finish;
  const finished = new Promise((settle) => (finish = settle));
  await page.exposeFunction('codeAutomationLog', (_type, args) => {
    const line = format(...args);
    if (process.env.VERBOSE || ours.test(line) || !noise.test(line)) console.log(line);
  });
  await page.exposeFunction('codeAutomationExit', (code) => finish(code));
  page.on('pageerror', (error) => process.env.VERBOSE && console.log(`page error: ${error.message}`));
  page.on('crash', () => finish('crash'));
  await page.goto(url);
  let timer;
  const limit = new Promise((settle) => (timer = setTimeout(() => settle('limit'), seconds * 1000)));
  const code = await Promise.race([finished, limit]);
  clearTimeout(timer);
  if (screenshot && code !== 0) await page.screenshot({ path: screenshot }).catch(() => {});
  return code;
}

/**
 * Resolves to the exit code of the suite, 'limit' or 'crash'. `webExtension` (publisher.name) puts that extension into the web worker host.
 * @param {{ extensionDevelopmentPath: string, extensionTestsPath: string, folder?: string, webExtension?: string, screenshot?: string, seconds?: number }} options
 */
export async function runInServer({ extensionDevelopmentPath, extensionTestsPath, folder, webExtension, screenshot, seconds = 300 }) {
  // Built versions of VS Code heed extensionTestsPath in the address only with this option.
  const server = await startServer({
    args: ['--vscode-option', 'enable-smoke-test-driver'],
    settings: webExtension ? { 'remote.extensionKind': { [webExtension]: ['web'] } } : {},
  });
  let browser;
  try {
    browser = await openBrowser();
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    const uri = (path) => `vscode-remote://127.0.0.1:${server.port}${resolve(path)}`;
    const payload = [
      ['extensionDevelopmentPath', uri(extensionDevelopmentPath)],
      ['extensionTestsPath', uri(extensionTestsPath)],
      ['skipWelcome', 'true'],
    ];
    const opened = folder ? `folder=${encodeURIComponent(resolve(folder))}` : 'ew=true';
    return await runInPage(page, `http://127.0.0.1:${server.port}/?${opened}&payload=${encodeURIComponent(JSON.stringify(payload))}`, {
      screenshot,
      seconds,
    });
  } finally {
    await browser?.close();
    await server.stop();
  }
}
