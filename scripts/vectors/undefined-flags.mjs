// Which arithmetic flags the Intel SDM (volume 2, "Flags Affected" of each instruction) leaves undefined, by mnemonic and shift count.

export const Flag = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, DF: 0x400, OF: 0x800 };
const { CF, PF, AF, ZF, SF, OF } = Flag;
export const ARITHMETIC = CF | PF | AF | ZF | SF | OF;

const always = {
  AND: AF,
  OR: AF,
  XOR: AF,
  TEST: AF,
  MUL: SF | ZF | AF | PF,
  IMUL: SF | ZF | AF | PF,
  DIV: ARITHMETIC,
  IDIV: ARITHMETIC,
  BT: OF | SF | AF | PF,
  BTS: OF | SF | AF | PF,
  BTR: OF | SF | AF | PF,
  BTC: OF | SF | AF | PF,
  BSF: CF | OF | SF | AF | PF,
  BSR: CF | OF | SF | AF | PF,
  TZCNT: OF | SF | PF | AF,
  LZCNT: OF | SF | PF | AF,
  DAA: OF,
  DAS: OF,
  AAA: OF | SF | ZF | PF,
  AAS: OF | SF | ZF | PF,
  AAM: OF | AF | CF,
  AAD: OF | AF | CF,
  ANDN: AF | PF,
  BEXTR: AF | SF | PF,
  BLSI: AF | PF,
  BLSMSK: AF | PF,
  BLSR: AF | PF,
  BZHI: AF | PF,
};

/** `count` is the masked count of shifts and rotates, `bits` the operand size. */
export function undefinedFlags(mnemonic, count, bits) {
  switch (mnemonic) {
    case 'ROL':
    case 'ROR':
    case 'RCL':
    case 'RCR':
      return count > 1 ? OF : 0;
    case 'SHL':
    case 'SAL':
    case 'SHR':
      if (count === 0) return 0;
      return AF | (count > 1 ? OF : 0) | (count >= bits ? CF : 0);
    case 'SAR':
      return count === 0 ? 0 : AF | (count > 1 ? OF : 0);
    case 'SHLD':
    case 'SHRD':
      return count === 0 ? 0 : AF | (count > 1 ? OF : 0);
    default:
      return always[mnemonic] ?? 0;
  }
}
