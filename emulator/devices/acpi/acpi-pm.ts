/**
 * The ACPI power-management registers of an Intel PIIX4 as QEMU's "pc" machine places them: PM1a event block at 0x600, control at 0x604, timer
 * at 0x608, general-purpose events at 0xafe0, the SMI command port at 0xb2 (ACPI Specification 5.0, 4.8.3 "ACPI Hardware Registers"; Intel
 * 82371AB PIIX4 data sheet, "Power Management I/O Registers"). The timer has 24 bits at 3.579545 MHz; its carry raises the SCI, IRQ 9.
 * The ACPI enable and disable commands switch SCI_EN, as a firmware's SMI handler would,
 * until the guest brings a handler of its own and lets the command port raise SMIs.
 * Not modelled: sleep states other than S5, buttons and wake events.
 */
import type { DeviceTime, InterruptLine, TimedDevice } from '../device';
import { expectVersion } from '../device-state';
import { Oscillator } from '../oscillator';
import type { NotModelled, PortDevice } from '../port-bus/port-bus';

export const PM_TIMER_HERTZ = 3_579_545;
/** Port numbers, which the FADT names too. */
export const AcpiPort = { event: 0x600, control: 0x604, timer: 0x608, generalEvents: 0xafe0, smiCommand: 0xb2, smiData: 0xb3 } as const;
export const AcpiCommand = { enable: 0xf1, disable: 0xf0 } as const;
/** SLP_TYP values, which the DSDT names too. */
export const SleepType = { off: 0, suspend: 1 } as const;

const TIMER_MASK = 0xff_ffff;
/** TMR_STS is set whenever bit 23 changes. */
const CARRY_CYCLES = 0x80_0000;
/** PM1 status and enable bits that raise the SCI: timer, global lock, power button, RTC. */
const PM1_SCI = 0x0521;
/** PM1 status bits of which a one clears: those, sleep button and wake. */
const PM1_STATUS = 0x8731;
const TIMER = 0x0001;
const SCI_ENABLE = 0x0001;
const SLEEP_ENABLE = 0x2000;

export interface AcpiPmState {
  readonly version: 1;
  readonly status: number;
  readonly enable: number;
  readonly control: number;
  readonly generalEnable: number;
  readonly smiCommand: number;
  readonly smiData: number;
  /** Cycle of the timer at which TMR_STS is set next. */
  readonly carryAt: number;
  /** Level of IRQ 9. */
  readonly asserted: boolean;
}

export interface AcpiPmOptions {
  readonly time: DeviceTime;
  /** The system control interrupt. */
  readonly sci: InterruptLine;
  /** The guest has switched the machine off. */
  powerOff(): void;
  /** The command port was written; true: an SMI was raised, whose handler does what is to be done. */
  smi?(): boolean;
}

const POWER_ON: AcpiPmState = {
  version: 1,
  status: 0,
  enable: 0,
  control: 0,
  generalEnable: 0,
  smiCommand: 0,
  smiData: 0,
  carryAt: CARRY_CYCLES,
  asserted: false,
};

export class AcpiPm implements PortDevice, TimedDevice {
  readonly name = 'acpi-pm';
  readonly ports = [
    [AcpiPort.event, AcpiPort.timer + 3],
    [AcpiPort.generalEvents, AcpiPort.generalEvents + 3],
    [AcpiPort.smiCommand, AcpiPort.smiData],
  ] as const;
  readonly widest = 4;
  private readonly clock = new Oscillator(PM_TIMER_HERTZ);
  private s: { -readonly [K in keyof AcpiPmState]: AcpiPmState[K] } = { ...POWER_ON };
  private due = Infinity;

  constructor(private readonly options: AcpiPmOptions) {}

  get deadline(): number {
    return this.due;
  }

  advance(now: number): void {
    if (this.due > now) return;
    this.fold(this.due);
    this.settle();
  }

  read(port: number, size: number): number {
    const now = this.options.time.now();
    this.advance(now);
    this.fold(now);
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.byteAt(port + i, now) << (8 * i);
    return value;
  }

