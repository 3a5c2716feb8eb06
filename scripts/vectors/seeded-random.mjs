// A small seeded generator (sfc32, seeded through a string hash) and the operand values that instruction vectors like.

export class SeededRandom {
  constructor(text) {
    let hash = 0x811c9dc5;
    const word = () => {
      hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      return (hash ^= hash >>> 16) >>> 0;
    };
    for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
    this.a = word();
    this.b = word();
    this.c = word();
    this.counter = 1;
    for (let i = 0; i < 12; i++) this.word();
  }

  /** 32 random bits. */
  word() {
    const sum = (this.a + this.b + this.counter++) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** 0 … limit - 1. */
  below(limit) {
    return Math.floor((this.word() / 0x100000000) * limit);
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
  }

  bits(count) {
    return BigInt.asUintN(count, (BigInt(this.word()) << 32n) | BigInt(this.word()));
  }

  hexBytes(count) {
    return Array.from({ length: count }, () => this.below(256));
  }

  /** A value of `bits` bits that is likely to sit on an edge of some arithmetic. */
  value(bits) {
    const kind = this.below(10);
    if (kind < 4) return this.bits(bits);
    const one = 1n;
    const top = one << BigInt(bits - 1);
    if (kind < 8) {
      const edges = [0n, 1n, -1n, top, top - one, top + one, 0xfn, 0x10n, 0x7fn, 0x80n, 0xffn, -0x80n, -0x10n, 0x5555555555555555n, 0x99n];
      return BigInt.asUintN(bits, this.pick(edges));
    }
    if (kind === 8) return one << BigInt(this.below(bits));
    return BigInt.asUintN(bits, this.bits(bits) >> BigInt(this.below(bits)));
  }
}
