/** The command line's arguments: a pure parser from argv to options, or to the sentence that refuses them. One row per option. */
import type { UserError } from '../../emulator';
import { commandLineErrors, launchErrors } from '../errors-launch';
import { mostSimilar } from '../evaluate/similar';
import { type AttributeName, wholeNumber } from '../launch/attributes';
import { checkAttribute, type Naming } from '../launch/configuration';

export interface RunOptions {
  readonly kind: 'run';
  /** An image, or a launch file when it ends in .json. */
  readonly image: string;
  /** Name of the configuration in a launch file. */
  readonly config: string | undefined;
  /** Launch attributes that options gave; they go before those of a launch file. */
  readonly attributes: Readonly<Partial<Record<AttributeName, unknown>>>;
  readonly serial: { readonly to: 'stdio' } | { readonly to: 'file'; readonly path: string };
  readonly trace: string | undefined;
  readonly stats: boolean;
  /** Save the machine at this step and go on in a new one. */
  readonly saveAt: number | undefined;
  /** Which tiers may run; undefined: both. */
  readonly tier?: 'interpreter' | 'jit';
}
export interface UsageError {
  readonly kind: 'usage-error';
  readonly error: UserError;
}
export type CommandLine = RunOptions | UsageError | { readonly kind: 'help' } | { readonly kind: 'version' };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Omit<Mutable<RunOptions>, 'attributes' | 'kind' | 'image'> & { attributes: Partial<Record<AttributeName, unknown>> };

interface OptionRow {
  readonly option: string;
  /** Name of the value in the help text; undefined: takes none. */
  readonly value?: string;
  readonly help: string;
  /** The launch attribute that it gives. */
  readonly attribute?: AttributeName;
  /** May be given more than once. */
  readonly repeats?: boolean;
  readonly apply?: (draft: Draft, value: string, name: string) => void;
}

function number(name: string, value: string, expected: string): number {
  const parsed = wholeNumber(value);
  if (parsed === undefined) throw launchErrors.wrong(`The option ${name}`, value, expected);
  return parsed;
}

/** FILE[,ARGS] */
function module(value: string): { file: string; cmdline: string } {
  const comma = value.indexOf(',');
  return comma < 0 ? { file: value, cmdline: '' } : { file: value.slice(0, comma), cmdline: value.slice(comma + 1) };
}

const flatPart = (draft: Draft, part: object): void => {
  draft.attributes.flat = { ...(draft.attributes.flat as object | undefined), ...part };
};

export const options: readonly OptionRow[] = [
  { option: '--config', value: 'NAME', help: 'the configuration of a launch file', apply: (d, v) => (d.config = v) },
  {
    option: '--mode',
    value: 'bare|hosted',
    help: 'who owns the emulated hardware: the program, or the built-in hypervisor that runs it in a VM',
    attribute: 'mode',
  },
  { option: '--format', value: 'auto|multiboot|elf|flat', help: 'how to load the image (default: by its magic)', attribute: 'format' },
  {
    option: '--flat-address',
    value: 'ADDRESS',
    help: 'where a flat image is loaded and entered (default 0x100000)',
    apply: (d, v, name) => flatPart(d, { address: number(name, v, 'an address such as 0x100000') }),
  },
  {
    option: '--flat-mode',
    value: '32|64',
    help: 'the mode in which a flat image is entered (default 32)',
    apply: (d, v, name) => {
      if (v !== '32' && v !== '64') throw launchErrors.wrong(`The option ${name}`, v, '32 or 64');
      flatPart(d, { mode: Number(v) });
    },
  },
  { option: '--kernel', value: 'FILE', help: 'not available yet', attribute: 'kernel' },
  { option: '--initrd', value: 'FILE', help: 'not available yet', attribute: 'initrd' },
  { option: '--append', value: 'TEXT', help: 'not available yet', attribute: 'append' },
  {
    option: '--module',
    value: 'FILE[,ARGS]',
    help: 'a multiboot module and its string (may be repeated)',
    repeats: true,
    apply: (d, v, name) => {
      const parsed = module(v);
      if (parsed.file === '') throw launchErrors.wrong(`The option ${name}`, v, 'FILE[,ARGS]');
      d.attributes.modules = [...((d.attributes.modules as unknown[] | undefined) ?? []), parsed];
    },
  },
  { option: '--memory', value: 'SIZE', help: 'guest memory, 1M to 3G (default 128M)', attribute: 'memory' },
  { option: '--cpus', value: 'N', help: 'number of virtual CPUs, 1 to 8 (default 1)', attribute: 'cpus' },
  { option: '--seed', value: 'N', help: 'how several virtual CPUs take turns (default 1)', attribute: 'seed' },
  { option: '--cpu', value: 'MODEL', help: 'the CPU model', attribute: 'cpu' },
  { option: '--cmdline', value: 'TEXT', help: 'the command line for the guest', attribute: 'cmdline' },
  {
    option: '--serial',
    value: 'stdio|FILE',
    help: 'where COM1 goes (default stdio)',
    apply: (d, v) => (d.serial = v === 'stdio' ? { to: 'stdio' } : { to: 'file', path: v }),
  },
  { option: '--max-steps', value: 'N', help: 'end after N steps', attribute: 'maxSteps' },
  {
    option: '--realtime',
    help: 'do not let guest time run ahead of the wall clock',
    apply: (d) => (d.attributes.realtime = true),
  },
  { option: '--trace', value: 'FILE', help: 'write every VM exit and entry, one JSON object a line', apply: (d, v) => (d.trace = v) },
  { option: '--stats', help: 'end with steps, instructions, time and exits by reason on stderr', apply: (d) => (d.stats = true) },
  {
    option: '--save-at',
    value: 'N',
    help: 'save the machine at step N and go on in a new one',
    apply: (d, v, name) => (d.saveAt = number(name, v, 'a whole number of steps')),
  },
  {
    option: '--tier',
    value: 'interpreter|jit',
    help: 'never compile hot code, or do (the default); the guest cannot tell',
    apply: (d, v, name) => {
      if (v !== 'interpreter' && v !== 'jit') throw launchErrors.wrong(`The option ${name}`, v, 'interpreter or jit');
      d.tier = v;
    },
  },
];

