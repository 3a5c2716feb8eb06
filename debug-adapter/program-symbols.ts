/** The symbols and source lines of a launched program and of the symbol files that its configuration names. */
import { launchErrors } from './errors-launch';
import { type LaunchConfiguration, reasonOf } from './launch/configuration';
import type { SymbolSource } from './symbol-source';
import { createSymbolSource, type SymbolImage } from './symbols/image-symbols';

export async function loadSymbols(
  configuration: LaunchConfiguration,
  image: Uint8Array,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<SymbolSource> {
  // Files that the user names go first: they know more than a stripped program.
  const images: SymbolImage[] = [];
  for (const { file, level, base } of configuration.symbols) {
    try {
      images.push({ path: file, bytes: await readFile(file), level, base });
    } catch (error) {
      throw launchErrors.unreadable('symbol file', file, reasonOf(error));
    }
  }
  images.push({ path: configuration.program, bytes: image });
  return createSymbolSource(images, configuration.sourceMap);
}
