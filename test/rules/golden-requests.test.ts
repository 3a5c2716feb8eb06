/** Every request that the debug adapter answers appears in a golden conversation over stdio. */
import { strict as assert } from 'node:assert';
import { filesBelow, read } from './source-files';

describe('rule: golden conversations', () => {
  it('ask every request that the session has', () => {
    const session = read('debug-adapter/session.ts');
    const table = session.slice(session.indexOf('private table('), session.indexOf('dispatchRequest('));
    const requests = [...table.matchAll(/^ {6}'?([\w/]+)'?: \(/gm)].map((match) => match[1]!);
    assert.ok(requests.length >= 40, `${requests.length} requests found in debug-adapter/session.ts`);
    const asked = new Set<string>();
    for (const file of filesBelow('test/dap/golden').filter((name) => name.endsWith('.txt'))) {
      for (const match of read(file).matchAll(/^→ (\S+) /gm)) asked.add(match[1]!);
    }
    assert.deepEqual(
      requests.filter((request) => !asked.has(request)),
      [],
    );
  });
});
