/** Finds the source files that debug information names: mapped by launch configuration, beside the program, or where they were built. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Host } from './host';

export class SourceFinder {
  private readonly found = new Map<string, Promise<DebugProtocol.Source | undefined>>();

  constructor(
    private readonly readFile: Host['readFile'],
    private readonly program: string,
    private readonly sourceMap: Readonly<Record<string, string>>,
  ) {}

  /** Undefined when no such file can be read. */
  find(file: string): Promise<DebugProtocol.Source | undefined> {
    let source = this.found.get(file);
    if (!source) this.found.set(file, (source = this.search(file)));
    return source;
  }

  private async search(file: string): Promise<DebugProtocol.Source | undefined> {
    for (const path of this.candidates(file)) {
      try {
        await this.readFile(path);
        return { name: baseName(path), path };
      } catch {
        // the next candidate
      }
    }
    return undefined;
  }

  private candidates(file: string): string[] {
    const result: string[] = [];
    for (const [from, to] of Object.entries(this.sourceMap)) {
      const prefix = from.endsWith('/') ? from : `${from}/`;
      if (file === from) result.push(to);
      else if (file.startsWith(prefix)) result.push(joinPath(to, file.slice(prefix.length)));
    }
    const folder = folderOf(this.program);
    if (isAbsolute(file)) result.push(file);
    else for (let base = folder; base !== ''; base = folderOf(base)) result.push(joinPath(base, file));
    // The sources moved together with the program: look for ever shorter tails of the path beside it.
    const parts = file.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
    for (let first = isAbsolute(file) ? 1 : 0; first < parts.length; first++) {
      const tail = parts.slice(first).join('/');
      result.push(joinPath(folder, tail));
      const above = folderOf(folder);
      if (above !== '') result.push(joinPath(above, tail));
    }
    return [...new Set(result)];
  }
}

export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** '' when there is none. Works on paths of either kind and on URIs. */
export function folderOf(path: string): string {
  const end = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  const folder = end <= 0 ? '' : path.slice(0, end);
  return /^[a-z][\w+.-]*:\/*$/i.test(folder) ? '' : folder;
}

function isAbsolute(path: string): boolean {
  return /^([\\/]|[a-z]:[\\/]|[a-z][\w+.-]+:)/i.test(path);
}

/** Also takes leading ../ steps. */
function joinPath(folder: string, rest: string): string {
  let base = folder;
  let tail = rest.replace(/^(\.\/)+/, '');
  while (/^\.\.[\\/]/.test(tail)) {
    base = folderOf(base);
    tail = tail.slice(3);
  }
  const separator = base.includes('\\') && !base.includes('/') ? '\\' : '/';
  return `${base.replace(/[\\/]$/, '')}${separator}${tail}`;
}