const optionNames = [...options.map((row) => row.option), '--help', '--version'];

const naming: Naming = (attribute) =>
  `The option ${options.find((row) => row.attribute === attribute)?.option ?? (attribute === 'modules' ? '--module' : '--flat-address')}`;

/** Reads the arguments behind the program's name. */
export function parseArguments(argv: readonly string[]): CommandLine {
  try {
    return parse(argv);
  } catch (error) {
    if (error instanceof Error && error.name === 'UserError') return { kind: 'usage-error', error: error as UserError };
    throw error;
  }
}

function parse(argv: readonly string[]): CommandLine {
  const [command, ...rest] = argv;
  if (command === '--help' || command === '-h' || command === 'help') return { kind: 'help' };
  if (command === '--version') return { kind: 'version' };
  if (command === undefined) throw commandLineErrors.noCommand();
  if (command !== 'run') throw commandLineErrors.unknownCommand(command);

  const draft: Draft = { config: undefined, attributes: {}, serial: { to: 'stdio' }, trace: undefined, stats: false, saveAt: undefined };
  const seen = new Set<string>();
  let image: string | undefined;
  let onlyImages = false;
  for (let i = 0; i < rest.length; i++) {
    const argument = rest[i];
    if (onlyImages || !argument.startsWith('-') || argument === '-') {
      if (image !== undefined) throw commandLineErrors.twoImages(image, argument);
      image = argument;
      continue;
    }
    if (argument === '--') {
      onlyImages = true;
      continue;
    }
    if (argument === '--help' || argument === '-h') return { kind: 'help' };
    if (argument === '--version') return { kind: 'version' };
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const row = options.find((r) => r.option === name);
    if (row === undefined) throw commandLineErrors.unknownOption(name, mostSimilar(name, optionNames), optionNames);
    if (seen.has(name) && !row.repeats) throw commandLineErrors.twice(name);
    seen.add(name);
    let value = equals < 0 ? undefined : argument.slice(equals + 1);
    if (row.value === undefined) {
      if (value !== undefined) throw commandLineErrors.needlessValue(name, value);
      value = '';
    } else {
      value ??= rest[++i];
      if (value === undefined) throw commandLineErrors.noValue(name, row.value);
      // An option that was meant to follow is no value; texts for the guest may begin with anything.
      if (equals < 0 && optionNames.includes(value.split('=')[0]) && !['TEXT'].includes(row.value))
        throw commandLineErrors.noValue(name, row.value);
      if (value === '' && row.value !== 'TEXT') throw commandLineErrors.noValue(name, row.value);
    }
    if (row.attribute !== undefined) {
      checkAttribute(row.attribute, value, naming);
      draft.attributes[row.attribute] = value;
    }
    row.apply?.(draft, value, name);
  }
  for (const [attribute, value] of Object.entries(draft.attributes)) checkAttribute(attribute as AttributeName, value, naming);
  if (image === undefined || image === '') throw commandLineErrors.noImage();
  return { kind: 'run', image, ...draft };
}

/** How sentences name what an option gave. */
export function namingFor(run: RunOptions): Naming {
  return (attribute) => (run.attributes[attribute] !== undefined ? naming(attribute) : `The launch attribute '${attribute}'`);
}
