// A mocha reporter for scripts/test.mjs: one line for each test file's outermost describe, failures in full, counts as JSON for the caller.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');
const { EVENT_RUN_END, EVENT_SUITE_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Runner.constants;

module.exports = class ProjectReporter {
  constructor(runner) {
    const counts = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
    const failures = [];
    let here = { passed: 0, failed: 0, skipped: 0, started: Date.now() };
    const count = (what) => {
      counts[what]++;
      here[what]++;
    };
    runner.on(EVENT_TEST_PASS, (test) => {
      count('passed');
      if (process.env.VERBOSE) console.log(`    ok  ${test.fullTitle()}  ${test.duration ?? 0} ms`);
    });
    runner.on(EVENT_TEST_PENDING, (test) => {
      count('skipped');
      counts.skips.push(test.skipReason ? `${test.fullTitle()}: ${test.skipReason}` : test.fullTitle());
    });
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      count('failed');
      test.err = error;
      failures.push(test);
      counts.failures.push(test.fullTitle());
      console.log(`    FAILED  ${test.fullTitle()}`);
    });
    runner.on(EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root) return;
      const marks = [`${here.passed} passed`];
      if (here.failed) marks.push(`${here.failed} failed`);
      if (here.skipped) marks.push(`${here.skipped} skipped`);
      console.log(`  ${suite.title}: ${marks.join(', ')} (${((Date.now() - here.started) / 1000).toFixed(1)} s)`);
      here = { passed: 0, failed: 0, skipped: 0, started: Date.now() };
    });
    runner.on(EVENT_RUN_END, () => {
      if (failures.length) reporters.Base.list(failures);
      if (process.env.NESTSCOPE_COUNTS) writeFileSync(process.env.NESTSCOPE_COUNTS, JSON.stringify(counts));
    });
  }
};
