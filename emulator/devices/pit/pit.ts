/**
 * The Intel 8254 Programmable Interval Timer at ports 0x40 to 0x43 and system control port B at 0x61, which gates its counter 2 (Intel 8254 data
 * sheet; Intel 82371SB PIIX3 data sheet, "NMISC - NMI Status and Control Register"). The clock is 1.193182 MHz. Counter 0's OUT is IRQ 0.
 * At power-on it is as a PC's firmware leaves it: counter 0 runs in mode 2 with the largest count, counter 1 asks for refreshes every 18 cycles.
 * Not modelled: the speaker; parity and channel-check errors, which never happen; the refresh toggle follows the clock, whatever counter 1 does.
 */
import type { DeviceTime, InterruptLine, TimedDevice } from '../device';
import { expectVersion } from '../device-state';
import { Oscillator } from '../oscillator';
import type { PortDevice } from '../port-bus/port-bus';
import {
  type PitChannel, Access, idleChannel, latchCount, latchStatus, nextEdge, outAt, readChannel, setGate, settle, writeControl, writeCount,
} from './pit-channel'; // prettier-ignore

export const PIT_HERTZ = 1_193_182;
const CONTROL_PORT = 0x43;
const PORT_B = 0x61;
/** Cycles from one refresh to the next: 15 µs. */
const REFRESH_CYCLES = 18;

export interface PitState {
  readonly version: 1;
  readonly channels: readonly Readonly<PitChannel>[];
  /** Bits 3:0 of port B as written. */
  readonly portB: number;
  /** Level of IRQ 0. */
  readonly out0: boolean;
  /** Cycle of the next change of IRQ 0, -1: none. */
  readonly edgeAt: number;
}

export interface PitOptions {
  readonly time: DeviceTime;
  readonly irq: InterruptLine;
}

export class Pit implements PortDevice, TimedDevice {
  readonly name = 'pit';
  readonly ports = [[0x40, CONTROL_PORT], [PORT_B, PORT_B]] as const; // prettier-ignore
  readonly widest = 1;
  private readonly clock = new Oscillator(PIT_HERTZ);
  private channels: PitChannel[] = [idleChannel(0x34, true), idleChannel(0x14, true), idleChannel(0x36, false)];
  private portB = 0;
  private out0 = true;
  private edgeAt = -1;
  /** `edgeAt` as a tick. */
  private due = Infinity;

  constructor(private readonly options: PitOptions) {
    for (const byte of [0, 0]) writeCount(this.channels[0], byte, 0);
    writeCount(this.channels[1], REFRESH_CYCLES, 0);
    for (const byte of [0, 0]) writeCount(this.channels[2], byte, 0);
    this.expectEdge(0);
    // OUT is high, but nobody hears of it before its first edge: firmware has initialised the interrupt controllers after the timer.
  }

  get deadline(): number {
    return this.due;
  }

  advance(now: number): void {
    const cycle = this.clock.cyclesAt(now);
    while (this.edgeAt >= 0 && this.edgeAt <= cycle) {
      const at = this.edgeAt;
      settle(this.channels[0], at);
      this.drive(at);
      this.expectEdge(at);
    }
  }

  read(port: number): number {
    const cycle = this.upToDate();
    if (port === PORT_B) return this.portB | this.statusB(cycle);
    // The control word cannot be read.
    return port === CONTROL_PORT ? 0 : readChannel(this.channels[port & 3], cycle);
  }

  write(port: number, _size: number, value: number): void {
    const cycle = this.upToDate();
    if (port === PORT_B) {
      this.portB = value & 0x0f;
      setGate(this.channels[2], (value & 1) !== 0, cycle);
    } else if (port === CONTROL_PORT) this.command(value, cycle);
    else writeCount(this.channels[port & 3], value, cycle);
    if (port === CONTROL_PORT || port === 0x40) {
      this.drive(cycle);
      this.expectEdge(cycle);
    }
  }

  save(): PitState {
    const { portB, out0, edgeAt } = this;
    return { version: 1, channels: this.channels.map((channel) => ({ ...channel })), portB, out0, edgeAt };
  }

  restore(saved: unknown): void {
    const state = expectVersion<PitState>(saved, 1, 'interval timer');
    this.channels = state.channels.map((channel) => ({ ...channel }));
    this.portB = state.portB;
    this.out0 = state.out0;
    this.edgeAt = state.edgeAt;
    this.due = this.edgeAt < 0 ? Infinity : this.clock.tickOf(this.edgeAt);
  }

  /** What is due by now happens before an access; gives the cycle. */
  private upToDate(): number {
    const now = this.options.time.now();
    this.advance(now);
    return this.clock.cyclesAt(now);
  }

  private statusB(cycle: number): number {
    settle(this.channels[2], cycle);
    const refresh = Math.floor(cycle / REFRESH_CYCLES) & 1;
    return (refresh << 4) | (outAt(this.channels[2], cycle) ? 0x20 : 0);
  }

  private command(value: number, cycle: number): void {
    const select = value >> 6;
    if (select < 3) {
      if (((value >> 4) & 3) === Access.latch) latchCount(this.channels[select], cycle);
      else writeControl(this.channels[select], value, cycle);
      return;
    }
    // Read-back: bits 3:1 choose counters, a zero in bit 5 latches the count, a zero in bit 4 the status.
    this.channels.forEach((channel, i) => {
      if ((value & (2 << i)) === 0) return;
      if ((value & 0x20) === 0) latchCount(channel, cycle);
      if ((value & 0x10) === 0) latchStatus(channel, cycle);
    });
  }

  private drive(cycle: number): void {
    settle(this.channels[0], cycle);
    const level = outAt(this.channels[0], cycle);
    if (level === this.out0) return;
    this.out0 = level;
    this.options.irq(level);
  }

  private expectEdge(cycle: number): void {
    const edge = nextEdge(this.channels[0], cycle);
    this.edgeAt = edge === Infinity ? -1 : edge;
    this.due = this.clock.tickOf(edge);
  }
}
