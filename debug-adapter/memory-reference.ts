/**
 * Memory references as they stand on the wire: l2:gva:0x…, l1:gpa:0x…, hpa:0x…; a bare 0x… is a linear address of the level given. With several
 * virtual CPUs v1:l2:gva:0x… says whose translation is meant.
 */
import type { AddressSpace, Level } from '../emulator/api';

export interface MemoryPlace {
  readonly space: AddressSpace;
  readonly level: Level;
  readonly address: bigint;
  /** Whose page tables translate it; undefined: those of the virtual CPU that the stop is about. */
  readonly vcpu?: number;
}

const ADDRESS_MASK = (1n << 64n) - 1n;

export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

export function formatPlace(place: MemoryPlace): string {
  const vcpu = place.vcpu === undefined ? '' : `v${place.vcpu}:`;
  return place.space === 'hpa' ? `hpa:${hex(place.address)}` : `${vcpu}l${place.level}:${place.space}:${hex(place.address)}`;
}

const REFERENCE = /^(?:(?:v([0-7]):)?(?:l([12]):)?(gva|gpa|hpa):)?(0x[0-9a-f]+|[0-9]+)$/i;

/** Undefined when the text is no memory reference. */
export function parsePlace(text: string, defaultLevel: Level): MemoryPlace | undefined {
  const match = REFERENCE.exec(text.trim());
  if (!match) return undefined;
  const [, vcpu, level, space, digits] = match;
  const address = BigInt(digits!);
  if (address > ADDRESS_MASK) return undefined;
  return {
    space: (space?.toLowerCase() as AddressSpace | undefined) ?? 'gva',
    level: level ? (Number(level) as Level) : defaultLevel,
    address,
    ...(vcpu === undefined ? {} : { vcpu: Number(vcpu) }),
  };
}

export function offsetPlace(place: MemoryPlace, offset: number | bigint): MemoryPlace {
  return { ...place, address: (place.address + BigInt(offset)) & ADDRESS_MASK };
}
