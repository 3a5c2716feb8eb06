/** Launch configurations: checks what the user wrote and turns it into what the emulator's door takes. Used by the debug adapter and the command line. */
import type { MachineConfig } from '../../emulator/api';
import { launchErrors } from '../errors-launch';
import { mostSimilar } from '../evaluate/similar';
import {
  type AttributeName,
  type AttributeRow,
  attributeNames,
  attributes,
  type BreakOnName,
  type FlatPlace,
  type ModuleFile,
  type SymbolFile,
} from './attributes';

export interface LaunchConfiguration {
  readonly name: string;
  readonly program: string;
  readonly format: 'auto' | 'multiboot' | 'elf' | 'flat';
  readonly flat: FlatPlace | undefined;
  readonly cmdline: string;
  readonly modules: readonly ModuleFile[];
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Of the schedule of several virtual CPUs; undefined: the emulator's own. */
  readonly seed: number | undefined;
  /** Name of a CPU model; undefined: the default one. */
  readonly cpu: string | undefined;
  /** 'hosted': the built-in hypervisor runs the program in a VM. */
  readonly mode: 'bare' | 'hosted';
  readonly stopOnEntry: boolean;
  readonly breakOn: readonly BreakOnName[];
  readonly symbols: readonly SymbolFile[];
  readonly sourceMap: Readonly<Record<string, string>>;
  /** Undefined: no limit. */
  readonly maxSteps: number | undefined;
  /** Guest time does not run ahead of the wall's. */
  readonly realtime: boolean;
}

export const DEFAULT_MEMORY_BYTES = 128 * 2 ** 20;

/** Attributes that every debug configuration of VS Code may have; those that begin with `__` are its own. */
const EDITOR_ATTRIBUTES = [
  'name', 'type', 'request', 'presentation', 'preLaunchTask', 'postDebugTask', 'internalConsoleOptions', 'debugServer', 'serverReadyAction',
  'suppressMultipleSessionWarning', 'noDebug', 'windows', 'osx', 'linux', 'preRestartTask', 'postRestartTask',
]; // prettier-ignore

/** How a sentence names an attribute; the command line says `The option --memory` instead. */
export type Naming = (attribute: AttributeName) => string;
const asAttribute: Naming = (attribute) => `The launch attribute '${attribute}'`;

/** Checks one value; throws a UserError that names it, what was given and what was expected. */
export function checkAttribute<T>(attribute: AttributeName, value: unknown, naming: Naming = asAttribute): T {
  const parsed = (attributes[attribute] as AttributeRow<T>).parse(value);
  if ('value' in parsed) return parsed.value;
  if ('wrong' in parsed) throw launchErrors.wrong(naming(attribute), value, parsed.wrong);
  throw attributes[attribute].expected === 'it to be left out'
    ? launchErrors.notAvailable(naming(attribute))
    : launchErrors.notAvailable(naming(attribute), value);
}

/** Checks a whole configuration as it came from launch.json or from the client. */
export function validateLaunch(raw: unknown, naming: Naming = asAttribute): LaunchConfiguration {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw launchErrors.notAnObject(raw);
  const given = raw as Record<string, unknown>;
  for (const key of Object.keys(given)) {
    if (key.startsWith('__') || EDITOR_ATTRIBUTES.includes(key) || Object.hasOwn(attributes, key)) continue;
    throw launchErrors.unknownAttribute(key, mostSimilar(key, attributeNames), attributeNames);
  }
  for (const attribute of attributeNames) if (given[attribute] !== undefined) checkAttribute(attribute, given[attribute], naming);
  if (given.program === undefined) throw launchErrors.missing('program', attributes.program.expected);
  const value = <T>(attribute: AttributeName, otherwise: T): T =>
    given[attribute] === undefined ? otherwise : checkAttribute<T>(attribute, given[attribute], naming);
  return {
    name: typeof given.name === 'string' ? given.name : '',
    program: value('program', ''),
    format: value('format', 'auto'),
    flat: value('flat', undefined),
    cmdline: value('cmdline', ''),
    modules: value('modules', []),
    memoryBytes: value('memory', DEFAULT_MEMORY_BYTES),
    cpus: value('cpus', 1),
    seed: value('seed', undefined),
    cpu: value('cpu', undefined),
    mode: value('mode', 'bare'),
    stopOnEntry: value('stopOnEntry', true),
    breakOn: value('breakOn', []),
    symbols: value('symbols', []),
    sourceMap: value('sourceMap', {}),
    maxSteps: value('maxSteps', undefined),
    realtime: value('realtime', false),
  };
}

/** Reads the files and gives the emulator's configuration; a file that cannot be read is a UserError with its path. */
export async function toMachineConfig(
  launch: LaunchConfiguration,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<MachineConfig> {
  const read = async (what: string, path: string): Promise<Uint8Array> => {
    try {
      return await readFile(path);
    } catch (error) {
      throw launchErrors.unreadable(what, path, reasonOf(error));
    }
  };
  const image = await read('image', launch.program);
  const modules: { name: string; bytes: Uint8Array; cmdline: string }[] = [];
  for (const { file, cmdline } of launch.modules) modules.push({ name: file, bytes: await read('module', file), cmdline });
  return {
    image,
    imageName: launch.program,
    format: launch.format,
    flat: launch.flat,
    cmdline: launch.cmdline,
    modules,
    memoryBytes: launch.memoryBytes,
    cpuModel: launch.cpu,
    cpus: launch.cpus,
    seed: launch.seed,
    mode: launch.mode,
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission is denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'no space is left',
};

/** Why a file operation failed, in words where the cause is a common one. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && Object.hasOwn(REASONS, code)) return REASONS[code];
  return typeof message === 'string' && message !== '' ? message.replace(/\.$/, '') : 'the reason is not known';
}
