/** Disassembly documents: lines and their addresses, and when a document still shows what is in memory. */
import { strict as assert } from 'node:assert';
import { listingOf, stillShows, type DisassembledInstruction } from '../../../extension/disassembly-listing';

const code = (from: number, count: number, text = 'nop'): DisassembledInstruction[] =>
  Array.from({ length: count }, (_, index) => ({ address: `0x${(from + index).toString(16)}`, instructionBytes: '90', instruction: text }));

describe('disassembly listings', () => {
  it('put symbols on lines of their own and find each address again', () => {
    const listing = listingOf([
      { address: '0x1000', instructionBytes: '90', instruction: 'nop', symbol: 'start' },
      { address: '0x1001', instructionBytes: 'f4', instruction: 'hlt', symbol: 'start+1' },
    ]);
    assert.equal(listing.rows[0], 'start:');
    assert.match(listing.rows[1]!, /^ {4}nop +; 0000000000001000 {2}90$/);
    assert.equal(listing.rows.length, 3);
    assert.deepEqual(
      [...listing.lines],
      [
        [0x1000n, 2],
        [0x1001n, 3],
      ],
    );
  });

  it('are used again for an address in them, and beyond their end', () => {
    const listing = listingOf(code(0x1000, 100));
    assert.ok(stillShows(listing, code(0x1000, 100)));
    assert.ok(stillShows(listing, code(0x1032, 100)));
  });

  it('are not used for other addresses, near their end, or when the code changed', () => {
    const listing = listingOf(code(0x1000, 100));
    assert.ok(!stillShows(listing, code(0x2000, 100)));
    assert.ok(!stillShows(listing, code(0xfff, 100)));
    assert.ok(!stillShows(listing, code(0x1000 + 97, 100)));
    assert.ok(!stillShows(listing, [...code(0x1000, 50), ...code(0x1032, 1, 'hlt'), ...code(0x1033, 49)]));
    assert.ok(!stillShows(listing, []));
  });
});
