/** Launch files on the command line: picks a configuration of a launch.json and resolves the variables that VS Code would ("Variables reference"). */
import { basename, dirname, resolve, sep } from 'node:path';
import { launchErrors, launchFileErrors } from '../errors-launch';
import { JsonSyntaxError, parseJsonWithComments } from '../launch/json-with-comments';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a variable stands for outside the editor; `env:NAME` is looked up besides. */
function variables(path: string): Readonly<Record<string, string>> {
  const folder = dirname(resolve(path));
  // A launch.json in .vscode belongs to the folder above it.
  const workspaceFolder = basename(folder) === '.vscode' ? dirname(folder) : folder;
  return {
    workspaceFolder,
    workspaceFolderBasename: basename(workspaceFolder),
    workspaceRoot: workspaceFolder,
    cwd: process.cwd(),
    userHome: process.env.HOME ?? process.env.USERPROFILE ?? '',
    pathSeparator: sep,
    '/': sep,
  };
}

/**
 * The configuration named, or the only one, as a plain object with its variables resolved and its files' paths relative to the workspace folder.
 * Throws UserErrors.
 */
export function chooseConfiguration(path: string, text: string, name: string | undefined): Json {
  let file: unknown;
  try {
    file = parseJsonWithComments(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw launchFileErrors.syntax(path, error.line, error.column, error.what);
    throw error;
  }
  const list = isObject(file) && Array.isArray(file.configurations) ? (file.configurations as unknown[]) : [];
  const ours = list.filter((c): c is Json => isObject(c) && (c.type === undefined || c.type === 'nestscope'));
  if (ours.length === 0) throw launchFileErrors.noConfigurations(path);
  const names = ours.map((c) => String(c.name ?? ''));
  const chosen = name === undefined ? ours : ours.filter((_, i) => names[i] === name);
  if (chosen.length === 0) throw launchFileErrors.noSuchConfiguration(path, name ?? '', names);
  if (chosen.length > 1 && name === undefined) throw launchFileErrors.choose(path, names);
  return withAbsolutePaths(resolveVariables(chosen[0], path) as Json, variables(path).workspaceFolder);
}

function resolveVariables(value: unknown, path: string): unknown {
  if (typeof value === 'string') {
    const known = variables(path);
    return value.replace(/\$\{([^}]*)\}/g, (_, variable: string) => {
      if (Object.hasOwn(known, variable)) return known[variable];
      if (variable.startsWith('env:')) return process.env[variable.slice(4)] ?? '';
      throw launchFileErrors.variable(path, variable, [...Object.keys(known), 'env:NAME']);
    });
  }
  if (Array.isArray(value)) return value.map((item) => resolveVariables(item, path));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveVariables(item, path)]));
  return value;
}

function withAbsolutePaths(configuration: Json, folder: string): Json {
  const absolute = (file: unknown): unknown => (typeof file === 'string' && file !== '' ? resolve(folder, file) : file);
  const inList = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((item) => (isObject(item) ? { ...item, file: absolute(item.file) } : (item as unknown))) : list;
  const { program, modules, symbols, ...rest } = configuration;
  return {
    ...rest,
    ...(program !== undefined && { program: absolute(program) }),
    ...(modules !== undefined && { modules: inList(modules) }),
    ...(symbols !== undefined && { symbols: inList(symbols) }),
  };
}

/** Whether an argument names a launch file rather than an image. */
export const isLaunchFile = (path: string): boolean => path.toLowerCase().endsWith('.json');

/** The raw launch configuration for an image or a launch file. */
export async function rawConfiguration(
  image: string,
  config: string | undefined,
  readFile: (path: string) => Promise<Uint8Array>,
  reason: (error: unknown) => string,
): Promise<Json> {
  if (!isLaunchFile(image)) {
    if (config !== undefined) throw launchFileErrors.configWithoutFile(image);
    return { program: image };
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(image);
  } catch (error) {
    throw launchErrors.unreadable('launch file', image, reason(error));
  }
  return chooseConfiguration(image, new TextDecoder().decode(bytes), config);
}
