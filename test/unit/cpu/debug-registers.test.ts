/** DR0 to DR3 on the whole core: instruction and data breakpoints, RF, and that none of it depends on how a run is sliced. */
import { strict as assert } from 'node:assert';
import { type Machine, createMachine } from '../../../emulator/index';

const CODE = 0x100000;
const IDT = 0x102000;
const HANDLER = 0x103000;
const DATA = 0x108000;

const program = [
  [0x0f, 0x01, 0x1d, 0xf9, 0x1f, 0, 0], // 100000 lidt [rip + 102000 - 100007]
  [0x48, 0x89, 0x03], // 100007 mov [rbx], rax
  [0x48, 0x8b, 0x13], // 10000a mov rdx, [rbx]
  [0xf3, 0xaa], // 10000d rep stosb
  [0x66, 0xff, 0x73, 0x06], // 10000f push word [rbx + 6]
  [0x90], // 100013
  [0xf4], // 100014 hlt
].flat();

async function machine(tier: 'interpreter' | 'jit' = 'interpreter'): Promise<Machine> {
  const image = Uint8Array.from(program);
  const m = await createMachine({
    image,
    imageName: 'debug',
    format: 'flat',
    flat: { address: CODE, mode: 64 },
    memoryBytes: 4 << 20,
    tier,
  });
  const cpu = m.cpu(0);
  const cs = cpu.register('cs') ?? 0n;
  const gates = new DataView(new ArrayBuffer(16 * 32));
  for (let v = 0; v < 32; v++) {
    gates.setBigUint64(16 * v, BigInt(HANDLER & 0xffff) | (cs << 16n) | (0x8en << 40n) | (BigInt(HANDLER >> 16) << 48n), true);
  }
  // The IDTR image stands where the program loads it from; the gates behind it.
  const idtr = new DataView(new ArrayBuffer(16));
  idtr.setUint16(0, 16 * 32 - 1, true);
  idtr.setBigUint64(2, BigInt(IDT + 16), true);
  m.writeMemory(0, 1, 'hpa', BigInt(IDT), new Uint8Array(idtr.buffer));
  m.writeMemory(0, 1, 'hpa', BigInt(IDT + 16), new Uint8Array(gates.buffer));
  m.writeMemory(0, 1, 'hpa', BigInt(HANDLER), Uint8Array.from([0x48, 0xcf]));
  for (const [name, value] of Object.entries({ rsp: 0x10a000, rbx: DATA, rdi: DATA + 0x10, rcx: 3, rax: 0x5a5a }))
    cpu.setRegister(name, BigInt(value));
  return m;
}
const dr7 = (n: number, kind: number, length: number): bigint =>
  BigInt(((2 << (2 * n)) | (kind << (16 + 4 * n)) | (length << (18 + 4 * n)) | 0x400) >>> 0);

/** Runs to the HLT and lists every #DB: RIP and DR6's conditions as the handler finds them. */
function debugExceptions(m: Machine, slice = 1_000_000): string[] {
  m.breakOn.exception = true;
  const seen: string[] = [];
  for (let n = 0; n < 10_000; n++) {
    const stop = m.runSlice({ maxSteps: slice });
    if (stop.kind === 'exception') {
      assert.equal(stop.exception.vector, 1);
      seen.push(`${stop.exception.rip.toString(16)}: ${((m.cpu(0).register('dr6') ?? 0n) & 0xe00fn).toString(16)}`);
      m.cpu(0).setRegister('dr6', 0xffff0ff0n);
    } else if (stop.kind !== 'step-limit') {
      assert.equal(stop.kind, 'halted');
      return seen;
    }
  }
  throw new Error('the guest does not end');
}
async function withBreakpoint(address: number, control: bigint, n = 0, rflags = 2n): Promise<string[]> {
  const lists: string[][] = [];
  const hashes: string[] = [];
  for (const [tier, slice] of [
    ['interpreter', 1_000_000],
    ['interpreter', 1],
    ['jit', 1_000_000],
  ] as const) {
    const m = await machine(tier);
    m.cpu(0).setRegister(`dr${n}`, BigInt(address));
    m.cpu(0).setRegister('dr7', control);
    m.cpu(0).setRegister('rflags', rflags);
    lists.push(debugExceptions(m, slice));
    hashes.push(m.hash());
  }
  assert.deepEqual(lists[1], lists[0]);
  assert.deepEqual(lists[2], lists[0]);
  assert.equal(new Set(hashes).size, 1, 'the same state however it was run');
  return lists[0];
}

describe('breakpoint registers', function () {
  this.timeout(60_000);
  it('an instruction breakpoint is a fault before the instruction, once: the handler returns with RF set', async () => {
    assert.deepEqual(await withBreakpoint(0x10000a, dr7(1, 0, 0), 1), ['10000a: 2']);
  });
  it('on REP it does not come again at each iteration', async () => {
    assert.deepEqual(await withBreakpoint(0x10000d, dr7(0, 0, 0)), ['10000d: 1']);
  });
  it('RF set beforehand holds it off, disabled ones are silent', async () => {
    assert.deepEqual(await withBreakpoint(0x100000, dr7(0, 0, 0), 0, 0x10002n), []);
    assert.deepEqual(await withBreakpoint(0x10000a, 0x400n), []);
  });
  it('a write breakpoint is a trap behind the store', async () => {
    assert.deepEqual(await withBreakpoint(DATA + 4, dr7(2, 1, 3), 2), ['10000a: 4']);
  });
  it('a read-write breakpoint sees loads too, by any overlap', async () => {
    assert.deepEqual(await withBreakpoint(DATA + 7, dr7(3, 3, 0), 3), ['10000a: 8', '10000d: 8', '100013: 8']);
    assert.deepEqual(await withBreakpoint(DATA + 8, dr7(3, 3, 2), 3), []);
  });
  it('each iteration of REP STOSB that meets it traps between iterations', async () => {
    assert.deepEqual(await withBreakpoint(DATA + 0x11, dr7(0, 1, 0)), ['10000d: 1']);
    assert.deepEqual(await withBreakpoint(DATA + 0x10, dr7(0, 1, 1)), ['10000d: 1', '10000d: 1']);
  });
  it('a page that the TLB knows already is watched as soon as DR7 enables a breakpoint on it', async () => {
    const m = await machine();
    m.runSlice({ maxSteps: 2 });
    m.cpu(0).setRegister('dr0', BigInt(DATA));
    m.cpu(0).setRegister('dr7', dr7(0, 3, 2));
    assert.deepEqual(debugExceptions(m), ['10000d: 1', '100013: 1']);
  });
});
