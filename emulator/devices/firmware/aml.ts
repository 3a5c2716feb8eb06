/** The little of the ACPI machine language that our DSDT needs (ACPI Specification 6.0, 20.2 "AML Grammar Definition"). */

export type Aml = readonly number[];

const Op = { zero: 0x00, one: 0x01, name: 0x08, byte: 0x0a, word: 0x0b, dword: 0x0c, scope: 0x10, buffer: 0x11, package: 0x12, extended: 0x5b } as const; // prettier-ignore
const DEVICE = 0x82;
const PROCESSOR = 0x83;
const little = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
const letters = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));

/** A whole number in its shortest form (20.2.3). */
export function integer(value: number): Aml {
  if (value === 0) return [Op.zero];
  if (value === 1) return [Op.one];
  if (value <= 0xff) return [Op.byte, value];
  if (value <= 0xffff) return [Op.word, ...little(value, 2)];
  return [Op.dword, ...little(value, 4)];
}

/** PkgLength counts itself too (20.2.4): one byte up to 63, else the low four bits beside the number of further bytes. */
function withLength(body: Aml): Aml {
  if (body.length + 1 <= 0x3f) return [body.length + 1, ...body];
  const further = body.length + 2 < 1 << 12 ? 1 : 2;
  const length = body.length + 1 + further;
  return [(further << 6) | (length & 15), ...little(length >> 4, further), ...body];
}

/** A name segment of four characters, perhaps from the root on. */
const path = (name: string): Aml =>
  name.startsWith('\\') ? [0x5c, ...letters(name.slice(1).padEnd(4, '_'))] : letters(name.padEnd(4, '_'));

export const named = (name: string, value: Aml): Aml => [Op.name, ...path(name), ...value];
export const packageOf = (...elements: readonly Aml[]): Aml => [Op.package, ...withLength([elements.length, ...elements.flat()])];
export const scope = (name: string, ...body: readonly Aml[]): Aml => [Op.scope, ...withLength([...path(name), ...body.flat()])];
export const device = (name: string, ...body: readonly Aml[]): Aml => [Op.extended, DEVICE, ...withLength([...path(name), ...body.flat()])];
/** A processor without a register block of its own. */
export const processor = (name: string, id: number): Aml => [
  Op.extended,
  PROCESSOR,
  ...withLength([...path(name), id, ...little(0, 4), 0]),
];

/** A compressed EISA identifier such as PNP0A03 (19.6.36): three letters of five bits, four hexadecimal digits, big endian. */
export function eisaId(id: string): Aml {
  const [a, b, c] = letters(id).map((letter) => letter - 0x40);
  const digits = parseInt(id.slice(3), 16);
  return [Op.dword, (a << 2) | (b >> 3), ((b & 7) << 5) | c, digits >> 8, digits & 0xff];
}

/** Resource descriptors (6.4) behind each other, ended by the end tag. */
export function resources(...descriptors: readonly Aml[]): Aml {
  const bytes = [...descriptors.flat(), 0x79, 0];
  return [Op.buffer, ...withLength([...integer(bytes.length), ...bytes])];
}
/** Fixed I/O ports (6.4.2.5), decoded with 16 bits. */
export const ports = (first: number, count: number): Aml => [0x47, 1, ...little(first, 2), ...little(first, 2), 1, count];
/** Interrupts of ISA (6.4.2.1): edge-triggered, active high. */
export const isaInterrupt = (irq: number): Aml => [0x22, ...little(1 << irq, 2)];
const PRODUCER_FIXED = 0x0c;
/** The bus numbers that a host bridge hands on (6.4.3.5.3). */
export const busNumbers = (first: number, last: number): Aml => [
  0x88, ...little(13, 2), 2, PRODUCER_FIXED, 0, ...[0, first, last, 0, last - first + 1].flatMap((value) => little(value, 2)),
]; // prettier-ignore
/** The I/O ports that a host bridge hands on. */
export const portWindow = (first: number, last: number): Aml => [
  0x88, ...little(13, 2), 1, PRODUCER_FIXED, 3, ...[0, first, last, 0, last - first + 1].flatMap((value) => little(value, 2)),
]; // prettier-ignore
/** The memory that a host bridge hands on (6.4.3.5.2): writable, not cacheable. */
export const memoryWindow = (first: number, last: number): Aml => [
  0x87, ...little(23, 2), 0, PRODUCER_FIXED, 1, ...[0, first, last, 0, last - first + 1].flatMap((value) => little(value, 4)),
]; // prettier-ignore