  write(port: number, size: number, value: number, notModelled: NotModelled): void {
    const now = this.options.time.now();
    this.advance(now);
    this.fold(now);
    for (let i = 0; i < size; i++) this.writeByte(port + i, (value >>> (8 * i)) & 0xff, now);
    // The sleep type is looked at when the whole access has been made.
    if (port <= AcpiPort.control + 1 && port + size > AcpiPort.control + 1 && (value >>> (8 * (AcpiPort.control + 1 - port))) & 0x20)
      this.sleep(notModelled);
    this.settle();
  }

  save(): AcpiPmState {
    return { ...this.s };
  }

  restore(saved: unknown): void {
    this.s = { ...expectVersion<AcpiPmState>(saved, 1, 'ACPI power management') };
    this.due = this.nextAct();
  }

  private byteAt(port: number, now: number): number {
    const { s } = this;
    switch (port & ~1) {
      case AcpiPort.event:
        return half(s.status, port);
      case AcpiPort.event + 2:
        return half(s.enable, port);
      case AcpiPort.control:
        return half(s.control, port);
      case AcpiPort.timer:
      case AcpiPort.timer + 2:
        return ((this.clock.cyclesAt(now) & TIMER_MASK) >> (8 * (port & 3))) & 0xff;
      case AcpiPort.generalEvents + 2:
        return half(s.generalEnable, port);
      case AcpiPort.smiCommand:
        return port & 1 ? s.smiData : s.smiCommand;
      default: // reserved, and general-purpose events, of which none happens
        return 0;
    }
  }

  private writeByte(port: number, byte: number, now: number): void {
    const { s } = this;
    switch (port & ~1) {
      case AcpiPort.event: {
        const cleared = s.status & inHalf(byte, port) & PM1_STATUS;
        s.status &= ~cleared;
        if (cleared & TIMER) s.carryAt = (Math.floor(this.clock.cyclesAt(now) / CARRY_CYCLES) + 1) * CARRY_CYCLES;
        break;
      }
      case AcpiPort.event + 2:
        s.enable = withHalf(s.enable, byte, port);
        break;
      case AcpiPort.control:
        // SLP_EN and GBL_RLS read as zero.
        s.control = withHalf(s.control, byte, port) & ~SLEEP_ENABLE & ~0x0004;
        break;
      case AcpiPort.generalEvents + 2:
        s.generalEnable = withHalf(s.generalEnable, byte, port);
        break;
      case AcpiPort.smiCommand:
        if (port & 1) s.smiData = byte;
        else this.command(byte);
        break;
      default:
        break;
    }
  }

  private command(byte: number): void {
    this.s.smiCommand = byte;
    if (this.options.smi?.()) return;
    if (byte === AcpiCommand.enable) this.s.control |= SCI_ENABLE;
    else if (byte === AcpiCommand.disable) this.s.control &= ~SCI_ENABLE;
  }

  private sleep(notModelled: NotModelled): void {
    const type = (this.s.control >> 10) & 7;
    if (type === SleepType.off) this.options.powerOff();
    else notModelled(`Not modelled: sleep state with SLP_TYP ${type} (port 0x${AcpiPort.control.toString(16)}); only S5, SLP_TYP 0, is.`);
  }

  /** The timer's carry, which happens whether somebody listens or not. */
  private fold(now: number): void {
    if (this.s.status & TIMER) return;
    if (this.clock.cyclesAt(now) >= this.s.carryAt) this.s.status |= TIMER;
  }

  private settle(): void {
    const { s } = this;
    const level = (s.control & SCI_ENABLE) !== 0 && (s.status & s.enable & PM1_SCI) !== 0;
    if (level !== s.asserted) {
      s.asserted = level;
      this.options.sci(level);
    }
    this.due = this.nextAct();
  }

  private nextAct(): number {
    const { s } = this;
    const heard = (s.control & SCI_ENABLE) !== 0 && (s.enable & TIMER) !== 0;
    return heard && (s.status & TIMER) === 0 ? this.clock.tickOf(s.carryAt) : Infinity;
  }
}

const half = (value: number, port: number): number => (port & 1 ? value >> 8 : value & 0xff);
const inHalf = (byte: number, port: number): number => byte << (port & 1 ? 8 : 0);
const withHalf = (value: number, byte: number, port: number): number => (value & ~inHalf(0xff, port)) | inHalf(byte, port);
