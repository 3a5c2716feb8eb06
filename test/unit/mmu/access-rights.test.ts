/**
 * Paging modes and protection beyond plain 4-level paging, against a plain model of the manual ("Paging", "Access Rights", "Page-Fault
 * Exceptions"): 32-bit with PSE, PAE, 4 and 5 levels; SMEP, SMAP, protection keys; then what the TLB keeps: PCIDs, global pages, AC and PKRU.
 */
import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { Cpu } from '../../../emulator/cpu/cpu';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Access, Mmu } from '../../../emulator/mmu/mmu';
import { entryPage } from '../../../emulator/mmu/tlb';
import { cpuModelNamed } from '../../../emulator/spec/cpu-models';
import { Flag, Seg, State } from '../../../emulator/spec/vcpu-state';

const model = cpuModelNamed('skylake-server,+la57');
const BITS = BigInt(model.maxPhyAddr);
const memory = new PhysicalMemory(4 << 20);
const table = (n: number): number => 0x10000 + n * 0x1000;
const FRAME = 0x30_0000n;

const Cr4 = {
  PSE: 1n << 4n,
  PAE: 1n << 5n,
  PGE: 1n << 7n,
  LA57: 1n << 12n,
  PCIDE: 1n << 17n,
  SMEP: 1n << 20n,
  SMAP: 1n << 21n,
  PKE: 1n << 22n,
} as const;

function makeCpu(): { cpu: Cpu; mmu: Mmu } {
  memory.u8.fill(0, memory.vcpuBase(0), memory.vcpuBase(1));
  memory.physWrite(0, new Uint8Array(0x20000));
  const mmu = new Mmu(memory);
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, model, () => 0, mmu);
  cpu.setSegment(Seg.cs, 8, 0n, 0xffffffff, 0xa09b);
  return { cpu, mmu };
}

type Kind = 'plain' | 'pse' | 'pae' | '4-level' | '5-level';
interface Scene {
  readonly kind: Kind;
  readonly address: bigint;
  /** Flags of up to five entries, top first; the last `levels` of them count. */
  readonly flags: readonly bigint[];
  readonly pdpte: bigint;
  readonly user: boolean;
  readonly implicit: boolean;
  readonly ac: boolean;
  readonly wp: boolean;
  readonly nx: boolean;
  readonly smep: boolean;
  readonly smap: boolean;
  readonly pke: boolean;
  readonly pkru: number;
  readonly key: bigint;
  readonly access: 'read' | 'write' | 'execute';
}
const one = (bit: bigint, weight = 3): fc.Arbitrary<bigint> => fc.constantFrom(...Array<bigint>(weight).fill(bit), 0n);
const rare = (bit: bigint): fc.Arbitrary<bigint> => fc.constantFrom(...Array<bigint>(14).fill(0n), bit);
const entryFlags = fc
  .tuple(
    one(1n, 16),
    one(2n),
    one(4n, 4),
    rare(0x80n),
    fc.constantFrom(0n, 0n, 0n, 0n, 1n << 63n),
    rare(1n << BITS),
    rare(1n << 55n),
    rare(0x2000n),
  )
  .map((b) => b.reduce((a, c) => a | c));
const scenes: fc.Arbitrary<Scene> = fc.record({
  kind: fc.constantFrom('plain', 'pse', 'pae', '4-level', '5-level') as fc.Arbitrary<Kind>,
  address: fc.bigInt(0n, (1n << 57n) - 1n),
  flags: fc.array(entryFlags, { minLength: 5, maxLength: 5 }),
  pdpte: fc.constantFrom(1n, 1n, 1n, 1n, 0n),
  user: fc.boolean(),
  implicit: fc.constantFrom(false, false, false, true),
  ac: fc.boolean(),
  wp: fc.boolean(),
  nx: fc.boolean(),
  smep: fc.boolean(),
  smap: fc.boolean(),
  pke: fc.boolean(),
  pkru: fc.integer({ min: 0, max: 0xff }),
  key: fc.bigInt(0n, 3n),
  access: fc.constantFrom('read', 'write', 'execute'),
});

/** log2 of what an entry of each level spans. */
const SHIFTS: Readonly<Record<Kind, readonly bigint[]>> = {
  plain: [22n, 12n],
  pse: [22n, 12n],
  pae: [21n, 12n],
  '4-level': [39n, 30n, 21n, 12n],
  '5-level': [48n, 39n, 30n, 21n, 12n],
};
const linearOf = (s: Scene): bigint => {
  const width = s.kind === '5-level' ? 57 : s.kind === '4-level' ? 48 : 32;
  return width === 32 ? BigInt.asUintN(32, s.address) : BigInt.asUintN(64, BigInt.asIntN(width, s.address));
};
const wide = (s: Scene): boolean => s.kind !== 'plain' && s.kind !== 'pse';

