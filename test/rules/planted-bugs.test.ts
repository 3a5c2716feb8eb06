/** The texts by which `npm run test:planted` plants its bugs still stand in the source, once each, and every bug names a suite that is there. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bugs } from '../../scripts/planted-bugs/bugs.mjs';

const root = join(import.meta.dirname, '../..');

describe('planted bugs', () => {
  for (const { name, file, search, replace, suite } of bugs)
    it(name, () => {
      const source = readFileSync(join(root, file), 'utf8');
      assert.equal(source.split(search).length - 1, 1, `${file} must hold this once: ${search}`);
      assert.notEqual(search, replace);
      const path = join(root, 'test', suite);
      const files = existsSync(path) ? ['.'] : readdirSync(dirname(path)).filter((f) => join(dirname(path), f).startsWith(path));
      assert.ok(files.length > 0, `no test begins with test/${suite}`);
    });

  it('are at least five, in flags, TLB tags, budget, self-modification and restart', () => {
    for (const about of ['flags', 'TLB tags', 'budget', 'self-modification', 'restart'])
      assert.ok(
        bugs.some((bug) => bug.about === about),
        about,
      );
  });
});
