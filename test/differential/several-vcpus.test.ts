/**
 * Two vCPUs, tier against tier: code that one writes and the other runs (a program that knows what must come out, and random ones), page
 * tables that one changes under the other, interrupts between them; the hashes must agree at random positions, however the run is sliced,
 * with breakpoints and watchpoints in the one tier only. NESTSCOPE_SEED chooses the first seed, NESTSCOPE_PAIRS how many.
 */
import { strict as assert } from 'node:assert';
import { type Machine, createMachine } from '../../emulator/index';
import { randomSource } from '../random-source';
import { Assembler } from './fuzz/assembler';
import { type Piece, encodings } from './fuzz/random-program';
import { runTo } from './fuzz/two-tiers';
import { BOOT, CODE, DATA, type VcpuCode, pairPieces, randomPair } from './fuzz/two-vcpu-program';

const firstSeed = Number(process.env.NESTSCOPE_SEED ?? 1);
const pairs = Number(process.env.NESTSCOPE_PAIRS ?? 60);
const STEPS = 20_000;

const machineOf = (tier: 'interpreter' | 'jit', seed = 1): Promise<Machine> =>
  createMachine({
    image: new Uint8Array(4096),
    imageName: 'two',
    format: 'flat',
    flat: { address: BOOT, mode: 32 },
    memoryBytes: 3 << 20,
    cpus: 2,
    seed,
    hotAfter: 3,
    tier,
  });
function plant(machine: Machine, pieces: readonly Piece[]): void {
  for (const { address, bytes } of pieces) assert.equal(machine.writeMemory(0, 1, 'hpa', BigInt(address), bytes), bytes.length);
}
const csOf = (machine: Machine): number => Number(machine.cpu(0).register('cs'));
const read32 = (machine: Machine, address: number): number =>
  new DataView(machine.readMemory(0, 1, 'hpa', BigInt(address), 4).slice().buffer).getUint32(0, true);

const [FLAG, ACK, RESULTS] = [DATA, DATA + 0x40, DATA + 0x1000];
const ROUNDS = 200;
const CALLS = 12;
/** A function on a page of its own: mov eax, imm32; ret. */
const FUNCTION = 0x20c000;

/** The first vCPU writes the function's constant, the second calls it a dozen times and stores what came, and so on. */
function writerAndRunner(): [VcpuCode, VcpuCode] {
  const w = new Assembler(32);
  w.emit(0xfa, 0x31, 0xc9); // cli; xor ecx, ecx
  const next = w.here;
  w.emit(0x41); // inc ecx
  w.absolute([0x89], 1, FUNCTION + 1); // mov [FUNCTION + 1], ecx
  w.absolute([0x89], 1, FLAG);
  const wait = w.here;
  w.absolute([0x3b], 1, ACK); // cmp ecx, [ACK]
  w.emit(0x75, wait - (w.here + 2), 0x81, 0xf9); // jne; cmp ecx, ROUNDS
  w.u32(ROUNDS);
  w.emit(0x72, next - (w.here + 2), 0xf4); // jb; hlt
  const r = new Assembler(32);
  r.emit(0xfa, 0x31, 0xc9);
  const again = r.here;
  r.emit(0x41);
  const spin = r.here;
  r.absolute([0x3b], 1, FLAG);
  r.emit(0x75, spin - (r.here + 2), 0xba); // jne; mov edx, CALLS
  r.u32(CALLS);
  const call = r.here;
  r.emit(0xe8);
  r.u32(FUNCTION - (CODE[1] + r.here + 4));
  r.emit(0x4a, 0x75, call - (r.here + 3), 0x89, 0x04, 0x8d); // dec edx; jnz; mov [RESULTS + ecx * 4], eax
  r.u32(RESULTS);
  r.absolute([0x89], 1, ACK);
  r.emit(0x81, 0xf9);
  r.u32(ROUNDS);
  r.emit(0x72, again - (r.here + 2), 0xf4);
  const code = ({ bytes }: Assembler): VcpuCode => ({ bytes: Uint8Array.from(bytes), blocks: [0] });
  return [code(w), code(r)];
}

