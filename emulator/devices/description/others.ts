/** Serial lines, keyboard controller, PCI, DMA and the devices for tests in rows. */
import type { SystemControlPortState } from '../control-port/system-control-port';
import type { DebugExitState } from '../debug-exit/isa-debug-exit';
import type { DmaControllerState } from '../dma-controller/dma-controller';
import type { EduState } from '../edu/edu';
import type { FwCfgState } from '../fw-cfg/fw-cfg';
import type { I8042State } from '../i8042/i8042';
import type { Ps2State } from '../i8042/ps2-devices';
import type { PcTestdevState } from '../pc-testdev/pc-testdev';
import type { PciBusState } from '../pci/pci-bus';
import type { SharedLinesState } from '../shared-lines';
import type { ShutdownPortState } from '../shutdown-port/shutdown-port';
import type { UartState } from '../uart/uart-16550';
import { type DeviceRow, bitsSet, byte, count, flag, hex, until } from './device-row';

/** The UART's input clock, divided by 16. */
const LARGEST_BAUD = 115_200;

const bytesText = (bytes: readonly number[]): string => (bytes.length === 0 ? 'empty' : bytes.map((value) => hex(value, 2)).join(' '));

export function uartRows(s: UartState): DeviceRow[] {
  const dataBits = 5 + (s.lineControl & 3);
  const parity = s.lineControl & 8 ? (s.lineControl & 16 ? 'even' : 'odd') : 'no';
  return [
    { name: 'Divisor', value: s.divisor, digits: 4, words: s.divisor === 0 ? 'no clock' : `${Math.round(LARGEST_BAUD / s.divisor)} baud` },
    byte('IER', s.interruptEnable, bitsSet(s.interruptEnable, ['data received', 'transmitter empty', 'line status', 'modem status'])),
    byte('FCR', s.fifoControl, s.fifoControl & 1 ? 'FIFOs on' : 'FIFOs off'),
    byte(
      'LCR',
      s.lineControl,
      `${dataBits} bits, ${parity} parity, ${s.lineControl & 4 ? 2 : 1} stop${s.lineControl & 0x80 ? ', DLAB' : ''}`,
    ),
    byte('MCR', s.modemControl, bitsSet(s.modemControl, ['DTR', 'RTS', 'OUT1', 'OUT2', 'loop'])),
    byte(
      'MSR',
      s.modemStatus,
      bitsSet(s.modemStatus, ['CTS changed', 'DSR changed', 'RI ended', 'DCD changed', 'CTS', 'DSR', 'RI', 'DCD']),
    ),
    byte('Scratch', s.scratch),
    { name: 'Receiver', value: bytesText(s.receiver), words: s.overrun ? 'overrun' : '' },
    ...(s.waiting.length > 0 ? [count('Bytes that wait for the FIFO', s.waiting.length)] : []),
    flag('Transmitter interrupt', s.transmitterInterrupt),
  ];
}

export function i8042Rows(s: I8042State): DeviceRow[] {
  const modes = ['keyboard interrupt', 'mouse interrupt', 'system', '', 'keyboard off', 'mouse off', 'translation'];
  const device = (name: string, state: Readonly<Ps2State>, queue: readonly number[]): DeviceRow => ({
    name,
    value: state.scanning ? 'on' : 'off',
    words: [`waiting bytes: ${bytesText(queue)}`, ...(state.pending ? [`command ${hex(state.pending, 2)} expects a parameter`] : [])].join(
      ', ',
    ),
  });
  return [
    byte('Command byte', s.mode, bitsSet(s.mode, modes)),
    { name: 'Output buffer', value: s.output, digits: 2, words: ['empty', 'from the keyboard', 'from the mouse'][s.source] },
    { name: 'Waiting answers', value: bytesText(s.controllerQueue) },
    device('Keyboard', s.keyboard, s.keyboardQueue),
    device('Mouse', s.mouse, s.mouseQueue),
    ...(s.pending ? [byte('Command that expects a parameter', s.pending)] : []),
  ];
}

const littleEndian = (bytes: readonly number[], at: number, length: number): number =>
  bytes.slice(at, at + length).reduceRight((value, part) => value * 256 + part, 0);

