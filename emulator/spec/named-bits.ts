/** Named bits of a register, field or error word as plain data, and the one function that takes a value apart by such a layout. */

export interface NamedBits {
  readonly low: number;
  /** Highest bit; the same as `low` for a flag. */
  readonly high: number;
  readonly name: string;
  /** What each value means; for a flag, words for 0 and 1. */
  readonly words?: Readonly<Record<number, string>>;
  /** One sentence on what the bits mean. */
  readonly meaning?: string;
}

export type BitLayout = readonly NamedBits[];

export interface DecodedBits {
  readonly bits: NamedBits;
  readonly value: bigint;
  /** The value in words where the layout has some, else as a number. */
  readonly text: string;
}

export function flagBit(bit: number, name: string, meaning?: string): NamedBits {
  return { low: bit, high: bit, name, ...(meaning === undefined ? {} : { meaning }) };
}

export function bitRange(low: number, high: number, name: string, words?: Readonly<Record<number, string>>, meaning?: string): NamedBits {
  return { low, high, name, ...(words === undefined ? {} : { words }), ...(meaning === undefined ? {} : { meaning }) };
}

export function extractBits(bits: NamedBits, value: bigint): bigint {
  return (value >> BigInt(bits.low)) & ((1n << BigInt(bits.high - bits.low + 1)) - 1n);
}

export function decodeBits(layout: BitLayout, value: bigint): DecodedBits[] {
  return layout.map((bits) => {
    const part = extractBits(bits, value);
    const word = bits.words?.[Number(part)];
    const plain = bits.high === bits.low ? String(part) : part < 10n ? String(part) : `0x${part.toString(16)}`;
    return { bits, value: part, text: word ?? plain };
  });
}

/** One line: the names of the flags that are set, and `name=value` for ranges that are not zero. */
export function summarizeBits(layout: BitLayout, value: bigint): string {
  const parts: string[] = [];
  for (const { bits, value: part, text } of decodeBits(layout, value)) {
    const isFlag = bits.low === bits.high;
    if (isFlag && bits.words === undefined) {
      if (part === 1n) parts.push(bits.name);
    } else if (bits.words !== undefined) {
      if (bits.words[Number(part)] !== undefined ? bits.words[Number(part)] !== '' : part !== 0n) parts.push(`${bits.name}: ${text}`);
    } else if (part !== 0n) parts.push(`${bits.name} ${text}`);
  }
  return parts.join(', ');
}
