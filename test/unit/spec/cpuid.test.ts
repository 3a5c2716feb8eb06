/** CPUID leaves that describe a model: caches, topology, time, performance monitoring (SDM volume 2, "CPUID—CPU Identification"), and what IA32_MISC_ENABLE hides. */
import { strict as assert } from 'node:assert';
import { cpuModelNamed, cpuModels } from '../../../emulator/spec/cpu-models';
import { type CpuidContext, cpuid } from '../../../emulator/spec/cpuid';

const context: CpuidContext = { code64: true, osxsave: false, initialApicId: 0 };
const leaf = (model: string, eax: number, ecx = 0, more: Partial<CpuidContext> = {}): ReturnType<typeof cpuid> =>
  cpuid(cpuModelNamed(model), eax, ecx, { ...context, ...more });
const field = (word: number, last: number, first: number): number => (word >>> first) & (2 ** (last - first + 1) - 1);

/** The caches of leaf 4: level, type, KiB. Size = (ways + 1) × (partitions + 1) × (line + 1) × (sets + 1). */
function caches(model: string): string[] {
  const found: string[] = [];
  for (let n = 0; ; n++) {
    const { eax, ebx, ecx } = leaf(model, 4, n);
    const type = field(eax, 4, 0);
    if (type === 0) return found;
    const bytes = (field(ebx, 31, 22) + 1) * (field(ebx, 21, 12) + 1) * (field(ebx, 11, 0) + 1) * (ecx + 1);
    found.push(`L${field(eax, 7, 5)}${['', 'd', 'i', ''][type]} ${bytes / 1024}`);
  }
}

describe('CPUID leaves of a model', () => {
  it('4: caches', () => {
    assert.deepEqual(caches('qemu64'), ['L1d 32', 'L1i 32', 'L2 2048']);
    assert.deepEqual(caches('penryn'), ['L1d 32', 'L1i 32', 'L2 6144']);
    assert.deepEqual(caches('haswell'), ['L1d 32', 'L1i 32', 'L2 256', 'L3 8192']);
    assert.deepEqual(caches('skylake-server'), ['L1d 32', 'L1i 32', 'L2 1024', 'L3 14080']);
  });
  it('4: of six cores with IDs of three bits, the last level is shared', () => {
    const six = { logicalProcessors: 6 };
    const l1 = leaf('haswell', 4, 0, six).eax;
    const l3 = leaf('haswell', 4, 3, six).eax;
    assert.deepEqual([field(l1, 31, 26), field(l1, 25, 14)], [7, 0]);
    assert.deepEqual([field(l3, 31, 26), field(l3, 25, 14)], [7, 7]);
  });
  it('2: descriptors begin with 01H and say the same, or that leaf 4 does', () => {
    assert.equal(leaf('penryn', 2).eax >>> 0, 0x2c304e01);
    assert.equal(leaf('penryn', 2).ebx, 0xf0);
    assert.equal(leaf('haswell', 2).eax >>> 0, 0xf0ff01);
    assert.equal(leaf('qemu64', 2).eax >>> 0, 0x2c307d01);
  });
  it('80000006H: the second level in KiB, line 64', () => {
    assert.deepEqual(
      ['penryn', 'haswell', 'skylake-server'].map((m) => field(leaf(m, 0x80000006).ecx, 31, 16)),
      [6144, 256, 1024],
    );
    assert.equal(leaf('haswell', 0x80000006).ecx & 0xffff, 0x6040);
  });
  it('0BH: thread level, core level, then nothing; the x2APIC ID in EDX', () => {
    const six = { logicalProcessors: 6, initialApicId: 5, x2ApicId: 5 };
    assert.deepEqual(leaf('haswell', 0xb, 0, six), { eax: 0, ebx: 1, ecx: 0x100, edx: 5 });
    assert.deepEqual(leaf('haswell', 0xb, 1, six), { eax: 3, ebx: 6, ecx: 0x201, edx: 5 });
    assert.deepEqual(leaf('haswell', 0xb, 2, six), { eax: 0, ebx: 0, ecx: 2, edx: 5 });
    assert.equal(leaf('haswell', 0xb, 1).eax, 0);
  });
  it('15H and 16H: the time-stamp counter runs at 1 GHz', () => {
    const { eax, ebx, ecx } = leaf('skylake-server', 0x15);
    assert.equal((ecx * ebx) / eax, 1_000_000_000);
    assert.equal(leaf('skylake-server', 0x16).eax, 1000);
  });
  it('0AH: version 2 with the counters of the model; only events that are counted', () => {
    const { eax, ebx, edx } = leaf('haswell', 0xa);
    assert.deepEqual([field(eax, 7, 0), field(eax, 15, 8), field(eax, 23, 16), field(eax, 31, 24)], [2, 4, 48, 7]);
    assert.equal(ebx, 0b1111000);
    assert.deepEqual([field(edx, 4, 0), field(edx, 12, 5)], [3, 48]);
  });
  it('the highest leaf by model; IA32_MISC_ENABLE[22] makes it 2', () => {
    assert.deepEqual(
      Object.keys(cpuModels).map((m) => leaf(m, 0).eax),
      [7, 0xa, 0xd, 0x16],
    );
    const limited = { miscEnable: (1n << 22n) | (1n << 18n) };
    assert.equal(leaf('haswell', 0, 0, limited).eax, 2);
    assert.deepEqual(leaf('haswell', 7, 0, limited), leaf('haswell', 2));
    assert.equal(leaf('haswell', 0x80000000, 0, limited).eax >>> 0, 0x80000008);
  });
  it('IA32_MISC_ENABLE[18] shows MONITOR, [34] hides execute-disable', () => {
    assert.equal(leaf('haswell', 1, 0, { miscEnable: 1n << 18n }).ecx & 8, 8);
    assert.equal(leaf('haswell', 1, 0, { miscEnable: 0n }).ecx & 8, 0);
    assert.equal(leaf('haswell', 0x80000001, 0, { miscEnable: 0n }).edx & (1 << 20), 1 << 20);
    assert.equal(leaf('haswell', 0x80000001, 0, { miscEnable: 1n << 34n }).edx & (1 << 20), 0);
  });
});
