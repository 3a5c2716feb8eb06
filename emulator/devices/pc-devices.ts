/**
 * The devices of a PC other than its interrupt controllers, put together: which lines they drive and which of them act on their own. The order
 * is the order of their acts at one tick.
 */
import type { LoadableMemory } from '../memory/physical-memory';
import { AcpiPm } from './acpi/acpi-pm';
import type { ByteQueue } from './byte-queue';
import { DebugConsole } from './debug-console/debug-console';
import type { DeviceTime, MmioDevice, PortDevice, StatefulDevice, TimedDevice } from './device';
import { DmaController } from './dma-controller/dma-controller';
import { Edu } from './edu/edu';
import { FwCfg } from './fw-cfg/fw-cfg';
import { type FwCfgContents, fwCfgItems } from './fw-cfg/fw-cfg-items';
import { Hpet } from './hpet/hpet';
import { type A20Gate, I8042 } from './i8042/i8042';
import { SystemControlPort } from './control-port/system-control-port';
import { PcTestdev } from './pc-testdev/pc-testdev';
import { PciBus } from './pci/pci-bus';
import { Pit } from './pit/pit';
import { firmwareCells } from './rtc/firmware-cells';
import { Rtc } from './rtc/rtc';
import { LINES, SharedLines } from './shared-lines';
import { ShutdownPort } from './shutdown-port/shutdown-port';
import { Uart16550 } from './uart/uart-16550';

/** 2024-01-01 00:00: wall time at power-on where the configuration says nothing. */
export const DEFAULT_UNIX_SECONDS = 1_704_067_200;

const Irq = { timer: 0, keyboard: 1, com2: 3, com1: 4, clock: 8, sci: 9, mouse: 12 } as const;

export interface PcOptions {
  readonly memory: LoadableMemory;
  readonly vcpuCount: number;
  readonly time: DeviceTime;
  /** Sets the level of global system interrupt 0 to 23; 0 to 15 are the ISA lines. */
  setLine(line: number, level: boolean): void;
  /** A message-signalled interrupt: what a device's write of `data` to `address` does. */
  message(address: number, data: number): void;
  /** SMI# is asserted: an SMI for every processor. */
  smi(): true;
  /** The guest has switched the machine off. */
  powerOff(): void;
  /** The guest resets the machine; `by` names what it used. */
  reset(by: string): void;
  /** The gate of address line 20; without one it is always enabled. */
  readonly a20?: A20Gate;
  /** Where the bytes go that the guest sends. */
  readonly output: { readonly com1: ByteQueue; readonly com2: ByteQueue; readonly debug: ByteQueue };
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
  readonly com1: Uart16550;
  readonly pci: PciBus;
}

const ALWAYS_ENABLED: A20Gate = { enabled: true, set: () => undefined };

export function createPcDevices(options: PcOptions): PcDevices {
  const { memory, time, vcpuCount, output } = options;
  const powerOff = (): void => options.powerOff();
  const message = (address: number, data: number): void => options.message(address, data);
  const lines = new SharedLines((line, level) => options.setLine(line, level));
  const timerLine = lines.gatedSource(Irq.timer);
  const clockLine = lines.gatedSource(Irq.clock);
  const pit = new Pit({ time, irq: timerLine.line });
  const rtc = new Rtc({
    time,
    irq: clockLine.line,
    unixSeconds: options.unixSeconds ?? DEFAULT_UNIX_SECONDS,
    cells: firmwareCells(memory.ramBytes, vcpuCount),
  });
  const hpet = new Hpet({
    time,
    route: (input) => lines.source(input),
    legacy: [lines.source(Irq.timer), lines.source(Irq.clock)],
    legacyReplacement(on) {
      timerLine.setOpen(!on);
      clockLine.setOpen(!on);
    },
    message,
  });
  const acpiPm = new AcpiPm({ time, sci: lines.source(Irq.sci), powerOff, smi: () => pci.raisesSmi && options.smi() });
  const a20 = options.a20 ?? ALWAYS_ENABLED;
  const controlPort = new SystemControlPort(a20, () => options.reset('system control port A (port 0x92)'));
  const i8042 = new I8042({
    keyboardIrq: lines.source(Irq.keyboard),
    mouseIrq: lines.source(Irq.mouse),
    a20,
    reset: () => options.reset('the keyboard controller'),
  });
  const com1 = new Uart16550('uart', 0x3f8, output.com1, lines.source(Irq.com1));
  const com2 = new Uart16550('uart2', 0x2f8, output.com2, lines.source(Irq.com2));
  const pci = new PciBus({ lines, reset: () => options.reset('the reset control register (port 0xcf9)') });
  const edu = new Edu({ time, memory, bus: pci, message });
  const fwCfg = new FwCfg(fwCfgItems({ memoryBytes: memory.ramBytes, vcpuCount, ...options.boot }), memory);
  const testdev = new PcTestdev(Array.from({ length: LINES }, (_, line) => lines.source(line)));
  const shutdown = new ShutdownPort(powerOff);
  const dma = new DmaController();
  return {
    ports: [pit, rtc, acpiPm, i8042, com1, com2, pci, fwCfg, testdev, shutdown, dma, controlPort, new DebugConsole(output.debug)],
    mmio: [hpet, testdev, edu],
    timed: [pit, rtc, hpet, acpiPm, edu],
    stateful: [lines, pit, rtc, hpet, acpiPm, i8042, com1, com2, pci, edu, fwCfg, testdev, shutdown, dma, controlPort],
    com1,
    pci,
  };
}
