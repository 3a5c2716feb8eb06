/** Runs the editor's suite with mocha's build for browsers, which every extension host can load, and prints the counts for scripts/vscode. */
import 'mocha/mocha.js';

/** The part of mocha's browser build that is used here. */
interface BrowserMocha {
  setup(options: object): void;
  run(done: (failures: number) => void): { on(event: string, listener: (test: TestInRun, error: Error) => void): void };
}
interface TestInRun {
  fullTitle(): string;
  readonly duration?: number;
}

export async function runSuite(load: () => Promise<unknown>): Promise<void> {
  const browserMocha = (globalThis as unknown as { mocha: BrowserMocha }).mocha;
  // Nothing here has a `location`, and mocha reads location.search.
  if (!globalThis.location) Object.defineProperty(globalThis, 'location', { value: { search: '' }, configurable: true });
  // In a node host NESTSCOPE_GREP chooses tests by a part of their names.
  const grep = (globalThis as { process?: { env?: Record<string, string> } }).process?.env?.NESTSCOPE_GREP;
  browserMocha.setup({ ui: 'bdd', timeout: 30_000, reporter: class {}, ...(grep ? { grep } : {}) });
  await load();
  const counts = { passed: 0, failed: 0, skipped: 0, skips: [] as string[], failures: [] as string[] };
  await new Promise<void>((done) => {
    const runner = browserMocha.run(() => done());
    runner.on('pass', (test) => {
      counts.passed++;
      console.log(`    ok  ${test.fullTitle()}  ${test.duration ?? 0} ms`);
    });
    runner.on('pending', (test) => {
      counts.skipped++;
      counts.skips.push(test.fullTitle());
    });
    runner.on('fail', (test, error) => {
      counts.failed++;
      counts.failures.push(test.fullTitle());
      console.log(`    FAILED  ${test.fullTitle()}\n${error.stack ?? error.message}`);
    });
  });
  console.log(`counts ${JSON.stringify(counts)}`);
  if (counts.failed > 0) throw new Error(`${counts.failed} failed`);
}
