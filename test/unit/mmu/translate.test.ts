/**
 * Translation against a second, plain model of the manual's rules (volume 3, "Paging" and "The Extended Page Table Mechanism"), on random
 * tables: result, error code, EPT-violation qualification, accessed and dirty flags, and that a TLB hit gives what the walk gave.
 */
import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { Cpu } from '../../../emulator/cpu/cpu';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Access, Mmu } from '../../../emulator/mmu/mmu';
import { entryPage } from '../../../emulator/mmu/tlb';
import { defaultCpuModel } from '../../../emulator/spec/cpu-models';
import { Seg, State } from '../../../emulator/spec/vcpu-state';

const TABLES = [0x10000, 0x11000, 0x12000, 0x13000];
const EPT = [0x20000, 0x21000, 0x22000, 0x23000, 0x24000];
const PHYSICAL_BITS = BigInt(defaultCpuModel.maxPhyAddr);

const shared = new PhysicalMemory(4 << 20);
/** A CPU with cleared state on cleared tables. */
function makeCpu(): { cpu: Cpu; mmu: Mmu; memory: PhysicalMemory } {
  const memory = shared;
  memory.u8.fill(0, memory.vcpuBase(0), memory.vcpuBase(1));
  memory.physWrite(0, new Uint8Array(0x30000));
  const mmu = new Mmu(memory);
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, defaultCpuModel, () => 0, mmu);
  return { cpu, mmu, memory };
}

interface Scene {
  readonly address: bigint;
  readonly entries: readonly bigint[];
  readonly user: boolean;
  readonly wp: boolean;
  readonly nx: boolean;
  readonly access: 'read' | 'write' | 'execute';
}
const bit = (name: bigint): fc.Arbitrary<bigint> => fc.constantFrom(0n, name);
/** Flags as real tables have them, with a rare reserved or high bit. */
const flags = fc
  .tuple(
    fc.constantFrom(1n, 1n, 1n, 1n, 1n, 0n), bit(2n), bit(4n), bit(0x20n), bit(0x40n), fc.constantFrom(0n, 0n, 0n, 0x80n), fc.constantFrom(0n, 0n, 1n << 63n),
    fc.constantFrom(0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n << PHYSICAL_BITS, 0x2000n),
  )
  .map((b) => b.reduce((a, c) => a | c)); // prettier-ignore
const scenes: fc.Arbitrary<Scene> = fc.record({
  address: fc.tuple(fc.bigInt(0n, (1n << 47n) - 1n), fc.boolean()).map(([a, high]) => (high ? a | 0xffff_8000_0000_0000n : a)),
  entries: fc.array(flags, { minLength: 4, maxLength: 4 }),
  user: fc.boolean(),
  wp: fc.boolean(),
  nx: fc.boolean(),
  access: fc.constantFrom('read', 'write', 'execute'),
});

/** The entry at each level with the address of the next table (or a frame) put in. */
function fullEntries(s: Scene): bigint[] {
  return s.entries.map((f, level) => {
    const large = (f & 0x80n) !== 0n && (level === 1 || level === 2);
    if (level === 3) return (f & ~0x2000n) | 0x30_0000n;
    return large ? f | (level === 1 ? 0n : 0x20_0000n) : (f & ~0x2000n) | BigInt(TABLES[level + 1]);
  });
}

type Expected = { ok: true; page: bigint; marked: number } | { ok: false; error: number };

/** What the manual says of the scene. */
function model(s: Scene): Expected {
  const entries = fullEntries(s);
  const fetchBit = s.access === 'execute' && s.nx ? 16 : 0;
  const base = (s.access === 'write' ? 2 : 0) | (s.user ? 4 : 0) | fetchBit;
  let writable = true;
  let userPage = true;
  let executable = true;
  for (let level = 0; level < 4; level++) {
    const e = entries[level];
    if ((e & 1n) === 0n) return { ok: false, error: base };
    const large = (e & 0x80n) !== 0n && (level === 1 || level === 2);
    const addressBits = (e >> 12n) & ((1n << 40n) - 1n);
    let reserved = addressBits >> (PHYSICAL_BITS - 12n) !== 0n || (!s.nx && e >> 63n !== 0n) || (level === 0 && (e & 0x80n) !== 0n);
    if (large) reserved ||= (e & (level === 1 ? 0x3fff_e000n : 0x1f_e000n)) !== 0n;
    if (reserved) return { ok: false, error: base | 9 };
    writable &&= (e & 2n) !== 0n;
    userPage &&= (e & 4n) !== 0n;
    executable &&= !(s.nx && e >> 63n !== 0n);
    if (large || level === 3) {
      const allowed =
        (!s.user || userPage) && (s.access !== 'write' || writable || (!s.user && !s.wp)) && (s.access !== 'execute' || executable);
      if (!allowed) return { ok: false, error: base | 1 };
      const size = level === 1 ? 1n << 30n : level === 2 ? 1n << 21n : 1n << 12n;
      const frame = e & ((1n << PHYSICAL_BITS) - 1n) & ~0xfffn & ~(size - 1n);
      return { ok: true, page: frame + (s.address & (size - 1n) & ~0xfffn), marked: level };
    }
  }
  throw new Error('a PT entry is a leaf');
}