/** @param names of functions, by `device.function`. */
export function pciRows(s: PciBusState, names: ReadonlyMap<string, string>): DeviceRow[] {
  return [
    { name: 'CONFIG_ADDRESS', value: s.address, digits: 8 },
    ...Object.entries(s.functions).map(([at, space]): DeviceRow => {
      const field = (name: string, offset: number, length: number, words?: string): DeviceRow => ({
        name,
        value: littleEndian(space, offset, length),
        digits: 2 * length,
        words,
      });
      const bars = Array.from({ length: 6 }, (_, n) => field(`BAR${n}`, 0x10 + 4 * n, 4)).filter(({ value }) => value !== 0);
      const command = littleEndian(space, 4, 2);
      return {
        name: `00:${at}`,
        value: `${hex(littleEndian(space, 0, 2), 4).slice(2)}:${hex(littleEndian(space, 2, 2), 4).slice(2)}`,
        words: names.get(at),
        rows: [
          field('Command', 4, 2, bitsSet(command, ['I/O', 'memory', 'bus master', '', '', '', '', '', 'SERR', '', 'INTx off'])),
          field('Status', 6, 2),
          field('Class', 9, 3),
          ...bars,
          field('Interrupt line', 0x3c, 1),
          field('Interrupt pin', 0x3d, 1, ['none', 'INTA', 'INTB', 'INTC', 'INTD'][space[0x3d]]),
        ],
      };
    }),
    { name: 'PIRQ A to D', value: s.pirqs.map((sources) => (sources === 0 ? 'low' : 'asserted')).join(' ') },
    byte('Reset control', s.resetControl),
  ];
}

export function eduRows(s: EduState, now: number): DeviceRow[] {
  return [
    { name: 'Liveness', value: s.live, digits: 8 },
    { name: 'Factorial', value: s.factorial, digits: 8, words: s.factorialAt < 0 ? '' : `done ${until(s.factorialAt, now)}` },
    byte('Status', s.status),
    { name: 'Interrupt status', value: s.interrupts, digits: 8 },
    {
      name: 'DMA',
      value: s.dmaAt < 0 ? 'idle' : `done ${until(s.dmaAt, now)}`,
      rows: [
        { name: 'Source', value: BigInt(s.source) },
        { name: 'Destination', value: BigInt(s.destination) },
        { name: 'Count', value: BigInt(s.count) },
        byte('Command', s.command),
      ],
    },
  ];
}

export const fwCfgRows = (s: FwCfgState): DeviceRow[] => [
  { name: 'Selector', value: s.selector, digits: 4 },
  { name: 'Offset', value: s.offset },
  { name: 'DMA address, high half', value: s.addressHigh, digits: 8 },
];

export function dmaRows(s: DmaControllerState): DeviceRow[] {
  return s.controllers.map((controller, n) => ({
    name: `Controller ${n + 1}`,
    value: `mask ${hex(controller.mask, 1)}`,
    rows: controller.modes.map((mode, channel) => ({
      name: `Channel ${4 * n + channel}`,
      value: `mode ${hex(mode, 2)}`,
      words: `address ${hex(controller.words[2 * channel], 4)}, count ${hex(controller.words[2 * channel + 1], 4)}`,
    })),
  }));
}

export const testdevRows = (s: PcTestdevState): DeviceRow[] => [
  { name: 'Register E0H', value: s.register, digits: 8 },
  { name: 'Register E8H', value: s.byteRegister, digits: 8 },
  { name: 'Lines', value: s.levels, digits: 6 },
  count('Words of scratch memory that are not zero', s.scratch.length / 2),
];

export const controlPortRows = (s: SystemControlPortState): DeviceRow[] => [byte('Port 92H', s.value)];
export const shutdownRows = (s: ShutdownPortState): DeviceRow[] => [count('Bytes of "Shutdown" that have come', s.matched)];
export const debugExitRows = (s: DebugExitState): DeviceRow[] => [{ name: 'Value', value: s.value < 0 ? 'not written' : hex(s.value) }];

export function lineRows(s: SharedLinesState): DeviceRow[] {
  const asserted = s.asserted.flatMap((sources, line) => (sources === 0 ? [] : [String(line)]));
  return [{ name: 'Asserted', value: asserted.join(', ') || 'none' }];
}
