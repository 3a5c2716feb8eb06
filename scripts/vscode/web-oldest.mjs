// The editor's suite in the oldest VS Code for browsers that is supported: no server side but files, the worker host, a workspace that is no disk.
import { createServer } from 'node:net';
import { join } from 'node:path';
import testWeb from '@vscode/test-web';
import { root } from '../bundles.mjs';
import { openBrowser } from './browser.mjs';
import { runInPage } from './run-in-server.mjs';
import { installServer, webDownloads } from './server.mjs';

installServer();
const port = await new Promise((settle) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => settle(free));
  });
});
const server = await testWeb.open({
  browserType: 'none',
  host: '127.0.0.1',
  port,
  quality: 'stable',
  commit: 'local',
  testRunnerDataDir: webDownloads,
  extensionDevelopmentPath: root,
  extensionTestsPath: join(root, 'out/vscode/web/index.js'),
  folderPath: process.env.NESTSCOPE_EXAMPLES,
});
const browser = await openBrowser();
try {
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  const code = await runInPage(page, `http://localhost:${port}/`, { screenshot: process.env.NESTSCOPE_FAILURE_SCREENSHOT });
  if (code !== 0) console.log(`the suite ended with ${code}`);
  process.exitCode = code === 0 ? 0 : 1;
} finally {
  await browser.close();
  server.dispose();
}
