/** A few bytes at a time: what the random programs are put together with. Absolute addresses are 32 bits wide, in 64-bit code by a SIB byte. */
export class Assembler {
  readonly bytes: number[] = [];

  constructor(readonly mode: 64 | 32) {}

  get here(): number {
    return this.bytes.length;
  }
  emit(...b: number[]): void {
    this.bytes.push(...b);
  }
  u32(v: number): void {
    this.emit(v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24);
  }
  patch32(at: number, v: number): void {
    for (let i = 0; i < 4; i++) this.bytes[at + i] = (v >>> (8 * i)) & 255;
  }
  /** An opcode with a memory operand at an absolute address below 4 GiB; `digit` goes into ModRM.reg. */
  absolute(opcode: readonly number[], digit: number, address: number): void {
    // Above 2 GiB 64-bit code needs a 32-bit address size, so that the displacement is not sign-extended.
    if (this.mode === 64 && address >= 0x8000_0000) this.emit(0x67);
    this.emit(...opcode);
    if (this.mode === 64) this.emit((digit << 3) | 4, 0x25);
    else this.emit((digit << 3) | 5);
    this.u32(address);
  }
  /** MOV dword [address], value. */
  store32(address: number, value: number): void {
    this.absolute([0xc7], 0, address);
    this.u32(value);
  }
  /** JMP to an address, for code that lies at `origin`. */
  jumpTo(target: number, origin: number): void {
    this.emit(0xe9);
    this.u32(target - (origin + this.here + 4));
  }
}
