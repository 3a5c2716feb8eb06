/**
 * Architectural performance monitoring (SDM volume 3, "Architectural Performance Monitoring"): counters of instructions and of unhalted cycles,
 * RDPMC, overflow, reserved bits; and that the counts do not depend on how a run is sliced or on the tier.
 */
import { strict as assert } from 'node:assert';
import type { Machine } from '../../../emulator/api';
import { firstException, flatGuest, register, runToEnd } from './flat-guest';

const PERFEVTSEL0 = 0x186;
const PMC0 = 0xc1;
const FIXED_CTR0 = 0x309;
const FIXED_CTR_CTRL = 0x38d;
const GLOBAL_STATUS = 0x38e;
const GLOBAL_CTRL = 0x38f;
const GLOBAL_OVF_CTRL = 0x390;

const dword = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
/** mov ecx, index; mov eax, low; mov edx, high; wrmsr: four instructions. */
const wrmsr = (index: number, low: number, high = 0): number[] => [
  0xb9,
  ...dword(index),
  0xb8,
  ...dword(low),
  0xba,
  ...dword(high),
  0x0f,
  0x30,
];
/** mov ecx, index; rdmsr */
const rdmsr = (index: number): number[] => [0xb9, ...dword(index), 0x0f, 0x32];
const rdpmc = (counter: number): number[] => [0xb9, ...dword(counter), 0x0f, 0x33];
const HLT = 0xf4;
/** Event C0H (instructions retired), at every level, enabled. */
const INSTRUCTIONS = 0x4300c0;
const CYCLES = 0x43003c;

const run = async (code: number[], options: { tier?: 'interpreter' | 'jit'; slice?: number; cpuModel?: string } = {}): Promise<Machine> => {
  const m = await flatGuest({ code, tier: options.tier, cpuModel: options.cpuModel ?? 'haswell' });
  assert.equal(runToEnd(m, options.slice).kind, 'halted');
  return m;
};

describe('performance counters', () => {
  it('a general-purpose counter counts retired instructions from the enabling WRMSR on', async () => {
    // WRMSR retires with the counter on (the manual does not say); NOP × 3 and MOV ECX are retired, too, when RDPMC reads.
    const m = await run([...wrmsr(PERFEVTSEL0, INSTRUCTIONS), 0x90, 0x90, 0x90, ...rdpmc(0), HLT]);
    assert.equal(register(m, 'rax'), 5n);
    assert.equal(register(m, 'rdx'), 0n);
  });

  it('USR alone counts nothing at level 0; IA32_PERF_GLOBAL_CTRL stops every counter', async () => {
    const user = await run([...wrmsr(PERFEVTSEL0, 0x4100c0), 0x90, ...rdpmc(0), HLT]);
    assert.equal(register(user, 'rax'), 0n);
    const off = await run([...wrmsr(GLOBAL_CTRL, 0), ...wrmsr(PERFEVTSEL0, INSTRUCTIONS), 0x90, ...rdpmc(0), HLT]);
    assert.equal(register(off, 'rax'), 0n);
  });

  it('fixed counter 0 counts instructions, RDPMC reads it with bit 30 set', async () => {
    const m = await run([...wrmsr(GLOBAL_CTRL, 0, 1), ...wrmsr(FIXED_CTR_CTRL, 3), 0x90, ...rdpmc(0x4000_0000), HLT]);
    assert.equal(register(m, 'rax'), 3n);
  });

  it('an overflow sets the bit in IA32_PERF_GLOBAL_STATUS, and IA32_PERF_GLOBAL_OVF_CTRL clears it', async () => {
    // The counter is sign-extended from 32 bits to its 48: -2 overflows after two instructions.
    const start = [...wrmsr(PMC0, -2), ...wrmsr(PERFEVTSEL0, INSTRUCTIONS), 0x90, 0x90];
    const set = await run([...start, ...rdmsr(GLOBAL_STATUS), HLT]);
    assert.equal(register(set, 'rax'), 1n);
    const cleared = await run([...start, ...wrmsr(GLOBAL_OVF_CTRL, 1), ...rdmsr(GLOBAL_STATUS), HLT]);
    assert.equal(register(cleared, 'rax'), 0n);
  });

  it('a write to IA32_PMCn is sign-extended to the width of the counter', async () => {
    const m = await run([...wrmsr(PMC0, -2), ...rdpmc(0), HLT]);
    assert.equal(register(m, 'rax'), 0xffff_fffen);
    assert.equal(register(m, 'rdx'), 0xffffn);
  });

  for (const [what, code] of [
    ['a counter that is not there', [...rdpmc(4), HLT]],
    ['a fixed counter that is not there', [...rdpmc(0x4000_0003), HLT]],
    ['bits of IA32_PERF_GLOBAL_CTRL without a counter', [...wrmsr(GLOBAL_CTRL, 0x10), HLT]],
    ['the reserved upper half of IA32_PERFEVTSEL0', [...wrmsr(PERFEVTSEL0, 0, 1), HLT]],
    ['AnyThread of a fixed counter, which version 3 brought', [...wrmsr(FIXED_CTR_CTRL, 4), HLT]],
    ['bits of a fixed counter beyond its width', [...wrmsr(FIXED_CTR0, 0, 0x10000), HLT]],
  ] as const)
    it(`#GP(0): ${what}`, async () => {
      assert.match(firstException(await flatGuest({ code, cpuModel: 'haswell' })), /^13\(0\)/);
    });

  it('a model without performance monitoring has none of the MSRs and no counter', async () => {
    for (const code of [rdpmc(0), rdmsr(PERFEVTSEL0), rdmsr(FIXED_CTR0), rdmsr(GLOBAL_CTRL)])
      assert.match(firstException(await flatGuest({ code: [...code, HLT], cpuModel: 'qemu64' })), /^13\(0\)/);
  });

  it('counts of a loop are the same in both tiers and at any slicing', async () => {
    const loop = [0xbb, ...dword(5000), 0xff, 0xcb, 0x75, 0xfc]; // mov ebx, 5000; dec ebx; jnz
    const code = [...wrmsr(PERFEVTSEL0, INSTRUCTIONS), ...wrmsr(PERFEVTSEL0 + 1, CYCLES), ...loop, ...rdpmc(0), HLT];
    const whole = await run(code);
    // WRMSR; MOV × 3 and WRMSR for counter 1; MOV, 5000 × 2, MOV ECX.
    assert.equal(register(whole, 'rax'), 10_007n);
    const hashes = new Set([whole.hash()]);
    for (const slice of [1, 7, 1000]) hashes.add((await run(code, { slice: slice * 100 })).hash());
    const jit = await run(code, { tier: 'jit' });
    assert.equal(register(jit, 'rax'), 10_007n);
    assert.equal(hashes.size, 1);
    assert.equal(jit.hash(), whole.hash());
  });
});
