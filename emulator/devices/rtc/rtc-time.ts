/**
 * The time, calendar and alarm bytes of the MC146818 (Motorola MC146818 data sheet, "Time, Calendar, and Alarm Locations"): BCD or binary,
 * 12 or 24 hours, and what they are after a number of update cycles. Bytes that make no sense are read as the nearest that do.
 * Leap years follow the calendar with the century byte, which a PC's firmware keeps. Not modelled: daylight saving (DSE).
 */
import { civilFromDays, dayOfWeek, daysFromCivil } from './calendar';

/** Indices of the bytes; the century is a PC's convention (ACPI, FADT "CENTURY"). */
export const Cell = {
  seconds: 0, secondsAlarm: 1, minutes: 2, minutesAlarm: 3, hours: 4, hoursAlarm: 5, dayOfWeek: 6, dayOfMonth: 7, month: 8, year: 9, a: 10, b: 11,
  c: 12, d: 13, shutdown: 15, century: 0x32,
} as const; // prettier-ignore

/** Register B. */
export const RegisterB = { set: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10, squareWave: 0x08, binary: 0x04, hours24: 0x02, daylight: 0x01 } as const; // prettier-ignore

const SECONDS_A_DAY = 86_400;
const PM = 0x80;

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/** One byte as the mode in register B has it; undefined when its BCD digits are none. */
function decode(byte: number, b: number): number | undefined {
  if (b & RegisterB.binary) return byte;
  return (byte & 15) > 9 || byte >> 4 > 9 ? undefined : (byte >> 4) * 10 + (byte & 15);
}
const encode = (value: number, b: number): number => (b & RegisterB.binary ? value : (Math.floor(value / 10) << 4) | (value % 10));

/** Hours 0 to 23; in 12-hour mode bit 7 says PM, and 12 comes before 1. */
function decodeHours(byte: number, b: number): number | undefined {
  if (b & RegisterB.hours24) return decode(byte, b);
  const hour = decode(byte & ~PM, b);
  return hour === undefined ? undefined : (hour % 12) + (byte & PM ? 12 : 0);
}
function encodeHours(hour: number, b: number): number {
  return b & RegisterB.hours24 ? encode(hour, b) : encode(hour % 12 || 12, b) | (hour >= 12 ? PM : 0);
}

const secondOfDay = (cells: Uint8Array, b: number): number =>
  clamp(decodeHours(cells[Cell.hours], b) ?? 0, 0, 23) * 3600 +
  clamp(decode(cells[Cell.minutes], b) ?? 0, 0, 59) * 60 +
  clamp(decode(cells[Cell.seconds], b) ?? 0, 0, 59);

function dayOf(cells: Uint8Array, b: number): number {
  const part = (cell: number, least: number, most: number): number => clamp(decode(cells[cell], b) ?? least, least, most);
  const year = part(Cell.century, 0, 99) * 100 + part(Cell.year, 0, 99);
  return daysFromCivil({ year, month: part(Cell.month, 1, 12), day: part(Cell.dayOfMonth, 1, 31) });
}

function putDate(cells: Uint8Array, days: number, b: number): void {
  const { year, month, day } = civilFromDays(days);
  cells[Cell.dayOfMonth] = encode(day, b);
  cells[Cell.month] = encode(month, b);
  cells[Cell.year] = encode(year % 100, b);
  cells[Cell.century] = encode(Math.floor(year / 100) % 100, b);
}

function putSecond(cells: Uint8Array, second: number, b: number): void {
  cells[Cell.hours] = encodeHours(Math.floor(second / 3600), b);
  cells[Cell.minutes] = encode(Math.floor(second / 60) % 60, b);
  cells[Cell.seconds] = encode(second % 60, b);
}

/** Fills the time bytes from seconds since 1970-01-01 00:00. */
export function setTime(cells: Uint8Array, unixSeconds: number, b: number): void {
  const days = Math.floor(unixSeconds / SECONDS_A_DAY);
  putDate(cells, days, b);
  putSecond(cells, unixSeconds - days * SECONDS_A_DAY, b);
  cells[Cell.dayOfWeek] = dayOfWeek(days);
}

/** The time bytes for a person: 2024-02-29 23:59:08. */
export function timeText(cells: Uint8Array, b: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const { year, month, day } = civilFromDays(dayOf(cells, b));
  const second = secondOfDay(cells, b);
  const clock = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60].map(two).join(':');
  return `${year}-${two(month)}-${two(day)} ${clock}`;
}

/** `updates` update cycles, one a second. */
export function addSeconds(cells: Uint8Array, updates: number, b: number): void {
  const second = secondOfDay(cells, b) + updates;
  const days = Math.floor(second / SECONDS_A_DAY);
  putSecond(cells, second - days * SECONDS_A_DAY, b);
  if (days === 0) return;
  putDate(cells, dayOf(cells, b) + days, b);
  cells[Cell.dayOfWeek] = ((clamp(cells[Cell.dayOfWeek], 1, 7) - 1 + days) % 7) + 1;
}

/** Update cycles until the time next equals the alarm, at least 1; Infinity when it never does. */
export function secondsToAlarm(cells: Uint8Array, b: number): number {
  const hour = alarmValue(cells[Cell.hoursAlarm], decodeHours, b, 23);
  const minute = alarmValue(cells[Cell.minutesAlarm], decode, b, 59);
  const second = alarmValue(cells[Cell.secondsAlarm], decode, b, 59);
  if (hour === undefined || minute === undefined || second === undefined) return Infinity;
  const matches = (wanted: number, value: number): boolean => wanted === ANY || wanted === value;
  const now = secondOfDay(cells, b);
  const next = (now + 1) % SECONDS_A_DAY;
  if (matches(hour, Math.floor(next / 3600)) && matches(minute, Math.floor(next / 60) % 60) && matches(second, next % 60)) return 1;
  // Else the alarm goes off at the beginning of a minute, when every second would do.
  let nearest = Infinity;
  for (let m = 0; m < 1440; m++) {
    if (!matches(hour, Math.floor(m / 60)) || !matches(minute, m % 60)) continue;
    const at = m * 60 + (second === ANY ? 0 : second);
    nearest = Math.min(nearest, (at - now + SECONDS_A_DAY) % SECONDS_A_DAY || SECONDS_A_DAY);
  }
  return nearest;
}

const ANY = -1;

/** ANY for a byte whose two high bits are set, undefined for one that no time equals. */
function alarmValue(byte: number, read: (byte: number, b: number) => number | undefined, b: number, most: number): number | undefined {
  if ((byte & 0xc0) === 0xc0) return ANY;
  const value = read(byte, b);
  return value === undefined || value > most ? undefined : value;
}
