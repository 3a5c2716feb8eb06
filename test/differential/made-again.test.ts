/**
 * An instruction that is left in its middle (its second access is watched, or goes to a page that holds code and must not be made by a
 * compiled region) is made again by itself, and must find the TLB as it found it first: an entry that no longer agrees with the tables
 * may not be walked for once more.
 */
import { strict as assert } from 'node:assert';
import { type Machine, type Watchpoint, createMachine } from '../../emulator/index';

const CODE = 0x100000;
/** Pages 1,024 apart, so that they share an entry of the TLB. */
const OPERAND = 0x800000;
const STACK = 0xc00800;
const OTHER = 0xa00000;
const PRESENT_WRITABLE_LARGE = 0x83;

const program = [
  [0xff, 0xd7], // call rdi: a RET on the stack's page
  [0x48, 0x8b, 0x03], // 2 mov rax, [rbx]: the operand's page is in the TLB
  [0x4d, 0x89, 0x08], // mov [r8], r9: its directory entry now maps another page; nothing is invalidated
  [0xff, 0x33], // push qword [rbx]: from the page in the TLB, whose entry the push then takes
  [0x4d, 0x89, 0x10], // mov [r8], r10: as before
  [0x59], // pop rcx
  [0x48, 0x01, 0xca], // add rdx, rcx
  [0x48, 0xff, 0xce], // dec rsi
  [0x75, 0xec], // jnz 2
  [0xf4],
].flat();

async function run(tier: 'interpreter' | 'jit', codeOnStackPage: boolean, watchpoints: readonly Watchpoint[]): Promise<Machine> {
  const image = Uint8Array.from(program);
  const config = { image, imageName: 'again', format: 'flat', flat: { address: CODE, mode: 64 }, memoryBytes: 16 << 20 } as const;
  const m = await createMachine({ ...config, tier, hotAfter: 3 });
  const cpu = m.cpu(0);
  const directory = Number(cpu.register('cr3')) + 0x2000;
  const ret = codeOnStackPage ? (STACK & ~0xfff) + 0x100 : CODE + 0x800;
  m.writeMemory(0, 1, 'hpa', BigInt(ret), Uint8Array.of(0xc3));
  m.writeMemory(0, 1, 'hpa', BigInt(OPERAND), Uint8Array.of(1));
  m.writeMemory(0, 1, 'hpa', BigInt(OTHER), Uint8Array.of(0, 0, 1));
  const entry = (address: number): number => address | PRESENT_WRITABLE_LARGE;
  const registers = { rsp: STACK, rbx: OPERAND, rdi: ret, r8: directory + 8 * 4, r9: entry(OTHER), r10: entry(OPERAND), rsi: 1000, rdx: 0 };
  for (const [name, value] of Object.entries(registers)) cpu.setRegister(name, BigInt(value));
  m.setWatchpoints(watchpoints);
  while (m.ended === undefined) m.runSlice({ maxSteps: 61 });
  assert.equal(m.ended.kind, 'halted');
  assert.equal(m.tiers.compiled > 0, tier === 'jit');
  return m;
}

describe('an instruction that is made again', () => {
  const watched: Watchpoint = { space: 'gva', address: BigInt(STACK - 8), length: 1, access: 'readWrite' };
  for (const codeOnStackPage of [false, true])
    it(`finds the TLB as it was${codeOnStackPage ? ' where the page it writes holds code' : ''}`, async () => {
      const plain = await run('interpreter', codeOnStackPage, []);
      assert.equal(plain.cpu(0).register('rdx'), 1000n, 'the operand came from the page in the TLB each time');
      for (const tier of ['interpreter', 'jit'] as const)
        for (const watchpoints of [[], [watched]]) {
          const other = await run(tier, codeOnStackPage, watchpoints);
          assert.equal(other.cpu(0).register('rdx'), 1000n, tier);
          assert.equal(other.hash(), plain.hash(), `${tier}, ${watchpoints.length} watchpoints`);
        }
    });
});
