/** Memory-mapped devices that are not modelled yet: touching their registers stops the machine with a sentence. */
import type { MmioRegion } from '../../memory/physical-memory';

const ABSENT: readonly (readonly [name: string, first: number])[] = [
  ['I/O APIC', 0xfec0_0000],
  ['high-precision event timer (HPET)', 0xfed0_0000],
  ['local APIC', 0xfee0_0000],
];

/** The regions to be registered with the physical memory; `stop` is told the sentence. */
export function notModelledRegions(stop: (sentence: string) => void): MmioRegion[] {
  return ABSENT.map(([name, first]) => ({
    name,
    first,
    last: first + 0xfff,
    read(hpa, size) {
      stop(`Not modelled: reading ${size} bytes of the ${name} at 0x${hpa.toString(16)}.`);
      return (1n << BigInt(8 * size)) - 1n;
    },
    write(hpa, size, value) {
      stop(`Not modelled: writing 0x${value.toString(16)} (${size} bytes) to the ${name} at 0x${hpa.toString(16)}.`);
    },
  }));
}