function setUp(s: Scene): { cpu: Cpu; mmu: Mmu; memory: PhysicalMemory; places: number[] } {
  const { cpu, mmu, memory } = makeCpu();
  const places = [39n, 30n, 21n, 12n].map((shift, level) => TABLES[level] + Number((s.address >> shift) & 511n) * 8);
  fullEntries(s).forEach((e, level) => memory.write64(places[level], e));
  cpu.set64(State.cr0, 0x8000_0001n | (s.wp ? 0x10000n : 0n));
  cpu.set64(State.cr3, BigInt(TABLES[0]));
  cpu.set64(State.cr4, 0x20n);
  cpu.set64(State.efer, 0x500n | (s.nx ? 0x800n : 0n));
  cpu.setSegment(Seg.cs, 8, 0n, 0xffffffff, 0xa09b);
  cpu.setCpl(s.user ? 3 : 0);
  mmu.flushAll(cpu);
  return { cpu, mmu, memory, places };
}
const lo = (a: bigint): number => Number(a & 0xffffffffn) >>> 0;
const hi = (a: bigint): number => Number(BigInt.asUintN(64, a) >> 32n) >>> 0;

describe('translation', function () {
  this.timeout(60_000);
  it('4-level paging agrees with the manual on random tables', () => {
    let allowed = 0;
    fc.assert(
      fc.property(scenes, (s) => {
        const { cpu, mmu, memory, places } = setUp(s);
        const expected = model(s);
        const i = mmu.translate(cpu, lo(s.address), hi(s.address), Access[s.access]);
        if (!expected.ok) {
          assert.equal(i, -1);
          assert.deepEqual([cpu.get32(State.pendingVector), cpu.get32(State.pendingErrorCode)], [14, expected.error]);
          assert.equal(cpu.get64(State.pendingLinear), BigInt.asUintN(64, s.address));
          fullEntries(s).forEach((e, level) => assert.equal(memory.read64(places[level]), e, 'a fault changes no entry'));
          return;
        }
        allowed++;
        assert.equal(BigInt(entryPage(cpu, i)), expected.page);
        fullEntries(s).forEach((e, level) => {
          if (level > expected.marked) return;
          const dirty = s.access === 'write' && level === expected.marked ? 0x40n : 0n;
          assert.equal(memory.read64(places[level]), e | 0x20n | dirty);
        });
        // The tables are gone, the TLB remembers.
        for (const p of places) memory.write64(p, 0n);
        assert.equal(mmu.translate(cpu, lo(s.address), hi(s.address), Access[s.access]), i);
        mmu.invalidatePage(cpu, s.address);
        assert.equal(mmu.translate(cpu, lo(s.address), hi(s.address), Access[s.access]), -1, 'INVLPG');
      }),
      { numRuns: 8000, seed: 7 },
    );
    assert.ok(allowed > 300, `${allowed} allowed`);
  });

  it('a write through an entry filled by a read sets the dirty flag', () => {
    const s: Scene = { address: 0x1234_5678_9000n, entries: [7n, 7n, 7n, 7n], user: true, wp: true, nx: true, access: 'read' };
    const { cpu, mmu, memory, places } = setUp(s);
    assert.ok(mmu.translate(cpu, lo(s.address), hi(s.address), Access.read) >= 0);
    assert.equal(memory.read64(places[3]) & 0x60n, 0x20n);
    assert.ok(mmu.translate(cpu, lo(s.address), hi(s.address), Access.write) >= 0);
    assert.equal(memory.read64(places[3]) & 0x60n, 0x60n);
  });

  it('MOV CR3 semantics: a fresh context forgets, and contexts never run out', () => {
    const s: Scene = { address: 0x40_0000n, entries: [7n, 7n, 7n, 7n], user: false, wp: true, nx: true, access: 'read' };
    const { cpu, mmu, memory, places } = setUp(s);
    for (let n = 0; n < 1000; n++) {
      memory.write64(places[3], BigInt(0x30_0000 + (n % 64) * 4096) | 7n);
      mmu.flushCurrentContext(cpu);
      const i = mmu.translate(cpu, lo(s.address), hi(s.address), Access.read);
      assert.equal(entryPage(cpu, i), 0x30_0000 + (n % 64) * 4096);
    }
  });

  it('non-canonical addresses are #GP(0)', () => {
    const s: Scene = { address: 0n, entries: [7n, 7n, 7n, 7n], user: false, wp: true, nx: true, access: 'read' };
    const { cpu, mmu } = setUp(s);
    for (const a of [0x0000_8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 0x1234_0000_0000_0000n]) {
      assert.equal(mmu.translate(cpu, lo(a), hi(a), Access.read), -1);
      assert.deepEqual([cpu.get32(State.pendingVector), cpu.get32(State.pendingErrorCode)], [13, 0]);
    }
  });
});

