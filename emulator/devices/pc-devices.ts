/**
 * The devices of a PC other than its interrupt controllers, put together: which lines they drive and which of them act on their own. The order
 * is the order of their acts at one tick.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { AcpiPm } from './acpi/acpi-pm';
import type { DeviceTime, MmioDevice, PortDevice, StatefulDevice, TimedDevice } from './device';
import { FwCfg } from './fw-cfg/fw-cfg';
import { type FwCfgContents, fwCfgItems } from './fw-cfg/fw-cfg-items';
import { PcTestdev } from './pc-testdev/pc-testdev';
import { Pit } from './pit/pit';
import { firmwareCells } from './rtc/firmware-cells';
import { Rtc } from './rtc/rtc';
import { LINES, SharedLines } from './shared-lines';

/** 2024-01-01 00:00: wall time at power-on where the configuration says nothing. */
export const DEFAULT_UNIX_SECONDS = 1_704_067_200;

const Irq = { timer: 0, clock: 8, sci: 9 } as const;

export interface PcOptions {
  readonly memory: PhysicalMemory;
  readonly vcpuCount: number;
  readonly time: DeviceTime;
  /** Sets the level of global system interrupt 0 to 23; 0 to 15 are the ISA lines. */
  setLine(line: number, level: boolean): void;
  /** The guest has switched the machine off (S5). */
  powerOff(): void;
  /** Seconds since 1970-01-01 00:00 at power-on. */
  readonly unixSeconds?: number;
  /** What the loader has put into memory, for the firmware configuration device. */
  readonly boot?: Pick<FwCfgContents, 'kernel' | 'initrd' | 'cmdline' | 'files'>;
}

export interface PcDevices {
  readonly ports: readonly PortDevice[];
  readonly mmio: readonly (MmioDevice & { readonly name: string })[];
  readonly timed: readonly TimedDevice[];
  readonly stateful: readonly StatefulDevice[];
}

export function createPcDevices(options: PcOptions): PcDevices {
  const { memory, time, vcpuCount } = options;
  const lines = new SharedLines((line, level) => options.setLine(line, level));
  const pit = new Pit({ time, irq: lines.source(Irq.timer) });
  const rtc = new Rtc({
    time,
    irq: lines.source(Irq.clock),
    unixSeconds: options.unixSeconds ?? DEFAULT_UNIX_SECONDS,
    cells: firmwareCells(memory.ramBytes, vcpuCount),
  });
  const acpiPm = new AcpiPm({ time, sci: lines.source(Irq.sci), powerOff: () => options.powerOff() });
  const fwCfg = new FwCfg(fwCfgItems({ memoryBytes: memory.ramBytes, vcpuCount, ...options.boot }), memory);
  const testdev = new PcTestdev(Array.from({ length: LINES }, (_, line) => lines.source(line)));
  return {
    ports: [pit, rtc, acpiPm, fwCfg, testdev],
    mmio: [testdev],
    timed: [pit, rtc, acpiPm],
    stateful: [lines, pit, rtc, acpiPm, fwCfg, testdev],
  };
}
