/**
 * Watchpoints on the whole core: which accesses stop the machine, where it stands then and what it tells; in both tiers. That they leave no
 * mark on the guest is in test/differential/watchpoints.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, type StopReason, type Watchpoint, createMachine } from '../../../emulator/index';

const CODE = 0x100000;
const DATA = 0x108000;
const STACK = 0x10a000;
type Tier = 'interpreter' | 'jit';

async function machine(code: readonly (readonly number[])[], registers: Record<string, number> = {}, tier: Tier = 'jit'): Promise<Machine> {
  const image = Uint8Array.from(code.flat());
  const config = { image, imageName: 'watched', format: 'flat', flat: { address: CODE, mode: 64 }, memoryBytes: 4 << 20 } as const;
  const m = await createMachine({ ...config, tier, hotAfter: 3 });
  for (const [name, value] of Object.entries({ rsp: STACK, rbx: DATA, ...registers })) m.cpu(0).setRegister(name, BigInt(value));
  return m;
}
const gva = (address: number, length: number, access: Watchpoint['access'], more: Partial<Watchpoint> = {}): Watchpoint => ({
  space: 'gva',
  address: BigInt(address),
  length,
  access,
  ...more,
});
type Hit = StopReason & { kind: 'watchpoint' };
function hit(m: Machine): Hit {
  const stop = m.runSlice({ maxSteps: 1_000_000 });
  assert.equal(stop.kind, 'watchpoint');
  return stop as Hit;
}
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
/** Runs to the HLT and writes down every hit: position, instruction, access, address, bytes. */
function hits(m: Machine): string[] {
  const seen: string[] = [];
  for (;;) {
    const stop = m.runSlice({ maxSteps: 1_000_000 });
    if (stop.kind === 'halted') return seen;
    assert.equal(stop.kind, 'watchpoint');
    if (stop.kind !== 'watchpoint') continue;
    for (const h of [stop, ...stop.others]) {
      const bytes = h.access === 'write' ? `${hex(h.oldBytes)}>${hex(h.newBytes)}` : hex(h.oldBytes);
      seen.push(`${m.steps} ${(Number(h.rip) - CODE).toString(16)} ${h.access} ${h.address.toString(16)} ${bytes}`);
    }
  }
}

const HLT = [0xf4];
const store = [
  [0x48, 0x89, 0x03], // 0 mov [rbx], rax
  [0x48, 0x8b, 0x13], // 3 mov rdx, [rbx]
  [0x01, 0x03], // 6 add [rbx], eax
  [0x88, 0x43, 0x20], // 8 mov [rbx + 20h], al
  HLT, // b
];

