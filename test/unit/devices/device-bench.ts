/** What device tests stand on: time that is set by hand and a line that notes its edges. */
import type { DeviceTime, InterruptLine, TimedDevice } from '../../../emulator/devices/device';
import { Oscillator } from '../../../emulator/devices/oscillator';

export class HandTime implements DeviceTime {
  tick = 0;
  now(): number {
    return this.tick;
  }
  /** To the first tick of a cycle. */
  toCycle(oscillator: Oscillator, cycle: number): void {
    this.tick = oscillator.tickOf(cycle);
  }
}

/** Edges as they come, with the tick given by `time`. */
export class LineLog {
  level = false;
  readonly edges: [tick: number, level: boolean][] = [];
  constructor(private readonly time: HandTime) {}
  readonly line: InterruptLine = (level) => {
    if (level === this.level) return;
    this.level = level;
    this.edges.push([this.time.tick, level]);
  };
}

/** Lets the device act at each of its deadlines up to `tick`, with time set to the deadline, as the run loop does. */
export function runTo(time: HandTime, device: TimedDevice, tick: number): void {
  while (device.deadline <= tick) {
    time.tick = device.deadline;
    device.advance(time.tick);
  }
  time.tick = tick;
}
