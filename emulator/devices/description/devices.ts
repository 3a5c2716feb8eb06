/** Every device of the platform with its title and its rows, by the name under which its state is saved. */
import type { AcpiPmState } from '../acpi/acpi-pm';
import type { SystemControlPortState } from '../control-port/system-control-port';
import type { DebugExitState } from '../debug-exit/isa-debug-exit';
import type { DmaControllerState } from '../dma-controller/dma-controller';
import type { EduState } from '../edu/edu';
import type { FwCfgState } from '../fw-cfg/fw-cfg';
import type { HpetState } from '../hpet/hpet';
import type { I8042State } from '../i8042/i8042';
import type { IoApicState } from '../io-apic/io-apic';
import type { LocalApicState } from '../local-apic/local-apic';
import type { PcTestdevState } from '../pc-testdev/pc-testdev';
import type { PciBusState } from '../pci/pci-bus';
import type { PicPairState } from '../pic/pic-pair';
import type { PitState } from '../pit/pit';
import type { RtcState } from '../rtc/rtc';
import type { SharedLinesState } from '../shared-lines';
import type { ShutdownPortState } from '../shutdown-port/shutdown-port';
import type { UartState } from '../uart/uart-16550';
import type { DeviceRow } from './device-row';
import { ioApicRows, localApicRows, picRows } from './interrupt-controllers';
import { controlPortRows, debugExitRows, dmaRows, eduRows, fwCfgRows, i8042Rows, lineRows, pciRows, shutdownRows, testdevRows, uartRows } from './others'; // prettier-ignore
import { acpiRows, hpetRows, pitRows, rtcRows } from './timers';

export interface DescribedDevice {
  /** Key in the snapshot. */
  readonly name: string;
  readonly title: string;
  /** Where the guest reaches it. */
  readonly where?: string;
  readonly rows: readonly DeviceRow[];
}

export interface DescriptionContext {
  readonly now: number;
  /** PCI functions by `device.function`. */
  readonly pciNames: ReadonlyMap<string, string>;
}

interface Describer {
  readonly title: string;
  readonly where?: string;
  rows(state: unknown, context: DescriptionContext): readonly DeviceRow[];
}

/** @template S state that the device of that name saves: the platform gives each device's own. */
function by<S>(title: string, where: string, rows: (state: S, context: DescriptionContext) => readonly DeviceRow[]): Describer {
  return { title, where, rows: (state, context) => rows(state as S, context) };
}

const DESCRIBERS: Readonly<Record<string, Describer>> = {
  'io-apic': by<IoApicState>('I/O APIC', '0xfec00000', ioApicRows),
  pic: by<PicPairState>('8259 interrupt controllers', 'ports 20H, A0H', picRows),
  'interrupt-lines': by<SharedLinesState>('Interrupt lines', '', lineRows),
  pit: by<PitState>('8254 timer', 'ports 40H to 43H, 61H', (state, { now }) => pitRows(state, now)),
  hpet: by<HpetState>('HPET', '0xfed00000', (state, { now }) => hpetRows(state, now)),
  rtc: by<RtcState>('Clock and CMOS', 'ports 70H, 71H', (state, { now }) => rtcRows(state, now)),
  'acpi-pm': by<AcpiPmState>('ACPI power management', 'ports 600H to 60BH', (state, { now }) => acpiRows(state, now)),
  uart: by<UartState>('COM1', 'ports 3F8H to 3FFH', uartRows),
  uart2: by<UartState>('COM2', 'ports 2F8H to 2FFH', uartRows),
  i8042: by<I8042State>('Keyboard controller', 'ports 60H, 64H', i8042Rows),
  'system-control-port': by<SystemControlPortState>('System control port A', 'port 92H', controlPortRows),
  'dma-controller': by<DmaControllerState>('8237 DMA controllers', 'ports 00H, C0H', dmaRows),
  pci: by<PciBusState>('PCI', 'ports CF8H, CFCH', (state, { pciNames }) => pciRows(state, pciNames)),
  edu: by<EduState>('edu PCI device', '', (state, { now }) => eduRows(state, now)),
  'fw-cfg': by<FwCfgState>('Firmware configuration', 'ports 510H, 511H', fwCfgRows),
  'pc-testdev': by<PcTestdevState>('Test device', 'ports E0H, 2000H', testdevRows),
  'shutdown-port': by<ShutdownPortState>('Shutdown port', 'port 8900H', shutdownRows),
  'debug-exit': by<DebugExitState>('Debug exit', 'port F4H', debugExitRows),
};
const LOCAL_APIC = /^local-apic-?(\d+)$/;

/** Undefined: nobody describes a device of that name. */
export function describeDevice(name: string, state: unknown, context: DescriptionContext): DescribedDevice | undefined {
  const vcpu = LOCAL_APIC.exec(name)?.[1];
  if (vcpu !== undefined)
    return { name, title: `Local APIC ${vcpu}`, rows: localApicRows(state as LocalApicState, Number(vcpu), context.now) };
  if (!Object.hasOwn(DESCRIBERS, name)) return undefined;
  const { title, where, rows } = DESCRIBERS[name];
  return { name, title, where, rows: rows(state, context) };
}
