/** The rows of the memory view: addresses, bytes, what cannot be read, what changed. */
import { strict as assert } from 'node:assert';
import { memoryRows, splitReference } from '../../../extension/memory-html';

const reference = 'hpa:0xfffffffffffffff0';

describe('the memory view', () => {
  it('splits memory references', () => {
    assert.deepEqual(splitReference('l2:GPA:0x1F'), { space: 'l2:gpa', address: 0x1fn });
    assert.deepEqual(splitReference('hpa:0x0'), { space: 'hpa', address: 0n });
    for (const wrong of ['0x10', 'l3:gva:0x1', 'l1:hpa:0x1', 'hpa:12', 'hpa:']) assert.equal(splitReference(wrong), undefined, wrong);
  });

  it('shows sixteen bytes a row, with 64-bit addresses and characters', () => {
    const rows = memoryRows({
      reference,
      start: 0xfffffffffffffff0n,
      bytes: Uint8Array.from({ length: 17 }, (_, index) => 0x3b + index),
      before: undefined,
    });
    assert.equal(rows.match(/<tr>/g)!.length, 2);
    assert.match(rows, /fffffffffffffff0/);
    assert.match(rows, /data-offset="16">4b</);
    assert.match(rows, /;&#60;=&#62;\?@ABCDEFGHIJ/);
  });

  it('marks what changed, and says what it was', () => {
    const rows = memoryRows({ reference: 'hpa:0x0', start: 0n, bytes: Uint8Array.of(1, 2), before: Uint8Array.of(1, 3) });
    assert.match(rows, /data-offset="1" class="changed" title="was 03 at the last stop">02/);
    assert.ok(!/data-offset="0" class/.test(rows));
  });

  it('is one stop in the order of Tab, whatever its size', () => {
    const rows = memoryRows({ reference: 'hpa:0x0', start: 0n, bytes: new Uint8Array(64), before: undefined });
    assert.equal(rows.match(/tabindex="0"/g)!.length, 1);
    assert.equal(rows.match(/role="gridcell" tabindex="-1"/g)!.length, 63);
  });

  it('says so where nothing is mapped, and leaves gaps for bytes that cannot be read', () => {
    assert.match(
      memoryRows({ reference, start: 0n, bytes: new Uint8Array(0), before: undefined }),
      /Nothing is mapped at hpa:0xfffffffffffffff0/,
    );
    assert.equal(memoryRows({ reference, start: 0n, bytes: Uint8Array.of(1), before: undefined }).match(/class="none"/g)!.length, 15);
  });
});
