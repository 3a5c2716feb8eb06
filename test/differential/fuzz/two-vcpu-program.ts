/**
 * Programs for two vCPUs in 32-bit code under one set of page tables: each has its code, its handlers and its stack, both have the same data.
 * The first one starts the second; `randomPair` then makes both loop over bodies of real encodings, write into each other's code, change page
 * tables with and without telling the other, and interrupt each other. Each pair is made from a seed.
 */
import { Assembler } from './assembler';
import type { Piece } from './random-program';

export const BOOT = 0x100000;
export const DATA = 0x280000;
/** Where each vCPU's code begins. */
export const CODE = [0x200000, 0x208000] as const;
const HANDLERS = [0x270000, 0x272000] as const;
const STACKS = [0x288000, 0x28a000] as const;
/** Page with each vCPU's counter of faults, loop counter and table of blocks. */
const OWN = [0x28c000, 0x28d000] as const;
const TRAMPOLINE = 0x8000;
const PROTECTED_ENTRY = 0x8040;
const GDTR = 0x8100;
const GDT = 0x8110;
const DIRECTORY = 0x2f0000;
const TABLE = 0x2f1000;
const PAGES = 4;
const APIC = { eoi: 0xfee000b0, spurious: 0xfee000f0, icr: 0xfee00300, timer: 0xfee00320, initialCount: 0xfee00380, divide: 0xfee003e0 };
const TIMER_VECTOR = 0x40;
const IPI_VECTOR = 0x41;
const VECTORS = 0x48;
const OTHERS = 0xc4000;
const AP_CS = 8;

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random() % list.length];
const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const entryOf = (page: number): number => TABLE + (DATA / 4096 + page) * 4;

/** What both do in protected mode before their code. */
function begin(a: Assembler, vcpu: number, timer: number): void {
  a.absolute([0x0f, 0x01], 3, HANDLERS[vcpu] + 0x800); // lidt
  a.emit(0xbc); // mov esp
  a.u32(STACKS[vcpu]);
  a.emit(0xb8);
  a.u32(DIRECTORY);
  a.emit(0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xe0, 0x0d); // mov cr3, eax; mov eax, cr4; or eax, PSE
  a.u32(0x10);
  a.emit(0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xc0, 0x0d); // mov cr4, eax; mov eax, cr0; or eax, PG
  a.u32(0x80000000);
  a.emit(0x0f, 0x22, 0xc0);
  a.store32(APIC.spurious, 0x1ff);
  if (timer > 0) {
    a.store32(APIC.divide, 0xb);
    a.store32(APIC.timer, 0x20000 | TIMER_VECTOR); // periodic
    a.store32(APIC.initialCount, timer);
  }
  a.emit(0xfb); // sti
}

/** The second vCPU's way from real-address mode to its code. */
function trampoline(timer: number): Piece[] {
  const real = new Assembler(32);
  real.emit(0xfa, 0x66, 0x0f, 0x01, 0x16, GDTR & 255, GDTR >> 8); // cli; lgdt [GDTR]
  real.emit(0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0, 0x66, 0xea); // CR0.PE; jmp far
  real.u32(PROTECTED_ENTRY);
  real.emit(AP_CS, 0);
  const a = new Assembler(32);
  a.emit(0x66, 0xb8, 0x10, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0); // mov ax, 10H; ds, es, ss
  begin(a, 1, timer);
  a.jumpTo(CODE[1], PROTECTED_ENTRY);
  return [
    { address: TRAMPOLINE, bytes: Uint8Array.from(real.bytes) },
    { address: PROTECTED_ENTRY, bytes: Uint8Array.from(a.bytes) },
    { address: GDTR, bytes: Uint8Array.of(0x17, 0, GDT & 255, GDT >> 8, 0, 0) },
    { address: GDT, bytes: words(0, 0, 0xffff, 0x00cf9b00, 0xffff, 0x00cf9300) },
  ];
}

/** IDT, handlers and the table of blocks to go on at after a fault. */
function handlers(vcpu: number, cs: number, blocks: readonly number[]): Piece[] {
  const at = HANDLERS[vcpu];
  const [fault, interrupt] = [at + 0x900, at + 0xb00];
  const idt = new Uint8Array(VECTORS * 8);
  const view = new DataView(idt.buffer);
  for (let v = 0; v < VECTORS; v++) {
    const handler = v < 32 ? fault : interrupt;
    view.setUint32(v * 8, (cs << 16) | (handler & 0xffff), true);
    view.setUint32(v * 8 + 4, ((handler >>> 16) << 16) | 0x8e00, true);
  }
  const f = new Assembler(32);
  f.emit(0xbc);
  f.u32(STACKS[vcpu]);
  for (let n = 0; n < PAGES; n++) f.store32(entryOf(n), (DATA + 4096 * n) | 3);
  f.absolute([0xff], 0, OWN[vcpu]); // inc dword
  f.absolute([0x8b], 0, OWN[vcpu]); // mov eax
  f.emit(0xfb, 0x83, 0xe0, 0x0f, 0xff, 0x24, 0x85); // sti; and eax, 15; jmp [blocks + eax * 4]
  f.u32(OWN[vcpu] + 0x100);
  const i = new Assembler(32);
  i.emit(0x50, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0x58); // push eax; mov eax, cr3; mov cr3, eax; pop eax
  i.store32(APIC.eoi, 0);
  i.emit(0xcf);
  return [
    { address: at, bytes: idt },
    { address: at + 0x800, bytes: Uint8Array.of((VECTORS * 8 - 1) & 255, (VECTORS * 8 - 1) >> 8, at & 255, (at >> 8) & 255, at >> 16, 0) },
    { address: fault, bytes: Uint8Array.from(f.bytes) },
    { address: interrupt, bytes: Uint8Array.from(i.bytes) },
    { address: OWN[vcpu] + 0x100, bytes: words(...Array.from({ length: 16 }, (_, n) => CODE[vcpu] + blocks[n % blocks.length])) },
  ];
}

