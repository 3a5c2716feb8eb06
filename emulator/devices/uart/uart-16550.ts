/**
 * A serial port of a PC: a 16550A UART (National Semiconductor PC16550D, "Registers", "FIFO Interrupt Mode Operation") whose interrupt output is
 * connected to its line while OUT2 is set. Sending takes no time, so the transmitter is always empty, and its interrupt is raised anew by every
 * byte; received bytes wait in front of the FIFO until the guest has made room, so none is lost outside loopback.
 * Not modelled: baud rate and line errors, the delay of the character time-out.
 */
import type { ByteQueue } from '../byte-queue';
import type { InterruptLine, StatefulDevice } from '../device';
import { expectVersion } from '../device-state';
import type { PortDevice } from '../port-bus/port-bus';

const LCR_DLAB = 0x80;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_EMPTY = 0x60; // THRE and TEMT
const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const IER_RECEIVED = 0x01;
const IER_TRANSMITTER = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;
const FIFO_BYTES = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14];
/** A terminal is connected and ready: CTS, DSR and DCD. */
const MODEM_CONNECTED = 0xb0;

export interface UartState {
  readonly version: 1;
  readonly divisor: number;
  readonly interruptEnable: number;
  readonly fifoControl: number;
  readonly lineControl: number;
  readonly modemControl: number;
  readonly modemStatus: number;
  readonly scratch: number;
  readonly overrun: boolean;
  readonly transmitterInterrupt: boolean;
  readonly receiver: readonly number[];
  /** Bytes from outside for which the FIFO has no room yet. */
  readonly waiting: readonly number[];
}

const POWER_ON: UartState = {
  version: 1,
  divisor: 12, // 9600 baud, what firmware leaves
  interruptEnable: 0,
  fifoControl: 0,
  lineControl: 0,
  modemControl: 0,
  modemStatus: MODEM_CONNECTED,
  scratch: 0,
  overrun: false,
  transmitterInterrupt: false,
  receiver: [],
  waiting: [],
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly number[] ? number[] : T[K] };
const copyOf = (state: UartState): Mutable<UartState> => ({ ...state, receiver: [...state.receiver], waiting: [...state.waiting] });

export class Uart16550 implements PortDevice, StatefulDevice {
  readonly ports: PortDevice['ports'];
  readonly widest = 1;
  private s = copyOf(POWER_ON);

  /** @param irq told the level whenever it may have changed. */
  constructor(
    readonly name: string,
    private readonly base: number,
    private readonly output: ByteQueue,
    private readonly irq: InterruptLine = () => undefined,
  ) {
    this.ports = [[base, base + 7]];
  }

  /** Bytes that arrive on the line. */
  /** Does the guest have itself told when a byte comes? */
  get awaitsInput(): boolean {
    return (this.s.interruptEnable & IER_RECEIVED) !== 0;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.s.waiting.push(byte);
    this.fill();
    this.drive();
  }

  read(port: number): number {
    const value = this.register(port);
    this.drive();
    return value;
  }

  private register(port: number): number {
    const s = this.s;
    const latch = (s.lineControl & LCR_DLAB) !== 0;
    switch (port - this.base) {
      case 0:
        return latch ? s.divisor & 0xff : this.receiverBuffer();
      case 1:
        return latch ? s.divisor >> 8 : s.interruptEnable;
      case 2: {
        const identification = this.identification();
        // Reading the identification of a transmitter interrupt answers it.
        if (identification === 0x02) s.transmitterInterrupt = false;
        return identification | (s.fifoControl & FCR_ENABLE ? 0xc0 : 0);
      }
      case 3:
        return s.lineControl;
      case 4:
        return s.modemControl;
      case 5: {
        const status = LSR_TRANSMITTER_EMPTY | (s.receiver.length > 0 ? LSR_DATA_READY : 0) | (s.overrun ? LSR_OVERRUN : 0);
        s.overrun = false;
        return status;
      }
      case 6: {
        const status = s.modemStatus;
        s.modemStatus &= 0xf0;
        return status;
      }
      default:
        return s.scratch;
    }
  }

  write(port: number, _size: number, value: number): void {
    this.writeRegister(port, value);
    this.drive();
  }