/** The entries as they stand in memory. */
function entriesOf(s: Scene): bigint[] {
  const shifts = SHIFTS[s.kind];
  return shifts.map((shift, level) => {
    let e = s.flags[level];
    if (!wide(s)) e &= 0xffffffffn;
    const large = (e & 0x80n) !== 0n && (wide(s) ? shift === 21n || shift === 30n : s.kind === 'pse' && shift === 22n);
    if (shift === 12n) e = (e & ~0x2000n) | FRAME;
    else if (!large) e = (e & ~0x2000n) | BigInt(table(level + 1));
    if ((large || shift === 12n) && wide(s)) e |= s.key << 59n;
    return e;
  });
}

function expectedOf(s: Scene): { page: bigint } | { error: number } {
  const user = s.user && !s.implicit;
  const long = s.kind === '4-level' || s.kind === '5-level';
  const nx = s.nx && wide(s);
  let error = (s.access === 'write' ? 2 : 0) | (user ? 4 : 0) | (s.access === 'execute' && (nx || s.smep) ? 16 : 0);
  if (s.kind === 'pae' && s.pdpte === 0n) return { error };
  const rights = { write: true, user: true, execute: true };
  const shifts = SHIFTS[s.kind];
  for (const [level, e] of entriesOf(s).entries()) {
    const shift = shifts[level];
    if ((e & 1n) === 0n) return { error };
    const ps = (e & 0x80n) !== 0n;
    const large = ps && (wide(s) ? shift === 21n || shift === 30n : s.kind === 'pse' && shift === 22n);
    let reserved = false;
    if (wide(s)) {
      reserved = (e & ((1n << 52n) - (1n << BITS))) !== 0n || (!nx && e >> 63n === 1n) || (shift >= 39n && ps);
      if (s.kind === 'pae') reserved ||= (e & (0x7ffn << 52n)) !== 0n;
      if (large) reserved ||= (e & ((1n << shift) - 0x2000n)) !== 0n;
    } else if (large) reserved = (e & 0x20_0000n) !== 0n;
    if (reserved) return { error: error | 9 };
    rights.write &&= (e & 2n) !== 0n;
    rights.user &&= (e & 4n) !== 0n;
    rights.execute &&= !(nx && e >> 63n === 1n);
    if (!large && shift !== 12n) continue;
    error |= 1;
    let ok = true;
    if (user && !rights.user) ok = false;
    if (s.access === 'write' && !rights.write && (user || s.wp)) ok = false;
    if (s.access === 'execute' && !rights.execute) ok = false;
    if (!user && rights.user && s.access === 'execute' && s.smep) ok = false;
    if (!user && rights.user && s.access !== 'execute' && s.smap && (s.implicit || !s.ac)) ok = false;
    if (long && s.pke && rights.user && s.access !== 'execute') {
      const key = Number((e >> 59n) & 15n);
      const denied =
        ((s.pkru >>> (2 * key)) & 1) !== 0 || (s.access === 'write' && ((s.pkru >>> (2 * key + 1)) & 1) !== 0 && (user || s.wp));
      if (denied) {
        ok = false;
        error |= 32;
      }
    }
    if (!ok) return { error };
    const size = 1n << shift;
    let frame = e & ((1n << BITS) - 1n) & ~0xfffn & ~(size - 1n);
    if (!wide(s) && large) frame = ((e & 0x1fe000n) << 19n) | (e & 0xffc00000n);
    return { page: frame + (linearOf(s) & (size - 1n) & ~0xfffn) };
  }
  throw new Error('no leaf');
}