describe('translation through EPT', function () {
  this.timeout(60_000);
  const permissions = fc.constantFrom(7n, 7n, 7n, 7n, 5n, 1n, 4n, 0n, 2n, 6n, 3n);
  it('agrees with the manual on random EPT permissions, and names the access in the qualification', () => {
    const seen = new Set<number>();
    fc.assert(
      fc.property(
        fc.array(permissions, { minLength: 4, maxLength: 4 }), fc.constantFrom('read', 'write', 'execute') as fc.Arbitrary<Scene['access']>, fc.boolean(), fc.constantFrom(6n, 0n, 2n),
        (rights, access, large, type) => {
          const { cpu, mmu, memory } = makeCpu();
          const gpa = 0x12_3456;
          // No guest paging: the linear address is the guest-physical one.
          cpu.set64(State.cr0, 1n);
          cpu.setF64(State.eptPointer, EPT[0]);
          cpu.setSegment(Seg.cs, 8, 0n, 0xffffffff, 0xc09b);
          memory.write64(EPT[0], BigInt(EPT[1]) | rights[0]);
          memory.write64(EPT[1], BigInt(EPT[2]) | rights[1]);
          memory.write64(EPT[2], large ? 0x20_0000n | rights[2] | 0x80n | (type << 3n) : BigInt(EPT[3]) | rights[2]);
          memory.write64(EPT[3] + (gpa >> 12) * 8, 0x35_6000n | rights[3] | (type << 3n));
          mmu.flushAll(cpu);
          const used = large ? rights.slice(0, 3) : rights;
          let expected: 'ok' | 'violation' | 'misconfiguration' = 'ok';
          let all = 7n;
          for (const [level, r] of used.entries()) {
            if (r === 0n) { expected = 'violation'; all = 0n; break; }
            const leaf = level === used.length - 1;
            if (r === 2n || r === 6n || (leaf && type === 2n)) { expected = 'misconfiguration'; break; }
            all &= r;
          }
          const wanted = access === 'read' ? 1n : access === 'write' ? 2n : 4n;
          if (expected === 'ok' && (all & wanted) === 0n) expected = 'violation';
          const i = mmu.translate(cpu, gpa, 0, Access[access]);
          if (expected === 'ok') {
            assert.equal(entryPage(cpu, i), large ? 0x20_0000 + 0x12_3000 : 0x35_6000);
            return;
          }
          assert.equal(i, -1);
          const reason = cpu.get32(State.pendingReason);
          seen.add(reason);
          assert.equal(reason, expected === 'violation' ? 48 : 49);
          assert.equal(cpu.getF64(State.pendingGpa), gpa);
          if (expected === 'violation') assert.equal(cpu.get64(State.pendingQualification), wanted | (all << 3n) | 0x180n);
        },
      ),
      { numRuns: 3000, seed: 11 },
    ); // prettier-ignore
    assert.deepEqual([...seen].sort(), [48, 49]);
  });
});
