/** Source file names as debug information and clients write them: POSIX paths, Windows paths, and URIs of web hosts. */

/** What a path begins with and cannot be taken away by `..`: `/`, `C:/`, `//server/`, `scheme://authority/`; empty for relative paths. */
function rootOf(path: string): string {
  return /^(?:[A-Za-z][A-Za-z0-9+.-]+:\/\/[^/]*\/|[A-Za-z]:\/|\/\/[^/]+\/|\/)/.exec(path)?.[0] ?? '';
}

/** Windows paths get forward slashes, so that one rule serves all. */
function slashes(path: string): string {
  return /^[A-Za-z]:[\\/]|^\\\\/.test(path) || !path.includes('/') ? path.replaceAll('\\', '/') : path;
}

/** Takes `.`, `..` and double slashes out. */
export function normalizePath(path: string): string {
  const text = slashes(path);
  const root = rootOf(text);
  const parts: string[] = [];
  for (const part of text.slice(root.length).split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
    else if (part !== '..' || root === '') parts.push(part);
  }
  return root + parts.join('/');
}

export function isAbsolutePath(path: string): boolean {
  return rootOf(slashes(path)) !== '';
}

/** `path` seen from `directory`. */
export function joinPath(directory: string, path: string): string {
  return normalizePath(isAbsolutePath(path) || directory === '' ? path : `${slashes(directory)}/${slashes(path)}`);
}

export function directoryOf(path: string): string {
  const text = slashes(path);
  const root = rootOf(text);
  const slash = text.lastIndexOf('/');
  return slash < root.length ? root : text.slice(0, slash);
}

export function baseName(path: string): string {
  return slashes(path).split('/').pop() ?? '';
}

/** How many components, counted from the end, two normalized paths share; drive letters and Windows names regardless of case. */
export function sharedTail(a: string, b: string): number {
  const fold = /^[A-Za-z]:\//.test(a) || /^[A-Za-z]:\//.test(b);
  const [x, y] = [a, b].map((path) => (fold ? path.toLowerCase() : path).split('/').reverse());
  let shared = 0;
  while (shared < x.length && shared < y.length && x[shared] === y[shared] && x[shared] !== '') shared++;
  return shared;
}

/** Replaces the longest prefix (whole components) that the map names. */
export function mapSource(path: string, sourceMap: Readonly<Record<string, string>>): string | undefined {
  let best: string | undefined;
  let bestLength = -1;
  for (const [from, to] of Object.entries(sourceMap)) {
    const prefix = normalizePath(from);
    const matches = path === prefix || prefix === '' || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
    if (!matches || prefix.length <= bestLength) continue;
    bestLength = prefix.length;
    best = path === prefix ? normalizePath(to) : joinPath(to, path.slice(prefix.length).replace(/^\//, ''));
  }
  return best;
}