function setUp(s: Scene): { cpu: Cpu; mmu: Mmu } {
  const { cpu, mmu } = makeCpu();
  const linear = linearOf(s);
  const width = wide(s) ? 9n : 10n;
  entriesOf(s).forEach((e, level) => {
    const at = table(level) + Number((linear >> SHIFTS[s.kind][level]) & ((1n << width) - 1n)) * (wide(s) ? 8 : 4);
    if (wide(s)) memory.write64(at, e);
    else memory.write32(at, Number(e));
  });
  const long = s.kind === '4-level' || s.kind === '5-level';
  cpu.set64(State.cr0, 0x8000_0001n | (s.wp ? 0x10000n : 0n));
  cpu.set64(State.cr3, BigInt(table(0)));
  const modes = { plain: 0n, pse: Cr4.PSE, pae: Cr4.PAE, '4-level': Cr4.PAE, '5-level': Cr4.PAE | Cr4.LA57 } as const;
  cpu.set64(State.cr4, modes[s.kind] | (s.smep ? Cr4.SMEP : 0n) | (s.smap ? Cr4.SMAP : 0n) | (s.pke ? Cr4.PKE : 0n));
  cpu.set64(State.efer, (long ? 0x500n : 0n) | (s.nx ? 0x800n : 0n));
  cpu.set32(State.pkru, s.pkru);
  cpu.set32(State.systemFlags, 2 | (s.ac ? Flag.AC : 0));
  if (s.kind === 'pae') cpu.set64(State.pdpte + 8 * Number(linear >> 30n), s.pdpte === 0n ? 0n : BigInt(table(0)) | 1n);
  cpu.setCpl(s.user ? 3 : 0);
  mmu.flushAll(cpu);
  return { cpu, mmu };
}
const translate = (cpu: Cpu, mmu: Mmu, linear: bigint, access: number): number =>
  mmu.translate(cpu, Number(linear & 0xffffffffn) >>> 0, Number(linear >> 32n) >>> 0, access);

describe('paging modes and protection', function () {
  this.timeout(120_000);
  it('agree with the manual on random tables', () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(scenes, (s) => {
        fc.pre(!(s.implicit && s.access === 'execute'));
        const { cpu, mmu } = setUp(s);
        const expected = expectedOf(s);
        const i = translate(cpu, mmu, linearOf(s), Access[s.access] | (s.implicit ? Access.implicit : 0));
        if ('error' in expected) {
          assert.equal(i, -1);
          assert.deepEqual([cpu.get32(State.pendingVector), cpu.get32(State.pendingErrorCode)], [14, expected.error]);
          outcomes.set(`${s.kind} ${expected.error}`, (outcomes.get(`${s.kind} ${expected.error}`) ?? 0) + 1);
        } else {
          assert.equal(BigInt(entryPage(cpu, i)), expected.page);
          outcomes.set(s.kind, (outcomes.get(s.kind) ?? 0) + 1);
        }
      }),
      { numRuns: 30_000, seed: 21 },
    );
    for (const kind of Object.keys(SHIFTS)) assert.ok((outcomes.get(kind) ?? 0) > 100, `${kind}: ${outcomes.get(kind)}`);
    const errors = new Set([...outcomes.keys()].filter((k) => /level \d/.test(k)).map((k) => Number(k.split(' ').pop())));
    for (const bit of [1, 2, 4, 8, 16, 32])
      assert.ok(
        [...errors].some((e) => e & bit),
        `error-code bit ${bit}`,
      );
  });

  it('addresses that are canonical with 57 bits only are #GP(0) with 48', () => {
    const plain: Scene = { kind: '4-level', address: 0n, flags: [7n, 7n, 7n, 7n, 7n], pdpte: 1n, user: false, implicit: false, ac: false, wp: true, nx: true, smep: false, smap: false, pke: false, pkru: 0, key: 0n, access: 'read' }; // prettier-ignore
    const beyond = 0x00a5_8000_0000_0000n;
    const four = setUp(plain);
    assert.equal(translate(four.cpu, four.mmu, beyond, Access.read), -1);
    assert.equal(four.cpu.get32(State.pendingVector), 13);
    const five = setUp({ ...plain, kind: '5-level', address: beyond });
    assert.ok(translate(five.cpu, five.mmu, beyond, Access.read) >= 0);
    assert.equal(translate(five.cpu, five.mmu, 0x0100_0000_0000_0000n, Access.read), -1);
    assert.equal(five.cpu.get32(State.pendingVector), 13);
  });
});

