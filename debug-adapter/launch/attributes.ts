/**
 * The attributes of a launch configuration, one row each: what is expected, and what a value means. The debug adapter and the command
 * line check with the same rows. Attributes that are planned but not built are rows too, so that they are refused as such.
 */

/** What a row says of a value: its meaning, that it is wrong, or that it is right but not built yet. */
export type Parsed<T> = { readonly value: T } | { readonly wrong: string } | { readonly notAvailable: true };

export interface AttributeRow<T = unknown> {
  readonly name: string;
  /** Completes `…; expected …`. */
  readonly expected: string;
  readonly parse: (value: unknown) => Parsed<T>;
}

const MIB = 2 ** 20;
/** The emulated physical memory reaches from 1 MiB to 3 GiB. */
const MEMORY_MIN = MIB;
const MEMORY_MAX = 3 * 2 ** 30;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A whole number from a JSON number or from text such as `4096` or `0x1000`; undefined when it is none. */
export function wholeNumber(value: unknown): number | undefined {
  if (typeof value === 'string') {
    if (!/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(value)) return undefined;
    value = Number(value);
  }
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function text(name: string, expected: string): AttributeRow<string> {
  return { name, expected, parse: (value) => (typeof value === 'string' ? { value } : { wrong: expected }) };
}

function oneOf<T extends string>(name: string, built: readonly T[], planned: readonly string[]): AttributeRow<T> {
  const expected = built.map((b) => `'${b}'`).join(' or ');
  return {
    name,
    expected,
    parse: (value) => {
      if (built.includes(value as T)) return { value: value as T };
      return planned.includes(value as string) ? { notAvailable: true } : { wrong: expected };
    },
  };
}

/** Gives a row written in place its type. */
function row<T>(attribute: AttributeRow<T>): AttributeRow<T> {
  return attribute;
}

function planned(name: string): AttributeRow<never> {
  return { name, expected: 'it to be left out', parse: () => ({ notAvailable: true }) };
}

export interface FlatPlace {
  readonly address: number;
  readonly mode: 32 | 64;
}
export interface ModuleFile {
  readonly file: string;
  readonly cmdline: string;
}
export interface SymbolFile {
  readonly file: string;
  /** Undefined: every level. */
  readonly level: 1 | 2 | undefined;
  /** Added to every address of the file. */
  readonly base: bigint;
}
export const BREAK_ON = ['vm-exit', 'vm-entry', 'vm-entry-failure', 'exception', 'interrupt', 'triple-fault'] as const;
export type BreakOnName = (typeof BREAK_ON)[number];

const MOST_CPUS = 8;
const cpusExpected = `a number of virtual CPUs, 1 to ${MOST_CPUS}`;
const MOST_SEED = 0xffff_ffff;
const seedExpected = `a whole number, at most ${MOST_SEED}`;
const flatExpected = 'an object {"address": "0x100000", "mode": 32 or 64}';
const modulesExpected = 'a list of {"file": path, "cmdline": text}';
const symbolsExpected = 'a list of {"file": path, "level": 1 or 2, "base": "0x…"}';

function parseList<T>(value: unknown, expected: string, item: (entry: Record<string, unknown>) => T | undefined): Parsed<readonly T[]> {
  if (!Array.isArray(value)) return { wrong: expected };
  const items: T[] = [];
  for (const entry of value) {
    const parsed = isObject(entry) ? item(entry) : undefined;
    if (parsed === undefined) return { wrong: expected };
    items.push(parsed);
  }
  return { value: items };
}

const onlyKeys = (entry: Record<string, unknown>, keys: readonly string[]): boolean => Object.keys(entry).every((k) => keys.includes(k));

export const attributes = {
  program: row({
    name: 'program',
    expected: 'the path of a guest image',
    parse: (value): Parsed<string> => (typeof value === 'string' && value !== '' ? { value } : { wrong: 'the path of a guest image' }),
  }),
  format: oneOf('format', ['auto', 'multiboot', 'elf', 'flat'], ['linux', 'multiboot2', 'pvh', 'efi']),
  flat: row({
    name: 'flat',
    expected: flatExpected,
    parse: (value): Parsed<FlatPlace> => {
      if (!isObject(value) || !onlyKeys(value, ['address', 'mode'])) return { wrong: flatExpected };
      const address = wholeNumber(value.address ?? 0x10_0000);
      const mode = value.mode ?? 32;
      if (address === undefined || address > 0xffff_ffff || (mode !== 32 && mode !== 64)) return { wrong: flatExpected };
      return { value: { address, mode } };
    },
  }),
  cmdline: text('cmdline', 'text for the guest'),
  modules: row({
    name: 'modules',
    expected: modulesExpected,
    parse: (value): Parsed<readonly ModuleFile[]> =>
      parseList(value, modulesExpected, (entry) => {
        const { file, cmdline = '' } = entry;
        if (typeof file !== 'string' || file === '' || typeof cmdline !== 'string' || !onlyKeys(entry, ['file', 'cmdline']))
          return undefined;
        return { file, cmdline };
      }),
  }),
  memory: row({ name: 'memory', expected: 'a size from 1M to 3G, such as 512M', parse: parseMemory }),
  cpus: row({
    name: 'cpus',
    expected: cpusExpected,
    parse: (value): Parsed<number> => {
      const count = wholeNumber(value);
      return count === undefined || count < 1 || count > MOST_CPUS ? { wrong: cpusExpected } : { value: count };
    },
  }),
  seed: row({
    name: 'seed',
    expected: seedExpected,
    parse: (value): Parsed<number> => {
      const seed = wholeNumber(value);
      return seed === undefined || seed > MOST_SEED ? { wrong: seedExpected } : { value: seed };
    },
  }),
  cpu: row({
    name: 'cpu',
    expected: 'the name of a CPU model',
    parse: (value): Parsed<string> => {
      if (isObject(value)) return { notAvailable: true };
      return typeof value === 'string' && value !== '' ? { value } : { wrong: 'the name of a CPU model' };
    },
  }),
  mode: oneOf('mode', ['bare', 'hosted'], []),
  stopOnEntry: flag('stopOnEntry'),
  breakOn: row({
    name: 'breakOn',
    expected: `a list of ${BREAK_ON.map((b) => `"${b}"`).join(', ')}`,
    parse: (value): Parsed<readonly BreakOnName[]> =>
      Array.isArray(value) && value.every((entry) => BREAK_ON.includes(entry as BreakOnName))
        ? { value: value as BreakOnName[] }
        : { wrong: `a list of ${BREAK_ON.map((b) => `"${b}"`).join(', ')}` },
  }),
  symbols: row({
    name: 'symbols',
    expected: symbolsExpected,
    parse: (value): Parsed<readonly SymbolFile[]> =>
      parseList(value, symbolsExpected, (entry) => {
        const { file, level, base = 0 } = entry;
        const bias = typeof base === 'string' && /^0[xX][0-9a-fA-F]{1,16}$/.test(base) ? BigInt(base) : wholeNumber(base);
        if (typeof file !== 'string' || file === '' || bias === undefined || !onlyKeys(entry, ['file', 'level', 'base'])) return undefined;
        return level === undefined || level === 1 || level === 2 ? { file, level, base: BigInt(bias) } : undefined;
      }),
  }),
  sourceMap: row({
    name: 'sourceMap',
    expected: 'an object of {"path in the debug information": "path here"}',
    parse: (value): Parsed<Readonly<Record<string, string>>> =>
      isObject(value) && Object.values(value).every((to) => typeof to === 'string')
        ? { value: value as Record<string, string> }
        : { wrong: 'an object of {"path in the debug information": "path here"}' },
  }),
  maxSteps: row({
    name: 'maxSteps',
    expected: 'a whole number of steps',
    parse: (value): Parsed<number> => {
      const steps = wholeNumber(value);
      return steps === undefined ? { wrong: 'a whole number of steps' } : { value: steps };
    },
  }),
  realtime: flag('realtime'),
  kernel: planned('kernel'),
  initrd: planned('initrd'),
  append: planned('append'),
  serial: planned('serial'),
  disks: planned('disks'),
  record: planned('record'),
  snapshot: planned('snapshot'),
  limits: planned('limits'),
};

export type AttributeName = keyof typeof attributes;
export const attributeNames = Object.keys(attributes) as AttributeName[];

function flag(name: string): AttributeRow<boolean> {
  return { name, expected: 'true or false', parse: (value) => (typeof value === 'boolean' ? { value } : { wrong: 'true or false' }) };
}

/** Sizes as `512M`, `2G`, `131072K`, or a number of bytes. */
function parseMemory(value: unknown): Parsed<number> {
  const expected = 'a size from 1M to 3G, such as 512M';
  const match = /^([0-9]{1,16})([KMG]?)(?:iB|B)?$/i.exec(String(value));
  if (match === null || (typeof value !== 'string' && typeof value !== 'number')) return { wrong: expected };
  const unit = { '': 1, K: 2 ** 10, M: MIB, G: 2 ** 30 }[match[2].toUpperCase()] ?? 1;
  const bytes = Number(match[1]) * unit;
  if (bytes > MEMORY_MAX) return { notAvailable: true };
  return bytes >= MEMORY_MIN && bytes % 4096 === 0 ? { value: bytes } : { wrong: `${expected} (a multiple of 4K)` };
}
