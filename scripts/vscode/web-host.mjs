// The editor's suite in the web worker extension host of a real VS Code.
import { join } from 'node:path';
import { root } from '../bundles.mjs';
import { runInServer } from './run-in-server.mjs';

const code = await runInServer({
  extensionDevelopmentPath: root,
  extensionTestsPath: join(root, 'out/vscode/web/index.js'),
  folder: process.env.NESTSCOPE_EXAMPLES,
  webExtension: process.env.NESTSCOPE_EXTENSION,
  screenshot: process.env.NESTSCOPE_FAILURE_SCREENSHOT,
});
if (code !== 0) console.log(`the suite ended with ${code}`);
process.exitCode = code === 0 ? 0 : 1;
