// Cases written by hand: invalid opcodes, LOCK where it is not allowed, instruction length, instruction fetch, privileged instructions at
// CPL 3, prefix order, the stack pointer as its own operand, far transfers within one privilege level, selectors.
// Leaves out what AMD and Intel define differently (SYSENTER, SYSRET, XOP, TSX) and what the recording kernel answers itself (SGDT, SMSW …).
import { defaultFlags, defaultRegisters, defaultRip } from './layout.mjs';

const names = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const bytes = (hex) => (hex.replaceAll(' ', '').match(/../g) ?? []).map((byte) => parseInt(byte, 16));

/** In hexadecimal text: code, {register: value, rip, rflags}, {address: bytes}. Without a name the form is the decoded instruction's. */
function single(form, group, mode, code, set = {}, memory = {}) {
  const registers = defaultRegisters.map((value, i) => BigInt.asUintN(mode, names[i] in set ? BigInt(`0x${set[names[i]]}`) : value));
  return {
    form: form && { text: form, opcode: '', group, mnemonic: '' },
    group,
    mode,
    code: bytes(code),
    rip: set.rip ? BigInt(`0x${set.rip}`) : defaultRip,
    rflags: set.rflags ? parseInt(set.rflags, 16) : defaultFlags,
    registers,
    memory: Object.entries(memory).flatMap(([address, hex]) =>
      bytes(hex).map((byte, i) => ({ at: BigInt(`0x${address}`) + BigInt(i), byte })),
    ),
    undefinedMask: 0,
  };
}

const data = { rax: '200040', rbx: '200080', rcx: '12345678', rsi: '200100', rdi: '200200' };

const invalid64 = '06,07,0e,16,17,1e,1f,27,2f,37,3f,60,61,82c001,9a000010002300,ce,d40a,d50a,d6,ea000010002300'.split(',');
const invalid = (
  '0f04,0f0a,0f0c,0f24c0,0f26c0,0f36,0f3b,0f3c,0f3d,0f3e,0f3f,0fa6c0,0fa7c0,0fb8c0,0fb9c0,0fffc0,0f0b,0fbac001,0fbac801,0fbad001,0fbad801,' +
  '0fc7c8,0fc3c0,0f38f0c0,0f38f1c0,0faa,fed0,fed8,fee0,fee8,fef0,fef8,fff8,c6c801,c7c801000000,8ec8,8ef0,8ef8,8cf0,8cf8,8dc0,ffd8,ffe8'
).split(',');

/** LOCK with a register destination, with instructions that do not write, with instructions that may not be locked. */
const lockMisuse =
  '01c8,0fb1c8,0fc1c8,87c8,f7d8,ffc0,3908,3b08,833805,0308,8908,8b08,8408,a801,c10004,d320,8d08,90,50,ff30,8f00,a4,0fa308,0fba2001,0faf08,0fbc08,0fb608,f720,ff20,e800000000,9c,c3'.split(
    ',',
  );

const privileged =
  'f4,fa,fb,e460,e560,66e560,e660,e760,66e760,ec,ed,66ed,ee,ef,66ef,6c,6d,6e,6f,0f06,0f08,0f09,0f0110,0f0118,0f00d0,0f00d8,0f01f0,0f0138,0f20c0,0f20d0,0f20d8,0f20e0,0f22c0,0f22d0,0f22d8,0f22e0,0f21c0,0f21f8,0f23c0,0f23f8,0f30,0f32'.split(
    ',',
  );

