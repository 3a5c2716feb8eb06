/** Memory-mapped devices that are not modelled yet: touching their registers stops the machine with a sentence. */
import type { NamedMmioDevice } from '../mmio-bus';

const ABSENT: readonly (readonly [name: string, first: number])[] = [['high-precision event timer (HPET)', 0xfed0_0000]];

/** @param stop is told the sentence, and which vCPU it was. */
export function notModelledRegions(stop: (sentence: string, vcpu: number) => void): NamedMmioDevice[] {
  return ABSENT.map(([name, first]) => ({
    name,
    mmio: { first, last: first + 0xfff },
    readMmio(offset, size, vcpu) {
      stop(`Not modelled: reading ${size} bytes of the ${name} at 0x${(first + offset).toString(16)}.`, vcpu);
      return (1n << BigInt(8 * size)) - 1n;
    },
    writeMmio(offset, size, value, vcpu) {
      stop(`Not modelled: writing 0x${value.toString(16)} (${size} bytes) to the ${name} at 0x${(first + offset).toString(16)}.`, vcpu);
    },
  }));
}
