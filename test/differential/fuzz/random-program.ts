/**
 * Random programs: blocks that set registers and loop over bodies of real instruction encodings (taken from the recorded vectors), with
 * calls, branches, stores into their own code, changed page tables and control registers, and interrupts from the local APIC's timer and by
 * IPI; faults go on at another block. Each program is made from a seed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readVectors } from '../../vectors/vector-file';
import { Assembler } from './assembler';

export const BOOT = 0x100000;
export const CODE = 0x200000;
const IDT = 0x270000;
const HANDLER = 0x271000;
const INTERRUPT_HANDLER = 0x271100;
export const DATA = 0x280000;
const COUNTER = DATA + 0x4000;
const FAULTS = DATA + 0x5000;
const TARGETS = DATA + 0x6000;
const IDTR = DATA + 0x7000;
const STACK = DATA + 0x8000;
/** Page directory (32-bit code) and the table that maps 2 MiB to 4 MiB (64-bit code) or 0 to 4 MiB in pages of 4 KiB. */
const DIRECTORY = 0x2f0000;
const TABLE = 0x2f1000;
/** Pages of data that programs remap. */
const PAGES = 4;
const APIC = { eoi: 0xfee000b0, spurious: 0xfee000f0, icr: 0xfee00300, timer: 0xfee00320, initialCount: 0xfee00380, divide: 0xfee003e0 };
const TIMER_VECTOR = 0x40;
const IPI_VECTOR = 0x41;
const VECTORS = 0x48;

export interface Piece {
  readonly address: number;
  readonly bytes: Uint8Array;
}
export interface RandomProgram {
  readonly pieces: readonly Piece[];
  /** Addresses of the blocks. */
  readonly blocks: readonly number[];
}

/** Encodings that may stand in a loop's body: no system call-outs that end the guest, no far transfers. */
export function encodings(mode: 64 | 32): Uint8Array[] {
  const vectors = readVectors(readFileSync(join(import.meta.dirname, `../../vectors/int${mode}.jsonl`), 'utf8'));
  return vectors
    .filter(
      (v) =>
        v.opcode !== '' &&
        v.fault === undefined &&
        !['branch', 'trap', 'far', 'privileged', 'selector', 'stack', 'prefix', 'fault'].includes(v.group),
    )
    .map((v) => v.code);
}

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random() % list.length];

/** Address of the page-table entry of the nth page of data. */
const entryOf = (mode: 64 | 32, n: number): number => TABLE + ((DATA - (mode === 64 ? CODE : 0)) / 4096 + n) * (mode === 64 ? 8 : 4);

/** What systems do between computations: control registers, page tables, interrupts. Changes EAX and ECX. */
function systemFragment(a: Assembler, random: Random): void {
  const { mode } = a;
  const page = random() % PAGES;
  const flip = (read: number, write: number, bits: number): void => {
    a.emit(0x0f, 0x20, read, 0x35); // mov rax, crn; xor eax, bits
    a.u32(bits);
    a.emit(0x0f, 0x22, write);
  };
  switch (random() % 16) {
    case 0:
    case 1: // CR3 again: what is cached and not global goes
      a.emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
      return;
    case 2:
    case 3:
      a.absolute([0x0f, 0x01], 7, DATA + 4096 * page); // invlpg
      return;
    case 4:
    case 5: // a right, the accessed or the dirty flag of a page, with nothing invalidated
      a.absolute([0x80], 6, entryOf(mode, page));
      a.emit(pick(random, [1, 2, 2, 4, 0x20, 0x40]));
      return;
    case 6: // another frame, perhaps global
      a.absolute([0xc6], 0, entryOf(mode, page) + 1);
      a.emit(((random() % PAGES) << 4) | (random() & 1));
      return;
    case 7:
      if (mode === 64) {
        a.absolute([0x80], 6, entryOf(mode, page) + 7); // execute-disable
        a.emit(0x80);
      } else flip(0xc0, 0xc0, 1 << 31); // paging off or on
      return;
    case 8:
      flip(0xc0, 0xc0, 1 << 16); // CR0.WP
      return;
    case 9: // CR4: PGE, DE, TSD, UMIP, SMEP, SMAP, PCIDE
      flip(0xe0, 0xe0, pick(random, [1 << 7, 1 << 3, 1 << 2, 1 << 11, 1 << 20, 1 << 21, mode === 64 ? 1 << 17 : 1 << 7]));
      return;
    case 10: // EFER.NXE
      a.emit(0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x35);
      a.u32(0x800);
      a.emit(0x0f, 0x30);
      return;
    case 11:
      a.store32(APIC.initialCount, 50 + (random() % 4000));
      return;
    case 12:
      a.store32(APIC.icr, 0x44000 | IPI_VECTOR);
      return;
    case 13:
      a.emit(...pick(random, [[0xfb], [0xfa], [0xfb, 0xf4], [0xcd, IPI_VECTOR], [0x0f, 0xa2], [0x0f, 0x31]]));
      return;
    case 14: // TF
      a.emit(0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d);
      return;
    default: // a data breakpoint
      a.emit(0xb8);
      a.u32(DATA + (random() % 0x3000));
      a.emit(0x0f, 0x23, 0xc0, 0xb8);
      a.u32(0x402 | (pick(random, [1, 3]) << 16) | ((random() % 4) << 18));
      a.emit(0x0f, 0x23, 0xf8);
  }
}

