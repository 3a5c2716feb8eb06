/** Near branches to targets that are not canonical: #GP(0) at the branch, with nothing done (SDM volume 2, "JMP", "CALL", "Jcc", "LOOP": 64-bit mode exceptions). */
import { strict as assert } from 'node:assert';
import { type Machine } from '../../../emulator/index';
import { STACK_TOP, firstException, flatGuest, peek64, poke, poke64, register } from './flat-guest';

/** The last page of the lower half and the first of the upper half of the address space are mapped to this frame. */
const FRAME = 0x130000;
const LOW_EDGE = 0x7fff_ffff_f000n;
const TABLES = 0x170000;

async function atTheEdge(edge: bigint, offset: number, code: number[], tier: 'interpreter' | 'jit', registers = {}): Promise<Machine> {
  const m = await flatGuest({ code: [0xff, 0xe0], tier, registers: { rax: edge + BigInt(offset), ...registers } });
  const upper = edge >> 63n !== 0n;
  const index = upper ? 0 : 511;
  poke64(m, Number(register(m, 'cr3')) + 8 * (upper ? 256 : 255), BigInt(TABLES | 3));
  poke64(m, TABLES + 8 * index, BigInt((TABLES + 0x1000) | 3));
  poke64(m, TABLES + 0x1000 + 8 * index, BigInt((TABLES + 0x2000) | 3));
  poke64(m, TABLES + 0x2000 + 8 * index, BigInt(FRAME | 3));
  poke(m, FRAME + offset, Uint8Array.from(code));
  return m;
}
const rel32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];

for (const tier of ['interpreter', 'jit'] as const)
  describe(`near branches over the edge of the canonical addresses (${tier})`, function () {
    this.timeout(60_000);
    it('JMP', async () => {
      assert.equal(await atTheEdge(LOW_EDGE, 0x800, [0xe9, ...rel32(0x1000)], tier).then(firstException), '13(0) at 7ffffffff800');
      assert.equal(await atTheEdge(LOW_EDGE, 0xff0, [0xeb, 0x70], tier).then(firstException), '13(0) at 7ffffffffff0');
      assert.equal(await atTheEdge(0xffff_8000_0000_0000n, 0x10, [0xe9, ...rel32(-0x1000)], tier).then(firstException), '13(0) at ffff800000000010'); // prettier-ignore
    });
    it('CALL pushes nothing', async () => {
      const m = await atTheEdge(LOW_EDGE, 0x800, [0xe8, ...rel32(0x1000)], tier);
      poke64(m, STACK_TOP - 8, 0x1122_3344_5566_7788n);
      assert.equal(firstException(m), '13(0) at 7ffffffff800');
      // The exception's own frame lies below the stack pointer as it was (SS is pushed first).
      assert.equal(peek64(m, STACK_TOP - 16), BigInt(STACK_TOP));
    });
    it('LOOP keeps RCX, and does not fault when it falls through', async () => {
      const m = await atTheEdge(LOW_EDGE, 0xff0, [0xe2, 0x70, 0xf4], tier, { rcx: 2 });
      assert.equal(firstException(m), '13(0) at 7ffffffffff0');
      assert.equal(register(m, 'rcx'), 2n);
      assert.equal(await atTheEdge(LOW_EDGE, 0xff0, [0xe2, 0x70, 0xf4], tier, { rcx: 1 }).then(firstException), 'halted');
    });
    it('Jcc in a hot loop, taken at last', async () => {
      // dec ecx; jz far; jmp back
      const loop = [0xff, 0xc9, 0x0f, 0x84, ...rel32(0x2000), 0xeb, 0xf6];
      const m = await atTheEdge(LOW_EDGE, 0x100, loop, tier, { rcx: 5000 });
      // Short slices: regions are compiled between them.
      assert.equal(firstException(m, 50), '13(0) at 7ffffffff102');
      assert.equal(register(m, 'rcx'), 0n);
      assert.equal(m.steps, 1 + 1 + 3 * 4999 + 2);
      assert.equal(tier === 'jit', m.tiers.compiled > 0);
    });
    it('running off the last page faults at the fetch instead', async () => {
      assert.equal(await atTheEdge(LOW_EDGE, 0xffe, [0x90, 0x90], tier).then(firstException), '13(0) at 800000000000');
    });
  });
