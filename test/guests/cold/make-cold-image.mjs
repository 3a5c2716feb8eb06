// Makes a multiboot image of many different blocks of code that each run once, for measuring how fast code runs that was never seen
// before; and computes, by executing the same operations here, the checksum that the guest has to print.
//
//   node test/guests/cold/make-cold-image.mjs OUTPUT [BLOCKS] [SEED]
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const CODE_ADDRESS = 0x200000;
const SLOTS = 64;
const MASK = (1n << 64n) - 1n;
// RAX, RCX, RDX, RBX, RSI, RDI, R8 to R11; R15 holds the address of the slots.
const REGISTERS = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11];

/** xorshift32: seeded, so that one pair of blocks and seed always gives one image. */
function makeRandom(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const rex = (reg, rm, wide = true) => 0x40 | (wide ? 8 : 0) | ((reg >> 3) << 2) | (rm >> 3);
const modrm = (mod, reg, rm) => (mod << 6) | ((reg & 7) << 3) | (rm & 7);
const imm32 = (value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
const rotateLeft = (value, count) => ((value << BigInt(count)) | (value >> BigInt(64 - count))) & MASK;

/**
 * The operations: each makes its bytes and changes the simulated state { registers, slots } (64-bit BigInts, by register number).
 * a and b are register numbers, i a 32-bit immediate (signed), s a slot's number, c a count from 1 to 63.
 */
const operations = [
  { bytes: ({ a, b }) => [rex(b, a), 0x01, modrm(3, b, a)], run: (m, { a, b }) => (m.registers[a] += m.registers[b]) }, // add a, b
  { bytes: ({ a, b }) => [rex(b, a), 0x31, modrm(3, b, a)], run: (m, { a, b }) => (m.registers[a] ^= m.registers[b]), distinct: true }, // xor a, b
  { bytes: ({ a, b }) => [rex(b, a), 0x29, modrm(3, b, a)], run: (m, { a, b }) => (m.registers[a] -= m.registers[b]), distinct: true }, // sub a, b
  { bytes: ({ a, i }) => [rex(0, a), 0x81, modrm(3, 0, a), ...imm32(i)], run: (m, { a, i }) => (m.registers[a] += BigInt(i)) }, // add a, i
  { bytes: ({ a, i }) => [rex(0, a), 0x81, modrm(3, 6, a), ...imm32(i)], run: (m, { a, i }) => (m.registers[a] ^= BigInt(i) & MASK) }, // xor a, i
  // imul a, b, i
  {
    bytes: ({ a, b, i }) => [rex(a, b), 0x69, modrm(3, a, b), ...imm32(i | 1)],
    run: (m, { a, b, i }) => (m.registers[a] = m.registers[b] * BigInt(i | 1)),
  },
  { bytes: ({ a, c }) => [rex(0, a), 0xc1, modrm(3, 0, a), c], run: (m, { a, c }) => (m.registers[a] = rotateLeft(m.registers[a], c)) }, // rol a, c
  { bytes: ({ a, c }) => [rex(0, a), 0xc1, modrm(3, 5, a), c], run: (m, { a, c }) => (m.registers[a] >>= BigInt(c)) }, // shr a, c
  { bytes: ({ a }) => [rex(0, a), 0xf7, modrm(3, 2, a)], run: (m, { a }) => (m.registers[a] = ~m.registers[a]) }, // not a
  // lea a, [b + b * 4 + i]
  {
    bytes: ({ a, b, i }) => [rex(a, b) | ((b >> 3) << 1), 0x8d, modrm(2, a, 4), 0x80 | ((b & 7) << 3) | (b & 7), ...imm32(i)],
    run: (m, { a, b, i }) => (m.registers[a] = m.registers[b] * 5n + BigInt(i)),
  },
  // mov [r15 + 8 * s], a and mov a, [r15 + 8 * s] and add a, [r15 + 8 * s]
  { bytes: ({ a, s }) => [rex(a, 15), 0x89, modrm(2, a, 15), ...imm32(8 * s)], run: (m, { a, s }) => (m.slots[s] = m.registers[a]) },
  { bytes: ({ a, s }) => [rex(a, 15), 0x89, modrm(2, a, 15), ...imm32(8 * s)], run: (m, { a, s }) => (m.slots[s] = m.registers[a]) },
  { bytes: ({ a, s }) => [rex(a, 15), 0x03, modrm(2, a, 15), ...imm32(8 * s)], run: (m, { a, s }) => (m.registers[a] += m.slots[s]) },
  { bytes: ({ a, s }) => [rex(a, 15), 0x8b, modrm(2, a, 15), ...imm32(8 * s)], run: (m, { a, s }) => (m.registers[a] = m.slots[s]) },
  // movzx a, byte [r15 + 8 * s]
  {
    bytes: ({ a, s }) => [rex(a, 15), 0x0f, 0xb6, modrm(2, a, 15), ...imm32(8 * s)],
    run: (m, { a, s }) => (m.registers[a] = m.slots[s] & 255n),
  },
  // add a (32 bits), b: clears the upper half
  {
    bytes: ({ a, b }) => [rex(b, a, false), 0x01, modrm(3, b, a)],
    run: (m, { a, b }) => (m.registers[a] = (m.registers[a] + m.registers[b]) & 0xffffffffn),
  },
];

function randomOperation(random) {
  const operation = operations[random(operations.length)];
  const a = REGISTERS[random(REGISTERS.length)];
  let b = REGISTERS[random(REGISTERS.length)];
  if (operation.distinct && b === a) b = a === 0 ? 1 : 0;
  const operands = { a, b, i: (random(0x10000) << 16) | random(0x10000), s: random(SLOTS), c: 1 + random(63) };
  return { bytes: operation.bytes(operands), run: (machine) => operation.run(machine, operands) };
}

/** One block: straight operations, with one comparison that jumps over some of them or does not. */
function randomBlock(random) {
  const before = Array.from({ length: 4 + random(6) }, () => randomOperation(random));
  const skipped = Array.from({ length: 1 + random(3) }, () => randomOperation(random));
  const after = Array.from({ length: 2 + random(4) }, () => randomOperation(random));
  const left = REGISTERS[random(REGISTERS.length)];
  const limit = random(0x8000) << 16; // positive as a signed 32-bit immediate
  const skippedBytes = skipped.flatMap((operation) => operation.bytes);
  // cmp left (32 bits), limit; jb over what is skipped
  const compare = [rex(0, left, false), 0x81, modrm(3, 7, left), ...imm32(limit), 0x72, skippedBytes.length];
  const bytes = [...before.flatMap(({ bytes }) => bytes), ...compare, ...skippedBytes, ...after.flatMap(({ bytes }) => bytes)];
  return { bytes, before, skipped, after, left, limit };
}

function runBlock(machine, block) {
  const run = (list) => {
    for (const operation of list) {
      operation.run(machine);
      for (const register of REGISTERS) machine.registers[register] &= MASK;
    }
    return list.length;
  };
  let count = run(block.before) + 3; // the comparison, the conditional jump, and the jump to the next block
  if ((machine.registers[block.left] & 0xffffffffn) >= BigInt(block.limit)) count += run(block.skipped);
  return count + run(block.after);
}

/**
 * Returns { image, checksum, instructions }: the ELF image (Buffer), the 16 hexadecimal digits that the guest prints behind
 * "DONE 0x", and how many of the generated instructions it executes.
 */
export function makeColdImage({ blocks = 10000, seed = 1 } = {}) {
  const random = makeRandom(seed);
  const list = Array.from({ length: blocks }, () => randomBlock(random));
  // The blocks lie in memory in another order than the one in which they run.
  const order = list.map((_, index) => index);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const JUMP_BYTES = 5;
  const starts = new Array(blocks);
  let at = JUMP_BYTES;
  for (const index of order) {
    starts[index] = at;
    at += list[index].bytes.length + JUMP_BYTES;
  }
  const end = at;
  // The end: xor all registers into RAX, and return.
  const epilogue = [...REGISTERS.slice(1).flatMap((register) => [rex(register, 0), 0x31, modrm(3, register, 0)]), 0xc3];
  const code = Buffer.alloc(end + epilogue.length);
  const jump = (from, to) => {
    code[from] = 0xe9;
    code.writeInt32LE(to - (from + JUMP_BYTES), from + 1);
  };
  jump(0, starts[0] ?? end);
  list.forEach((block, index) => {
    code.set(block.bytes, starts[index]);
    jump(starts[index] + block.bytes.length, index + 1 < blocks ? starts[index + 1] : end);
  });
  code.set(epilogue, end);

  const machine = { registers: new Array(16).fill(0n), slots: new Array(SLOTS).fill(0n) };
  let instructions = 1 + REGISTERS.length; // the first jump, and the end
  for (const block of list) instructions += runBlock(machine, block);
  const checksum = REGISTERS.reduce((sum, register) => sum ^ machine.registers[register], 0n);
  return { image: appendSegment(code), checksum: checksum.toString(16).padStart(16, '0'), instructions };
}

/** Puts the code behind the boot image as one more loadable segment. Its program header goes behind the others, where ld left room. */
function appendSegment(code) {
  const boot = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'cold-boot.elf'));
  const headerSize = boot.readUInt16LE(42);
  const headerCount = boot.readUInt16LE(44);
  const newHeaderAt = boot.readUInt32LE(28) + headerSize * headerCount;
  if (boot.subarray(newHeaderAt, newHeaderAt + headerSize).some((byte) => byte !== 0)) throw new Error('no room for a program header');
  const codeAt = Math.ceil(boot.length / 4096) * 4096;
  const image = Buffer.alloc(codeAt + code.length);
  boot.copy(image);
  code.copy(image, codeAt);
  // PT_LOAD, offset, virtual address, physical address, file size, memory size, flags R + W + X, alignment
  const header = [1, codeAt, CODE_ADDRESS, CODE_ADDRESS, code.length, code.length, 7, 4096];
  header.forEach((value, index) => image.writeUInt32LE(value, newHeaderAt + 4 * index));
  image.writeUInt16LE(headerCount + 1, 44);
  return image;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [output, blocks, seed] = process.argv.slice(2);
  if (!output) {
    console.error('usage: node make-cold-image.mjs OUTPUT [BLOCKS] [SEED]');
    process.exit(64);
  }
  const { image, checksum, instructions } = makeColdImage({
    ...(blocks && { blocks: Number(blocks) }),
    ...(seed && { seed: Number(seed) }),
  });
  writeFileSync(output, image);
  console.log(`${image.length} bytes, ${instructions} instructions, checksum ${checksum}`);
}
