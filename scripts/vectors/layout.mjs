// The guest memory and the initial registers that all vectors share: test/vectors/layout.json with numbers instead of text.
import { readFileSync } from 'node:fs';

const text = JSON.parse(readFileSync(new URL('../../test/vectors/layout.json', import.meta.url), 'utf8'));
const hex = (digits) => parseInt(digits, 16);

export const regions = text.regions.map(({ name, address, size, access }) => ({ name, address: hex(address), size: hex(size), access }));
export const region = Object.fromEntries(regions.map((each) => [each.name, each]));
export const gsBase = BigInt(`0x${text.gsBase}`);
export const defaultRip = BigInt(`0x${text.rip}`);
export const defaultFlags = hex(text.rflags);
export const defaultRegisters = text.registers.map((digits) => BigInt(`0x${digits}`));

/** The region that holds the byte, if any. */
export function regionOf(address) {
  return regions.find((each) => address >= BigInt(each.address) && address < BigInt(each.address + each.size));
}