function* faults() {
  for (const code of invalid64) yield single('invalid opcode in 64-bit mode', 'fault', 64, code, data);
  for (const mode of [64, 32]) {
    for (const code of invalid) yield single('invalid opcode', 'fault', mode, code, data);
    for (const code of lockMisuse) yield single('LOCK not allowed', 'fault', mode, `f0${code}`, data);
    yield single('LOCK not allowed', 'fault', mode, '66f00fc8', data);
    for (const code of privileged) yield single(undefined, 'privileged', mode, code, data);
    for (const count of [13, 14, 15, 20]) {
      yield single('instruction length', 'fault', mode, `${'66'.repeat(count)}90`, data);
      yield single('instruction length', 'fault', mode, `${'3e'.repeat(count - 1)}01c8`, data);
      yield single('instruction length', 'fault', mode, `${'67'.repeat(count - 6)}c70012345678`, { ...data, rax: '8040' });
      yield single('instruction length', 'fault', mode, `${'26'.repeat(count - 3)}0fb6c1`, data);
    }
    yield single('instruction fetch', 'fault', mode, '', { rip: '102000' });
    yield single('instruction fetch', 'fault', mode, '', { rip: '102abc' });
    yield single('instruction fetch', 'fault', mode, '90', { rip: '200100' });
    yield single('instruction fetch', 'fault', mode, '90', { rip: '204000' });
    yield single('instruction fetch', 'fault', mode, '90', { rip: '101fff' });
    yield single('instruction fetch', 'fault', mode, 'b8', { rip: '101fff' });
    yield single('instruction fetch', 'fault', mode, '81c0ffff', { rip: '101ffc' });
    yield single('instruction fetch', 'fault', mode, '05ffffff7f', { rip: '101ffb' });
    yield single('instruction fetch', 'fault', mode, '0f', { rip: '101fff' });
    yield single('instruction fetch', 'fault', mode, '66', { rip: '101fff' });
    yield single('instruction fetch', 'fault', mode, '0f0b', { rip: '101ffe' });
    for (const vector of ['40', 'e1', 'fd']) yield single(undefined, 'trap', mode, `cd${vector}`);
    yield single(undefined, 'trap', mode, 'cd03');
    yield single(undefined, 'trap', mode, 'cd04');
  }
  yield single(undefined, 'privileged', 64, '0f01f8', data);
  yield single(undefined, 'privileged', 64, '440f20c0', data);
}

function* prefixes() {
  const set = { rax: '1111111122223333', rcx: '8000000080008001' };
  const order = (code, more = {}, memory = {}) => single('prefix order', 'prefix', 64, code, { ...set, ...more }, memory);
  // A REX prefix that is not right before the opcode is ignored.
  yield order('486601c8');
  yield order('4801c8');
  yield order('664801c8');
  yield order('4f6601c8');
  yield order('484001c8');
  yield order('404801c8');
  yield order('416701c8');
  yield order('483e01c8');
  yield order('483e668908', { rax: '200010' });
  yield order('66674401c8');
  // The last segment override wins; those of ES, CS, SS and DS do nothing.
  yield order('652e8b08', { rax: '200010' }, { 200010: '78563412' });
  yield order('2e658b08', { rax: '10' }, { 200010: '78563412' });
  yield order('65678b08', { rax: 'ffffffff00000010' }, { 200010: '78563412' });
  yield order('65a4', { rsi: '20', rdi: '200040' }, { 200020: 'ab' });
  yield order('65ac', { rsi: '20' }, { 200020: 'cd' });
  yield order('65d7', { rax: '5', rbx: '100' }, { 200105: 'ef' });
  yield order('65a11000000000000000', {}, { 200010: '78563412' });
  for (const mode of [64, 32]) {
    const both = (code, more = {}, memory = {}) => single('prefix order', 'prefix', mode, code, { ...set, ...more }, memory);
    yield both('666601c8');
    yield both('67676689c8');
    yield both('f3c3', { rsp: '300400' }, { 300400: '0010100000000000' });
    yield both('6690');
    yield both('f36690');
    yield both('66f390');
    yield both('36893424', { rsp: '300400' });
    yield both('268b06', { rsi: '200300' }, { 200300: 'deadbeef' });
  }
}

function* stackPointer() {
  const set = { rsp: '300400' };
  const memory = { '3003f8': '0102030405060708', 300400: '112233445566778821324354657687981222324252627282' };
  const codes = [
    '54',
    '5c',
    '6654',
    '665c',
    'ff742408',
    '8f442408',
    '8f0424',
    'ff3424',
    '668f442402',
    '66ff742402',
    '8f4424f8',
    'ff7424f8',
    'ff542408',
    'ff642408',
    'ff1424',
    '870424',
    '01e4',
    '8d642410',
    '89e5',
    'c9',
  ];
  for (const mode of [64, 32]) for (const code of codes) yield single(undefined, 'stack', mode, code, { ...set, rbp: '300404' }, memory);
  // An operand that the instruction itself moves: MOVS onto its source's tail, PUSH of what the push overwrites.
  for (const mode of [64, 32]) yield single(undefined, 'stack', mode, 'ff3424', { rsp: '300404' }, memory);
}

