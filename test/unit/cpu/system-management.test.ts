/**
 * System-management mode on the whole machine (SDM volume 3, "System Management Mode"): SMIs by the interrupt command register and by port
 * B2H, the save area, the state that the handler starts with, RSM and what it refuses, SMBASE relocation, HALT and I/O restart, blocking.
 */
import { strict as assert } from 'node:assert';
import type { Machine } from '../../../emulator/api';
import { flatGuest, peek64, poke, register, runToEnd, STACK_TOP } from './flat-guest';

const SMBASE = 0x30000;
const ENTRY = SMBASE + 0x8000;
/** Address of a field of the save area. */
const saved = (offset: number): number => SMBASE + 0x8000 + offset;
const dword = (v: number): number[] => [v & 0xff, (v >>> 8) & 0xff, (v >>> 16) & 0xff, (v >>> 24) & 0xff];
/** mov edx, FEE00300H; mov dword [rdx], 4200H: an SMI for the processor with APIC id 0 (the upper half of the register is 0). */
const SELF_SMI = [0xba, ...dword(0xfee00300), 0xc7, 0x02, ...dword(0x4200)];
const RSM = [0x0f, 0xaa];
const HLT = 0xf4;
const NOP = 0x90;
/** Configuration register 5BH of the power-management function: APMC_EN. */
const ENABLE_B2 = [0xba, 0xf8, 0x0c, 0, 0, 0xb8, ...dword(0x80000b58), 0xef, 0xba, 0xff, 0x0c, 0, 0, 0xb0, 2, 0xee];
/** In the handler, 16-bit code with DS based at 0: mov byte [10000H-relative], done by a 32-bit address. */
const storeByte = (address: number, value: number): number[] => [0x67, 0xc6, 0x05, ...dword(address), value];
/** inc byte [address] */
const countAt = (address: number): number[] => [0x67, 0xfe, 0x05, ...dword(address)];
const COUNT = 0x20000;

async function guest(code: number[], handler: number[], cpuModel = 'haswell'): Promise<Machine> {
  const m = await flatGuest({ code, cpuModel });
  poke(m, ENTRY, Uint8Array.from(handler));
  return m;
}
const field = (m: Machine, offset: number, bytes = 8): bigint => BigInt.asUintN(8 * bytes, peek64(m, saved(offset)));
const countOf = (m: Machine): number => Number(peek64(m, COUNT) & 0xffn);

