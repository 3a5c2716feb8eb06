/** From a launch request to a machine with its symbols; tells the client of progress and can be cancelled. */
import { requestErrors } from './errors';
import { Debuggee } from './debuggee';
import { Disassembler } from './disassembly';
import type { Host } from './host';
import { toMachineConfig, validateLaunch, type LaunchConfiguration } from './launch/configuration';
import { loadSymbols } from './program-symbols';
import { baseName, SourceFinder } from './source-files';

export interface Launched {
  readonly configuration: LaunchConfiguration;
  readonly debuggee: Debuggee;
  readonly sources: SourceFinder;
}

export interface Progress {
  report(message: string): void;
  /** True when the user cancelled. */
  readonly cancelled: boolean;
}

export async function launch(host: Host, raw: unknown, progress: Progress): Promise<Launched> {
  const goOn = (): void => {
    if (progress.cancelled) throw requestErrors.cancelled();
  };
  const configuration = validateLaunch(raw);
  progress.report(`Reading ${baseName(configuration.program)}`);
  const config = await toMachineConfig(configuration, (path) => host.readFile(path));
  goOn();
  progress.report('Starting the machine');
  const machine = await host.createMachine(config);
  goOn();
  progress.report('Reading symbols and source lines');
  const symbols = await loadSymbols(configuration, config.image, (path) => host.readFile(path));
  const disassembler = await Disassembler.load();
  goOn();
  const debuggee = new Debuggee(baseName(configuration.program), configuration.program, machine, symbols, disassembler);
  const sources = new SourceFinder((path) => host.readFile(path), configuration.program, configuration.sourceMap);
  return { configuration, debuggee, sources };
}
