/**
 * Every condition behind every kind of flags in compiled code (SDM volume 1, appendix B, "EFLAGS Condition Codes"): equal operands, neighbours
 * and the borders of signed and unsigned numbers, in all four sizes. What is expected is worked out here from the definitions of the flags.
 */
import { strict as assert } from 'node:assert';
import { createMachine } from '../../emulator/index';

const CODE = 0x100000;
const TABLE = 0x200000;
const SIZES = [1, 2, 4, 8] as const;
type Kind = 'cmp' | 'test' | 'add';
const KINDS: readonly Kind[] = ['cmp', 'test', 'add'];

/** `op` of RAX with RBX in a size: cmp 38/39, test 84/85, add 00/01 (of RDX, a copy). */
function compare(kind: Kind, size: number): number[] {
  const opcode = { cmp: 0x38, test: 0x84, add: 0x00 }[kind] + (size > 1 ? 1 : 0);
  const modrm = kind === 'add' ? 0xda : 0xd8; // (rdx or rax), rbx
  return [...(size === 2 ? [0x66] : []), ...(size === 8 ? [0x48] : []), opcode, modrm];
}

function program(kind: Kind, size: number): Uint8Array {
  const code: number[] = [];
  // RSI: pairs, RDI: answers, RCX: how many.
  const loop = code.length;
  code.push(0x48, 0x8b, 0x06, 0x48, 0x8b, 0x5e, 0x08, 0x48, 0x83, 0xc6, 0x10); // mov rax, [rsi]; mov rbx, [rsi + 8]; add rsi, 16
  code.push(0x45, 0x31, 0xc0); // xor r8d, r8d
  for (let cc = 0; cc < 16; cc++) {
    code.push(0x48, 0x89, 0xc2); // mov rdx, rax
    code.push(...compare(kind, size));
    code.push(0x70 | (cc ^ 1), 7); // jump around if not
    code.push(0x41, 0x81, 0xc8, (1 << cc) & 0xff, ((1 << cc) >> 8) & 0xff, 0, 0); // or r8d, 1 << cc
  }
  code.push(0x44, 0x89, 0x07, 0x48, 0x83, 0xc7, 0x04); // mov [rdi], r8d; add rdi, 4
  code.push(0x48, 0xff, 0xc9); // dec rcx
  const back = loop - (code.length + 6);
  code.push(0x0f, 0x85, back & 0xff, (back >> 8) & 0xff, (back >> 16) & 0xff, (back >> 24) & 0xff); // jnz loop
  code.push(0xf4);
  return Uint8Array.from(code);
}

/** The conditions that hold, a bit for each, from CF, PF, ZF, SF and OF as the manual defines them. */
function expected(kind: Kind, size: number, x: bigint, y: bigint): number {
  const bits = 8 * size;
  const a = BigInt.asUintN(bits, x);
  const b = BigInt.asUintN(bits, y);
  const signed = (n: bigint): bigint => BigInt.asIntN(bits, n);
  const exact = kind === 'cmp' ? signed(a) - signed(b) : kind === 'add' ? signed(a) + signed(b) : signed(a & b);
  const result = BigInt.asUintN(bits, exact);
  const cf = kind === 'cmp' ? a < b : kind === 'add' && a + b !== result;
  const of = exact !== signed(result);
  const zf = result === 0n;
  const sf = signed(result) < 0n;
  let ones = 0;
  for (let n = 0; n < 8; n++) ones += Number((result >> BigInt(n)) & 1n);
  const pf = ones % 2 === 0;
  const holds = [of, cf, zf, cf || zf, sf, pf, sf !== of, zf || sf !== of].flatMap((condition) => [condition, !condition]);
  return holds.reduce((word, condition, cc) => word | (Number(condition) << cc), 0);
}

const borders = (size: number): bigint[] => {
  const top = 1n << BigInt(8 * size - 1);
  return [0n, 1n, 2n, 0x55n, top - 1n, top, top + 1n, 2n * top - 2n, 2n * top - 1n];
};

describe('conditions', () => {
  for (const tier of ['interpreter', 'jit'] as const)
    for (const kind of KINDS)
      it(`${kind}, in all sizes (${tier})`, async () => {
        for (const size of SIZES) {
          const values = borders(size);
          // What lies above the operand's size must not count.
          const noise = size === 8 ? 0n : 0xa5a5_a5a5_a5a5_a5a5n << BigInt(8 * size);
          const pairs = values.flatMap((a) => values.map((b) => [BigInt.asUintN(64, a | noise), b] as const));
          const image = program(kind, size);
          const flat = { address: CODE, mode: 64 } as const;
          const m = await createMachine({ image, imageName: 'conditions', format: 'flat', flat, memoryBytes: 16 << 20, tier, hotAfter: 3 });
          m.writeMemory(0, 1, 'hpa', BigInt(TABLE), new Uint8Array(new BigUint64Array(pairs.flat()).buffer));
          const answers = TABLE + 0x10000;
          for (const [name, value] of Object.entries({ rsi: TABLE, rdi: answers, rcx: pairs.length }))
            m.cpu(0).setRegister(name, BigInt(value));
          while (m.ended === undefined) m.runSlice({ maxSteps: 1_000_000 });
          const bytes = m.readMemory(0, 1, 'hpa', BigInt(answers), 4 * pairs.length);
          const words = new Uint32Array(bytes.buffer, bytes.byteOffset, pairs.length);
          pairs.forEach(([a, b], n) =>
            assert.equal(
              words[n].toString(2),
              expected(kind, size, a, b).toString(2),
              `${kind} of ${size} bytes: ${a.toString(16)}, ${b.toString(16)}`,
            ),
          );
          assert.equal(m.tiers.compiled > 0, tier === 'jit');
        }
      });
});
