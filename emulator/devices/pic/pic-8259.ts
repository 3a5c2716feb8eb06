/**
 * One 8259A interrupt controller (Intel 8259A data sheet, "Programming the 8259A") as chipsets have it: always for an 8086-family processor
 * and edge or level for each input (ELCR in place of LTIM). The pair is in pic-pair.
 * Not modelled: MCS-80/85 mode and buffered mode (a chipset has neither; the bits are kept).
 */

export interface PicState {
  /** Levels of the inputs. */
  lines: number;
  irr: number;
  isr: number;
  imr: number;
  /** Inputs that are level-triggered. */
  elcr: number;
  /** The next initialisation word that the data port expects (2, 3, 4), 0 when initialisation is over. */
  expects: number;
  icw1: number;
  /** Vector of input 0. */
  icw2: number;
  icw3: number;
  icw4: number;
  /** The input with the lowest priority; the one after it has the highest. */
  lowest: number;
  rotateOnAutoEnd: number;
  specialMask: number;
  /** The next read of the command port gives ISR. */
  readIsr: number;
  /** The next read is a poll. */
  poll: number;
}

const SINGLE = 0x02;
const NEEDS_ICW4 = 0x01;
const AUTO_END = 0x02;
const SPECIAL_FULLY_NESTED = 0x10;
export const CASCADE_INPUT = 2;
export const NOTHING = -1;
/** What a poll without a request gives, and the input whose vector a spurious acknowledge cycle gives. */
export const SPURIOUS_INPUT = 7;

/** As firmware leaves it: initialised, every input masked. */
export function picAfterFirmware(vectorBase: number, icw3: number): PicState {
  return {
    lines: 0, irr: 0, isr: 0, imr: 0xff, elcr: 0, expects: 0, icw1: 0x11, icw2: vectorBase, icw3, icw4: 0x01,
    lowest: 7, rotateOnAutoEnd: 0, specialMask: 0, readIsr: 0, poll: 0,
  }; // prettier-ignore
}

export class Pic8259 {
  constructor(
    public s: PicState,
    private readonly isMaster: boolean,
  ) {}

  /** The input whose request the output is raised for, NOTHING when it is low. */
  get request(): number {
    const { s } = this;
    if (s.expects !== 0) return NOTHING;
    const wanted = s.irr & ~s.imr;
    if (wanted === 0) return NOTHING;
    const input = this.first(wanted);
    // Special mask mode: a masked input in service holds nothing back. Special fully nested mode: the slave's input does not hold back itself.
    let blocking = s.isr;
    if (s.specialMask) blocking &= ~s.imr;
    if (s.icw4 & SPECIAL_FULLY_NESTED && this.isMaster && input === CASCADE_INPUT) blocking &= ~(1 << CASCADE_INPUT);
    return blocking === 0 || this.rank(input) < this.rank(this.first(blocking)) ? input : NOTHING;
  }

  /** The acknowledge cycle's choice: `input` goes from the request to the in-service register. */
  take(input: number): void {
    const { s } = this;
    const bit = 1 << input;
    if ((s.elcr & bit) === 0) s.irr &= ~bit;
    if ((s.icw4 & AUTO_END) === 0) s.isr |= bit;
    else if (s.rotateOnAutoEnd) s.lowest = input;
  }

  vector(input: number): number {
    return (this.s.icw2 & 0xf8) | input;
  }
  /** The slave hangs on this controller's input 2, and gives the vector. */
  get cascades(): boolean {
    return (this.s.icw1 & SINGLE) === 0 && (this.s.icw3 & (1 << CASCADE_INPUT)) !== 0;
  }

  setLine(input: number, level: boolean): void {
    const { s } = this;
    const bit = 1 << input;
    if (level) {
      if ((s.lines & bit) === 0 || s.elcr & bit) s.irr |= bit;
      s.lines |= bit;
    } else {
      // An input must stay high until it is acknowledged, in either mode.
      s.lines &= ~bit;
      s.irr &= ~bit;
    }
  }

  setElcr(value: number): void {
    const { s } = this;
    s.irr = (s.irr & ~(s.elcr | value)) | (s.lines & value);
    s.elcr = value;
  }

  // Ports ---------------------------------------------------------------------------------------------------------------

  read(dataPort: boolean): number {
    const { s } = this;
    if (s.poll) {
      s.poll = 0;
      const input = this.request;
      if (input === NOTHING) return SPURIOUS_INPUT;
      this.take(input);
      return 0x80 | input;
    }
    if (dataPort) return s.imr;
    return s.readIsr ? s.isr : s.irr;
  }

  writeCommand(value: number): void {
    if (value & 0x10) this.start(value);
    else if (value & 0x08) this.writeOcw3(value);
    else this.writeOcw2(value);
  }

  writeData(value: number): void {
    const { s } = this;
    const last = s.icw1 & NEEDS_ICW4 ? 4 : 0;
    switch (s.expects) {
      case 2:
        s.icw2 = value & 0xf8;
        s.expects = s.icw1 & SINGLE ? last : 3;
        break;
      case 3:
        s.icw3 = value;
        s.expects = last;
        break;
      case 4:
        s.icw4 = value & 0x1f;
        s.expects = 0;
        break;
      default:
        s.imr = value;
    }
  }

  /** ICW1: edge detection starts anew, nothing is masked, in service or special, input 7 has the lowest priority. */
  private start(icw1: number): void {
    const { s } = this;
    this.s = {
      ...picAfterFirmware(s.icw2, 0x07),
      icw1,
      icw4: 0,
      imr: 0,
      expects: 2,
      lines: s.lines,
      elcr: s.elcr,
      irr: s.lines & s.elcr,
    };
  }

  private writeOcw2(value: number): void {
    const { s } = this;
    const rotate = (value & 0x80) !== 0;
    const specific = (value & 0x40) !== 0;
    const input = value & 7;
    if (value & 0x20) {
      const ended = specific ? input : this.inService();
      if (ended === NOTHING) return;
      s.isr &= ~(1 << ended);
      if (rotate) s.lowest = ended;
    } else if (!specific) s.rotateOnAutoEnd = Number(rotate);
    else if (rotate) s.lowest = input;
  }

  /** What a non-specific end of interrupt ends; not an input that is masked in special mask mode. */
  private inService(): number {
    const { s } = this;
    const candidates = s.specialMask ? s.isr & ~s.imr : s.isr;
    return candidates === 0 ? NOTHING : this.first(candidates);
  }

  private writeOcw3(value: number): void {
    const { s } = this;
    if (value & 0x40) s.specialMask = (value >> 5) & 1;
    if (value & 0x04) s.poll = 1;
    if (value & 0x02) s.readIsr = value & 1;
  }

  private rank(input: number): number {
    return (input - this.s.lowest + 7) & 7;
  }
  /** The input of the highest priority in a set that is not empty. */
  private first(set: number): number {
    let best = NOTHING;
    for (let input = 0; input < 8; input++)
      if ((set >> input) & 1 && (best === NOTHING || this.rank(input) < this.rank(best))) best = input;
    return best;
  }
}
