/**
 * Random programs in both tiers: loops over real instruction encodings (taken from the recorded vectors), with faults, page-crossing and MMIO
 * accesses and stores into code; the full-state hashes must agree at random positions. Finds errors of lowering, not of semantics.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, createMachine } from '../../emulator/index';
import { readVectors } from '../vectors/vector-file';
import { randomSource } from '../random-source';

const firstSeed = Number(process.env.NESTSCOPE_SEED ?? 1);
const long = process.env.NESTSCOPE_LONG === '1';
const programs = Number(process.env.NESTSCOPE_PROGRAMS ?? (long ? 60_000 : 400));
const STEPS = 6000;
const CODE = 0x200000;
const DATA = 0x280000;
const IDT = 0x270000;
const HANDLER = 0x271000;

/** Encodings that may stand in a loop's body: no system call-outs that end the guest, no far transfers. */
function encodings(mode: 64 | 32): Uint8Array[] {
  const vectors = readVectors(readFileSync(join(import.meta.dirname, `../vectors/int${mode}.jsonl`), 'utf8'));
  return vectors
    .filter(
      (v) =>
        v.opcode !== '' &&
        v.fault === undefined &&
        !['branch', 'trap', 'far', 'privileged', 'selector', 'stack', 'prefix', 'fault'].includes(v.group),
    )
    .map((v) => v.code);
}

class Assembler {
  readonly bytes: number[] = [];
  get here(): number {
    return this.bytes.length;
  }
  emit(...b: number[]): void {
    this.bytes.push(...b);
  }
  u32(v: number): void {
    this.emit(v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24);
  }
  patch32(at: number, v: number): void {
    for (let i = 0; i < 4; i++) this.bytes[at + i] = (v >>> (8 * i)) & 255;
  }
}

/** One program: blocks that set registers, loop over a body some times and go on to another block. */
function assemble(mode: 64 | 32, random: () => number, pool: readonly Uint8Array[]): { code: Uint8Array; blocks: number[] } {
  const a = new Assembler();
  const starts: number[] = [];
  const jumps: { at: number; to: number }[] = [];
  const count = 6 + (random() % 10);
  for (let b = 0; b < count; b++) {
    while (random() % 3 === 0) a.emit(0x90);
    starts.push(a.here);
    // mov r32, imm32 for most registers (not the stack pointer): addresses in data, in code, outside RAM, or anything.
    for (const r of [0, 1, 2, 3, 5, 6, 7]) {
      const kind = random() % 12;
      const value =
        kind < 8
          ? DATA + (random() % 0x3000)
          : kind === 8
            ? CODE + (random() % 0x800)
            : kind === 9
              ? random() % 64
              : kind === 10
                ? 0x40000000 + (random() % 9999)
                : random();
      a.emit(0xb8 + r);
      a.u32(value);
    }
    if (mode === 64) a.emit(0x41, 0xbe);
    else a.emit(0xc7, 0x05);
    if (mode === 32) a.u32(DATA + 0x4000);
    a.u32(8 + (random() % 120));
    const head = a.here;
    const length = 1 + (random() % 8);
    for (let i = 0; i < length; i++) {
      const pick = random() % 16;
      if (pick === 0) {
        // A short forward branch over one instruction: jcc +n
        const skipped = pool[random() % pool.length];
        a.emit(0x70 + (random() % 16), skipped.length, ...skipped);
      } else if (pick === 1) {
        // call over a little function: jmp over; f: …; ret; call f
        const body = pool[random() % pool.length];
        a.emit(0xeb, body.length + 1, ...body, 0xc3);
        a.emit(0xe8);
        a.u32(-(body.length + 1 + 5));
      } else if (pick === 2 && random() % 3 === 0) {
        // A store into this program's own code: mov byte [abs32], imm8 (the same opcode byte again, or a nop)
        const target = CODE + (random() % Math.max(1, a.here));
        if (mode === 64) a.emit(0xc6, 0x04, 0x25);
        else a.emit(0xc6, 0x05);
        a.u32(target);
        a.emit(random() % 2 ? 0x90 : (a.bytes[target - CODE] ?? 0x90));
      } else a.emit(...pool[random() % pool.length]);
    }
    if (mode === 64)
      a.emit(0x41, 0xff, 0xce); // dec r14d
    else {
      a.emit(0xff, 0x0d); // dec dword [counter]
      a.u32(DATA + 0x4000);
    }
    a.emit(0x0f, 0x85); // jnz head
    a.u32(head - (a.here + 4));
    a.emit(0xe9);
    jumps.push({ at: a.here, to: random() % count });
    a.u32(0);
  }
  for (const { at, to } of jumps) a.patch32(at, starts[to] - (at + 4));
  return { code: Uint8Array.from(a.bytes), blocks: starts };
}

