#!/usr/bin/env node
// Stands in for a desktop VS Code (VSCODE_EXECUTABLE): takes the arguments that @vscode/test-electron gives, and runs the suite in code-server.
import { runInServer } from './run-in-server.mjs';

const args = process.argv.slice(2);
const option = (name) => args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
const code = await runInServer({
  extensionDevelopmentPath: option('--extensionDevelopmentPath'),
  extensionTestsPath: option('--extensionTestsPath'),
  folder: args.find((arg) => !arg.startsWith('-')),
  screenshot: process.env.NESTSCOPE_FAILURE_SCREENSHOT,
});
if (code !== 0) console.log(`the suite ended with ${code}`);
process.exit(typeof code === 'number' ? code : 1);
