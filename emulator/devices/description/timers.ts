/** The 8254, the HPET, the clock and the ACPI timer in rows. */
import { type AcpiPmState, PM_TIMER_HERTZ } from '../acpi/acpi-pm';
import { TICKS_PER_SECOND } from '../device';
import { HPET_TICKS_PER_COUNT, type HpetState } from '../hpet/hpet';
import { TimerBit } from '../hpet/hpet-timer';
import { Oscillator } from '../oscillator';
import { PIT_HERTZ, type PitState } from '../pit/pit';
import { countAt, modeOf, outAt, settle } from '../pit/pit-channel';
import { RegisterC, type RtcState } from '../rtc/rtc';
import { Cell, RegisterB, addSeconds, timeText } from '../rtc/rtc-time';
import { type DeviceRow, bitsSet, byte, count, duration, flag, hex, until } from './device-row';

const PIT_MODES = [
  'interrupt on terminal count', 'hardware one-shot', 'rate generator', 'square wave', 'software strobe', 'hardware strobe',
] as const; // prettier-ignore
const PIT_USES = ['IRQ 0', 'refresh', 'speaker, port 61H'] as const;

export function pitRows(s: PitState, now: number): DeviceRow[] {
  const clock = new Oscillator(PIT_HERTZ);
  const cycle = clock.cyclesAt(now);
  return [
    ...s.channels.map((saved, n): DeviceRow => {
      const channel = { ...saved };
      settle(channel, cycle);
      const mode = modeOf(channel);
      const every = Math.round((channel.initial * TICKS_PER_SECOND) / PIT_HERTZ);
      return {
        name: `Counter ${n} (${PIT_USES[n]})`,
        value: countAt(channel, cycle),
        digits: 4,
        words: `mode ${mode}, ${PIT_MODES[mode]}${mode === 2 || mode === 3 ? `, every ${duration(every)}` : ''}`,
        rows: [
          { name: 'Count register', value: channel.count, digits: 4, words: channel.armed ? '' : 'no count written yet' },
          flag('OUT', outAt(channel, cycle)),
          flag('GATE', channel.gate),
          ...(channel.latchedCount >= 0 ? [{ name: 'Latched count', value: channel.latchedCount, digits: 4 }] : []),
          ...(channel.latchedStatus >= 0 ? [byte('Latched status', channel.latchedStatus)] : []),
        ],
      };
    }),
    byte('Port 61H', s.portB, bitsSet(s.portB, ['gate of counter 2', 'speaker', 'parity off', 'channel check off'])),
    ...(s.edgeAt < 0 ? [] : [{ name: 'Next change of IRQ 0', value: until(clock.tickOf(s.edgeAt), now) }]),
  ];
}

export function hpetRows(s: HpetState, now: number): DeviceRow[] {
  const runs = (s.configuration & 1) !== 0;
  const passed = runs ? BigInt(Math.floor((now - s.enabledAt) / HPET_TICKS_PER_COUNT)) : 0n;
  const counter = BigInt.asUintN(64, BigInt(s.counter) + passed);
  return [
    byte('Configuration', s.configuration, [runs ? 'runs' : 'stopped', ...(s.configuration & 2 ? ['legacy replacement'] : [])].join(', ')),
    { name: 'Main counter', value: counter, digits: 16, words: `counts every ${duration(HPET_TICKS_PER_COUNT)}` },
    byte('Interrupt status', s.status),
    ...s.timers.map((timer, n): DeviceRow => {
      const configuration = Number(BigInt(timer.configuration) & 0xffffn);
      const is = (bit: number): boolean => (configuration & bit) !== 0;
      const comparator = BigInt(timer.comparator);
      const left = Number(BigInt.asUintN(64, comparator - counter)) * HPET_TICKS_PER_COUNT;
      const words = [
        is(TimerBit.enable) ? 'interrupts' : 'does not interrupt',
        is(TimerBit.periodic) ? 'periodic' : 'one-shot',
        is(TimerBit.level) ? 'level' : 'edge',
        ...(runs && left < 1e15 ? [`matches ${until(now + left, now)}`] : []),
      ];
      return {
        name: `Timer ${n}`,
        value: comparator,
        digits: 16,
        words: words.join(', '),
        rows: [
          { name: 'Configuration', value: configuration, digits: 4, words: `I/O APIC input ${(configuration >> 9) & 31}` },
          ...(is(TimerBit.periodic) ? [{ name: 'Period', value: BigInt(timer.period) }] : []),
          ...(is(TimerBit.fsbEnable) ? [{ name: 'Message', value: BigInt(timer.fsbRoute), digits: 16 }] : []),
          flag('Output', timer.output),
        ],
      };
    }),
  ];
}

export function rtcRows(s: RtcState, now: number): DeviceRow[] {
  const cells = Uint8Array.from(s.cells);
  const b = cells[Cell.b];
  const seconds = Math.floor((now - s.origin) / TICKS_PER_SECOND);
  if (seconds > 0 && (b & RegisterB.set) === 0) addSeconds(cells, seconds, b);
  const flags = bitsSet(s.flags >> 4, ['update', 'alarm', 'periodic']);
  return [
    { name: 'Time', value: timeText(cells, b) },
    {
      name: 'Alarm',
      value: [cells[Cell.hoursAlarm], cells[Cell.minutesAlarm], cells[Cell.secondsAlarm]].map((cell) => hex(cell, 2)).join(' '),
    },
    byte('Register A', cells[Cell.a], `rate ${cells[Cell.a] & 15}`),
    byte('Register B', b, bitsSet(b, ['daylight saving', '24 hours', 'binary', 'square wave', 'update interrupt', 'alarm interrupt', 'periodic interrupt', 'set'])), // prettier-ignore
    byte('Register C', s.flags | (s.asserted ? RegisterC.request : 0), flags || 'nothing flagged'),
    byte('Index', s.index, s.nmiMasked ? 'NMI masked' : ''),
    flag('IRQ 8', s.asserted),
  ];
}

export function acpiRows(s: AcpiPmState, now: number): DeviceRow[] {
  const clock = new Oscillator(PM_TIMER_HERTZ);
  const carry = clock.tickOf(s.carryAt);
  return [
    { name: 'Timer', value: clock.cyclesAt(now) & 0xff_ffff, digits: 6, words: `24 bits, carry ${until(carry, now)}` },
    { name: 'PM1 status', value: s.status, digits: 4 },
    { name: 'PM1 enable', value: s.enable, digits: 4 },
    { name: 'PM1 control', value: s.control, digits: 4, words: s.control & 1 ? 'ACPI mode (SCI)' : 'legacy mode (SMI)' },
    { name: 'GPE0 enable', value: s.generalEnable, digits: 4 },
    byte('SMI command', s.smiCommand),
    byte('SMI data', s.smiData),
    flag('SCI', s.asserted),
    count('Timer frequency', PM_TIMER_HERTZ, 'Hz'),
  ];
}
