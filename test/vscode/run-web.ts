/** Entry of the suite in a web worker extension host: the same suite, in one bundle with mocha's build for browsers. */
import { runSuite } from './run-suite';

export function run(): Promise<void> {
  return runSuite(async () => {
    await import('./stops.test');
    await import('./views.test');
    (await import('./responsiveness.test')).responsiveness();
  });
}
