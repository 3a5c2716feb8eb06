/** The command `nestscope`: the door of the command line. Reads arguments, files and signals; everything that can be tested without them is beside. */
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createMachine, UserError } from '../../emulator';
import { version } from '../../package.json';
import { commandLineErrors } from '../errors-launch';
import { reasonOf, toMachineConfig, validateLaunch } from '../launch/configuration';
import { namingFor, parseArguments, type RunOptions } from './cli-arguments';
import { helpText } from './cli-help';
import { rawConfiguration } from './cli-launch-file';
import { Status } from './cli-report';
import { runMachine } from './cli-run';

const readBytes = async (path: string): Promise<Uint8Array> => new Uint8Array(await readFile(path));

/** A file that is written from its beginning; failures are the user's. */
function fileTarget(what: string, path: string): { write(data: string | Uint8Array): void; close(): void } {
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw commandLineErrors.unwritable(
        what,
        path,
        (error as { code?: unknown }).code === 'ENOENT' ? 'its folder does not exist' : reasonOf(error),
      );
    }
  };
  const fd = attempt(() => openSync(path, 'w'));
  return {
    write: (data) =>
      attempt(() => {
        const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
        for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      }),
    close: () => attempt(() => closeSync(fd)),
  };
}

/** stdout with back-pressure; `write` answers false once the reader is gone. */
function stdoutTarget(): { write(bytes: Uint8Array): Promise<boolean> } {
  let gone = false;
  let wake: (() => void) | undefined;
  process.stdout.on('error', () => {
    gone = true;
    wake?.();
  });
  return {
    write: async (bytes) => {
      if (gone) return false;
      if (!process.stdout.write(bytes))
        await new Promise<void>((resolve) => {
          wake = resolve;
          process.stdout.once('drain', resolve);
        });
      return !gone;
    },
  };
}

/** Input for COM1: a file is there as a whole before the first step (so that runs are repeatable), a pipe or terminal as it comes. */
function stdinSource(): { take(): Uint8Array; close(): void } {
  let waiting: Uint8Array[] = [];
  const take = (): Uint8Array => {
    const all = Buffer.concat(waiting);
    waiting = [];
    return new Uint8Array(all);
  };
  const kind = ((): 'file' | 'stream' | 'none' => {
    try {
      const stat = fstatSync(0);
      if (stat.isFile()) return 'file';
      return stat.isFIFO() || stat.isSocket() || process.stdin.isTTY ? 'stream' : 'none';
    } catch {
      return 'none';
    }
  })();
  if (kind === 'file') waiting.push(new Uint8Array(readFileSync(0)));
  if (kind !== 'stream') return { take, close: () => undefined };
  process.stdin.on('data', (chunk: Buffer) => waiting.push(new Uint8Array(chunk)));
  process.stdin.on('error', () => undefined);
  return { take, close: () => process.stdin.destroy() };
}

async function run(options: RunOptions): Promise<number> {
  const raw = { ...(await rawConfiguration(options.image, options.config, readBytes, reasonOf)), ...options.attributes };
  const launch = validateLaunch(raw, namingFor(options));
  const config = { ...(await toMachineConfig(launch, readBytes)), ...(options.tier && { tier: options.tier }) };
  const trace = options.trace === undefined ? undefined : fileTarget('trace file', options.trace);
  const serialFile = options.serial.to === 'file' ? fileTarget('serial file', options.serial.path) : undefined;
  const stdout = stdoutTarget();
  const stdin = serialFile ? undefined : stdinSource();
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    return await runMachine(
      config,
      { maxSteps: launch.maxSteps, realtime: launch.realtime, saveAt: options.saveAt, stats: options.stats },
      {
        createMachine,
        serial: serialFile
          ? (bytes) => {
              serialFile.write(bytes);
              return Promise.resolve(true);
            }
          : (bytes) => stdout.write(bytes),
        interactive: stdin !== undefined && process.stdin.isTTY,
        serialInput: () => stdin?.take() ?? new Uint8Array(0),
        stderr: (text) => void process.stderr.write(text),
        trace: trace && ((lines) => trace.write(lines)),
        now: () => performance.now(),
        breathe: () => new Promise((resolve) => setImmediate(resolve)),
        sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
        interrupted: () => interrupted,
      },
    );
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    stdin?.close();
    trace?.close();
    serialFile?.close();
  }
}

async function main(argv: readonly string[]): Promise<number> {
  process.stderr.on('error', () => undefined);
  const commandLine = parseArguments(argv);
  try {
    switch (commandLine.kind) {
      case 'help':
        process.stdout.write(helpText());
        return 0;
      case 'version':
        process.stdout.write(`nestscope ${version}\n`);
        return 0;
      case 'usage-error':
        throw commandLine.error;
      case 'run':
        return await run(commandLine);
    }
  } catch (error) {
    if (error instanceof UserError) {
      process.stderr.write(`nestscope: ${error.message}\n`);
      return Status.usage;
    }
    process.stderr.write(`nestscope: Nestscope bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return Status.bug;
  }
}

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
