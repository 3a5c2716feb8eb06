/** A set of interrupt vectors as the eight 32-bit registers that IRR, ISR and TMR are (SDM volume 3, "Interrupt Acceptance for Fixed Interrupts"). */
export class VectorSet {
  readonly words = new Uint32Array(8);

  has(vector: number): boolean {
    return (this.words[vector >> 5] & (1 << (vector & 31))) !== 0;
  }
  add(vector: number): void {
    this.words[vector >> 5] |= 1 << (vector & 31);
  }
  remove(vector: number): void {
    this.words[vector >> 5] &= ~(1 << (vector & 31));
  }
  /** -1: the set is empty. */
  highest(): number {
    for (let n = 7; n >= 0; n--) if (this.words[n] !== 0) return n * 32 + 31 - Math.clz32(this.words[n]);
    return -1;
  }
  clear(): void {
    this.words.fill(0);
  }
  save(): readonly number[] {
    return [...this.words];
  }
  restore(saved: readonly number[]): void {
    this.words.set(saved);
  }
}

/** The vectors of a saved set, highest first. */
export function vectorsOf(words: readonly number[]): number[] {
  const vectors: number[] = [];
  for (let vector = 255; vector >= 0; vector--) if ((words[vector >> 5] >>> (vector & 31)) & 1) vectors.push(vector);
  return vectors;
}
