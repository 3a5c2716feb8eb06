/** Builds small ELF executables byte by byte, so that tests can make every field right or wrong. */
export interface BuiltSegment {
  readonly type?: number;
  readonly virtual: number;
  readonly physical?: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: number;
}

export function buildElf(options: {
  elfClass: 32 | 64;
  machine?: number;
  type?: number;
  entry: number;
  segments: readonly BuiltSegment[];
}): Uint8Array {
  const wide = options.elfClass === 64;
  const [headerBytes, entryBytes] = wide ? [64, 56] : [52, 32];
  const dataAt = headerBytes + entryBytes * options.segments.length;
  const total = options.segments.reduce((sum, s) => sum + s.bytes.length, dataAt);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void => (wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, options.type ?? 2, true);
  view.setUint16(18, options.machine ?? (wide ? 62 : 3), true);
  view.setUint32(20, 1, true);
  word(24, options.entry);
  word(wide ? 32 : 28, headerBytes);
  view.setUint16(wide ? 52 : 40, headerBytes, true);
  view.setUint16(wide ? 54 : 42, entryBytes, true);
  view.setUint16(wide ? 56 : 44, options.segments.length, true);
  let offset = dataAt;
  options.segments.forEach((s, i) => {
    const at = headerBytes + entryBytes * i;
    view.setUint32(at, s.type ?? 1, true);
    if (wide) view.setUint32(at + 4, 7, true);
    else view.setUint32(at + 24, 7, true);
    const fields = [offset, s.virtual, s.physical ?? s.virtual, s.bytes.length, s.memoryBytes ?? s.bytes.length];
    fields.forEach((value, field) => word(at + (wide ? 8 + 8 * field : 4 + 4 * field), value));
    bytes.set(s.bytes, offset);
    offset += s.bytes.length;
  });
  return bytes;
}

/** A multiboot header, and after it the five address fields when they are given. */
export function multibootHeader(flags: number, addresses: readonly number[] = [], checksum = -(0x1badb002 + flags)): Uint8Array {
  const words = [0x1badb002, flags, checksum, ...addresses];
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((value, i) => view.setUint32(i * 4, value >>> 0, true));
  return bytes;
}
