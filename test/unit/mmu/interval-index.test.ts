/** The index of intervals against a plain search, and that thousands of nested and wide ones stay cheap. */
import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { type Interval, IntervalIndex } from '../../../emulator/mmu/interval-index';

const intervals = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 30 })), { maxLength: 25 })
  .map((list) => list.map(([first, length], value) => ({ first: BigInt(first), end: BigInt(first + length), value })));

describe('interval index', () => {
  it('finds what a plain search finds', () => {
    fc.assert(
      fc.property(intervals, fc.integer({ min: 0, max: 95 }), fc.integer({ min: 1, max: 20 }), (list, at, length) => {
        const [first, end] = [BigInt(at), BigInt(at + length)];
        const index = new IntervalIndex<number>(list);
        const expected = list.filter((i) => i.first < end && i.end > first).map(({ value }) => value);
        assert.deepEqual([...index.meeting(first, end)].sort(), expected.sort());
        assert.equal(index.meeting(first, end, 1).length, Math.min(1, expected.length));
        assert.equal(index.isEmpty, list.length === 0);
      }),
      { numRuns: 3000, seed: 11 },
    );
  });

  it('does not look at all of many intervals', () => {
    // One that covers everything, and 20,000 small ones behind one another.
    const list: Interval<number>[] = [{ first: 0n, end: 1n << 64n, value: -1 }];
    for (let n = 0; n < 20_000; n++) list.push({ first: BigInt(n) * 4096n, end: BigInt(n) * 4096n + 8n, value: n });
    const index = new IntervalIndex<number>(list);
    let looks = 0;
    const counted = list.map((i) => ({
      ...i,
      get first() {
        looks++;
        return i.first;
      },
    }));
    const watched = new IntervalIndex<number>(counted);
    looks = 0;
    for (let n = 0; n < 1000; n++) {
      const at = BigInt(n * 17) * 4096n + 4n;
      assert.deepEqual([...watched.meeting(at, at + 1n)].sort(), [...index.meeting(at, at + 1n)].sort());
    }
    assert.ok(looks < 1000 * 60, `${looks} intervals were looked at`);
  });
});