describe('what the TLB keeps apart', () => {
  const LINEAR = 0x40_0000n;
  const leaf = (): number => table(3) + Number((LINEAR >> 12n) & 511n) * 8;
  /** 4-level paging with one page; `cr4` bits on top. */
  function world(cr4: bigint, leafFlags = 7n): { cpu: Cpu; mmu: Mmu; page: (n: number) => void; at: (access?: number) => number } {
    const { cpu, mmu } = makeCpu();
    memory.write64(table(0), BigInt(table(1)) | 7n);
    memory.write64(table(1), BigInt(table(2)) | 7n);
    memory.write64(table(2) + 2 * 8, BigInt(table(3)) | 7n);
    const page = (n: number): void => memory.write64(leaf(), (FRAME + BigInt(n * 4096)) | leafFlags);
    page(0);
    cpu.set64(State.cr0, 0x8001_0001n);
    cpu.set64(State.cr3, BigInt(table(0)));
    cpu.set64(State.cr4, Cr4.PAE | cr4);
    cpu.set64(State.efer, 0xd00n);
    mmu.flushAll(cpu);
    const at = (access: number = Access.read): number => {
      const i = translate(cpu, mmu, LINEAR, access);
      return i < 0 ? -1 : (entryPage(cpu, i) - Number(FRAME)) / 4096;
    };
    return { cpu, mmu, page, at };
  }

  it('PCIDs: each has translations of its own, kept by a CR3 load without flush and dropped by one with', () => {
    const { cpu, mmu, page, at } = world(Cr4.PCIDE);
    const switchTo = (pcid: number, flush: boolean): void => {
      cpu.set64(State.cr3, BigInt(table(0)) | BigInt(pcid));
      if (flush) mmu.flushPcid(cpu, pcid);
      else mmu.modeChanged(cpu);
    };
    assert.equal(at(), 0);
    page(1);
    switchTo(5, true);
    assert.equal(at(), 1);
    page(2);
    switchTo(0, false);
    assert.notEqual(at(), 1, 'never the other PCID’s translation');
    switchTo(5, false);
    const kept = at();
    assert.ok(kept === 1 || kept === 2);
    mmu.flushPcid(cpu, 5);
    assert.equal(at(), 2);
    page(3);
    mmu.invalidatePage(cpu, LINEAR);
    assert.equal(at(), 3);
    switchTo(0, false);
    assert.equal(at(), 3);
  });

  it('a PCID comes back to what it had when nothing took its place', () => {
    const { cpu, mmu, page, at } = world(Cr4.PCIDE);
    assert.equal(at(), 0);
    cpu.set64(State.cr3, BigInt(table(0)) | 7n);
    mmu.modeChanged(cpu);
    page(1);
    cpu.set64(State.cr3, BigInt(table(0)));
    mmu.modeChanged(cpu);
    assert.equal(at(), 0, 'a stale hit is what hardware would show');
  });

  it('global pages survive MOV to CR3, in every PCID, until CR4.PGE changes, INVLPG or an INVPCID of all', () => {
    const { cpu, mmu, page, at } = world(Cr4.PGE | Cr4.PCIDE, 0x107n);
    assert.equal(at(), 0);
    page(1);
    mmu.flushPcid(cpu, 0);
    assert.equal(at(), 0);
    page(2);
    cpu.set64(State.cr3, BigInt(table(0)) | 9n);
    mmu.flushPcid(cpu, 9);
    assert.equal(at(), 0);
    mmu.flushNonGlobal(cpu);
    assert.equal(at(), 0);
    mmu.invalidatePage(cpu, LINEAR);
    assert.equal(at(), 2);
    page(3);
    mmu.flushAll(cpu);
    assert.equal(at(), 3);
    page(4);
    mmu.flushCurrentContext(cpu);
    assert.equal(at(), 4, 'a VM entry without VPID drops global pages too');
  });

  it('without CR4.PGE the G flag means nothing', () => {
    const { cpu, mmu, page, at } = world(0n, 0x107n);
    assert.equal(at(), 0);
    page(1);
    mmu.flushPcid(cpu, 0);
    assert.equal(at(), 1);
  });

  it('STAC, CLAC and WRPKRU take effect at once on cached translations, and so does going back', () => {
    const smap = world(Cr4.SMAP);
    const ac = (on: boolean): void => {
      smap.cpu.set32(State.systemFlags, on ? 2 | Flag.AC : 2);
      smap.mmu.modeChanged(smap.cpu);
    };
    ac(true);
    assert.equal(smap.at(), 0);
    assert.equal(smap.at(Access.read | Access.implicit), -1);
    ac(false);
    assert.equal(smap.at(), -1);
    ac(true);
    assert.equal(smap.at(Access.write), 0);

    const keys = world(Cr4.PKE, 7n | (3n << 59n));
    const pkru = (value: number): void => {
      keys.cpu.set32(State.pkru, value);
      keys.mmu.modeChanged(keys.cpu);
    };
    assert.equal(keys.at(Access.write), 0);
    pkru(2 << 6);
    assert.deepEqual([keys.at(Access.read), keys.at(Access.write)], [0, -1]);
    assert.equal(keys.cpu.get32(State.pendingErrorCode), 0x23);
    pkru(1 << 6);
    assert.equal(keys.at(), -1);
    assert.equal(keys.at(Access.execute), 0);
    pkru(0);
    assert.equal(keys.at(Access.write), 0);
  });
});
