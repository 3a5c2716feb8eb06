/** Disassembly, the instructions before an address, and callers found without unwind tables. */
import { strict as assert } from 'node:assert';
import { RequestArguments } from '../../../debug-adapter/arguments';
import { Debuggee } from '../../../debug-adapter/debuggee';
import { Disassembler } from '../../../debug-adapter/disassembly';
import { disassemble } from '../../../debug-adapter/memory';
import { SourceFinder } from '../../../debug-adapter/source-files';
import { noSymbols, type SymbolSource } from '../../../debug-adapter/symbol-source';
import { Unwinder } from '../../../debug-adapter/unwinding';
import { FakeMachine } from './fake-machine';

const MAIN = 0x100000n;
const LEAF = 0x100020n;
const symbols: SymbolSource = {
  ...noSymbols,
  symbolAt(_level, address) {
    if (address < MAIN || address >= 0x100100n) return undefined;
    return address >= LEAF
      ? { name: 'leaf', address: LEAF, offset: address - LEAF }
      : { name: 'main', address: MAIN, offset: address - MAIN };
  },
};
/** main: push rbp / mov rbp, rsp / call leaf / …; leaf: xor eax, eax / ret. */
const code = new Map<bigint, number[]>([
  [MAIN, [0x55, 0x48, 0x89, 0xe5, 0xe8, 0x17, 0, 0, 0, 0xf3, 0x48, 0xab, 0x0f, 0x01, 0xc3, 0xc3]],
  [LEAF, [0x31, 0xc0, 0xc3]],
]);

describe('instructions', () => {
  let disassembler: Disassembler;
  before(async () => (disassembler = await Disassembler.load()));

  it('are told apart by what they do to the flow of control', () => {
    const bytes = Uint8Array.from(code.get(MAIN)!);
    const kinds = disassembler.decode(bytes, MAIN, 64, 20).map(({ text, kind, target }) => [text, kind, target]);
    assert.deepEqual(kinds, [
      ['push rbp', 'plain', undefined],
      ['mov rbp, rsp', 'plain', undefined],
      ['call 0x100020', 'call', LEAF],
      ['rep stosq', 'repeat', undefined],
      ['vmresume', 'vm-entry', undefined],
      ['ret', 'return', undefined],
    ]);
  });

  it('depend on the mode', () => {
    const bytes = Uint8Array.from([0x48, 0x31, 0xc0]);
    assert.deepEqual(
      disassembler.decode(bytes, 0n, 64, 9).map(({ text }) => text),
      ['xor rax, rax'],
    );
    assert.deepEqual(
      disassembler.decode(bytes, 0n, 32, 9).map(({ text }) => text),
      ['dec eax', 'xor eax, eax'],
    );
    assert.deepEqual(
      disassembler.decode(bytes, 0n, 16, 9).map(({ text }) => text),
      ['dec ax', 'xor ax, ax'],
    );
  });

  it('that are none come as bytes, and decoding goes on behind them', () => {
    const rows = disassembler
      .decode(Uint8Array.from([0x06, 0x90, 0x0f]), 0x10n, 64, 9)
      .map(({ address, text, valid }) => [address, text, valid]);
    assert.deepEqual(rows, [[0x10n, 'db 0x06', false], [0x11n, 'nop', true], [0x12n, 'db 0x0f', false]]); // prettier-ignore
  });

  const listing = async (source: SymbolSource, args: object): Promise<string[]> => {
    const machine = new FakeMachine({ positions: [{ level: 1, rip: MAIN }], code });
    const debuggee = new Debuggee('fake', 'fake.elf', machine, source, disassembler);
    const finder = new SourceFinder(() => Promise.reject(new Error('none')), 'fake.elf', {});
    const body = await disassemble(debuggee, new RequestArguments('disassemble', args), finder, 1);
    return body!.instructions.map(({ address, instruction }) => `${address} ${instruction}`);
  };

  it('before an address are found by the symbols, or by falling into step', async () => {
    const expected = ['0x100001 mov rbp, rsp', '0x100004 call 0x100020', '0x100009 rep stosq', '0x10000c vmresume'];
    const args = { memoryReference: 'l1:gva:0x100009', instructionOffset: -2, instructionCount: 4 };
    assert.deepEqual(await listing(noSymbols, args), expected);
    assert.deepEqual(
      await listing(symbols, args),
      expected.map((row) => row.replace('call 0x100020', 'call 0x100020 ; leaf')),
    );
  });

  it('come in the number asked for, also where nothing can be read', async () => {
    assert.equal(
      (await listing(noSymbols, { memoryReference: 'hpa:0xfffffffffffffff0', instructionOffset: -50, instructionCount: 200 })).length,
      200,
    );
    assert.equal((await listing(noSymbols, { memoryReference: '0x0', instructionOffset: -30, instructionCount: 60 })).length, 60);
    assert.equal((await listing(noSymbols, { memoryReference: '0x100000', instructionOffset: 1000, instructionCount: 0 })).length, 0);
  });
});

