// Memory operands: where a case's access goes, and an addressing form (ModRM, SIB, displacement, base and index values) that gets it there.
import { gsBase, region } from './layout.mjs';

/** ModRM.rm of the 16-bit addressing forms: the registers added up. */
const forms16 = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]]; // prettier-ignore

/**
 * An address for an access of `size` bytes. `wish` has {aligned, inside, write}: `inside` keeps it from faulting.
 * The kinds: somewhere in the data region, across its two pages, across its end or start, in no page, in the read-only page, not canonical.
 */
export function pickTarget(random, mode, addressBits, size, wish = {}) {
  const { data, readOnly, low } = region;
  const room = addressBits === 16 ? low : data;
  const align = (offset) => (wish.aligned || random.chance(50) ? offset - (offset % Math.max(size, 1)) : offset);
  const within = (area) => BigInt(area.address + align(random.below(area.size - size + 1)));
  const kind = random.below(100);
  const end = BigInt(room.address + room.size);
  if (kind < 78 || (wish.inside && wish.aligned)) return within(room);
  if (kind < 84 && size > 1 && !wish.aligned && room === data) return BigInt(data.address + 0x1000 - 1 - random.below(size - 1));
  if (wish.inside) return within(room);
  if (kind < 88 && size > 1 && !wish.aligned) return end - BigInt(1 + random.below(size - 1));
  if (kind < 90 && size > 1 && !wish.aligned) return BigInt(room.address - 1 - random.below(size - 1));
  if (kind < 93) return end + BigInt(align(random.below(0x1000 - size)));
  if (kind < 97 && room === data) return within(readOnly);
  if (mode === 64 && addressBits === 64) return (0x1234n << 48n) | random.bits(48);
  return within(room);
}

const signExtend = (value, bits) => BigInt.asIntN(bits, value);

/**
 * An addressing form for `target`. `builder` gives {random, mode, rex, vex, pickAddressRegister, setAddressRegister}.
 * Answers {mod, rm, sib, displacement, displacementBytes, base, index, ripTarget, prefixes}.
 */
export function addressMemory(builder, target, addressBits) {
  return addressBits === 16 ? address16(builder, target) : address32or64(builder, target, addressBits);
}

function address16(builder, target) {
  const { random } = builder;
  const free = forms16.map((registers, rm) => ({ registers, rm })).filter(({ registers }) => registers.every((n) => builder.isFree(n)));
  const form = free.length > 0 && random.chance(85) ? random.pick(free) : undefined;
  if (!form) return { mod: 0, rm: 6, displacement: target, displacementBytes: 2, base: 0, index: 0, prefixes: [] };
  const mod = form.rm === 6 ? 1 + random.below(2) : random.below(3);
  const displacementBytes = mod;
  const displacement = mod === 0 ? 0n : signExtend(random.bits(8 * mod), 8 * mod);
  let rest = target - displacement;
  if (form.registers.length === 2) {
    const second = random.bits(16);
    builder.setAddressRegister(form.registers[1], second, 16);
    rest -= second;
  }
  builder.setAddressRegister(form.registers[0], rest, 16);
  return { mod, rm: form.rm, displacement, displacementBytes, base: 0, index: 0, prefixes: [] };
}

function address32or64(builder, wanted, bits) {
  const { random, mode } = builder;
  const canonical = wanted < 1n << 47n;
  const prefixes = [];
  let target = wanted;
  if (canonical && builder.allowSegment && random.chance(6)) {
    if (mode === 64 && random.chance(60)) {
      prefixes.push(0x65);
      target = BigInt.asUintN(64, wanted - gsBase);
      if (bits === 32 && wanted < gsBase) return address32or64(builder, wanted, bits);
    } else prefixes.push(random.pick(mode === 64 ? [0x26, 0x2e, 0x36, 0x3e] : [0x26, 0x36, 0x3e]));
  }
  const signed = signExtend(target, bits);
  const near = signed >= -0x80000000n && signed < 0x80000000n;
  const kind = random.below(100);
  const plain = { base: 0, index: 0, prefixes };
  if (near && canonical) {
    if (mode === 64 && kind < 12) return { ...plain, mod: 0, rm: 5, displacementBytes: 4, ripTarget: target };
    if (kind < 16 && mode === 32) return { ...plain, mod: 0, rm: 5, displacement: target, displacementBytes: 4 };
    if (kind < 18) return { ...plain, mod: 0, rm: 4, sib: 0x25, displacement: target, displacementBytes: 4 };
  }
  const base = builder.pickAddressRegister();
  if (base === undefined) throw new Error('no register is left for an address');
  let rest = target;
  let index;
  let scale = 0;
  if (kind >= 55) {
    index = builder.pickAddressRegister((n) => n !== base && n !== 4);
    if (index !== undefined) {
      scale = random.below(4);
      const value = random.chance(50) ? random.bits(bits) : random.bits(8);
      builder.setAddressRegister(index, value, bits);
      rest -= value << BigInt(scale);
    }
  }
  const signedRest = signExtend(rest, bits);
  if (index !== undefined && near && kind >= 90 && signedRest >= -0x80000000n && signedRest < 0x80000000n)
    return { ...plain, mod: 0, rm: 4, sib: (scale << 6) | ((index & 7) << 3) | 5, index, displacement: signedRest, displacementBytes: 4 };
  let mod = random.pick([0, 0, 1, 1, 2]);
  if (mod === 0 && (base & 7) === 5) mod = 1;
  const displacementBytes = [0, 1, 4][mod];
  const displacement =
    mod === 0
      ? 0n
      : random.chance(60)
        ? BigInt(random.below(256) - 128)
        : signExtend(random.bits(8 * displacementBytes), 8 * displacementBytes);
  builder.setAddressRegister(base, rest - displacement, bits);
  const needsSib = index !== undefined || (base & 7) === 4 || random.chance(4);
  const sib = needsSib ? (scale << 6) | (((index ?? 4) & 7) << 3) | (base & 7) : undefined;
  return { mod, rm: needsSib ? 4 : base & 7, sib, displacement, displacementBytes, base, index: index ?? 0, prefixes };
}
