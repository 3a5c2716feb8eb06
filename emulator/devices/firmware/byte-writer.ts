/** Writes little-endian fields one behind the other: how the firmware's tables are put together. */
export class ByteWriter {
  private readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }
  byte(...values: readonly number[]): this {
    for (const value of values) this.bytes.push(value & 0xff);
    return this;
  }
  word(value: number): this {
    return this.byte(value, value >>> 8);
  }
  dword(value: number): this {
    return this.word(value).word(value >>> 16);
  }
  qword(value: number): this {
    return this.dword(value).dword(Math.floor(value / 2 ** 32));
  }
  /** ASCII; shorter text is filled up with `fill`. */
  text(text: string, length = text.length, fill = ' '): this {
    for (const c of text.padEnd(length, fill).slice(0, length)) this.byte(c.charCodeAt(0));
    return this;
  }
  zeros(count: number): this {
    return this.byte(...new Array<number>(count).fill(0));
  }
  append(bytes: Iterable<number>): this {
    return this.byte(...bytes);
  }
  take(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}