/** One block's body of 1 to 8 things. */
function body(a: Assembler, random: Random, pool: readonly Uint8Array[], system: boolean): void {
  for (let n = 1 + (random() % 8); n > 0; n--) {
    const choice = random() % 16;
    if (choice === 0) {
      // A branch over one instruction.
      const skipped = pick(random, pool);
      a.emit(0x70 + (random() % 16), skipped.length, ...skipped);
    } else if (choice === 1) {
      // A call of a little function: jmp over; f: …; ret; call f
      const inner = pick(random, pool);
      a.emit(0xeb, inner.length + 1, ...inner, 0xc3);
      a.emit(0xe8);
      a.u32(-(inner.length + 1 + 5));
    } else if (choice === 2 && random() % 3 === 0) {
      // A store into this program's own code: the same byte again, or a nop.
      const target = random() % Math.max(1, a.here);
      a.absolute([0xc6], 0, CODE + target);
      a.emit(random() % 2 ? 0x90 : (a.bytes[target] ?? 0x90));
    } else if (choice === 3 && system && random() % 2 === 0) systemFragment(a, random);
    else a.emit(...pick(random, pool));
  }
}

/** A value that a register begins with: an address in data, in code or outside RAM, a small number, or anything. */
function registerValue(random: Random): number {
  const kind = random() % 12;
  if (kind < 8) return DATA + (random() % 0x3000);
  if (kind === 8) return CODE + (random() % 0x800);
  if (kind === 9) return random() % 64;
  return kind === 10 ? 0x40000000 + (random() % 9999) : random();
}

function blocksOf(mode: 64 | 32, random: Random, pool: readonly Uint8Array[], system: boolean): { code: Uint8Array; blocks: number[] } {
  const a = new Assembler(mode);
  const starts: number[] = [];
  const jumps: { at: number; to: number }[] = [];
  const count = 6 + (random() % 10);
  for (let b = 0; b < count; b++) {
    while (random() % 3 === 0) a.emit(0x90);
    starts.push(a.here);
    for (const r of [0, 1, 2, 3, 5, 6, 7]) {
      a.emit(0xb8 + r);
      a.u32(registerValue(random));
    }
    // The loop's count: in R14 where there is one.
    const iterations = 8 + (random() % 120);
    if (mode === 64) {
      a.emit(0x41, 0xbe);
      a.u32(iterations);
    } else a.store32(COUNTER, iterations);
    const head = a.here;
    body(a, random, pool, system);
    if (mode === 64)
      a.emit(0x41, 0xff, 0xce); // dec r14d
    else a.absolute([0xff], 1, COUNTER);
    a.emit(0x0f, 0x85); // jnz head
    a.u32(head - (a.here + 4));
    a.emit(0xe9);
    jumps.push({ at: a.here, to: random() % count });
    a.u32(0);
  }
  for (const { at, to } of jumps) a.patch32(at, starts[to] - (at + 4));
  return { code: Uint8Array.from(a.bytes), blocks: starts };
}

/** Resets stack and pages and goes on at a block that depends on how many faults there were. */
function faultHandler(mode: 64 | 32, system: boolean): Uint8Array {
  const a = new Assembler(mode);
  if (mode === 64) a.emit(0x48, 0xc7, 0xc4);
  else a.emit(0xbc);
  a.u32(STACK); // mov rsp, STACK
  if (system) {
    for (let n = 0; n < PAGES; n++) a.store32(entryOf(mode, n), (DATA + 4096 * n) | 3);
    if (mode === 64) for (let n = 0; n < PAGES; n++) a.store32(entryOf(mode, n) + 4, 0);
    a.emit(0x31, 0xc0, 0x0f, 0x23, 0xf8, 0xfb); // xor eax, eax; mov dr7, rax; sti
  }
  a.absolute([0xff], 0, FAULTS); // inc dword [FAULTS]
  a.absolute([0x8b], 0, FAULTS); // mov eax, [FAULTS]
  a.emit(0x83, 0xe0, 0x0f); // and eax, 15
  a.emit(0xff, 0x24, mode === 64 ? 0xc5 : 0x85); // jmp [TARGETS + rax * size]
  a.u32(TARGETS);
  return Uint8Array.from(a.bytes);
}

