/**
 * Registers of the local APIC and of the I/O APIC as tables (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)", "Local
 * APIC" and "Extended xAPIC (x2APIC)"; 82093AA I/O APIC data sheet, "Register Description").
 */
import { type BitLayout, bitRange, flagBit } from './named-bits';

/** Delivery modes of LVT entries, of the interrupt command register, of redirection entries and of messages. */
export const DeliveryMode = { fixed: 0, lowestPriority: 1, smi: 2, reserved: 3, nmi: 4, init: 5, startUp: 6, extInt: 7 } as const;
export const DELIVERY_MODE_WORDS: Readonly<Record<number, string>> = {
  0: 'fixed', 1: 'lowest priority', 2: 'SMI', 3: 'reserved', 4: 'NMI', 5: 'INIT', 6: 'start-up', 7: 'ExtINT',
}; // prettier-ignore

/** IA32_APIC_BASE. */
export const ApicBase = { BSP: 1 << 8, EXTD: 1 << 10, EN: 1 << 11 } as const;

/** Number of a local APIC's register: bits 11:4 of its xAPIC offset, and its x2APIC MSR less 800H. */
export const ApicRegister = {
  id: 0x02, version: 0x03, tpr: 0x08, apr: 0x09, ppr: 0x0a, eoi: 0x0b, rrd: 0x0c, ldr: 0x0d, dfr: 0x0e, svr: 0x0f,
  isr: 0x10, tmr: 0x18, irr: 0x20, esr: 0x28,
  lvtCmci: 0x2f, icr: 0x30, icrHigh: 0x31, lvtTimer: 0x32, lvtThermal: 0x33, lvtPerformance: 0x34, lvtLint0: 0x35, lvtLint1: 0x36, lvtError: 0x37,
  initialCount: 0x38, currentCount: 0x39, divide: 0x3e, selfIpi: 0x3f,
} as const; // prettier-ignore

/** IA32_TSC_DEADLINE, which belongs to the local APIC's timer. */
export const TSC_DEADLINE_MSR = 0x6e0;
export const X2APIC_FIRST_MSR = 0x800;
export const X2APIC_LAST_MSR = 0x8ff;

export interface ApicRegisterRow {
  readonly register: number;
  readonly name: string;
  readonly read: boolean;
  readonly write: boolean;
  /** Bits that a write changes. */
  readonly writable: number;
  /** Bits that are read-only within a writable register; setting them is no error. Every other bit is reserved: #GP in x2APIC mode. */
  readonly readOnly: number;
  /** The one mode in which the register exists; both when left out. */
  readonly only?: 'xapic' | 'x2apic';
}

const DELIVERY_STATUS = 0x1000;
const REMOTE_IRR = 0x4000;
const LOCAL = 0x107ff;
const PIN = 0x1a7ff;
const WORD = 0xffff_ffff;

type Options = Partial<Pick<ApicRegisterRow, 'readOnly' | 'only'>>;
function row(register: number, name: string, access: 'r' | 'w' | 'rw', writable = 0, options: Options = {}): ApicRegisterRow {
  return { register, name, read: access !== 'w', write: access !== 'r', writable, readOnly: 0, ...options };
}
const bank = (first: number, name: string): ApicRegisterRow[] => Array.from({ length: 8 }, (_, n) => row(first + n, `${name}${n}`, 'r'));
const status = { readOnly: DELIVERY_STATUS } as const;
const pinStatus = { readOnly: DELIVERY_STATUS | REMOTE_IRR } as const;

