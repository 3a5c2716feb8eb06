/** Entry of the suite in a node extension host: VS Code calls run(). */
import { runDelay } from './run-delay';
import { runSuite } from './run-suite';

export function run(): Promise<void> {
  return runSuite(async () => {
    await import('./stops.test');
    await import('./views.test');
    (await import('./responsiveness.test')).responsiveness(runDelay);
  });
}