const le = (hex, size) => (hex.padStart(size * 2, '0').match(/../g) ?? []).reverse().join('');

function* farTransfers() {
  const quad = (...values) => values.map((value) => le(value, 8)).join('');
  const dword = (...values) => values.map((value) => le(value, 4)).join('');
  const word = (...values) => values.map((value) => le(value, 2)).join('');
  const at = { rsp: '300400' };
  for (const flags of ['202', '246', 'ed7', '240ad7']) {
    yield single(undefined, 'far', 64, '48cf', at, { 300400: quad('100a00', '33', flags, '300ff0', '2b') });
    yield single(undefined, 'far', 64, 'cf', at, { 300400: dword('100a00', '33', flags, '300ff0', '2b') });
    yield single(undefined, 'far', 32, 'cf', at, { 300400: dword('100a00', '23', flags) });
  }
  yield single(undefined, 'far', 64, '48cf', at, { 300400: quad('100a00', '23', '202', '300ff0', '2b') });
  yield single(undefined, 'far', 32, '66cf', at, { 300400: word('a00', '23', 'ad7') });
  yield single(undefined, 'far', 64, '48cb', at, { 300400: quad('100a00', '33') });
  yield single(undefined, 'far', 64, '48cb', at, { 300400: quad('100a00', '23') });
  yield single(undefined, 'far', 64, '48ca1000', at, { 300400: quad('100a00', '33') });
  yield single(undefined, 'far', 64, 'cb', at, { 300400: dword('100a00', '33') });
  yield single(undefined, 'far', 64, 'cb', at, { 300400: dword('100a00', 'fff8') });
  yield single(undefined, 'far', 64, 'cb', at, { 300400: dword('100a00', '0') });
  yield single(undefined, 'far', 64, '48cf', at, { 300400: quad('100a00', 'fffb', '202', '300ff0', '2b') });
  yield single(undefined, 'far', 64, '48cf', at, { 300400: quad('100a00', '33', '202', '300ff0', '0') });
  yield single(undefined, 'far', 32, 'cb', at, { 300400: dword('100a00', '23') });
  yield single(undefined, 'far', 32, 'cb', at, { 300400: dword('100a00', '33') });
  yield single(undefined, 'far', 32, 'ca0800', at, { 300400: dword('100a00', '23') });
  yield single(undefined, 'far', 32, '66cb', at, { 300400: word('a00', '23') });
  yield single(undefined, 'far', 32, 'ea000a10002300', at);
  yield single(undefined, 'far', 32, 'ea000a10003300', at);
  yield single(undefined, 'far', 32, 'ea000a1000f8ff', at);
  yield single(undefined, 'far', 32, 'ea000a10000000', at);
  yield single(undefined, 'far', 32, 'ea000a10002b00', at);
  yield single(undefined, 'far', 32, '66ea000a2300', at);
  yield single(undefined, 'far', 32, '9a000a10002300', at);
  for (const mode of [64, 32]) {
    yield single(undefined, 'far', mode, 'ff2b', { ...at, rbx: '200010' }, { 200010: '000a1000' + (mode === 64 ? '3300' : '2300') });
    yield single(undefined, 'far', mode, 'ff1b', { ...at, rbx: '200010' }, { 200010: '000a1000' + (mode === 64 ? '3300' : '2300') });
  }
}

function* selectorReads() {
  for (const mode of [64, 32])
    for (const selector of ['2b', '28', '0', '3', 'fff8'])
      for (const code of ['0f00e0', '0f00e8', '0f02c8', '0f03c8', '660f02c8'])
        for (const rflags of ['202', '246']) yield single(undefined, 'selector', mode, code, { rax: selector, rflags });
  for (const selector of ['2b00', '0000', 'f8ff']) {
    for (const code of ['c403', 'c503'])
      yield single(undefined, 'selector', 32, code, { rbx: '200010' }, { 200010: `78563412${selector}` });
    for (const code of ['66c403', '66c503'])
      yield single(undefined, 'selector', 32, code, { rbx: '200010' }, { 200010: `7856${selector}` });
  }
}

export function specialCases() {
  return [...faults(), ...prefixes(), ...stackPointer(), ...farTransfers(), ...selectorReads()];
}
