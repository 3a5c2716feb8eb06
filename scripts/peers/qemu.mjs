// Runs a multiboot image on QEMU's TCG (no VMX there) and returns what it wrote to COM1 and the status it wrote to port 0xf4.
import { spawn } from 'node:child_process';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findCommand } from './packages.mjs';
import { endProcess, waitForSerial, withPeer } from './serial-file.mjs';

export function hasQemu() {
  return findCommand('qemu-system-x86_64') !== undefined;
}

/**
 * Runs `elfPath` until it writes to port 0xf4, COM1's text matches `until` (where given), or `timeoutMs` is over.
 * Options: modules (paths or { path, args }), cmdline, memoryMiB, cpu, timeoutMs, until, from, args (more QEMU arguments).
 * Returns { output, seconds, status, matched, timedOut?, errors }; status is (v << 1) | 1, or undefined where we ended it.
 */
export async function runQemu(elfPath, options = {}) {
  const { cmdline = '', modules = [], memoryMiB = 256, cpu = 'max', timeoutMs = 60_000, until, from, args = [] } = options;
  return withPeer('nestscope-qemu-', async (folder, onEnd) => {
    const serial = join(folder, 'com1');
    const list = [
      '-accel',
      'tcg',
      '-cpu',
      cpu,
      '-m',
      String(memoryMiB),
      '-display',
      'none',
      '-monitor',
      'none',
      '-nodefaults',
      '-no-reboot',
    ];
    list.push('-serial', `file:${serial}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04', '-kernel', resolve(elfPath));
    if (cmdline) list.push('-append', cmdline);
    if (modules.length > 0) {
      // A comma separates modules, so it is doubled within a name or an argument.
      const escape = (text) => text.replaceAll(',', ',,');
      const names = modules.map((module) => (typeof module === 'string' ? { path: module } : module));
      list.push('-initrd', names.map(({ path, args: text }) => escape(resolve(path)) + (text ? ' ' + escape(text) : '')).join(','));
    }
    const qemu = spawn('qemu-system-x86_64', [...list, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let over = false;
    let status;
    let errors = '';
    qemu.stderr.on('data', (data) => (errors += data));
    const ended = new Promise((done) => {
      qemu.on('close', (code) => {
        over = true;
        status = code ?? undefined;
        done();
      });
      qemu.on('error', (error) => {
        over = true;
        errors += error.message;
        done();
      });
    });
    onEnd(() => {
      if (!over && qemu.pid) endProcess(qemu.pid);
    });
    const result = await waitForSerial(serial, { from, until, timeoutMs, isOver: () => over });
    // A guest that printed its last line is about to write its status: it gets a moment to do so.
    if (!over && result.matched) await Promise.race([ended, new Promise((done) => setTimeout(done, 1000))]);
    const selfEnded = over;
    if (!over) {
      endProcess(qemu.pid);
      await ended;
    }
    return { ...result, status: selfEnded ? status : undefined, errors };
  });
}

async function main([elf, cmdline]) {
  if (!elf) {
    console.error(`usage: node ${basename(process.argv[1])} IMAGE [CMDLINE]`);
    process.exit(64);
  }
  const result = await runQemu(elf, { cmdline });
  process.stdout.write(result.output);
  console.error(`status ${result.status}, ${result.seconds.toFixed(2)} s ${result.errors}`);
}

// On the command line: node scripts/peers/qemu.mjs IMAGE [CMDLINE]
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) void main(process.argv.slice(2));
