/** Local APIC, I/O APIC and the 8259 pair in rows: what is requested, in service and masked, and what holds a request back. */
import { ApicBase, DELIVERY_MODE_WORDS, ESR_BITS, LVT_BITS, LVT_MASKED, LVT_NAMES, Lvt, REDIRECTION_BITS, SVR_ENABLE, SVR_SUPPRESS_EOI_BROADCAST, TRIGGER_LEVEL, TimerMode } from '../../spec/apic'; // prettier-ignore
import { summarizeBits } from '../../spec/named-bits';
import type { IoApicState } from '../io-apic/io-apic';
import { ApicTimer } from '../local-apic/apic-timer';
import type { LocalApicState } from '../local-apic/local-apic';
import { vectorsOf } from '../local-apic/vector-set';
import type { PicState } from '../pic/pic-8259';
import { CASCADE_INPUT, Pic8259 } from '../pic/pic-8259';
import type { PicPairState } from '../pic/pic-pair';
import { type DeviceRow, bitsSet, byte, duration, flag, hex, register, until } from './device-row';

const CLASS = 0xf0;
const ISA_INPUTS = [
  'timer', 'keyboard', 'cascade', 'COM2', 'COM1', 'IRQ 5', 'IRQ 6', 'IRQ 7', 'clock', 'SCI', 'IRQ 10', 'IRQ 11', 'mouse', 'IRQ 13', 'IRQ 14', 'IRQ 15',
] as const; // prettier-ignore
/** Inputs of the I/O APIC as a PC wires them: the 8259s' output on 0, the timer on 2. */
const pinName = (pin: number): string => (pin === 0 ? '8259s' : pin === 2 ? 'timer' : pin < 16 ? ISA_INPUTS[pin] : `PCI ${pin}`);
const TIMER_MODES = ['one-shot', 'periodic', 'TSC-deadline'] as const;
const MODE = ApicBase.EN | ApicBase.EXTD;

const set = (words: readonly number[], vector: number): boolean => ((words[vector >> 5] >>> (vector & 31)) & 1) !== 0;

/** @param vcpu whose it is: its APIC ID, too. @param now tick. */
export function localApicRows(s: LocalApicState, vcpu: number, now: number): DeviceRow[] {
  const mode = s.apicBase & MODE;
  const requested = vectorsOf(s.irr);
  const inService = vectorsOf(s.isr);
  const processor = Math.max(s.tpr & CLASS, (inService[0] ?? 0) & CLASS) === (s.tpr & CLASS) ? s.tpr : inService[0] & CLASS;
  const vectors = (name: string, words: readonly number[], tip: string): DeviceRow => {
    const list = vectorsOf(words);
    return {
      name,
      value: list.length === 0 ? 'none' : list.map((vector) => hex(vector, 2)).join(' '),
      tip,
      rows: list.map((vector) => ({
        name: hex(vector, 2),
        value: String(vector),
        words: `priority class ${vector >> 4}, ${set(s.tmr, vector) ? 'level' : 'edge'}-triggered`,
      })),
    };
  };
  return [
    {
      name: 'State',
      value: mode === MODE ? 'x2APIC' : mode === ApicBase.EN ? 'xAPIC' : 'disabled',
      words: [
        mode === ApicBase.EN ? `registers at ${hex(s.apicBase - (s.apicBase & 0xfff))}` : '',
        s.apicBase & ApicBase.BSP ? 'boot processor' : '',
        s.svr & SVR_ENABLE ? '' : 'switched off by SVR',
      ]
        .filter(Boolean)
        .join(', '),
      tip: 'IA32_APIC_BASE and bit 8 of the spurious-interrupt vector register (SDM volume 3, "Local APIC Status and Location").',
    },
    { name: 'APIC ID', value: vcpu, words: `logical ${mode === MODE ? hex(((vcpu >> 4) << 16) | (1 << (vcpu & 15)), 8) : hex(s.ldr, 8)}` },
    byte('TPR', s.tpr, `class ${s.tpr >> 4}`),
    {
      ...byte('PPR', processor, `class ${processor >> 4}`),
      tip: 'Processor priority: the greater class of TPR and of the highest vector in service. Only higher classes are delivered.',
    },
    vectors('IRR', s.irr, 'Accepted and not delivered to the processor yet, highest first.'),
    vectors('ISR', s.isr, 'Delivered, and the end of interrupt has not been signalled yet, highest first.'),
    nextRow(requested[0], processor, mode !== 0),
    ...(s.extInt || s.lint0 || s.lint1
      ? [
          {
            name: 'Pins',
            value: [s.lint0 ? 'LINT0' : '', s.lint1 ? 'LINT1' : '', s.extInt ? 'ExtINT accepted' : ''].filter(Boolean).join(', '),
          },
        ]
      : []),
    { name: 'SVR', value: s.svr, digits: 3, words: spuriousWords(s.svr) },
    ...s.lvt.map((entry, n): DeviceRow => ({
      ...register(`LVT ${LVT_NAMES[n]}`, entry, 5, LVT_BITS[n]),
      tip: 'Local vector table entry.',
    })),
    timerRow(s, now),
    {
      name: 'ICR',
      value: (BigInt(s.icrHigh) << 32n) | BigInt(s.icr >>> 0),
      digits: 16,
      words: `${DELIVERY_MODE_WORDS[(s.icr >> 8) & 7]} ${hex(s.icr & 0xff, 2)} to ${['', 'self', 'all', 'all others'][(s.icr >> 18) & 3] || hex(mode === MODE ? s.icrHigh : s.icrHigh >>> 24)}`,
      tip: 'The last interprocessor interrupt sent (interrupt command register).',
    },
    register('ESR', s.esr, 2, ESR_BITS),
    ...(s.errors ? [register('Errors since', s.errors, 2, ESR_BITS)] : []),
  ];
}

