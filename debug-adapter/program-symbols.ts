/** The symbols and source lines of a launched program and of the symbol files that its configuration names. */
import type { LaunchConfiguration } from './launch/configuration';
import { noSymbols, type SymbolSource } from './symbol-source';

export async function loadSymbols(
  _configuration: LaunchConfiguration,
  _image: Uint8Array,
  _readFile: (path: string) => Promise<Uint8Array>,
): Promise<SymbolSource> {
  return noSymbols;
}
