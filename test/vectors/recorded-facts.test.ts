/** The recorded files themselves: complete, masked, and in agreement with what the manual says of a few simple instructions. */
import { strict as assert } from 'node:assert';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Vector, UNRECORDED_FLAGS, layout, readVectors } from './vector-file';

const path = (mode: number): string => join(import.meta.dirname, `int${mode}.jsonl`);
const files = ([64, 32] as const).map((mode) => readVectors(readFileSync(path(mode), 'utf8')));
const all = files.flat();
const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

function completed(form: string): Vector[] {
  const found = all.filter((vector) => vector.form === form && !vector.fault);
  assert.ok(found.length >= 5, `${form}: only ${found.length} vectors`);
  return found;
}
const immediate = (vector: Vector, bytes: number): bigint =>
  vector.code.slice(-bytes).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
const rax = (state: Vector['before'], bits: number): bigint => BigInt.asUintN(bits, state.registers[0]);
const parity = (value: bigint): boolean => {
  let ones = 0;
  for (let i = 0n; i < 8n; i++) if ((value >> i) & 1n) ones++;
  return ones % 2 === 0;
};
function flagsOf(bits: number, result: bigint, more: Partial<Record<'carry' | 'adjust' | 'overflow', boolean>>): number {
  const low = BigInt.asUintN(bits, result);
  return (
    (more.carry ? CF : 0) | (parity(low) ? PF : 0) | (more.adjust ? AF : 0) | (low === 0n ? ZF : 0) |
    (low >> BigInt(bits - 1) ? SF : 0) | (more.overflow ? OF : 0)
  ); // prettier-ignore
}
const arithmetic = CF | PF | AF | ZF | SF | OF;
const fits = (bits: number, value: bigint): boolean => BigInt.asIntN(bits, value) === value;

describe('the recorded vectors', () => {
  it('are at least 15,000 over both modes, in less than 3 MB', () => {
    assert.ok(all.length >= 15000, `${all.length}`);
    for (const vectors of files) assert.ok(vectors.length >= 5000, `${vectors[0].mode}-bit: ${vectors.length}`);
    assert.ok(statSync(path(64)).size + statSync(path(32)).size < 3 << 20);
  });

  it('never speak of TF and RF', () => {
    assert.equal(all.filter(({ before, after }) => (before.rflags | after.rflags) & UNRECORDED_FLAGS).length, 0);
  });

  it('change no register and no memory when they fault', () => {
    const odd = all.filter(
      ({ fault, before, after, changes }) => fault && (changes.length > 0 || `${before.registers}` !== `${after.registers}`),
    );
    assert.deepEqual(odd, []);
  });

  it('touch only memory of the layout', () => {
    const inside = (address: number, length: number): boolean =>
      layout.regions.some((region) => address >= region.address && address + length <= region.address + region.size);
    const extents = all.flatMap(({ memory, changes }) => [...memory, ...changes]);
    assert.deepEqual(
      extents.filter(({ address, bytes }) => !inside(address, bytes.length)),
      [],
    );
  });

  for (const [form, bits] of [
    ['ADD AL, imm8', 8],
    ['ADD AX, imm16', 16],
    ['ADD EAX, imm32', 32],
  ] as const)
    // prettier-ignore
    it(`${form} adds and sets six flags`, () => {
      for (const vector of completed(form)) {
        const a = rax(vector.before, bits);
        const b = BigInt.asUintN(bits, immediate(vector, bits / 8));
        const overflow = !fits(bits, BigInt.asIntN(bits, a) + BigInt.asIntN(bits, b));
        const flags = flagsOf(bits, a + b, { carry: a + b >= 1n << BigInt(bits), adjust: (a & 15n) + (b & 15n) > 15n, overflow });
        assert.equal(rax(vector.after, bits), BigInt.asUintN(bits, a + b));
        assert.equal(vector.after.rflags & arithmetic, flags);
      }
    });

  it('SBB RAX, imm32 subtracts the sign-extended immediate and the carry', () => {
    for (const vector of completed('SBB RAX, imm32')) {
      const a = vector.before.registers[0];
      const b = BigInt.asUintN(64, BigInt.asIntN(32, immediate(vector, 4)));
      const borrow = BigInt(vector.before.rflags & CF);
      const overflow = !fits(64, BigInt.asIntN(64, a) - BigInt.asIntN(64, b) - borrow);
      const flags = flagsOf(64, a - b - borrow, { carry: a < b + borrow, adjust: (a & 15n) < (b & 15n) + borrow, overflow });
      assert.equal(vector.after.registers[0], BigInt.asUintN(64, a - b - borrow));
      assert.equal(vector.after.rflags & arithmetic, flags);
    }
  });

  it('AND AL, imm8 clears CF and OF and leaves AF undefined', () => {
    for (const vector of completed('AND AL, imm8')) {
      const result = rax(vector.before, 8) & immediate(vector, 1);
      assert.equal(vector.undefinedFlags, AF);
      assert.equal(vector.after.rflags & arithmetic & ~AF, flagsOf(8, result, {}));
    }
  });

  it('INC and DEC keep CF', () => {
    for (const form of ['INC r/m8', 'DEC r/m32', 'INC r/m64', 'DEC r32'])
      for (const { before, after } of completed(form)) assert.equal(after.rflags & CF, before.rflags & CF);
  });

  it('a 32-bit result clears the upper half of its register, an 8-bit one keeps the rest', () => {
    for (const { mode, after } of completed('MOV EAX, moffs32')) if (mode === 64) assert.equal(after.registers[0] >> 32n, 0n);
    for (const { before, after } of completed('ADD AL, imm8')) assert.equal(after.registers[0] >> 8n, before.registers[0] >> 8n);
  });

  it('one iteration of REP MOVSB moves one byte', () => {
    const counts = completed('REP MOVSB').map(({ mode, before, after, code }) => {
      const width = code.includes(0x67) ? mode / 2 : mode;
      const [from, to] = [before, after].map(({ registers }) => BigInt.asUintN(width, registers[1]));
      assert.equal(to, from === 0n ? 0n : from - 1n);
      assert.equal(after.rip, to === 0n ? before.rip + BigInt(code.length) : before.rip);
      return from;
    });
    assert.ok(counts.some((count) => count > 1n));
  });

  it('divisions fault for zero divisors and for quotients that do not fit', () => {
    const faults = all.filter(({ form, fault }) => /^I?DIV /.test(form) && fault?.vector === 0);
    assert.ok(faults.length >= 8, `${faults.length}`);
    assert.ok(faults.every(({ fault, before, after }) => fault?.errorCode === undefined && after.rip === before.rip));
  });

  it('page faults carry an error code and CR2; a read-modify-write faults as a write', () => {
    const pageFaults = all.filter(({ fault }) => fault?.vector === 14);
    assert.ok(pageFaults.length > 200, `${pageFaults.length}`);
    for (const { fault } of pageFaults) assert.ok(fault?.cr2 !== undefined && fault.errorCode !== undefined && (fault.errorCode & 4) !== 0);
    const written = pageFaults.filter(({ form }) => /^(INC|DEC|NEG|NOT|XADD|CMPXCHG) ?/.test(form));
    assert.ok(written.length > 5 && written.every(({ fault }) => ((fault?.errorCode ?? 0) & 2) !== 0));
  });
});
