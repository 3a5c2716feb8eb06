// Machine code from an opcode column of the manual ("o64 0F BA /4 ib", "VEX.LZ.F2.0F38.W0 F7 /r") and chosen operands.

const legacyMaps = { '0F': 1, '0F38': 2, '0F3A': 3 };
const vexPrefixes = { 66: 1, F3: 2, F2: 3 };

export function bytesOf(value, count) {
  return Array.from({ length: count }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
}

/** The opcode column taken apart. */
export function parseOpcode(column) {
  const result = { prefixes: [], rep: 0, bytes: [], operandBits: 0, addressBits: 0, plusRegister: false, modrm: undefined, vex: undefined };
  for (const token of column.split(' ')) {
    const size = /^([oa])(16|32|64)$/.exec(token);
    if (size) result[size[1] === 'o' ? 'operandBits' : 'addressBits'] = Number(size[2]);
    else if (token.startsWith('VEX.')) {
      const parts = token.split('.');
      const map = parts.find((part) => part in legacyMaps);
      const prefix = parts.find((part) => part in vexPrefixes);
      result.vex = { map: legacyMaps[map], pp: prefix ? vexPrefixes[prefix] : 0, w: parts.includes('W1') ? 1 : 0 };
    } else if (token === '/r') result.modrm = 'r';
    else if (/^\/[0-7]$/.test(token)) result.modrm = Number(token[1]);
    else if (/^[0-9A-F]{2}\+r[bwdo]$/.test(token)) {
      result.bytes.push(parseInt(token, 16));
      result.plusRegister = true;
    } else if (/^[0-9A-F]{2}$/.test(token)) {
      const byte = parseInt(token, 16);
      const prefix = result.bytes.length === 0 && (byte === 0x66 || byte === 0xf2 || byte === 0xf3);
      if (prefix && !result.vex) result.prefixes.push(byte);
      else result.bytes.push(byte);
    } else if (!['NP', 'ib', 'iw', 'id', 'io', 'cb', 'cw', 'cd', 'mo'].includes(token))
      throw new Error(`opcode column ${column}: ${token}?`);
  }
  return result;
}

/**
 * choice: {mode, rip, reg, rm | memory, vvvv, plus, immediate, prefixes, addressBits, rex, rexW}. Registers are numbers 0..15; `memory` comes from
 * addressing.mjs; `immediate` is everything behind ModRM and displacement; `rex` forces a REX prefix.
 */
export function encode(opcode, choice) {
  const { mode, memory } = choice;
  const rm = choice.rm ?? 0;
  const b = memory ? memory.base >> 3 : (choice.plus ?? rm) >> 3;
  const x = memory ? memory.index >> 3 : 0;
  const reg = opcode.modrm === 'r' ? choice.reg : (opcode.modrm ?? 0);
  const r = reg >> 3;

  const code = [...choice.prefixes];
  if (opcode.vex) {
    const { map, pp, w } = opcode.vex;
    code.push(0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | map, (w << 7) | ((choice.vvvv ^ 15) << 3) | pp);
  } else {
    const rex = (choice.rexW ? 8 : 0) | (r << 2) | (x << 1) | b;
    if (rex !== 0 || choice.rex) {
      if (mode !== 64) throw new Error('REX outside 64-bit mode');
      code.push(0x40 | rex);
    }
  }
  const bytes = [...opcode.bytes];
  if (opcode.plusRegister) bytes[bytes.length - 1] += choice.plus & 7;
  code.push(...bytes);
  if (opcode.modrm !== undefined) {
    if (!memory) code.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
    else {
      code.push((memory.mod << 6) | ((reg & 7) << 3) | memory.rm);
      if (memory.sib !== undefined) code.push(memory.sib);
      const end = code.length + memory.displacementBytes + choice.immediate.length;
      const displacement = memory.ripTarget === undefined ? memory.displacement : memory.ripTarget - (choice.rip + BigInt(end));
      code.push(...bytesOf(displacement, memory.displacementBytes));
    }
  }
  code.push(...choice.immediate);
  return code;
}
