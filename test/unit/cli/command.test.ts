/** The command `nestscope` itself, as a process on real guests: exit statuses, streams, files, signals. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';
import { bundles } from '../../../scripts/bundles.mjs';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const example = (name: string): string => join(examples, name, `${name}.elf`);
const expectedOutput = (name: string): string => readFileSync(join(examples, name, 'expected-output.txt'), 'utf8');

describe('command line: the command', function () {
  // Dozens of processes, on machines that may be busy.
  this.timeout(60_000);
  let folder = '';
  let cli = '';
  const file = (name: string, contents?: Uint8Array | string): string => {
    const path = join(folder, name);
    if (contents !== undefined) writeFileSync(path, contents);
    return path;
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nestscope-cli-'));
    cli = join(folder, 'cli.js');
    const options = bundles.find(({ outfile }: { outfile: string }) => outfile === 'dist/cli.js')!;
    await build({ ...(options as BuildOptions), outfile: cli, sourcemap: false });
  });
  after(() => rmSync(folder, { recursive: true }));

  interface Result {
    status: number | null;
    out: string;
    err: string;
  }
  function nestscope(args: string[], more: { input?: string; closeAfter?: number; interruptAfter?: RegExp } = {}): Promise<Result> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [cli, ...args], { stdio: [more.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
      const limit = setTimeout(() => child.kill('SIGKILL'), 15_000);
      let out = '';
      let err = '';
      if (more.input !== undefined) child.stdin!.end(more.input);
      child.stdout!.on('data', (chunk: Buffer) => {
        out += chunk.toString();
        if (more.closeAfter !== undefined && out.length >= more.closeAfter) child.stdout!.destroy();
        if (more.interruptAfter?.test(out) && !child.killed) child.kill('SIGINT');
      });
      child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.on('close', (status) => {
        clearTimeout(limit);
        resolve({ status, out, err });
      });
    });
  }
  const flat = (name: string, ...code: number[]): string[] => [file(name, new Uint8Array(code)), '--format', 'flat'];

  it('prints what the guest prints, and ends with its status', async () => {
    for (const name of ['hello64', 'nested-hello', 'entry-failure']) {
      const { status, out } = await nestscope(['run', example(name)]);
      assert.deepEqual([status, out], [(0x10 << 1) | 1, expectedOutput(name)], name);
    }
  });

  it('writes serial output and trace to files, the same in every run and across a saved machine', async () => {
    const run = async (label: string, ...more: string[]): Promise<[Result, string, string]> => {
      const [trace, serial] = [file(`${label}.jsonl`), file(`${label}.txt`)];
      const result = await nestscope(['run', example('nested-hello'), '--trace', trace, '--serial', serial, ...more]);
      return [result, readFileSync(trace, 'utf8'), readFileSync(serial, 'utf8')];
    };
    const [result, trace, serial] = await run('one');
    assert.deepEqual(result, { status: 33, out: '', err: '' });
    assert.equal(serial, expectedOutput('nested-hello'));
    const events = trace
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      events.filter((e) => e.event === 'exit').map((e) => [e.reason, e.qualification, e.gpa]),
      [['CPUID', '0x0', undefined], ['IO_INSTRUCTION', '0x5100000', undefined], ['RDMSR', '0x0', undefined], ['VMCALL', '0x0', undefined], ['EPT_VIOLATION', '0x182', '0x20000'], ['HLT', '0x0', undefined]],
    ); // prettier-ignore
    assert.deepEqual(Object.keys(events.find((e) => e.reason === 'EPT_VIOLATION')!), [
      'n',
      'vcpu',
      'level',
      'event',
      'reason',
      'qualification',
      'rip',
      'gpa',
    ]);
    assert.deepEqual((await run('two')).slice(1), [trace, serial]);
    for (const step of ['1', '10000', String(events[5].n)])
      assert.deepEqual((await run(`saved-${step}`, '--save-at', step)).slice(1), [trace, serial], step);
  });

  it('ends with statistics on stderr', async () => {
    const { err } = await nestscope(['run', example('nested-hello'), '--stats']);
    assert.match(
      err,
      /^stats: \d+ steps, \d+ instructions, \d+\.\d{3} s, \d+\.\d MIPS\nexits: CPUID 1, EPT_VIOLATION 1, HLT 1, IO_INSTRUCTION 1, RDMSR 1, VMCALL 1\n$/,
    );
  });

  it('names the check and the values that refused a VM entry', async () => {
    const { err } = await nestscope(['run', example('entry-failure')]);
    assert.match(err, /refused \(VMfailValid, error 7\): check CR3_TARGET_COUNT: .*\[CR3_TARGET_COUNT = 0x5/);
    assert.match(err, /refused \(VM-entry failure, exit reason 33\): check .*\[GUEST_RFLAGS = 0x0\]/);
  });

  it('has a status and a sentence for every other end', async () => {
    const loop = flat('loop.bin', 0xeb, 0xfe);
    const ends: [string[], number, RegExp][] = [
      [flat('exit.bin', 0xb8, 5, 0, 0, 0, 0xe7, 0xf4), 11, /^$/], // mov eax, 5; out 0xf4, eax
      [flat('halt.bin', 0xfa, 0xf4), 0, /^$/], // cli; hlt
      [flat('triple.bin', 0x0f, 0x0b), 70, /triple fault after \d+ steps: #UD at L1 0x100000/],
      [flat('x87.bin', 0x9b), 72, /^nestscope: Not modelled: an x87 instruction/], // wait
      [[...loop, '--max-steps', '1000'], 124, /^nestscope: The step limit ended the run after 1000 steps\.\n$/],
      [[file('empty.elf', '')], 64, /^nestscope: The image '.*empty\.elf' is empty/],
      [[file('missing.elf')], 64, /^nestscope: The image '.*missing\.elf' cannot be read: it does not exist\.\n$/],
      [[folder], 64, /cannot be read: it is a directory/],
      [[file('short.elf', readFileSync(example('hello64')).subarray(0, 5000))], 64, /is truncated: its segment 0 reaches to byte/],
      [[file('large.bin', new Uint8Array(2 ** 20)), '--format', 'flat', '--memory', '1M'], 64, /does not fit: .* 1 MiB of memory/],
      [[file('noise.bin', new Uint8Array(100).fill(0x5a))], 64, /format of the image '.*noise\.bin' is not known/],
      [[example('hello64'), '--cpu', '80386'], 64, /80386/],
      [[example('hello64'), '--trace', join(folder, 'no', 'where')], 64, /trace file '.*' cannot be written: its folder does not exist\.\n$/],
      [[example('hello64'), '--nonsense'], 64, /The option '--nonsense' is not known/],
      [[example('hello64'), '--mode', 'hosted', '--cpus', '2'], 64, /2 virtual CPUs in hosted mode: expected 1/],
      [[file('broken.json', '{"configurations": [')], 64, /launch file '.*broken\.json' is not valid JSON: .* at line 1, column 21/],
    ]; // prettier-ignore
    for (const [args, status, err] of ends) {
      const result = await nestscope(['run', ...args]);
      assert.equal(result.status, status, `${args.join(' ')}: ${result.err}`);
      assert.match(result.err, err);
      assert.ok(result.err.split('\n').length <= 2, result.err);
    }
  });

  it('runs a configuration of a launch file, with comments', async () => {
    const launch = join(examples, '.vscode', 'launch.json');
    const { status, out } = await nestscope(['run', launch, '--config', 'hello64']);
    assert.deepEqual([status, out], [33, expectedOutput('hello64')]);
    const own = file(
      'own.json',
      `// comment\n{"configurations": [{"type": "nestscope", "name": "a", "program": ${JSON.stringify(example('hello64'))}, "maxSteps": 10,}]}`,
    );
    assert.equal((await nestscope(['run', own])).status, 124);
    assert.equal((await nestscope(['run', own, '--max-steps', '1000000'])).status, 33);
  });

  it('gives the guest what comes in on stdin', async () => {
    // mov dx, 0x3fd; in al, dx; test al, 1; jz -5; mov dl, 0xf8; in al, dx; out dx, al; cmp al, '!'; jne start; cli; hlt
    const echo = flat(
      'echo.bin',
      0x66,
      0xba,
      0xfd,
      0x03,
      0xec,
      0xa8,
      0x01,
      0x74,
      0xfb,
      0xb2,
      0xf8,
      0xec,
      0xee,
      0x3c,
      0x21,
      0x75,
      0xef,
      0xfa,
      0xf4,
    );
    assert.deepEqual(await nestscope(['run', ...echo], { input: 'typed!' }), { status: 0, out: 'typed!', err: '' });
  });

  // mov dx, 0x3f8; mov al, 'x'; out dx, al; jmp -3
  const endless = (): string[] => flat('endless.bin', 0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, 0xeb, 0xfd);

  it('survives a reader that goes away', async () => {
    const { status, err } = await nestscope(['run', ...endless()], { closeAfter: 10 });
    assert.deepEqual([status, err], [141, '']);
  });

  it('ends with the statistics on Ctrl-C', async () => {
    // The same, but it prints once: jmp -2
    const quiet = flat('quiet.bin', 0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, 0xeb, 0xfe);
    const { status, out, err } = await nestscope(['run', ...quiet, '--stats'], { interruptAfter: /x/ });
    assert.deepEqual([status, out], [130, 'x']);
    assert.match(err, /^nestscope: Interrupted after \d+ steps\.\nstats: \d+ steps/);
  });

  it('tells its version and explains itself', async () => {
    const { version } = JSON.parse(readFileSync(join(examples, '..', 'package.json'), 'utf8')) as { version: string };
    assert.deepEqual(await nestscope(['--version']), { status: 0, out: `nestscope ${version}\n`, err: '' });
    const { status, out } = await nestscope(['--help']);
    assert.equal(status, 0);
    assert.match(out, /^nestscope run IMAGE\|LAUNCH\.json \[options\]\n/);
  });
});
