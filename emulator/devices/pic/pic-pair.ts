/**
 * The two 8259A interrupt controllers of a PC, the second on input 2 of the first, with the edge/level registers of the PCI chipsets at 4D0H
 * and 4D1H (Intel 8259A data sheet, "Cascade Mode"; 82371AB, "ELCR").
 */
import { expectVersion } from '../device-state';
import type { InterruptLine, PortDevice, StatefulDevice } from '../device';
import { CASCADE_INPUT, NOTHING, Pic8259, type PicState, SPURIOUS_INPUT, picAfterFirmware } from './pic-8259';

export interface PicPairState {
  readonly version: 1;
  readonly master: Readonly<PicState>;
  readonly slave: Readonly<PicState>;
  /** Level of the output INTR. */
  readonly output: number;
}

const ELCR_MASTER = 0x4d0;
const ELCR_SLAVE = 0x4d1;
/** Inputs that may be level-triggered: not the timer, the keyboard, the cascade; not the clock and the coprocessor. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;
const SLAVE_ID = CASCADE_INPUT;
/** Nothing drives the data bus. */
const FLOATING = 0xff;

export class PicPair implements PortDevice, StatefulDevice {
  readonly name = 'pic';
  readonly ports = [[0x20, 0x21], [0xa0, 0xa1], [ELCR_MASTER, ELCR_SLAVE]] as const; // prettier-ignore
  readonly widest = 1;
  private readonly master = new Pic8259(picAfterFirmware(0x08, 1 << CASCADE_INPUT), true);
  private readonly slave = new Pic8259(picAfterFirmware(0x70, SLAVE_ID), false);
  private output = 0;

  /**
   * @param intr the output.
   * @param vectorChanged told of every change that may change the vector that the acknowledge cycle would give.
   */
  constructor(
    private readonly intr: InterruptLine,
    private readonly vectorChanged: () => void,
  ) {}

  /** An input: 0 to 15 but 2. */
  setLine(irq: number, level: boolean): void {
    if (irq >= 8) this.slave.setLine(irq - 8, level);
    else if (irq !== CASCADE_INPUT) this.master.setLine(irq, level);
    this.update();
  }

  /** The vector that the acknowledge cycle would give now. */
  get vector(): number {
    const input = this.master.request;
    if (input === NOTHING) return this.master.vector(SPURIOUS_INPUT);
    if (input !== CASCADE_INPUT || !this.master.cascades) return this.master.vector(input);
    if ((this.slave.s.icw3 & 7) !== SLAVE_ID) return FLOATING;
    const slaveInput = this.slave.request;
    return this.slave.vector(slaveInput === NOTHING ? SPURIOUS_INPUT : slaveInput);
  }

  /** Some input could ask for an interrupt. */
  get hasUnmaskedInput(): boolean {
    const slaves = this.slave.s.imr !== 0xff && !(this.master.s.imr & (1 << CASCADE_INPUT));
    return slaves || (this.master.s.imr | (1 << CASCADE_INPUT)) !== 0xff;
  }

  /** The acknowledge cycle. Without a request the vector is that of input 7 and nothing is in service for it. */
  acknowledge(): number {
    const { vector } = this;
    const input = this.master.request;
    if (input !== NOTHING) {
      this.master.take(input);
      const slaveInput = this.slave.request;
      if (input === CASCADE_INPUT && this.master.cascades && slaveInput !== NOTHING && (this.slave.s.icw3 & 7) === SLAVE_ID)
        this.takeFromSlave(slaveInput);
    }
    this.pulse();
    return vector;
  }

  read(port: number): number {
    if (port === ELCR_MASTER) return this.master.s.elcr;
    if (port === ELCR_SLAVE) return this.slave.s.elcr;
    const pic = this.at(port);
    const { poll } = pic.s;
    const value = pic.read((port & 1) !== 0);
    if (poll) {
      // A poll is an acknowledge cycle of this controller alone.
      if (pic === this.slave) this.master.setLine(CASCADE_INPUT, false);
      this.pulse();
    }
    return value;
  }

  write(port: number, _size: number, value: number): void {
    if (port === ELCR_MASTER) this.master.setElcr(value & ELCR_WRITABLE[0]);
    else if (port === ELCR_SLAVE) this.slave.setElcr(value & ELCR_WRITABLE[1]);
    else if (port & 1) this.at(port).writeData(value);
    else this.at(port).writeCommand(value);
    this.update();
  }

  save(): PicPairState {
    return { version: 1, master: { ...this.master.s }, slave: { ...this.slave.s }, output: this.output };
  }
  restore(saved: unknown): void {
    const state = expectVersion<PicPairState>(saved, 1, 'interrupt controller');
    this.master.s = { ...state.master };
    this.slave.s = { ...state.slave };
    this.output = state.output;
  }

  private at(port: number): Pic8259 {
    return port < 0x80 ? this.master : this.slave;
  }

  /** Its output falls with the acknowledge cycle; another request makes another edge. */
  private takeFromSlave(input: number): void {
    this.slave.take(input);
    this.master.setLine(CASCADE_INPUT, false);
  }

  private pulse(): void {
    if (this.output) this.drive(false);
    this.update();
  }

  private update(): void {
    this.master.setLine(CASCADE_INPUT, this.slave.request !== NOTHING);
    this.drive(this.master.request !== NOTHING);
    this.vectorChanged();
  }
  private drive(level: boolean): void {
    if (this.output === Number(level)) return;
    this.output = Number(level);
    this.intr(level);
  }
}
