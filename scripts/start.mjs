// npm start: builds the extension and opens the examples in a real VS Code with it: the one on PATH, else a server for the browser.
//   --server   the server even where there is a `code` command
//   --port N   the server's port
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from './peers/packages.mjs';
import { root } from './bundles.mjs';

if (!existsSync(join(root, 'node_modules/esbuild'))) {
  console.log('installing npm packages (npm ci)');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}
const { build } = await import('./build.mjs');
await build({ quiet: true });

const examples = join(root, 'examples');
const next = 'Open nested-hello/nested-hello.asm and press F5: the machine stops before the first instruction of the hypervisor.';
const code = process.platform === 'win32' ? 'code.cmd' : 'code';

if (findCommand(code) && !process.argv.includes('--server')) {
  console.log(`Opening VS Code with the examples.\n${next}`);
  spawnSync(code, [`--extensionDevelopmentPath=${root}`, examples], { stdio: 'inherit', shell: process.platform === 'win32' });
} else {
  const { folderUrl, startServer } = await import('./vscode/server.mjs');
  const { publisher, name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const extensions = join(root, 'out/extensions');
  rmSync(extensions, { recursive: true, force: true });
  mkdirSync(extensions, { recursive: true });
  symlinkSync(root, join(extensions, `${publisher}.${name}-${version}`)); // A rebuild shows after a reload of the page.
  const portAt = process.argv.indexOf('--port');
  const server = await startServer({ extensions, port: portAt > 0 ? Number(process.argv[portAt + 1]) : undefined });
  const url = folderUrl(server.port, examples);
  console.log(`\nVS Code is at ${url}\n${next}\nCtrl+C here ends it.`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void server.stop().then(() => process.exit(0)));
  if (process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
    spawn('xdg-open', [url], { stdio: 'ignore', detached: true }).on('error', () => {});
}
