/** The text of `nestscope --help`. */
import { options } from './cli-arguments';
import { Status } from './cli-report';

export function helpText(): string {
  const rows = options.map((row): [string, string] => [row.value === undefined ? row.option : `${row.option} ${row.value}`, row.help]);
  rows.push(['--help', 'this text'], ['--version', 'the version']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const statuses: [string, string][] = [
    ['(v << 1) | 1', 'the guest wrote v to port 0xf4'],
    [String(Status.halted), 'the guest halted for ever with interrupts off'],
    [String(Status.usage), 'a mistake in the arguments or the image, named on stderr'],
    [String(Status.tripleFault), 'triple fault or shutdown'],
    [String(Status.notModelled), 'the guest needs something that is not modelled yet, named on stderr'],
    [String(Status.bug), 'a mistake of Nestscope itself'],
    [String(Status.stepLimit), 'the step limit ended the run'],
    [String(Status.interrupted), 'Ctrl-C'],
  ];
  const table = (entries: readonly (readonly [string, string])[], column: number): string =>
    entries.map(([left, right]) => `  ${left.padEnd(column)}${right}\n`).join('');
  return `nestscope run IMAGE|LAUNCH.json [options]

Runs a guest image (multiboot 1, ELF64, flat binary) or a configuration of a launch.json.
COM1 goes to the serial target, the debug console (port 0xe9) and every sentence to stderr.

Options:
${table(rows, width)}
Exit status:
${table(statuses, 16)}`;
}