  private writeRegister(port: number, value: number): void {
    const s = this.s;
    const latch = (s.lineControl & LCR_DLAB) !== 0;
    switch (port - this.base) {
      case 0:
        if (latch) s.divisor = (s.divisor & 0xff00) | value;
        else this.transmit(value);
        break;
      case 1:
        if (latch) s.divisor = (s.divisor & 0xff) | (value << 8);
        else {
          // Enabling the transmitter interrupt while the transmitter is empty raises it.
          if (value & ~s.interruptEnable & IER_TRANSMITTER) s.transmitterInterrupt = true;
          s.interruptEnable = value & 0x0f;
        }
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        s.lineControl = value;
        break;
      case 4:
        s.modemControl = value & 0x1f;
        this.updateModemStatus();
        this.fill();
        break;
      case 7:
        s.scratch = value;
        break;
      default: // line and modem status: factory test only
        break;
    }
  }

  save(): UartState {
    return copyOf(this.s);
  }

  restore(saved: unknown): void {
    this.s = copyOf(expectVersion<UartState>(saved, 1, 'serial port'));
  }

  private drive(): void {
    this.irq((this.s.modemControl & MCR_OUT2) !== 0 && (this.identification() & 1) === 0);
  }

  private get fifoBytes(): number {
    return this.s.fifoControl & FCR_ENABLE ? FIFO_BYTES : 1;
  }

  private transmit(byte: number): void {
    const s = this.s;
    // The byte fills the transmitter, which answers its interrupt, and leaves it at once, which raises it again: an edge on the line.
    s.transmitterInterrupt = false;
    this.drive();
    s.transmitterInterrupt = true;
    if ((s.modemControl & MCR_LOOP) === 0) {
      this.output.push(byte);
      return;
    }
    if (s.receiver.length < this.fifoBytes) {
      s.receiver.push(byte);
      return;
    }
    s.overrun = true;
    // Without FIFO the new character overwrites the holding register; with it, the FIFO stays as it is.
    if ((s.fifoControl & FCR_ENABLE) === 0) s.receiver[0] = byte;
  }

  private receiverBuffer(): number {
    const byte = this.s.receiver.shift() ?? 0;
    this.fill();
    return byte;
  }

  /** Moves waiting bytes into the receiver; in loopback the line is cut. */
  private fill(): void {
    const s = this.s;
    if (s.modemControl & MCR_LOOP) return;
    const room = Math.min(this.fifoBytes - s.receiver.length, s.waiting.length);
    if (room > 0) s.receiver.push(...s.waiting.splice(0, room));
  }

  private writeFifoControl(value: number): void {
    const s = this.s;
    // Switching FIFO mode clears both FIFOs; the other bits count only when bit 0 is set with them.
    const switched = ((value ^ s.fifoControl) & FCR_ENABLE) !== 0;
    if (switched || (value & FCR_ENABLE && value & FCR_CLEAR_RECEIVER)) s.receiver = [];
    s.fifoControl = value & FCR_ENABLE ? value & 0xc9 : 0;
    this.fill();
  }

  /** In loopback DTR, RTS, OUT1 and OUT2 come back as DSR, CTS, RI and DCD; a change sets the delta bits. */
  private updateModemStatus(): void {
    const s = this.s;
    const mcr = s.modemControl;
    const lines = mcr & MCR_LOOP ? ((mcr & 1) << 5) | ((mcr & 2) << 3) | ((mcr & 4) << 4) | ((mcr & 8) << 4) : MODEM_CONNECTED;
    const changed = (s.modemStatus ^ lines) & 0xf0;
    // The ring indicator's delta counts its trailing edge only.
    const ringEnded = changed & 0x40 && (lines & 0x40) === 0 ? 0x04 : 0;
    s.modemStatus = lines | (s.modemStatus & 0x0f) | ((changed >> 4) & 0x0b) | ringEnded;
  }

  /** Interrupt identification, highest priority first; bit 0 set when there is none. */
  private identification(): number {
    const s = this.s;
    if (s.interruptEnable & IER_LINE && s.overrun) return 0x06;
    if (s.interruptEnable & IER_RECEIVED && s.receiver.length > 0) {
      const fifo = (s.fifoControl & FCR_ENABLE) !== 0;
      return !fifo || s.receiver.length >= TRIGGER_LEVELS[s.fifoControl >> 6] ? 0x04 : 0x0c;
    }
    if (s.interruptEnable & IER_TRANSMITTER && s.transmitterInterrupt) return 0x02;
    if (s.interruptEnable & IER_MODEM && s.modemStatus & 0x0f) return 0x00;
    return 0x01;
  }
}