function tables(mode: 64 | 32, cs: number, blocks: readonly number[]): Piece[] {
  const entry = mode === 64 ? 8 : 4;
  const targets = new DataView(new ArrayBuffer(16 * entry));
  for (let i = 0; i < 16; i++) targets.setUint32(i * entry, CODE + blocks[i % blocks.length], true);
  const gate = mode === 64 ? 16 : 8;
  const idt = new DataView(new ArrayBuffer(VECTORS * gate));
  for (let v = 0; v < VECTORS; v++) {
    const handler = v < 32 ? HANDLER : INTERRUPT_HANDLER;
    idt.setUint16(v * gate, handler & 0xffff, true);
    idt.setUint16(v * gate + 2, cs, true);
    idt.setUint16(v * gate + 4, 0x8e00, true);
    idt.setUint16(v * gate + 6, handler >>> 16, true);
  }
  const idtr = new DataView(new ArrayBuffer(10));
  idtr.setUint16(0, VECTORS * gate - 1, true);
  idtr.setUint32(2, IDT, true);
  return [
    { address: TARGETS, bytes: new Uint8Array(targets.buffer) },
    { address: IDT, bytes: new Uint8Array(idt.buffer) },
    { address: IDTR, bytes: new Uint8Array(idtr.buffer) },
  ];
}

/** 64-bit code: the loader's directory leads to a table for 2 MiB to 4 MiB. 32-bit code: a directory of our own. @param cr3 of the loader. */
function pageTables(mode: 64 | 32, cr3: number): Piece[] {
  const entry = mode === 64 ? 8 : 4;
  const table = new DataView(new ArrayBuffer(4096));
  for (let n = 0; n < 4096 / entry; n++) table.setUint32(n * entry, ((mode === 64 ? CODE : 0) + n * 4096) | 3, true);
  const pieces: Piece[] = [{ address: TABLE, bytes: new Uint8Array(table.buffer) }];
  const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  if (mode === 64) {
    pieces.push({ address: cr3, bytes: Uint8Array.of(((cr3 + 0x1000) & 0xff) | 7) });
    pieces.push({ address: cr3 + 0x1000, bytes: Uint8Array.of(7) });
    pieces.push({ address: cr3 + 0x2000 + 8, bytes: word(TABLE | 7) });
  } else {
    pieces.push({ address: DIRECTORY, bytes: word(TABLE | 7) });
    // The local APIC in a page of 4 MiB.
    pieces.push({ address: DIRECTORY + 4 * (APIC.eoi >>> 22), bytes: word(0xfec00083) });
  }
  return pieces;
}

function boot(mode: 64 | 32, random: Random, system: boolean): Uint8Array {
  const a = new Assembler(mode);
  a.absolute([0x0f, 0x01], 3, IDTR); // lidt
  a.emit(0xbc); // mov esp, STACK
  a.u32(STACK);
  if (system) {
    if (mode === 32) {
      a.emit(0xb8);
      a.u32(DIRECTORY);
      a.emit(0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xe0, 0x0d); // mov cr3, eax; mov eax, cr4; or eax, PSE
      a.u32(0x10);
      a.emit(0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xc0, 0x0d); // mov cr4, eax; mov eax, cr0; or eax, PG
      a.u32(0x80000000);
      a.emit(0x0f, 0x22, 0xc0);
    }
    a.store32(APIC.spurious, 0x1ff);
    a.store32(APIC.divide, 0xb);
    a.store32(APIC.timer, 0x20000 | TIMER_VECTOR); // periodic
    a.store32(APIC.initialCount, 100 + (random() % (random() % 4 === 0 ? 300 : 20_000)));
    a.emit(0xfb);
  }
  a.jumpTo(CODE, BOOT);
  return Uint8Array.from(a.bytes);
}

/** @param system with page tables, control registers and interrupts; else plain computation and faults. */
export function randomProgram(
  mode: 64 | 32,
  random: Random,
  pool: readonly Uint8Array[],
  loader: { cs: number; cr3: number },
  system: boolean,
): RandomProgram {
  const { code, blocks } = blocksOf(mode, random, pool, system);
  const interruptHandler = new Assembler(mode);
  interruptHandler.store32(APIC.eoi, 0);
  interruptHandler.emit(...(mode === 64 ? [0x48, 0xcf] : [0xcf]));
  return {
    blocks: blocks.map((offset) => CODE + offset),
    pieces: [
      { address: BOOT, bytes: boot(mode, random, system) },
      { address: CODE, bytes: code },
      { address: HANDLER, bytes: faultHandler(mode, system) },
      { address: INTERRUPT_HANDLER, bytes: Uint8Array.from(interruptHandler.bytes) },
      ...tables(mode, loader.cs, blocks),
      ...(system ? pageTables(mode, loader.cr3) : []),
    ],
  };
}