/** An IDT whose handlers reset the stack and go on at a block that depends on how many faults there were. */
function plantHandlers(machine: Machine, mode: 64 | 32, blocks: readonly number[], cs: number): void {
  const write = (address: number, bytes: Uint8Array): void =>
    assert.equal(machine.writeMemory(0, 1, 'hpa', BigInt(address), bytes), bytes.length) as undefined;
  const a = new Assembler();
  if (mode === 64) {
    a.emit(0x48, 0xc7, 0xc4); // mov rsp, imm32
    a.u32(DATA + 0x8000);
    a.emit(0xff, 0x04, 0x25); // inc dword [faults]
    a.u32(DATA + 0x5000);
    a.emit(0x8b, 0x04, 0x25); // mov eax, [faults]
    a.u32(DATA + 0x5000);
    a.emit(0x83, 0xe0, 0x0f); // and eax, 15
    a.emit(0xff, 0x24, 0xc5); // jmp [table + rax*8]
    a.u32(DATA + 0x6000);
  } else {
    a.emit(0xbc);
    a.u32(DATA + 0x8000);
    a.emit(0xff, 0x05);
    a.u32(DATA + 0x5000);
    a.emit(0xa1);
    a.u32(DATA + 0x5000);
    a.emit(0x83, 0xe0, 0x0f);
    a.emit(0xff, 0x24, 0xc5);
    a.u32(DATA + 0x6000);
  }
  write(HANDLER, Uint8Array.from(a.bytes));
  const table = new DataView(new ArrayBuffer(128));
  for (let i = 0; i < 16; i++) table.setUint32(i * 8, CODE + blocks[i % blocks.length], true);
  write(DATA + 0x6000, new Uint8Array(table.buffer));
  const size = mode === 64 ? 16 : 8;
  const idt = new DataView(new ArrayBuffer(32 * size));
  for (let v = 0; v < 32; v++) {
    idt.setUint16(v * size, HANDLER & 0xffff, true);
    idt.setUint16(v * size + 2, cs, true);
    idt.setUint16(v * size + 4, 0x8e00, true);
    idt.setUint16(v * size + 6, HANDLER >>> 16, true);
  }
  write(IDT, new Uint8Array(idt.buffer));
}

/** How a machine has ended (asked anew each time). */
const endOf = (machine: Machine): Machine['ended'] => machine.ended;

describe(`random programs in both tiers (seeds ${firstSeed} to ${firstSeed + programs - 1})`, function () {
  this.timeout(long ? 10 * 3600_000 : 240_000);
  for (const mode of [64, 32] as const)
    it(`${mode}-bit: interpreter and compiled regions agree at random positions`, async () => {
      const pool = encodings(mode);
      // A start that loads the IDT and the stack: lidt [IDTR]; mov esp; jmp CODE
      const boot = new Assembler();
      if (mode === 64) boot.emit(0x0f, 0x01, 0x1c, 0x25);
      else boot.emit(0x0f, 0x01, 0x1d);
      boot.u32(DATA + 0x7000);
      boot.emit(0xbc);
      boot.u32(DATA + 0x8000);
      boot.emit(0xe9);
      const BOOT = 0x100000;
      boot.u32(CODE - (BOOT + boot.here + 4));
      const config = {
        image: Uint8Array.from(boot.bytes),
        imageName: 'fuzz',
        format: 'flat',
        flat: { address: BOOT, mode },
        memoryBytes: 3 << 20,
        hotAfter: 3,
      } as const;
      const slow = await createMachine({ ...config, tier: 'interpreter' });
      const fast = await createMachine({ ...config, tier: 'jit' });
      const start = slow.save();
      const ends = new Map<string, number>();
      let steps = 0;
      for (let seed = firstSeed; seed < firstSeed + programs / 2; seed++) {
        const random = randomSource(seed * 2 + (mode === 64 ? 0 : 1));
        const { code, blocks } = assemble(mode, random, pool);
        for (const m of [slow, fast]) {
          m.restore(start);
          m.writeMemory(0, 1, 'hpa', BigInt(CODE), code);
          plantHandlers(m, mode, blocks, Number(m.cpu(0).register('cs')));
          const idtr = new DataView(new ArrayBuffer(10));
          idtr.setUint16(0, 32 * (mode === 64 ? 16 : 8) - 1, true);
          idtr.setUint32(2, IDT, true);
          m.writeMemory(0, 1, 'hpa', BigInt(DATA + 0x7000), new Uint8Array(idtr.buffer));
        }
        let n = 0;
        while (n < STEPS && slow.ended === undefined) {
          n += 1 + (random() % (random() % 4 === 0 ? 60 : 2500));
          for (const m of [slow, fast]) while (m.steps < n && m.ended === undefined) m.runSlice({ maxSteps: n - m.steps });
          assert.equal(endOf(fast)?.kind, endOf(slow)?.kind, `seed ${seed}`);
          if (endOf(slow)?.kind === 'internal-error')
            assert.fail(`seed ${seed}: ${String((endOf(slow) as { sentence?: string }).sentence)}`);
          assert.equal(fast.steps, slow.steps, `seed ${seed}`);
          assert.equal(fast.hash(), slow.hash(), `seed ${seed} after ${n} steps`);
        }
        steps += slow.steps;
        const kind = endOf(slow)?.kind ?? 'ran';
        ends.set(kind, (ends.get(kind) ?? 0) + 1);
      }
      const { compiled, dropped } = fast.tiers;
      console.log(
        `      ${steps} steps; ${compiled} regions compiled, ${dropped} dropped; ${[...ends].map(([k, n]) => `${k} ${n}`).join(', ')}`,
      );
      assert.ok(compiled > programs / 4, 'regions ran');
      assert.ok(steps > (programs / 2) * STEPS * 0.3, `only ${steps} steps`);
    });
});
