/** Every sentence about launch configurations, launch files and the command line's arguments, in one place. */
import { UserError } from '../emulator';

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** A value as a user would write it. */
export function given(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `'${shorten(value)}'`;
  return shorten(JSON.stringify(value) ?? String(value));
}

const maybe = (similar: string | undefined): string => (similar === undefined ? '' : `; did you mean '${similar}'?`);

export const launchErrors = {
  notAnObject: (value: unknown) =>
    new UserError(`The launch configuration is ${given(value)}; expected an object such as {"program": "guest.elf"}.`, 'launch-shape'),
  unknownAttribute: (name: string, similar: string | undefined, expected: readonly string[]) =>
    new UserError(
      `The launch attribute '${name}' is not known${maybe(similar) || `; expected one of ${expected.join(', ')}.`}`,
      'launch-unknown-attribute',
    ),
  missing: (name: string, expected: string) =>
    new UserError(`The launch attribute '${name}' is missing; expected ${expected}.`, 'launch-missing'),
  /** `where` names the attribute or option: `The launch attribute 'memory'`, `The option --memory`. */
  wrong: (where: string, value: unknown, expected: string) =>
    new UserError(`${where} is ${given(value)}; expected ${expected}.`, 'launch-wrong-value'),
  notAvailable: (where: string, value?: unknown) =>
    new UserError(`${where}${value === undefined ? '' : ` with the value ${given(value)}`} is not available yet.`, 'launch-not-available'),
  unreadable: (what: string, path: string, why: string) =>
    new UserError(`The ${what} '${path}' cannot be read: ${why}.`, 'launch-unreadable'),
};

export const launchFileErrors = {
  syntax: (path: string, line: number, column: number, what: string) =>
    new UserError(`The launch file '${path}' is not valid JSON: ${what} at line ${line}, column ${column}.`, 'launch-file-syntax'),
  noConfigurations: (path: string) =>
    new UserError(
      `The launch file '${path}' has no configuration of type "nestscope"; expected {"configurations": [{"type": "nestscope", "program": …}]}.`,
      'launch-file-empty',
    ),
  choose: (path: string, names: readonly string[]) =>
    new UserError(
      `The launch file '${path}' has ${names.length} configurations; choose one with --config: ${names.map((n) => `'${n}'`).join(', ')}.`,
      'launch-file-choose',
    ),
  noSuchConfiguration: (path: string, name: string, names: readonly string[]) =>
    new UserError(
      `The launch file '${path}' has no configuration '${name}'; expected ${names.map((n) => `'${n}'`).join(', ')}.`,
      'launch-file-no-such',
    ),
  variable: (path: string, variable: string, expected: readonly string[]) =>
    new UserError(
      `The launch file '${path}' uses \${${variable}}, which has no value on the command line; expected ${expected.map((e) => `\${${e}}`).join(', ')}.`,
      'launch-file-variable',
    ),
  configWithoutFile: (image: string) =>
    new UserError(`The option --config needs a launch file such as launch.json, but '${image}' is an image.`, 'cli-config'),
};

export const commandLineErrors = {
  noCommand: () => new UserError('No command was given; expected: nestscope run IMAGE|LAUNCH.json [options].', 'cli-no-command'),
  unknownCommand: (command: string) =>
    new UserError(
      `The command '${shorten(command)}' is not known; expected: nestscope run IMAGE|LAUNCH.json [options].`,
      'cli-unknown-command',
    ),
  noImage: () => new UserError('No image was given; expected: nestscope run IMAGE|LAUNCH.json [options].', 'cli-no-image'),
  twoImages: (first: string, second: string) =>
    new UserError(`Two images were given, '${shorten(first)}' and '${shorten(second)}'; expected one.`, 'cli-two-images'),
  unknownOption: (option: string, similar: string | undefined, expected: readonly string[]) =>
    new UserError(
      `The option '${shorten(option)}' is not known${maybe(similar) || `; expected one of ${expected.join(', ')}.`}`,
      'cli-unknown-option',
    ),
  noValue: (option: string, expected: string) => new UserError(`The option ${option} has no value; expected ${expected}.`, 'cli-no-value'),
  needlessValue: (option: string, value: string) =>
    new UserError(`The option ${option} takes no value, but was given ${given(value)}.`, 'cli-needless-value'),
  twice: (option: string) => new UserError(`The option ${option} was given twice; expected once.`, 'cli-twice'),
  unwritable: (what: string, path: string, why: string) =>
    new UserError(`The ${what} '${path}' cannot be written: ${why}.`, 'cli-unwritable'),
};