describe(`two vCPUs in both tiers (seeds from ${firstSeed})`, function () {
  this.timeout(240_000);

  it('one runs what the other has written, at once', async () => {
    const hashes = new Set<string>();
    for (const seed of [1, 2, 3]) {
      hashes.clear();
      for (const tier of ['interpreter', 'jit'] as const)
        for (const slice of [Infinity, 997, 7]) {
          const machine = await machineOf(tier, seed);
          plant(machine, pairPieces(writerAndRunner(), csOf(machine), [0, 0]));
          plant(machine, [{ address: FUNCTION, bytes: Uint8Array.of(0xb8, 0, 0, 0, 0, 0xc3) }]);
          while (machine.ended === undefined) machine.runSlice({ maxSteps: Math.min(slice, 10_000_000) });
          assert.equal(machine.ended.kind, 'halted');
          for (let n = 1; n <= ROUNDS; n++) assert.equal(read32(machine, RESULTS + n * 4), n, `${tier}, round ${n}`);
          assert.equal(machine.tiers.compiled > 0, tier === 'jit');
          hashes.add(`${machine.steps} ${machine.hash()}`);
        }
      assert.equal(hashes.size, 1, `seed ${seed}: ${[...hashes].join(', ')}`);
    }
  });

  it('random pairs of programs agree at random positions', async () => {
    const slow = await machineOf('interpreter', firstSeed);
    const fast = await machineOf('jit', firstSeed);
    const start = slow.save();
    const pool = encodings(32);
    const total = { steps: 0, compared: 0, second: 0 };
    for (let seed = firstSeed; seed < firstSeed + pairs; seed++) {
      const random = randomSource(seed * 7 + 3);
      for (const m of [slow, fast]) m.restore(start);
      const pieces = randomPair(random, pool, csOf(slow));
      for (const m of [slow, fast]) plant(m, pieces);
      const armed = random() % 3 === 0;
      fast.setBreakpoints(armed ? [0, 1].map((v) => ({ address: BigInt(CODE[v] + (random() % 0x200)) })) : []);
      fast.setWatchpoints(
        armed
          ? [CODE[0] + (random() % 0x300), CODE[1] + (random() % 0x300), DATA + (random() % 0x3000)].map((address, i) => ({
              space: i === 0 ? ('hpa' as const) : ('gva' as const),
              address: BigInt(address),
              length: 1 + (random() % 32),
              access: (['read', 'write', 'readWrite'] as const)[random() % 3],
            }))
          : [],
      );
      for (let n = 0; n < STEPS && slow.ended === undefined;) {
        n += 1 + (random() % (random() % 3 === 0 ? 50 : Math.floor(STEPS / 3)));
        runTo(slow, n, () => n);
        const small = n - fast.steps < 200 && random() % 2 === 0;
        runTo(fast, n, small ? () => 1 + (random() % 3) : () => n);
        assert.equal(fast.steps, slow.steps, `seed ${seed}`);
        assert.equal(fast.hash(), slow.hash(), `seed ${seed}, after ${n} steps`);
        total.compared++;
      }
      total.steps += slow.steps;
      total.second += slow.cpu(1).steps;
    }
    const { compiled, dropped } = fast.tiers;
    console.log(
      `      seeds ${firstSeed} to ${firstSeed + pairs - 1}: ${total.steps} steps, ${total.second} of the second vCPU, ${total.compared} hashes compared; ${compiled} regions compiled, ${dropped} dropped`,
    );
    assert.ok(compiled > pairs && dropped > pairs / 2, 'regions ran, and were written to');
    assert.ok(total.second > total.steps / 5, 'the second vCPU ran');
  });
});
