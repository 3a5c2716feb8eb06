/**
 * The four PCI interrupt lines on their way to ISA's (Intel 82371SB PIIX3 data sheet, "PIRQRC[A:D] - PIRQx Route Control Registers"): a device's
 * pin goes to one of them by its slot, as on QEMU's "pc" machine, and the route control registers say to which IRQ.
 */
import type { InterruptLine } from '../device';
import type { SharedLines } from '../shared-lines';

export const PIRQS = 4;
const DISABLED = 0x80;
/** IRQ 3 to 7, 9 to 12, 14 and 15; the other values are reserved. */
const ROUTABLE = 0xdef8;

/** PIRQ of a device's interrupt pin (0: INTA#). */
export const pirqOf = (device: number, pin: number): number => (device - 1 + pin) & (PIRQS - 1);

export class PirqRouter {
  /** For each PIRQ a bit for each device that asserts it. */
  private asserted: number[] = new Array<number>(PIRQS).fill(0);
  private readonly lines: readonly (InterruptLine | undefined)[][];

  /** @param control the route control register of a PIRQ. */
  constructor(
    lines: SharedLines,
    private readonly control: (pirq: number) => number,
  ) {
    const isa = Array.from({ length: 16 }, (_, irq) => irq);
    this.lines = Array.from({ length: PIRQS }, () => isa.map((irq) => ((ROUTABLE >> irq) & 1 ? lines.source(irq) : undefined)));
  }

  set(pirq: number, device: number, level: boolean): void {
    this.asserted[pirq] = level ? this.asserted[pirq] | (1 << device) : this.asserted[pirq] & ~(1 << device);
    this.drive();
  }

  /** Puts every PIRQ's level on the line that it is routed to, and takes it from the others. */
  drive(): void {
    for (let pirq = 0; pirq < PIRQS; pirq++) {
      const control = this.control(pirq);
      const irq = control & DISABLED ? -1 : control & 15;
      this.lines[pirq].forEach((line, n) => line?.(n === irq && this.asserted[pirq] !== 0));
    }
  }

  save(): number[] {
    return [...this.asserted];
  }
  restore(asserted: readonly number[]): void {
    this.asserted = [...asserted];
  }
}
