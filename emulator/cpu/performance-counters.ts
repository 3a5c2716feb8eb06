/**
 * Architectural performance monitoring, version 2 (SDM volume 3, "Architectural Performance Monitoring"): counters as functions of the steps
 * made and of the machine's clock. Counted are retired instructions and unhalted cycles (one a tick of the clock); other events count nothing.
 * An instruction that changes the privilege level counts for the level it leads to, and the
 * WRMSR that switches a counter on is counted. Not modelled: edge detection, inversion and counter masks
 * (refused), the interrupt on overflow (refused when a counter that asks for it overflows).
 */
import type { CpuUnits } from '../spec/cpu-model';
import { COUNTER_BITS, FIXED_COUNTERS } from '../spec/cpuid';
import { MAX_COUNTERS } from '../spec/msr';
import { Activity } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import type { Cpu } from './cpu';

/** IA32_PERFEVTSELn */
const Select = { user: 1n << 16n, system: 1n << 17n, interrupt: 1n << 20n, enable: 1n << 22n, refused: 0xff84_0000n } as const;
/** A counter's four bits of IA32_FIXED_CTR_CTRL. */
const Fixed = { system: 1n, user: 2n, interrupt: 8n } as const;
/** Event select and unit mask of the architectural events that are counted. */
const EVENTS: Readonly<Record<number, 'instructions' | 'ticks'>> = { 0x00c0: 'instructions', 0x003c: 'ticks', 0x013c: 'ticks' };
const FIXED_EVENTS = ['instructions', 'ticks', 'ticks'] as const;
/** Bit of IA32_PERF_GLOBAL_CTRL and _STATUS for the first fixed counter. */
const FIXED_BIT = 32;
const MASK = (1n << BigInt(COUNTER_BITS)) - 1n;
/** IA32_PERF_GLOBAL_STATUS: the buffer of DS overflowed, a condition has changed; never set here, but they can be cleared. */
const OTHER_STATUS = 3n << 62n;
const COUNTS = 1;
const WAS_HALTED = 2;

/** Bits of the counters that a model has, as IA32_PERF_GLOBAL_CTRL holds them. */
export const counterBits = (units: CpuUnits): bigint =>
  units.performanceCounters === 0 ? 0n : (2n ** BigInt(units.performanceCounters) - 1n) | ((2n ** BigInt(FIXED_COUNTERS) - 1n) << BigInt(FIXED_BIT)); // prettier-ignore
export const clearableOverflow = (units: CpuUnits): bigint => counterBits(units) | OTHER_STATUS;

interface Counter {
  readonly slot: number;
  readonly bit: bigint;
  readonly event: 'instructions' | 'ticks' | undefined;
  readonly user: boolean;
  readonly system: boolean;
  readonly interrupt: boolean;
}

/** The counters that are switched on, for whatever level. */
function counters(cpu: Cpu): Counter[] {
  const on: Counter[] = [];
  const global = cpu.get64(State.perfGlobalCtrl);
  for (let n = 0; n < cpu.model.units.performanceCounters; n++) {
    const select = cpu.get64(State.counterSelect + 8 * n);
    const bit = 1n << BigInt(n);
    if (!(global & bit) || !(select & Select.enable)) continue;
    const event = EVENTS[Number(select & 0xffffn)];
    const user = (select & Select.user) !== 0n;
    const system = (select & Select.system) !== 0n;
    on.push({ slot: State.counter + 8 * n, bit, event, user, system, interrupt: (select & Select.interrupt) !== 0n });
  }
  for (let n = 0; n < FIXED_COUNTERS; n++) {
    const control = (cpu.get64(State.fixedCounterControl) >> BigInt(4 * n)) & 15n;
    const bit = 1n << BigInt(FIXED_BIT + n);
    if (!(global & bit) || !(control & (Fixed.user | Fixed.system))) continue;
    const user = (control & Fixed.user) !== 0n;
    const system = (control & Fixed.system) !== 0n;
    const slot = State.counter + 8 * (MAX_COUNTERS + n);
    on.push({ slot, bit, event: FIXED_EVENTS[n], user, system, interrupt: (control & Fixed.interrupt) !== 0n });
  }
  return on;
}

/** Looks at the clock anew: what has passed since then belongs to nobody. */
function mark(cpu: Cpu, now: number, counts: boolean): void {
  const halted = cpu.get32(State.activity) !== Activity.active;
  cpu.set32(State.counting, counts ? COUNTS | (halted ? WAS_HALTED : 0) : 0);
  cpu.setF64(State.countedInstructions, counts ? cpu.getF64(State.instructions) : 0);
  cpu.setF64(State.countedTicks, counts ? now : 0);
}

/** To be called after IA32_PERFEVTSELn, IA32_FIXED_CTR_CTRL or IA32_PERF_GLOBAL_CTRL has changed. @param now the machine's clock. */
export function selectionChanged(cpu: Cpu, now: number): void {
  mark(cpu, now, counters(cpu).length > 0);
}

/** What a write to an IA32_PERFEVTSELn would ask for that is not built. */
export const isRefusedSelection = (select: bigint): boolean => (select & Select.enable) !== 0n && (select & Select.refused) !== 0n;

/** Adds the steps made since the last call, all at one privilege level, to the counters. To be called after each run of them while `counts`. */
export function count(cpu: Cpu, now: number): void {
  const passed = {
    instructions: cpu.getF64(State.instructions) - cpu.getF64(State.countedInstructions),
    ticks: cpu.get32(State.counting) & WAS_HALTED ? 0 : now - cpu.getF64(State.countedTicks),
  };
  for (const { slot, bit, event, user, system, interrupt } of counters(cpu)) {
    if (event === undefined || !(cpu.cpl === 0 ? system : user)) continue;
    const value = cpu.get64(slot) + BigInt(passed[event]);
    cpu.set64(slot, value & MASK);
    if (value <= MASK) continue;
    cpu.set64(State.counterOverflow, cpu.get64(State.counterOverflow) | bit);
    if (interrupt) cpu.notModelled('the performance-monitoring interrupt: a counter that asks for it has overflowed');
  }
  mark(cpu, now, true);
}
export const counts = (cpu: Cpu): boolean => cpu.i32[State.counting >> 2] !== 0;

/** RDPMC: the counter that ECX names. Undefined: there is none. */
export function readCounter(cpu: Cpu, selector: number): bigint | undefined {
  const { performanceCounters } = cpu.model.units;
  const fixed = (selector & 0x4000_0000) !== 0;
  const n = selector & 0x3fff_ffff;
  if (selector >>> 31 !== 0 || performanceCounters === 0 || n >= (fixed ? FIXED_COUNTERS : performanceCounters)) return undefined;
  return cpu.get64(State.counter + 8 * (fixed ? MAX_COUNTERS + n : n));
}