function nextRow(requested: number | undefined, processor: number, present: boolean): DeviceRow {
  const name = 'Next';
  if (!present || requested === undefined) return { name, value: 'none', words: 'nothing is requested' };
  const delivered = (requested & CLASS) > (processor & CLASS);
  return {
    name,
    value: hex(requested, 2),
    words: delivered ? 'goes to the processor' : `held back: class ${requested >> 4} is not above PPR's class ${processor >> 4}`,
  };
}

function spuriousWords(svr: number): string {
  return [
    svr & SVR_ENABLE ? 'enabled' : 'disabled',
    `spurious vector ${hex(svr & 0xff, 2)}`,
    ...(svr & SVR_SUPPRESS_EOI_BROADCAST ? ['no broadcast of EOI'] : []),
  ].join(', ');
}

function timerRow(s: LocalApicState, now: number): DeviceRow {
  const timer = new ApicTimer({ ...s.timer });
  const { deadline } = timer;
  const mode = TIMER_MODES[s.timer.mode] ?? 'reserved';
  const masked = (s.lvt[Lvt.timer] & LVT_MASKED) !== 0;
  return {
    name: 'Timer',
    value: mode,
    words: deadline === Infinity ? 'stopped' : `expires ${until(deadline, now)}${masked ? ', masked' : ''}`,
    rows:
      s.timer.mode === TimerMode.tscDeadline
        ? [{ name: 'Deadline', value: timer.tscDeadline, words: 'IA32_TSC_DEADLINE' }]
        : [
            { name: 'Initial count', value: s.timer.initialCount, digits: 8 },
            { name: 'Current count', value: deadline > now ? timer.currentCount(now) : 0, digits: 8 },
            { name: 'Divide', value: `by ${timer.divisor}`, words: `counts every ${duration(timer.divisor)}` },
          ],
  };
}

export function ioApicRows(s: IoApicState): DeviceRow[] {
  return [
    byte('ID', s.id),
    ...s.low.map((low, pin): DeviceRow => {
      const entry = (BigInt(s.high[pin] >>> 0) << 32n) | BigInt(low >>> 0);
      const high = ((s.levels >>> pin) & 1) !== 0;
      const masked = (low & LVT_MASKED) !== 0;
      const words = [
        masked ? 'masked' : `${summarizeBits(REDIRECTION_BITS, BigInt(low >>> 0))} to ${hex(s.high[pin] >>> 24, 2)}`,
        ...(high ? ['the line is asserted'] : []),
        ...((s.edges >>> pin) & 1 && (low & TRIGGER_LEVEL) === 0 && !masked ? ['an edge waits'] : []),
      ];
      return {
        name: `Pin ${pin} (${pinName(pin)})`,
        value: entry,
        digits: 16,
        words: words.join(', '),
        tip: 'Redirection table entry (82093AA data sheet).',
      };
    }),
  ];
}

export function picRows(pair: PicPairState): DeviceRow[] {
  return [
    { name: 'Output INTR', value: pair.output ? 'raised' : 'low' },
    { name: 'Master', words: summaryOf(pair.master, true), rows: controllerRows(pair.master, true) },
    { name: 'Slave', words: summaryOf(pair.slave, false), rows: controllerRows(pair.slave, false) },
  ];
}

const inputs = (isMaster: boolean): readonly string[] => ISA_INPUTS.slice(isMaster ? 0 : 8, isMaster ? 8 : 16);

function summaryOf(s: Readonly<PicState>, isMaster: boolean): string {
  if (s.expects !== 0) return `expects initialisation word ${s.expects}`;
  const input = new Pic8259({ ...s }, isMaster).request;
  return input < 0 ? 'asks for nothing' : `asks for ${inputs(isMaster)[input]}: vector ${hex((s.icw2 & 0xf8) | input, 2)}`;
}

function controllerRows(s: Readonly<PicState>, isMaster: boolean): DeviceRow[] {
  const names = inputs(isMaster);
  return [
    byte('IRR', s.irr, bitsSet(s.irr, names) || 'nothing requested'),
    byte('ISR', s.isr, bitsSet(s.isr, names) || 'nothing in service'),
    byte('IMR', s.imr, s.imr === 0xff ? 'all masked' : `open: ${bitsSet(~s.imr & 0xff, names)}`),
    byte('ELCR', s.elcr, bitsSet(s.elcr, names) ? `level-triggered: ${bitsSet(s.elcr, names)}` : 'all edge-triggered'),
    byte('Lines', s.lines, bitsSet(s.lines, names) || 'all low'),
    byte('Vectors', s.icw2 & 0xf8, `to ${hex((s.icw2 & 0xf8) + 7, 2)}`),
    { name: 'Highest priority', value: names[(s.lowest + 1) & 7] },
    ...(isMaster ? [{ name: 'Cascade', value: s.icw3 & (1 << CASCADE_INPUT) ? 'input 2' : 'none' }] : []),
    flag('Automatic end of interrupt', s.icw4 & 2),
    flag('Special mask mode', s.specialMask),
  ];
}
