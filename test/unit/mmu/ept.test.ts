/**
 * What EPT does beyond permissions: accessed and dirty flags, the page-modification log, mode-based execute control, the details of EPT
 * violations. SDM volume 3, "Accessed and Dirty Flags for EPT", "Page-Modification Logging", "EPT Violations", table "Exit Qualification for EPT
 * Violations".
 */
import { strict as assert } from 'node:assert';
import { Cpu } from '../../../emulator/cpu/cpu';
import { PhysicalMemory } from '../../../emulator/memory/physical-memory';
import { Access, Mmu } from '../../../emulator/mmu/mmu';
import { cpuModelNamed } from '../../../emulator/spec/cpu-models';
import { Seg, State } from '../../../emulator/spec/vcpu-state';

/** EPT tables, top first; then 4-level guest tables at the same guest-physical as host-physical addresses. */
const EPT = [0x10000, 0x11000, 0x12000, 0x13000] as const;
const GUEST = [0x20000, 0x21000, 0x22000, 0x23000] as const;
/** The guest's page: linear, guest-physical and host-physical address. */
const LINEAR = 0x4_0000n;
const GPA = 0x5_0000;
const HPA = 0x6_0000;
const LOG = 0x7_0000;
const MODE = { accessedDirty: 1, modeBased: 2, logging: 4 };
const EXIT = { violation: 48, misconfiguration: 49, logFull: 62 };

interface Scene {
  /** Flags of the EPT entry that maps the guest's page, and of those above it. */
  readonly leaf?: bigint;
  readonly upper?: bigint;
  /** Flags of the EPT entries that map the guest's tables. */
  readonly tables?: bigint;
  /** Flags of the guest's entries. */
  readonly guest?: bigint;
  readonly mode?: number;
  readonly paging?: boolean;
  readonly model?: string;
  readonly cpl?: number;
}

function scene(s: Scene): { cpu: Cpu; mmu: Mmu; memory: PhysicalMemory; leafAt: number; tableAt: (level: number) => number } {
  const model = cpuModelNamed(s.model ?? 'skylake-server,+ept-violation-details');
  const memory = new PhysicalMemory(2 << 20);
  const mmu = new Mmu(memory);
  const cpu = new Cpu(0, memory.vcpuBase(0), memory, model, () => 0, mmu);
  const paging = s.paging ?? true;
  for (let n = 0; n < 3; n++) memory.write64(EPT[n], BigInt(EPT[n + 1]) | (s.upper ?? 7n));
  const entryOf = (gpa: number): number => EPT[3] + (gpa >> 12) * 8;
  for (const table of GUEST) memory.write64(entryOf(table), BigInt(table) | 0x30n | (s.tables ?? 7n));
  memory.write64(entryOf(GPA), BigInt(HPA) | 0x30n | (s.leaf ?? 7n));
  for (let n = 0; n < 3; n++) memory.write64(GUEST[n], BigInt(GUEST[n + 1]) | (s.guest ?? 0x67n));
  memory.write64(GUEST[3] + Number(LINEAR >> 12n) * 8, BigInt(GPA) | (s.guest ?? 0x67n));
  cpu.set64(State.cr0, paging ? 0x8001_0001n : 1n);
  cpu.set64(State.cr3, BigInt(GUEST[0]));
  cpu.set64(State.cr4, paging ? 0x20n : 0n);
  cpu.set64(State.efer, paging ? 0xd00n : 0n);
  cpu.setSegment(Seg.cs, 8, 0n, 0xffff_ffff, paging ? 0xa09b : 0xc09b);
  cpu.setCpl(s.cpl ?? 0);
  cpu.setF64(State.eptPointer, EPT[0] + 0x1e);
  cpu.set32(State.eptMode, s.mode ?? 0);
  cpu.setF64(State.pmlAddress, LOG);
  cpu.set32(State.pmlIndex, 511);
  mmu.flushAll(cpu);
  return { cpu, mmu, memory, leafAt: entryOf(GPA), tableAt: (level) => entryOf(GUEST[level]) };
}
const address = (s: Scene): bigint => ((s.paging ?? true) ? LINEAR : BigInt(GPA));
/** Undefined: the access is allowed; else exit reason and qualification. */
function access(s: Scene, kind: 'read' | 'write' | 'execute', made = scene(s)): readonly [number, bigint] | undefined {
  const linear = address(s) + 0x123n;
  const i = made.mmu.translate(made.cpu, Number(linear), 0, Access[kind]);
  if (i >= 0) return undefined;
  assert.equal(made.cpu.get32(State.pendingKind), 2, 'a VM exit');
  return [made.cpu.get32(State.pendingReason), made.cpu.get64(State.pendingQualification)];
}

