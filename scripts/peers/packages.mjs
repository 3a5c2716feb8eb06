// Which Debian packages the peers (bochs, QEMU) and the example builds need, and how to get them where that is possible.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const packages = {
  bochs: ['bochs', 'bochs-term', 'bochsbios', 'vgabios', 'grub-pc-bin', 'grub-common', 'xorriso', 'mtools', 'bsdutils'],
  qemu: ['qemu-system-x86'],
  build: ['nasm', 'gcc', 'binutils'],
};

/** The path of a command, or undefined. */
export function findCommand(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/usr/bin')) {
    const path = join(folder || '.', name);
    if (existsSync(path)) return path;
  }
  return undefined;
}

/** The names in `list` that dpkg does not report as installed; all of them where there is no dpkg. */
export function missingPackages(list) {
  if (!findCommand('dpkg-query')) return [...list];
  return list.filter((name) => {
    const answer = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' });
    return answer.status !== 0 || !answer.stdout.startsWith('install ok installed');
  });
}

/** True where this process may install Debian packages. */
export function canInstall() {
  return process.getuid?.() === 0 && findCommand('apt-get') !== undefined;
}

/** Installs what is missing where it may (root on Debian) and returns the names that are missing still: [] is success. */
export function ensurePackages(list) {
  let missing = missingPackages(list);
  if (missing.length === 0 || !canInstall()) return missing;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], { env, stdio: 'ignore' });
  // The package lists may be absent or old, so a failed first try is repeated after an update.
  if (install().status !== 0) {
    spawnSync('apt-get', ['update'], { env, stdio: 'ignore' });
    install();
  }
  missing = missingPackages(list);
  return missing;
}