describe('watchpoints', () => {
  for (const tier of ['interpreter', 'jit'] as const)
    describe(tier, () => {
      it('stop after a store with the bytes before and after', async () => {
        const m = await machine(store, { rax: 0x11223344 }, tier);
        m.setWatchpoints([gva(DATA, 4, 'write')]);
        const stop = hit(m);
        assert.equal(m.steps, 1);
        assert.equal(m.cpu(0).rip, BigInt(CODE + 3));
        assert.deepEqual(
          { ...stop, watchpoint: undefined, others: stop.others.length, oldBytes: hex(stop.oldBytes), newBytes: hex(stop.newBytes) },
          {
            kind: 'watchpoint', watchpoint: undefined, access: 'write', by: 'instruction', vcpu: 0, level: 1, rip: BigInt(CODE),
            address: BigInt(DATA), length: 8, oldBytes: '0000000000000000', newBytes: '4433221100000000', others: 0,
          }, // prettier-ignore
        );
      });

      it('tell reads, writes and both apart', async () => {
        const run = async (access: Watchpoint['access']): Promise<string[]> => {
          const m = await machine(store, { rax: 1 }, tier);
          m.setWatchpoints([gva(DATA, 8, access)]);
          return hits(m);
        };
        const [first, second, third] = ['1 0 write 108000 0000000000000000>0100000000000000', '2 3 read 108000 0100000000000000', '3 6 write 108000 01000000>02000000']; // prettier-ignore
        const thirdRead = '3 6 read 108000 01000000';
        assert.deepEqual(await run('write'), [first, third]);
        assert.deepEqual(await run('read'), [second, thirdRead]);
        assert.deepEqual(await run('readWrite'), [first, second, third, thirdRead]);
      });

      it('meet only accesses that touch their bytes', async () => {
        const m = await machine(store, {}, tier);
        m.setWatchpoints([gva(DATA + 8, 24, 'readWrite'), gva(DATA - 1, 1, 'readWrite'), gva(DATA + 0x21, 8, 'readWrite')]);
        assert.deepEqual(hits(m), []);
        const other = await machine(store, { rax: 0x42 }, tier);
        other.setWatchpoints([gva(DATA + 0x20, 1, 'readWrite')]);
        assert.deepEqual(hits(other), ['4 8 write 108020 00>42']);
      });

      it('see accesses that lie in two pages, by either page', async () => {
        const code = [[0x48, 0x89, 0x03], [0x48, 0x8b, 0x13], HLT]; // mov [rbx], rax; mov rdx, [rbx]
        for (const at of [DATA + 0xffd, DATA + 0x1000]) {
          const m = await machine(code, { rbx: DATA + 0xffd, rax: 0x55667788 }, tier);
          m.setWatchpoints([gva(at, 1, 'readWrite')]);
          assert.deepEqual(hits(m), ['1 0 write 108ffd 0000000000000000>8877665500000000', '2 3 read 108ffd 8877665500000000']);
        }
        const m = await machine(code, { rbx: DATA + 0xffd, rax: 0x55667788 }, tier);
        m.setWatchpoints([{ space: 'hpa', address: BigInt(DATA + 0x1000), length: 1, access: 'write' }]);
        assert.deepEqual(hits(m), ['1 0 write 109000 0000000000>5500000000']);
      });

      it('stop in the middle of a repeated string instruction', async () => {
        // rep movsb; rep stosq; hlt
        const m = await machine([[0xf3, 0xa4], [0xb9, 4, 0, 0, 0], [0xf3, 0x48, 0xab], HLT], { rsi: DATA, rdi: DATA + 0x100, rcx: 100, rax: 7 }, tier); // prettier-ignore
        m.setWatchpoints([gva(DATA + 0x100 + 60, 2, 'write'), gva(DATA + 80, 1, 'read'), gva(DATA + 0x164 + 15, 2, 'write')]);
        const seen = hits(m);
        assert.deepEqual(seen.map((s) => s.split(' ').slice(0, 4).join(' ')), ['61 0 write 10813c', '62 0 write 10813d', '81 0 read 108050', '103 7 write 10816c', '104 7 write 108174']); // prettier-ignore
      });

      it('stop in a loop exactly at the iteration that makes the access', async () => {
        // 0 mov [rdi], rcx; 3 add rdi, 8; 7 dec rcx; a jnz 0; c hlt
        const loop = [[0x48, 0x89, 0x0f], [0x48, 0x83, 0xc7, 8], [0x48, 0xff, 0xc9], [0x75, 0xf4], HLT];
        const m = await machine(loop, { rdi: DATA, rcx: 3000 }, tier);
        m.setWatchpoints([gva(DATA + 8 * 2000, 8, 'readWrite'), gva(DATA + 8 * 2500, 1, 'write')]);
        assert.equal(hit(m).address, BigInt(DATA + 8 * 2000));
        assert.deepEqual([m.steps, m.cpu(0).register('rcx')], [2000 * 4 + 1, 1000n]);
        assert.equal(hit(m).address, BigInt(DATA + 8 * 2500));
        assert.deepEqual([m.steps, m.cpu(0).rip], [2500 * 4 + 1, BigInt(CODE + 3)]);
        assert.equal(m.tiers.compiled > 0, tier === 'jit');
      });

      it('see what call-outs read and write', async () => {
        // 0 sidt [rbx]; 3 lidt [rbx]; 6 cmpxchg16b [rbx + 10h]; b push fs; d fxsave-free end
        const code = [[0x0f, 0x01, 0x0b], [0x0f, 0x01, 0x1b], [0x48, 0x0f, 0xc7, 0x4b, 0x10], [0x0f, 0xa0], HLT];
        const m = await machine(code, {}, tier);
        m.setWatchpoints([gva(DATA, 0x20, 'readWrite'), gva(STACK - 8, 8, 'write')]);
        const seen = hits(m).map((s) => s.split(' ').slice(0, 4).join(' '));
        assert.deepEqual([...new Set(seen)], ['1 0 write 108000', '1 0 write 108002', '2 3 read 108000', '2 3 read 108002', '3 6 write 108010', '3 6 read 108010', '4 b write 109ff8']); // prettier-ignore
      });
    });

  it('see the delivery of an event, and not what a faulting instruction has read', async () => {
    // 0 push [rcx] with a stack that cannot be (non-canonical): the operand was read, the instruction faults.
    const m = await machine([[0xff, 0x31], HLT], { rcx: DATA });
    const cpu = m.cpu(0);
    cpu.setRegister('rsp', 0x8000_0000_0000_0000n);
    m.setWatchpoints([gva(DATA, 8, 'read')]);
    assert.equal(m.runSlice({ maxSteps: 100 }).kind, 'triple-fault');
    // A breakpoint instruction pushes its frame.
    const other = await machine([[0x0f, 0x01, 0x1b], [0xcc], HLT]);
    const cs = other.cpu(0).register('cs') ?? 0n;
    const idt = new DataView(new ArrayBuffer(10 + 64));
    idt.setUint16(0, 63, true);
    idt.setUint32(2, DATA + 10, true);
    idt.setBigUint64(10 + 48, BigInt((CODE + 4) & 0xffff) | (cs << 16n) | (0x8en << 40n) | (BigInt(CODE >> 16) << 48n), true);
    other.writeMemory(0, 1, 'hpa', BigInt(DATA), new Uint8Array(idt.buffer));
    other.setWatchpoints([gva(STACK - 40, 8, 'write'), gva(DATA + 10 + 48, 16, 'read')]);
    const stop = hit(other);
    assert.deepEqual([other.steps, stop.access, hex(stop.newBytes), stop.rip], [2, 'write', '0400100000000000', BigInt(CODE + 3)]);
    assert.ok(stop.others.some((h) => h.access === 'read' && h.address >= BigInt(DATA + 58)));
  });

  it('see what the page walk writes, by host-physical address', async () => {
    const m = await machine([[0x90], [0x8b, 0x03], HLT]);
    const table = (m.cpu(0).register('cr3') ?? 0n) + 0x2000n;
    const entry = m.resolve(0, 1, 'gva', BigInt(DATA)).steps.find((s) => s.level === 2) ?? { entryHpa: table };
    m.setWatchpoints([{ space: 'hpa', address: entry.entryHpa ?? table, length: 8, access: 'write' }]);
    const stop = hit(m);
    assert.deepEqual([m.steps, stop.by, hex(stop.oldBytes), hex(stop.newBytes)], [1, 'machine', '83', 'a3']);
  });

  it('restrict by level and address space', async () => {
    const m = await machine(store);
    const cr3 = m.cpu(0).register('cr3') ?? 0n;
    m.setWatchpoints([gva(DATA, 8, 'write', { level: 2 }), gva(DATA, 8, 'write', { cr3: cr3 + 0x1000n })]);
    assert.deepEqual(hits(m), []);
    const other = await machine(store);
    other.setWatchpoints([gva(DATA, 8, 'write', { level: 1, cr3: cr3 + 0x18n })]);
    assert.equal(hits(other).length, 2);
  });

  it("do not meet the user's own writes, and know the bytes from before", async () => {
    const m = await machine(store, { rax: 9 });
    m.setWatchpoints([{ space: 'hpa', address: BigInt(DATA), length: 2, access: 'write' }]);
    m.writeMemory(0, 1, 'hpa', BigInt(DATA), Uint8Array.of(5));
    assert.deepEqual(hits(m), ['1 0 write 108000 0500000000000000>0900000000000000', '3 6 write 108000 09000000>12000000']);
  });

  it('are in force after going back, and gone when they are taken away', async () => {
    const m = await machine(store);
    const start = m.save();
    m.setWatchpoints([gva(DATA, 1, 'write')]);
    assert.equal(hits(m).length, 2);
    m.restore(start);
    assert.equal(hits(m).length, 2);
    m.restore(start);
    m.setWatchpoints([]);
    assert.deepEqual(hits(m), []);
  });

  it('are refused with a sentence where they cannot be', async () => {
    const m = await machine(store);
    const message = /watchpoint of .* expected at least one byte inside the 64-bit address space/;
    assert.throws(() => m.setWatchpoints([gva(DATA, 0, 'write')]), message);
    assert.throws(() => m.setWatchpoints([{ space: 'gva', address: (1n << 64n) - 1n, length: 2, access: 'read' }]), message);
  });

  it("reach level 2 by its guest-physical addresses, and level 1's structures by theirs", async () => {
    const image = readFileSync(join(import.meta.dirname, '../../../examples/nested-hello/nested-hello.elf'));
    const m = await createMachine({ image, imageName: 'nested-hello', memoryBytes: 32 << 20 });
    m.breakOn.vmEntry = true;
    assert.equal(m.runSlice({ maxSteps: 1_000_000 }).kind, 'vm-entry');
    m.breakOn.vmEntry = false;
    // L2 stores what CPUID gave it beside its code.
    const place = m.resolve(0, 2, 'gva', m.cpu(0).rip);
    assert.ok(place.gpa !== undefined && place.hpa !== undefined && place.gpa !== place.hpa);
    const run = (w: Watchpoint): Hit => {
      m.setWatchpoints([w]);
      return hit(m);
    };
    const start = m.save();
    const byGpa = run({ space: 'gpa', level: 2, address: place.gpa, length: 0x400, access: 'write' });
    assert.deepEqual([byGpa.level, byGpa.watchpoint.space], [2, 'gpa']);
    const at = m.steps;
    m.restore(start);
    const byHpa = run({ space: 'hpa', address: place.hpa, length: 0x400, access: 'write' });
    assert.equal(m.steps, at);
    assert.equal(byHpa.address - byGpa.address, place.hpa - place.gpa);
    // The VMCS lies in memory: the next VM exit writes its exit reason.
    m.restore(start);
    const vmcs = m.cpu(0).lastEntry?.vmcs ?? 0;
    const exit = run({ space: 'hpa', address: BigInt(vmcs), length: 4096, access: 'write' });
    assert.equal(exit.by, 'machine');
    assert.equal(m.cpu(0).level, 1);
  });
});