/** "Local APIC Register Address Map" and "Local APIC Register Address Map Supported by x2APIC". */
const LOCAL_APIC_REGISTERS: readonly ApicRegisterRow[] = [
  row(ApicRegister.id, 'ID', 'r'),
  row(ApicRegister.version, 'Version', 'r'),
  row(ApicRegister.tpr, 'TPR', 'rw', 0xff),
  row(ApicRegister.apr, 'APR', 'r', 0, { only: 'xapic' }),
  row(ApicRegister.ppr, 'PPR', 'r'),
  row(ApicRegister.eoi, 'EOI', 'w'),
  row(ApicRegister.rrd, 'RRD', 'r', 0, { only: 'xapic' }),
  row(ApicRegister.ldr, 'LDR', 'rw', 0xff00_0000),
  row(ApicRegister.dfr, 'DFR', 'rw', 0xf000_0000, { only: 'xapic' }),
  // Bit 9, focus checking, has no effect here, but kernels set it in x2APIC mode too.
  row(ApicRegister.svr, 'SVR', 'rw', 0x13ff),
  ...bank(ApicRegister.isr, 'ISR'),
  ...bank(ApicRegister.tmr, 'TMR'),
  ...bank(ApicRegister.irr, 'IRR'),
  row(ApicRegister.esr, 'ESR', 'rw'),
  row(ApicRegister.lvtCmci, 'LVT CMCI', 'rw', LOCAL, status),
  row(ApicRegister.icr, 'ICR', 'rw', 0x000c_cfff),
  row(ApicRegister.icrHigh, 'ICR high', 'rw', 0xff00_0000, { only: 'xapic' }),
  row(ApicRegister.lvtTimer, 'LVT timer', 'rw', 0x700ff, status),
  row(ApicRegister.lvtThermal, 'LVT thermal sensor', 'rw', LOCAL, status),
  row(ApicRegister.lvtPerformance, 'LVT performance counters', 'rw', LOCAL, status),
  row(ApicRegister.lvtLint0, 'LVT LINT0', 'rw', PIN, pinStatus),
  row(ApicRegister.lvtLint1, 'LVT LINT1', 'rw', PIN, pinStatus),
  row(ApicRegister.lvtError, 'LVT error', 'rw', 0x100ff, status),
  row(ApicRegister.initialCount, 'Initial count', 'rw', WORD),
  row(ApicRegister.currentCount, 'Current count', 'r'),
  row(ApicRegister.divide, 'Divide configuration', 'rw', 0xb),
  row(ApicRegister.selfIpi, 'SELF IPI', 'w', 0xff, { only: 'x2apic' }),
];
const byNumber: readonly (ApicRegisterRow | undefined)[] = Array.from({ length: 0x100 }, (_, n) =>
  LOCAL_APIC_REGISTERS.find((r) => r.register === n),
);
export const apicRegister = (register: number): ApicRegisterRow | undefined => byNumber[register];

/** Local vector table entries in the order of the saved state. */
export const Lvt = { cmci: 0, timer: 1, thermal: 2, performance: 3, lint0: 4, lint1: 5, error: 6 } as const;
export const LVT_NAMES = ['CMCI', 'timer', 'thermal sensor', 'performance counters', 'LINT0', 'LINT1', 'error'] as const;

export const LVT_MASKED = 0x1_0000;
export const TRIGGER_LEVEL = 0x8000;
export const REMOTE_IRR_BIT = REMOTE_IRR;
export const SVR_ENABLE = 0x100;
export const SVR_SUPPRESS_EOI_BROADCAST = 0x1000;
export const TimerMode = { oneShot: 0, periodic: 1, tscDeadline: 2 } as const;

/** Error status register: what is detected here. Checksum and accept errors belong to the APIC bus of the P6 family. */
export const ApicError = { sendIllegalVector: 1 << 5, receiveIllegalVector: 1 << 6, illegalRegister: 1 << 7 } as const;
export const ESR_BITS: BitLayout = [
  flagBit(0, 'send checksum error'),
  flagBit(1, 'receive checksum error'),
  flagBit(2, 'send accept error'),
  flagBit(3, 'receive accept error'),
  flagBit(4, 'redirectable IPI'),
  flagBit(5, 'send illegal vector', 'A vector from 0 to 15 was written to the interrupt command register.'),
  flagBit(6, 'receive illegal vector', 'An interrupt with a vector from 0 to 15 came in, or was made by the local vector table.'),
  flagBit(7, 'illegal register address', 'A reserved register was accessed in xAPIC mode.'),
];

const mask = bitRange(16, 16, 'mask', { 0: '', 1: 'masked' });
const delivery = bitRange(8, 10, 'delivery mode', DELIVERY_MODE_WORDS);
const polarity = bitRange(13, 13, 'polarity', { 0: 'active high', 1: 'active low' });
const remoteIrr = flagBit(14, 'remote IRR', 'A level-triggered interrupt was accepted and its end has not been signalled.');
const trigger = bitRange(15, 15, 'trigger', { 0: 'edge', 1: 'level' });
const vector = bitRange(0, 7, 'vector');
const timerMode = bitRange(17, 18, 'timer mode', { 0: 'one-shot', 1: 'periodic', 2: 'TSC-deadline', 3: 'reserved' });

/** Bits of each local vector table entry, by `Lvt`. */
export const LVT_BITS: readonly BitLayout[] = [
  [vector, delivery, mask],
  [vector, timerMode, mask],
  [vector, delivery, mask],
  [vector, delivery, mask],
  [vector, delivery, polarity, remoteIrr, trigger, mask],
  [vector, delivery, polarity, remoteIrr, trigger, mask],
  [vector, mask],
];

/** The low half of a redirection entry; the destination is bits 31:24 of the high half. */
export const REDIRECTION_BITS: BitLayout = [
  vector,
  delivery,
  bitRange(11, 11, 'destination mode', { 0: 'physical', 1: 'logical' }),
  flagBit(12, 'delivery status', 'The interrupt waits for a local APIC that accepts it.'),
  polarity,
  remoteIrr,
  trigger,
  mask,
];