describe('EPT violations', () => {
  it('report the access, what the entries allow together, and the linear address', () => {
    // Bits 2:0 access, 5:3 permissions, 7 linear address valid, 8 its translation, 9 user-mode, 10 read/write page.
    assert.deepEqual(access({ leaf: 5n }, 'write'), [EXIT.violation, 0x7aan]);
    assert.deepEqual(access({ leaf: 3n }, 'execute'), [EXIT.violation, 0x79cn]);
    assert.deepEqual(access({ leaf: 4n }, 'read'), [EXIT.violation, 0x7a1n]);
    assert.deepEqual(access({ leaf: 0n }, 'read'), [EXIT.violation, 0x781n]);
    assert.deepEqual(access({ upper: 5n, leaf: 3n }, 'write'), [EXIT.violation, 0x78an]);
  });
  it('tell user-mode, read/write and execute-disable pages apart', () => {
    assert.deepEqual(access({ leaf: 0n, guest: 0x61n | 2n }, 'read'), [EXIT.violation, 0x581n]);
    assert.deepEqual(access({ leaf: 0n, guest: 0x65n }, 'read'), [EXIT.violation, 0x381n]);
    assert.deepEqual(access({ leaf: 0n, guest: 0x67n | (1n << 63n) }, 'read'), [EXIT.violation, 0xf81n]);
    // With CR0.PG = 0: user-mode, read/write, executable.
    assert.deepEqual(access({ leaf: 0n, paging: false }, 'read'), [EXIT.violation, 0x781n]);
  });
  it('leave those bits out where the processor does not report them', () => {
    assert.deepEqual(access({ leaf: 0n, model: 'haswell' }, 'read'), [EXIT.violation, 0x181n]);
  });
  it('at guest paging structures are reads, or read and write when a flag must be set', () => {
    assert.deepEqual(access({ tables: 6n }, 'read'), [EXIT.misconfiguration, 0n]);
    assert.deepEqual(access({ tables: 4n }, 'read'), [EXIT.violation, 0xa1n]);
    assert.equal(access({ tables: 1n }, 'read'), undefined, 'accessed flags are set already');
    assert.deepEqual(access({ tables: 1n, guest: 7n }, 'read'), [EXIT.violation, 0x8bn]);
  });
  it('with accessed and dirty flags for EPT, guest paging structures are written', () => {
    assert.deepEqual(access({ tables: 1n, mode: MODE.accessedDirty }, 'read'), [EXIT.violation, 0x8bn]);
  });
  it('have no linear address when PDPTEs are loaded', () => {
    const made = scene({ tables: 0n });
    made.cpu.set64(State.efer, 0n);
    assert.equal(made.mmu.loadPdptes(made.cpu, BigInt(GUEST[0])), 'pending');
    assert.equal(made.cpu.get64(State.pendingQualification), 1n);
  });
  it('are convertible when bit 63 of the entry is 0', () => {
    for (const [leaf, convertible] of [[0n, 1], [1n << 63n, 0], [1n, 1], [1n | (1n << 63n), 0]] as const) {
      const made = scene({ leaf });
      access({ leaf }, 'write', made);
      assert.equal(made.cpu.get32(State.pendingConvertible), convertible);
    }
  }); // prettier-ignore
});

describe('mode-based execute control', () => {
  const X = 4n;
  const XU = 0x400n;
  // Bit 2 permits fetches from supervisor-mode linear addresses, bit 10 from user-mode ones.
  it('asks for XS or XU by the linear address', () => {
    const user = { mode: MODE.modeBased, guest: 0x67n, cpl: 3 };
    const supervisor = { mode: MODE.modeBased, guest: 0x63n };
    const upper = 7n | XU;
    const tables = 7n;
    assert.equal(access({ ...user, upper, tables, leaf: 3n | XU }, 'execute'), undefined);
    assert.deepEqual(access({ ...user, upper, tables, leaf: 3n | X }, 'execute'), [EXIT.violation, 0x7bcn]);
    assert.equal(access({ ...supervisor, upper, tables, leaf: 3n | X }, 'execute'), undefined);
    assert.deepEqual(access({ ...supervisor, upper, tables, leaf: 3n | XU }, 'execute'), [EXIT.violation, 0x5dcn]);
  });
  it('bit 10 is ignored without the control', () => {
    assert.deepEqual(access({ leaf: 3n | XU, cpl: 3 }, 'execute'), [EXIT.violation, 0x79cn]);
    assert.deepEqual(access({ leaf: XU }, 'read'), [EXIT.violation, 0x781n], 'not present');
  });
  it('an entry with bit 10 alone is present: execute-only', () => {
    assert.deepEqual(access({ mode: MODE.modeBased, upper: 7n | XU, leaf: XU, cpl: 3 }, 'read'), [EXIT.violation, 0x7c1n]);
  });
});

describe('accessed and dirty flags, page-modification log', () => {
  it('a read sets accessed flags, a write the dirty flag of the leaf', () => {
    const made = scene({ mode: MODE.accessedDirty });
    access({}, 'read', made);
    assert.equal(made.memory.read64(made.leafAt) & 0x300n, 0x100n);
    assert.equal(made.memory.read64(EPT[0]) & 0x300n, 0x100n);
    access({}, 'write', made);
    assert.equal(made.memory.read64(made.leafAt) & 0x300n, 0x300n);
    assert.equal(made.memory.read64(made.tableAt(3)) & 0x300n, 0x300n, 'accesses to guest tables are writes');
    const off = scene({});
    access({}, 'write', off);
    assert.equal(off.memory.read64(off.leafAt) & 0x300n, 0n);
  });
  it('pages whose dirty flag is set are logged once, from entry 511 down', () => {
    const made = scene({ mode: MODE.accessedDirty | MODE.logging });
    access({}, 'write', made);
    // The four guest tables, then the page; 4-KByte aligned.
    assert.deepEqual([511, 510, 509, 508, 507].map((n) => made.memory.read64(LOG + 8 * n)), [...GUEST, GPA].map(BigInt));
    assert.equal(made.cpu.get32(State.pmlIndex), 506);
    made.mmu.flushAll(made.cpu);
    access({}, 'write', made);
    assert.equal(made.cpu.get32(State.pmlIndex), 506);
  }); // prettier-ignore
  it('a full log is a VM exit before the flag is set', () => {
    const made = scene({ mode: MODE.accessedDirty | MODE.logging });
    made.cpu.set32(State.pmlIndex, 3);
    assert.deepEqual(access({}, 'write', made), [EXIT.logFull, 0n]);
    assert.equal(made.cpu.get32(State.pmlIndex), 0xffff, 'after entry 0');
    assert.equal(made.memory.read64(made.leafAt) & 0x200n, 0n);
  });
});
