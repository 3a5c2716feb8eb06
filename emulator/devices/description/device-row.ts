/**
 * What a person reads of a device: rows of names, values and words, made from its saved state alone, so that looking changes nothing. The
 * words are those of the data sheets that the device itself follows.
 */
import type { BitLayout } from '../../spec/named-bits';
import { summarizeBits } from '../../spec/named-bits';
import { TICKS_PER_SECOND } from '../device';

export interface DeviceRow {
  /** Unique among its neighbours, without a slash: part of the row's identity. */
  readonly name: string;
  /** Shown in hexadecimal; text is shown as it is. */
  readonly value?: number | bigint | string;
  /** Least number of hexadecimal digits. */
  readonly digits?: number;
  readonly words?: string;
  /** A longer explanation. */
  readonly tip?: string;
  readonly rows?: readonly DeviceRow[];
}

export const byte = (name: string, value: number, words?: string): DeviceRow => ({ name, value, digits: 2, words });
export const count = (name: string, value: number | bigint, words?: string): DeviceRow => ({ name, value: String(value), words });
export const flag = (name: string, value: boolean | number, words?: string): DeviceRow => ({ name, value: value ? '1' : '0', words });

/** A register by its layout. */
export function register(name: string, value: number | bigint, digits: number, layout: BitLayout): DeviceRow {
  return { name, value, digits, words: summarizeBits(layout, BigInt(value)) };
}

/** The names of the bits that are set, lowest first; '' for none. */
export function bitsSet(value: number, names: readonly string[]): string {
  return names.filter((_, bit) => (value >>> bit) & 1).join(', ');
}

/** A moment, from now on. */
export function until(at: number, now: number): string {
  return at === Infinity ? 'never' : at <= now ? 'now' : `in ${duration(at - now)}`;
}

/** Ticks in the unit in which a person reads them. */
export function duration(ticks: number): string {
  const seconds = ticks / TICKS_PER_SECOND;
  for (const [unit, size] of [['s', 1], ['ms', 1e-3], ['µs', 1e-6]] as const) if (seconds >= size) return `${Number((seconds / size).toPrecision(6))} ${unit}`; // prettier-ignore
  return `${ticks} ns`;
}

export const hex = (value: number | bigint, digits = 0): string =>
  `0x${BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, '0')}`;

/** A row's value as a view shows it. */
export function textOf({ value, digits }: DeviceRow): string | undefined {
  return value === undefined || typeof value === 'string' ? value : hex(value, digits);
}