describe('system-management mode', () => {
  it('an SMI saves the 64-bit state and starts the handler in its own world; RSM brings everything back', async () => {
    // The handler notes CS and CR0 and halts.
    const m = await guest([...SELF_SMI, NOP, HLT], [HLT]);
    m.cpu(0).setRegister('r15', 0x1122334455667788n);
    m.cpu(0).setRegister('rbx', 0xffffffff00000001n);
    const before = { rflags: register(m, 'rflags'), cr0: register(m, 'cr0'), cr3: register(m, 'cr3'), cr4: register(m, 'cr4') };
    assert.equal(runToEnd(m).kind, 'halted');
    assert.equal(register(m, 'rip'), 0x8001n);
    assert.equal(register(m, 'cs'), 0x3000n);
    assert.equal(register(m, 'ds'), 0n);
    assert.equal(register(m, 'rflags'), 2n);
    assert.equal(register(m, 'cr0') & 0x8000_000dn, 0n, 'PE, EM, TS and PG are clear');
    assert.equal(register(m, 'cr4'), 0n);
    assert.equal(register(m, 'efer'), 0n);
    assert.equal(register(m, 'dr7'), 0x400n);
    // "SMRAM State Save Map for Intel 64 Architecture"
    assert.equal(field(m, 0x7ff8), before.cr0);
    assert.equal(field(m, 0x7ff0), before.cr3);
    assert.equal(field(m, 0x7e40), before.cr4);
    assert.equal(field(m, 0x7fe8), before.rflags);
    assert.equal(field(m, 0x7fe0) & 0x500n, 0x500n, 'LME and LMA');
    assert.equal(field(m, 0x7f1c), 0x1122334455667788n, 'R15');
    assert.equal(field(m, 0x7f74), 0xffffffff00000001n, 'RBX');
    assert.equal(field(m, 0x7f7c), BigInt(STACK_TOP), 'RSP');
    assert.equal(field(m, 0x7ef8, 4), BigInt(SMBASE));
    assert.equal(field(m, 0x7efc, 4) & 0x3_0000n, 0x3_0000n, 'I/O restart and SMBASE relocation are there');
    assert.equal(field(m, 0x7f02, 2), 0n, 'it was not halted');
  });

  it('RSM goes on behind the interrupted instruction with every register as it was', async () => {
    const m = await guest([...SELF_SMI, 0x83, 0xc0, 0x05, HLT], [...countAt(COUNT), ...RSM]);
    m.cpu(0).setRegister('rax', 2n);
    const names = ['cs', 'ss', 'ds', 'rflags', 'cr0', 'cr3', 'cr4', 'efer', 'rsp', 'gdtr', 'idtr'];
    const before = names.slice(0, 9).map((n) => register(m, n));
    assert.equal(runToEnd(m).kind, 'halted');
    assert.equal(countOf(m), 1);
    assert.equal(register(m, 'rax'), 7n);
    assert.deepEqual(
      names.slice(0, 9).map((n) => register(m, n) & ~(n === 'rflags' ? 0x8d5n : 0n)),
      before.map((v, i) => v & ~(names[i] === 'rflags' ? 0x8d5n : 0n)),
    );
  });

  it('what the handler writes to the save area is what RSM loads', async () => {
    const m = await guest([...SELF_SMI, NOP, HLT], [...storeByte(saved(0x7f5c), 0x5a), ...RSM]);
    m.cpu(0).setRegister('rax', 0n);
    assert.equal(runToEnd(m).kind, 'halted');
    assert.equal(register(m, 'rax'), 0x5an);
  });

  it('SMBASE relocation counts from the next SMI on', async () => {
    const m = await guest([...SELF_SMI, ...SELF_SMI, NOP, HLT], [...storeByte(saved(0x7ef8) + 2, 4), ...RSM]);
    poke(m, 0x48000, Uint8Array.from([...countAt(COUNT), ...RSM]));
    assert.equal(runToEnd(m).kind, 'halted');
    assert.equal(countOf(m), 1);
    assert.equal(peek64(m, 0x48000 + 0x7ef8) & 0xffff_ffffn, 0x40000n);
  });

  it('RSM outside of system-management mode is #UD', async () => {
    const m = await guest([...RSM, HLT], [HLT]);
    m.breakOn.exception = true;
    const stop = runToEnd(m);
    assert.equal(stop.kind === 'exception' && stop.exception.vector, 6);
  });

  for (const [what, offset, value] of [
    ['a reserved bit of CR4', 0x7e40, 1n << 40n],
    ['CR4.VMXE', 0x7e40, 0x2020n],
    ['CR0.PG without PE', 0x7ff8, 0x8000_0010n],
    ['CR0.NW without CD', 0x7ff8, 0xa000_0011n],
    ['IA32_EFER.LMA without paging', 0x7ff8, 0x11n],
  ] as const)
    it(`RSM with ${what} is a shutdown`, async () => {
      // mov eax, low; mov [addr], eax; likewise high: with 32-bit operands and addresses in 16-bit code.
      const put = (at: number, v: number): number[] => [0x66, 0x67, 0xc7, 0x05, ...dword(at), ...dword(v)];
      const at = saved(offset);
      const handler = [...put(at, Number(value & 0xffff_ffffn)), ...put(at + 4, Number(value >> 32n)), ...RSM];
      const m = await guest([...SELF_SMI, NOP, HLT], handler);
      const stop = runToEnd(m);
      assert.equal(stop.kind, 'triple-fault');
    });

  it('an SMI in SMM waits for RSM: handlers do not nest', async () => {
    // The handler sends another SMI the first time: cmp byte [COUNT], 2; jae to RSM; mov edx, ICR; mov dword [edx], 4200H.
    const handler = [
      ...countAt(COUNT),
      ...[0x67, 0x80, 0x3d, ...dword(COUNT), 2],
      ...[0x73, 14],
      ...[0x66, 0xba, ...dword(0xfee00300)],
      ...[0x66, 0x67, 0xc7, 0x02, ...dword(0x4200)],
      ...countAt(COUNT + 1),
      ...RSM,
    ];
    const m = await guest([...SELF_SMI, NOP, HLT], handler);
    assert.equal(runToEnd(m).kind, 'halted');
    // The first run went to its end (COUNT + 1) before the second began, and the second began.
    assert.equal(peek64(m, COUNT) & 0xffffn, 0x0202n);
  });

  it('an SMI that ends HLT says so, and RSM halts again, or goes on where the handler clears the flag', async () => {
    const again = await haltedGuest([...countAt(COUNT), ...RSM]);
    assert.equal(countOf(again), 1);
    assert.equal(field(again, 0x7f02, 2), 1n);
    assert.equal(register(again, 'rbx'), 0n);
    const on = await haltedGuest([...countAt(COUNT), ...storeByte(saved(0x7f02), 0), ...RSM]);
    assert.equal(register(on, 'rbx'), 1n);
  });

  it('port B2H raises an SMI once APMC_EN is set, behind the OUT, which the save area names', async () => {
    const out = [0xb0, 0x77, 0xe6, 0xb2]; // mov al, 77H; out B2H, al
    const off = await guest([...out, HLT], [...countAt(COUNT), ...RSM]);
    assert.equal(runToEnd(off).kind, 'halted');
    assert.equal(countOf(off), 0);
    const on = await guest([...ENABLE_B2, ...out, HLT], [...countAt(COUNT), ...RSM]);
    assert.equal(runToEnd(on).kind, 'halted');
    assert.equal(countOf(on), 1);
    // "I/O State Field": IO_SMI, one byte, OUT with an immediate (8), port B2H.
    assert.equal(field(on, 0x7fa4, 4), 0x00b2_0083n);
    assert.equal(field(on, 0x7fd8) - field(on, 0x7de8), 2n, 'RIP is two bytes behind IO_RIP');
  });

  it('I/O restart makes the OUT again', async () => {
    const out = [0xb0, 0x77, 0xe6, 0xb2];
    // The first time only: inc byte [COUNT]; cmp byte [COUNT], 2; jae; mov byte [7F00H], FFH; rsm
    const handler = [...countAt(COUNT), 0x67, 0x80, 0x3d, ...dword(COUNT), 2, 0x73, 8, ...storeByte(saved(0x7f00), 0xff), ...RSM];
    const m = await guest([...ENABLE_B2, ...out, HLT], handler);
    assert.equal(runToEnd(m).kind, 'halted');
    assert.equal(countOf(m), 2);
  });

  it('is the same at any slicing and in snapshots taken inside the handler', async () => {
    const code = [...SELF_SMI, NOP, NOP, ...SELF_SMI, HLT];
    const handler = [...countAt(COUNT), NOP, NOP, ...RSM];
    const whole = await guest(code, handler);
    runToEnd(whole);
    const sliced = await guest(code, handler);
    while (sliced.runSlice({ maxSteps: 1 }).kind === 'step-limit');
    assert.equal(sliced.hash(), whole.hash());
    assert.equal(sliced.steps, whole.steps);
  });
});

/** A guest whose HLT the timer ends with an SMI: input 2 of the I/O APIC has delivery mode SMI. Behind the HLT stands INC EBX. */
async function haltedGuest(handler: number[]): Promise<Machine> {
  const ioApic = (register: number, value: number): number[] => [0xc7, 0x02, ...dword(register), 0xc7, 0x42, 0x10, ...dword(value)];
  const out = (port: number, value: number): number[] => [0xb0, value, 0xe6, port];
  // Channel 0, mode 0: the output rises once, 256 cycles later.
  const timer = [...out(0x43, 0x30), ...out(0x40, 0), ...out(0x40, 1)];
  const code = [0xba, ...dword(0xfec00000), ...ioApic(0x15, 0), ...ioApic(0x14, 0x200), ...timer, 0xfb, HLT, 0xff, 0xc3, 0xfa, HLT];
  const m = await guest(code, handler);
  m.cpu(0).setRegister('rbx', 0n);
  assert.match(runToEnd(m).kind, /halted|waiting/);
  return m;
}
