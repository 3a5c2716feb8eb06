/** Entry of the suite in a node extension host: VS Code calls run(). */
import { runSuite } from './run-suite';

export function run(): Promise<void> {
  return runSuite(() => import('./editor.test'));
}
