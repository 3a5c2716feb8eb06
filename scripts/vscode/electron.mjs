// The editor's suite in the node extension host, by @vscode/test-electron: in VSCODE_EXECUTABLE, else in code-server (executable.mjs).
// VSCODE_EXECUTABLE=download lets test-electron fetch a desktop VS Code.
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { root } from '../bundles.mjs';

const given = process.env.VSCODE_EXECUTABLE;
try {
  await runTests({
    vscodeExecutablePath: given === 'download' ? undefined : (given ?? join(import.meta.dirname, 'executable.mjs')),
    extensionDevelopmentPath: root,
    extensionTestsPath: join(root, 'out/vscode/node/index.js'),
    launchArgs: [process.env.NESTSCOPE_EXAMPLES, '--disable-extensions'],
  });
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