describe('callers', () => {
  const write = (machine: FakeMachine, address: bigint, value: bigint): void => {
    for (let i = 0n; i < 8n; i++) machine.memory.set(address + i, Number((value >> (8n * i)) & 0xffn));
  };

  it('are found by the frame pointer and, in a function without one, by the call that came here', async () => {
    const disassembler = await Disassembler.load();
    const machine = new FakeMachine({ positions: [{ level: 1, rip: LEAF }], code });
    const returnAddress = MAIN + 9n;
    // leaf has no frame: its return address is on top; something that no call precedes lies around.
    write(machine, 0x8000n, returnAddress);
    write(machine, 0x8008n, 0x9000n); // main's saved RBP
    write(machine, 0x8010n, MAIN + 1n); // no CALL before this
    const unwinder = new Unwinder(machine, symbols, disassembler);
    const start = { vcpu: 0, level: 1, codeBits: 64, rip: LEAF, rsp: 0x8000n, rbp: 0x8008n } as const;
    assert.deepEqual(unwinder.callers(start), [{ returnAddress, slot: 0x8000n, rbp: 0x8008n }]);
    // With a real frame above it, the chain goes on.
    write(machine, 0x8010n, returnAddress);
    assert.deepEqual(unwinder.callers(start).map(({ returnAddress: address, slot }) => [address, slot]), [[returnAddress, 0x8000n], [returnAddress, 0x8010n]]); // prettier-ignore
  });

  it('are not made up from a wild stack', async () => {
    const machine = new FakeMachine({ positions: [{ level: 1, rip: LEAF }], code });
    const unwinder = new Unwinder(machine, symbols, await Disassembler.load());
    for (const rsp of [0n, 0x8000n, 0xffff_ffff_ffff_fff8n, 0x1_0000_0000n]) {
      assert.deepEqual(unwinder.callers({ vcpu: 0, level: 1, codeBits: 64, rip: LEAF, rsp, rbp: rsp }), []);
    }
  });
});

describe('source files', () => {
  const finder = (there: string, program: string, sourceMap = {}): SourceFinder =>
    new SourceFinder(
      (path) => (path === there ? Promise.resolve(new Uint8Array()) : Promise.reject(new Error('none'))),
      program,
      sourceMap,
    );

  it('are found where they were built, by the map, beside the program, or nowhere', async () => {
    const find = async (there: string, file: string, map = {}): Promise<string | undefined> =>
      (await finder(there, '/here/out/guest.elf', map).find(file))?.path;
    assert.equal(await find('/built/src/a.c', '/built/src/a.c'), '/built/src/a.c');
    assert.equal(await find('/mine/src/a.c', '/built/src/a.c', { '/built': '/mine' }), '/mine/src/a.c');
    assert.equal(await find('/here/out/a.c', '/built/src/a.c'), '/here/out/a.c');
    assert.equal(await find('/here/src/a.c', '/built/src/a.c'), '/here/src/a.c');
    assert.equal(await find('/here/out/lib/a.c', 'lib/a.c'), '/here/out/lib/a.c');
    assert.equal(await find('/nowhere', '/built/src/a.c'), undefined);
  });

  it('are found beside a program that is a URI', async () => {
    const web = finder('vscode-test-web://mount/src/a.asm', 'vscode-test-web://mount/src/a.elf');
    assert.equal((await web.find('/built/src/a.asm'))?.path, 'vscode-test-web://mount/src/a.asm');
  });
});
