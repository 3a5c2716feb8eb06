/** The symbols and source lines of a launched program and of the symbol files that its configuration names. */
import { launchErrors } from '../errors-launch';
import { type LaunchConfiguration, reasonOf } from '../launch/configuration';
import type { SymbolSource } from '../symbol-source';
import { createSymbolSource, type SymbolImage } from './image-symbols';

/** A program without symbols is no error; a symbol file that cannot be read is a UserError with its path. */
export async function loadSymbols(
  configuration: LaunchConfiguration,
  image: Uint8Array,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<SymbolSource> {
  const images: SymbolImage[] = [{ path: configuration.program, bytes: image }];
  for (const { file, level, base } of configuration.symbols) {
    try {
      images.push({ path: file, bytes: await readFile(file), level, base });
    } catch (error) {
      throw launchErrors.unreadable('symbol file', file, reasonOf(error));
    }
  }
  // The files that were named go first: they may say more of an address than a stripped program.
  return createSymbolSource([...images.slice(1), images[0]], configuration.sourceMap);
}
