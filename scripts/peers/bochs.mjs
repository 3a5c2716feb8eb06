// Runs a multiboot image on Debian's bochs 2.7 (VMX built in), booted through a GRUB image made here, and returns what it wrote to COM1.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findCommand } from './packages.mjs';
import { endProcess, waitForSerial, withPeer } from './serial-file.mjs';

const BIOS = '/usr/share/bochs/BIOS-bochs-latest';
const VGA_BIOS = ['/usr/share/bochs/VGABIOS-lgpl-latest', '/usr/share/vgabios/vgabios.bin'];

/** True where bochs, its BIOS images, and the tools that make a GRUB image are all there. */
export function hasBochs() {
  const commands = ['bochs', 'grub-mkrescue', 'xorriso', 'mformat', 'script'];
  return (
    commands.every(findCommand) && existsSync(BIOS) && VGA_BIOS.some((path) => existsSync(path)) && existsSync('/usr/lib/grub/i386-pc')
  );
}

/** Makes an image that boots `elf` through GRUB's multiboot command with no menu delay; modules are paths or { path, args }. */
function makeGrubImage(folder, elf, { cmdline = '', modules = [] }) {
  const boot = join(folder, 'iso', 'boot');
  mkdirSync(join(boot, 'grub'), { recursive: true });
  copyFileSync(elf, join(boot, 'k.elf'));
  const lines = ['set timeout=0', 'set default=0', 'menuentry guest {', `  multiboot /boot/k.elf ${cmdline}`];
  modules.forEach((module, index) => {
    const { path, args = '' } = typeof module === 'string' ? { path: module } : module;
    copyFileSync(path, join(boot, `module${index}`));
    lines.push(`  module /boot/module${index} ${args}`);
  });
  lines.push('  boot', '}', '');
  writeFileSync(join(boot, 'grub', 'grub.cfg'), lines.join('\n'));
  const image = join(folder, 'guest.iso');
  // Only what this menu needs goes into the image: it is made, and boots, faster.
  const grubModules = ['--install-modules=multiboot normal part_msdos iso9660 biosdisk', '--fonts=', '--locales=', '--themes='];
  const made = spawnSync('grub-mkrescue', ['-o', image, '-d', '/usr/lib/grub/i386-pc', ...grubModules, join(folder, 'iso')], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: folder },
  });
  if (made.status !== 0 || !existsSync(image)) throw new Error(`grub-mkrescue failed: ${made.stderr || made.error}`);
  return image;
}

function writeConfiguration(folder, image, { model, memoryMiB }) {
  const vga = VGA_BIOS.find((path) => existsSync(path));
  writeFileSync(
    join(folder, 'bochsrc'),
    [
      'display_library: term',
      'config_interface: textconfig',
      `cpu: model=${model}, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1`,
      'clock: sync=none',
      `memory: guest=${memoryMiB}, host=${memoryMiB}`,
      `romimage: file=${BIOS}`,
      `vgaromimage: file=${vga}`,
      'ata0: enabled=1',
      `ata0-master: type=cdrom, path=${image}, status=inserted`,
      'boot: cdrom',
      `com1: enabled=1, mode=file, dev=${join(folder, 'com1')}`,
      `log: ${join(folder, 'bochs.log')}`,
      'panic: action=fatal',
      'error: action=report',
      'info: action=ignore',
      'debug: action=ignore',
      'speaker: enabled=0',
      'sound: waveoutdrv=dummy',
      '',
    ].join('\n'),
  );
  writeFileSync(join(folder, 'commands'), 'c\n');
}

/**
 * Runs `elfPath` until COM1's text matches `until`, bochs ends, or `timeoutMs` is over.
 * Options: modules, cmdline, model, memoryMiB, timeoutMs, until, from (where given, `seconds` counts from its first match).
 * Returns { output, seconds, matched, timedOut?, log }.
 */
export async function runBochs(elfPath, options = {}) {
  const { model = 'corei7_skylake_x', memoryMiB = 256, timeoutMs = 60_000, until, from } = options;
  return withPeer('nestscope-bochs-', async (folder, onEnd) => {
    const image = makeGrubImage(folder, elfPath, options);
    writeConfiguration(folder, image, { model, memoryMiB });
    // bochs wants a terminal. `script` gives it one, in a session of its own: hence the file with the id to end.
    const command = `echo $$ > pid; exec bochs -q -f bochsrc -rc commands`;
    const script = spawn('script', ['-qc', command, '/dev/null'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, TERM: 'xterm', LINES: '50', COLUMNS: '132' },
    });
    let over = false;
    const ended = new Promise((resolve) => {
      const done = () => {
        over = true;
        resolve();
      };
      script.on('exit', done);
      script.on('error', done);
    });
    const endBochs = () => {
      if (over) return;
      const pidFile = join(folder, 'pid');
      if (existsSync(pidFile)) endProcess(Number(readFileSync(pidFile, 'utf8')));
      else script.kill('SIGKILL'); // it never came so far as to start bochs
    };
    onEnd(endBochs);
    const result = await waitForSerial(join(folder, 'com1'), { from, until, timeoutMs, isOver: () => over });
    const log = existsSync(join(folder, 'bochs.log')) ? readFileSync(join(folder, 'bochs.log'), 'latin1') : '';
    endBochs();
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2000))]);
    return { ...result, log };
  });
}

async function main([elf, until, cmdline, model]) {
  if (!elf || !until) {
    console.error(`usage: node ${basename(process.argv[1])} IMAGE UNTIL [CMDLINE] [MODEL]`);
    process.exit(64);
  }
  const result = await runBochs(elf, { until: new RegExp(until, 'm'), cmdline, ...(model && { model }) });
  process.stdout.write(result.output);
  console.error(`${result.matched ? 'matched' : 'NOT matched'} after ${result.seconds.toFixed(2)} s`);
  if (!result.matched) console.error(result.log.split('\n').slice(-15).join('\n'));
  process.exitCode = result.matched ? 0 : 1;
}

// On the command line: node scripts/peers/bochs.mjs IMAGE UNTIL [CMDLINE] [MODEL]
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) void main(process.argv.slice(2));
