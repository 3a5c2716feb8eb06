/** Little-endian reader over a bounded range of bytes: every read past the end throws Malformed, so that no damaged file can run on. */

/** The file is damaged here; caught where a part of it can be left out. */
export class Malformed extends Error {}

export class ByteReader {
  private readonly view: DataView;

  /** Reads [position, limit) of `bytes`. */
  constructor(
    private readonly bytes: Uint8Array,
    public position = 0,
    public readonly limit = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!(position >= 0 && position <= limit && limit <= bytes.length)) throw new Malformed('range outside the file');
  }

  get done(): boolean {
    return this.position >= this.limit;
  }

  /** Steps over `count` bytes and gives the place where they began. */
  private take(count: number): number {
    const at = this.position;
    if (!(count >= 0 && at + count <= this.limit)) throw new Malformed('read past the end');
    this.position = at + count;
    return at;
  }

  skip(count: number): void {
    this.take(count);
  }
  u8(): number {
    return this.view.getUint8(this.take(1));
  }
  i8(): number {
    return this.view.getInt8(this.take(1));
  }
  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }
  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }
  /** An unsigned integer of 1 to 8 bytes. */
  unsigned(size: number): bigint {
    const at = this.take(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i]);
    return value;
  }
  /** A 32-bit offset, or a 64-bit one in the 64-bit DWARF format; beyond 2^53 it is far outside any file. */
  offset(dwarf64: boolean): number {
    return dwarf64 ? Number(this.u64()) : this.u32();
  }

  uleb(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return BigInt.asUintN(64, value);
    }
  }
  sleb(): bigint {
    let value = 0n;
    for (let shift = 0n; ;) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte & 0x80) continue;
      if (byte & 0x40 && shift < 64n) value -= 1n << shift;
      return BigInt.asIntN(64, value);
    }
  }
  /** ULEB128 as a count or an index. */
  count(): number {
    return Number(this.uleb());
  }

  /** A null-terminated string. */
  string(): string {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0 || end >= this.limit) throw new Malformed('string without end');
    const text = decoder.decode(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }
}

const decoder = new TextDecoder();

/** The null-terminated string at an offset of a string section; empty when there is none. */
export function stringAt(section: Uint8Array | undefined, offset: number): string {
  if (section === undefined || !(offset >= 0 && offset < section.length)) return '';
  const end = section.indexOf(0, offset);
  return decoder.decode(section.subarray(offset, end < 0 ? section.length : end));
}