export interface VcpuCode {
  readonly bytes: Uint8Array;
  /** Offsets of places to go on at after a fault. */
  readonly blocks: readonly number[];
}

/** Everything that lies in memory, for these codes. @param cs the loader's code selector. @param timers initial counts, 0: no timer. */
export function pairPieces(codes: readonly [VcpuCode, VcpuCode], cs: number, timers: readonly [number, number]): Piece[] {
  const table = Array.from({ length: 1024 }, (_, n) => (n * 4096) | 7);
  const a = new Assembler(32);
  begin(a, 0, timers[0]);
  a.store32(APIC.icr, OTHERS | 0x600 | (TRAMPOLINE >> 12)); // start-up IPI
  a.jumpTo(CODE[0], BOOT);
  return [
    { address: TABLE, bytes: words(...table) },
    { address: DIRECTORY, bytes: words(TABLE | 7) },
    { address: DIRECTORY + 4 * (APIC.eoi >>> 22), bytes: words(0xfec00083) },
    { address: BOOT, bytes: Uint8Array.from(a.bytes) },
    ...trampoline(timers[1]),
    ...codes.map(({ bytes }, n) => ({ address: CODE[n], bytes })),
    ...handlers(0, cs, codes[0].blocks),
    ...handlers(1, AP_CS, codes[1].blocks),
  ];
}

/** Something that concerns the other vCPU. Changes EAX. */
function fragment(a: Assembler, vcpu: number, random: Random): void {
  const page = random() % PAGES;
  const other = CODE[1 - vcpu] + (random() % 0x300);
  switch (random() % 8) {
    case 0: // a nop into the other's code
      a.absolute([0xc6], 0, other);
      a.emit(0x90);
      return;
    case 1: // the same byte once more
    case 2:
      a.absolute([0x8a], 0, other);
      a.absolute([0x88], 0, other);
      return;
    case 3: // a byte of this one's code
      a.absolute([0x8a], 0, CODE[vcpu] + (random() % 0x300));
      a.absolute([0x88], 0, other);
      return;
    case 4: // a right, or another frame, of which nobody is told
      a.absolute([0x80], 6, entryOf(page));
      a.emit(pick(random, [1, 2, 2, 0x20, 0x40]));
      return;
    case 5: // the same, and the other is told
      a.absolute([0xc6], 0, entryOf(page) + 1);
      a.emit((random() % PAGES) << 4);
      a.absolute([0x0f, 0x01], 7, DATA + 4096 * page); // invlpg
      a.store32(APIC.icr, OTHERS | IPI_VECTOR);
      return;
    case 6:
      a.store32(APIC.icr, OTHERS | IPI_VECTOR);
      return;
    default: // what both count
      a.absolute([0xf0, 0xff], 0, DATA + (random() % 64) * 4); // lock inc
  }
}

function randomCode(vcpu: number, random: Random, pool: readonly Uint8Array[]): VcpuCode {
  const a = new Assembler(32);
  const blocks: number[] = [];
  const jumps: { at: number; to: number }[] = [];
  const count = 4 + (random() % 6);
  for (let b = 0; b < count; b++) {
    blocks.push(a.here);
    for (const r of [0, 1, 2, 3, 5, 6, 7]) {
      a.emit(0xb8 + r);
      const kind = random() % 8;
      a.u32(kind < 5 ? DATA + (random() % 0x3000) : kind === 5 ? CODE[random() % 2] + (random() % 0x300) : random() % 64);
    }
    a.store32(OWN[vcpu] + 8, 8 + (random() % 100));
    const head = a.here;
    for (let n = 1 + (random() % 6); n > 0; n--) {
      if (random() % 5 === 0) fragment(a, vcpu, random);
      else a.emit(...pick(random, pool));
    }
    a.absolute([0xff], 1, OWN[vcpu] + 8); // dec
    a.emit(0x0f, 0x85); // jnz head
    a.u32(head - (a.here + 4));
    a.emit(0xe9);
    jumps.push({ at: a.here, to: random() % count });
    a.u32(0);
  }
  for (const { at, to } of jumps) a.patch32(at, blocks[to] - (at + 4));
  return { bytes: Uint8Array.from(a.bytes), blocks };
}

export function randomPair(random: Random, pool: readonly Uint8Array[], cs: number): Piece[] {
  const timer = (): number => (random() % 3 === 0 ? 0 : 200 + (random() % 20_000));
  return pairPieces([randomCode(0, random, pool), randomCode(1, random, pool)], cs, [timer(), timer()]);
}
