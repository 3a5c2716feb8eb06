/** The command line's arguments and the checks of launch configurations: what is taken, and the sentence for everything that is not. */
import { strict as assert } from 'node:assert';
import { type CommandLine, parseArguments, type RunOptions } from '../../../debug-adapter/doors/cli-arguments';
import { helpText } from '../../../debug-adapter/doors/cli-help';
import { toMachineConfig, validateLaunch } from '../../../debug-adapter/launch/configuration';
import { UserError } from '../../../emulator';

const run = (...argv: string[]): RunOptions => {
  const parsed: CommandLine = parseArguments(['run', ...argv]);
  assert.equal(parsed.kind, 'run', parsed.kind === 'usage-error' ? parsed.error.message : parsed.kind);
  return parsed as RunOptions;
};
function refused(argv: string[], sentence: RegExp): void {
  const parsed = parseArguments(argv);
  assert.equal(parsed.kind, 'usage-error', argv.join(' '));
  assert.match((parsed as { error: UserError }).error.message, sentence);
}

describe('command line: arguments', () => {
  it('takes an image alone, with defaults', () => {
    assert.deepEqual(run('k.elf'), {
      kind: 'run', image: 'k.elf', config: undefined, attributes: {}, serial: { to: 'stdio' }, trace: undefined, stats: false, saveAt: undefined,
    }); // prettier-ignore
  });

  it('takes every option, with a space or an equals sign, before or after the image', () => {
    const options = run(
      '--mode', 'bare', '--format=flat', '--flat-address', '0x7c00', '--flat-mode', '64', '--module', 'a', '--module=b,x=1,y', '--memory', '512M',
      'k.bin', '--cpus', '1', '--cpu', 'skylake-server', '--cmdline', '--verbose a', '--serial', 'out.txt', '--max-steps', '1000', '--trace=t.jsonl',
      '--stats', '--save-at', '500', '--config', 'c',
    ); // prettier-ignore
    assert.equal(options.image, 'k.bin');
    assert.deepEqual(options.serial, { to: 'file', path: 'out.txt' });
    assert.deepEqual([options.trace, options.stats, options.saveAt, options.config], ['t.jsonl', true, 500, 'c']);
    const launch = validateLaunch({ program: 'k.bin', ...options.attributes });
    assert.equal(launch.format, 'flat');
    assert.deepEqual(launch.flat, { address: 0x7c00, mode: 64 });
    assert.deepEqual(launch.modules, [{ file: 'a', cmdline: '' }, { file: 'b', cmdline: 'x=1,y' }]); // prettier-ignore
    assert.deepEqual([launch.memoryBytes, launch.cmdline, launch.maxSteps], [512 * 2 ** 20, '--verbose a', 1000]);
    assert.equal(run('--', '--odd.elf').image, '--odd.elf');
  });

  it('answers --help and --version', () => {
    for (const argv of [['--help'], ['-h'], ['help'], ['run', '--help'], ['run', 'x', '--help']])
      assert.equal(parseArguments(argv).kind, 'help');
    for (const argv of [['--version'], ['run', '--version']]) assert.equal(parseArguments(argv).kind, 'version');
    for (const word of ['--trace FILE', '--module FILE[,ARGS]', '--save-at N', '124', '(v << 1) | 1'])
      assert.ok(helpText().includes(word), word);
  });

  it('refuses what it does not know, with what was expected', () => {
    refused([], /No command was given; expected: nestscope run IMAGE/);
    refused(['walk', 'x'], /The command 'walk' is not known/);
    refused(['run'], /No image was given/);
    refused(['run', 'a', 'b'], /Two images were given, 'a' and 'b'/);
    refused(['run', 'a', '--memroy', '1G'], /'--memroy' is not known; did you mean '--memory'\?/);
    refused(['run', 'a', '--zzzzzzzz'], /'--zzzzzzzz' is not known; expected one of --config, /);
    refused(['run', 'a', '-x'], /'-x' is not known/);
    refused(['run', 'a', '--trace'], /--trace has no value; expected FILE/);
    refused(['run', 'a', '--trace', '--stats'], /--trace has no value; expected FILE/);
    refused(['run', 'a', '--trace='], /--trace has no value/);
    refused(['run', 'a', '--stats=yes'], /--stats takes no value, but was given 'yes'/);
    refused(['run', 'a', '--stats', '--stats'], /--stats was given twice/);
    refused(['run', 'a', '--max-steps', 'ten'], /The option --max-steps is 'ten'; expected a whole number of steps/);
    refused(['run', 'a', '--max-steps', '-1'], /'-1'; expected a whole number/);
    refused(['run', 'a', '--save-at', '1.5'], /--save-at is '1\.5'/);
    refused(['run', 'a', '--memory', 'lots'], /The option --memory is 'lots'; expected a size from 1M to 3G/);
    refused(['run', 'a', '--memory', '512'], /'512'; expected a size/);
    refused(['run', 'a', '--cpus', '0'], /--cpus is '0'; expected a number of virtual CPUs/);
    refused(['run', 'a', '--mode', 'virtual'], /--mode is 'virtual'; expected 'bare' or 'hosted'/);
    refused(['run', 'a', '--format', 'pdf'], /--format is 'pdf'; expected 'auto' or 'multiboot' or 'elf' or 'flat'/);
    refused(['run', 'a', '--flat-address', 'top'], /--flat-address is 'top'; expected an address/);
    refused(['run', 'a', '--flat-address', '0x100000000'], /--flat-address is .*expected an object/);
    refused(['run', 'a', '--flat-mode', '16'], /--flat-mode is '16'; expected 32 or 64/);
    refused(['run', 'a', '--module', ',x'], /--module is ',x'; expected FILE\[,ARGS\]/);
  });

  it('refuses what is not built yet as not available yet', () => {
    refused(['run', 'a', '--format', 'linux'], /--format with the value 'linux' is not available yet/);
    refused(['run', 'a', '--cpus', '9'], /--cpus is '9'; expected a number of virtual CPUs, 1 to 8/);
    refused(['run', 'a', '--seed', 'x'], /--seed is 'x'; expected a whole number/);
    refused(['run', 'a', '--memory', '4G'], /--memory with the value '4G' is not available yet/);
    for (const option of ['--kernel', '--initrd', '--append'])
      refused(['run', 'a', option, 'x'], new RegExp(`^The option ${option} is not available yet\\.$`));
  });
});

describe('launch configurations', () => {
  const wrong = (raw: unknown, sentence: RegExp): void => {
    assert.throws(
      () => validateLaunch(raw),
      (error: unknown) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, sentence);
        return true;
      },
    );
  };

  it('have defaults, and may carry what VS Code adds', () => {
    const launch = validateLaunch({
      type: 'nestscope',
      request: 'launch',
      name: 'n',
      program: 'p.elf',
      __sessionId: '1',
      presentation: {},
    });
    assert.deepEqual(launch, {
      name: 'n', program: 'p.elf', format: 'auto', flat: undefined, cmdline: '', modules: [], memoryBytes: 128 * 2 ** 20, cpus: 1, seed: undefined, cpu: undefined,
      mode: 'bare', stopOnEntry: true, breakOn: [], symbols: [], sourceMap: {}, maxSteps: undefined,
      realtime: false,
    }); // prettier-ignore
  });

  it('are taken with every attribute', () => {
    const launch = validateLaunch({
      program: 'p', format: 'flat', flat: { address: '0x1000', mode: 64 }, memory: '16M', cpus: 1, cpu: 'skylake-server', mode: 'bare', stopOnEntry: false,
      breakOn: ['vm-exit'], symbols: [{ file: 's', level: 2, base: '0xffffffff80000000' }, { file: 't' }], sourceMap: { '/build': 'src' }, maxSteps: 7,
    }); // prettier-ignore
    assert.deepEqual(launch.symbols, [{ file: 's', level: 2, base: 0xffffffff80000000n }, { file: 't', level: undefined, base: 0n }]); // prettier-ignore
    assert.deepEqual([launch.flat?.address, launch.memoryBytes, launch.stopOnEntry, launch.maxSteps], [0x1000, 2 ** 24, false, 7]);
  });

  it('are refused with the attribute, what was given and what was expected', () => {
    wrong(undefined, /configuration is nothing; expected an object/);
    wrong([], /expected an object/);
    wrong({}, /'program' is missing; expected the path of a guest image/);
    wrong({ program: 5 }, /'program' is 5; expected the path/);
    wrong({ program: '' }, /'program' is ''; expected/);
    wrong({ program: 'p', progam: 'q' }, /'progam' is not known; did you mean 'program'/);
    wrong({ program: 'p', memory: true }, /'memory' is true; expected a size/);
    wrong({ program: 'p', memory: '1000000' }, /'1000000'; expected a size/);
    wrong({ program: 'p', stopOnEntry: 'yes' }, /'stopOnEntry' is 'yes'; expected true or false/);
    wrong({ program: 'p', modules: ['m'] }, /'modules' is \["m"\]; expected a list of/);
    wrong({ program: 'p', modules: [{ file: 'm', args: '' }] }, /'modules'.*expected a list of/);
    wrong({ program: 'p', flat: { address: 'x' } }, /'flat'.*expected an object/);
    wrong({ program: 'p', symbols: [{ file: 's', level: 3 }] }, /'symbols'.*level/);
    wrong({ program: 'p', breakOn: ['vm-exits'] }, /'breakOn'.*"vm-exit"/);
    wrong({ program: 'p', sourceMap: { a: 1 } }, /'sourceMap'/);
    wrong({ program: 'p', cpus: 9 }, /'cpus' is 9; expected a number of virtual CPUs, 1 to 8/);
    wrong({ program: 'p', seed: -1 }, /'seed' is -1; expected a whole number/);
    for (const planned of ['kernel', 'initrd', 'append', 'disks', 'record', 'snapshot', 'limits', 'serial'])
      wrong({ program: 'p', [planned]: 'x' }, new RegExp(`'${planned}' is not available yet`));
  });

  it('of random shape are refused with a sentence or taken, and never anything else', () => {
    const pieces: unknown[] = [
      null,
      undefined,
      true,
      0,
      -1,
      1.5,
      NaN,
      1e300,
      '',
      'x',
      '0x',
      [],
      [[]],
      {},
      { file: 5 },
      [{ file: '' }],
      [null],
      { address: {} },
    ];
    const names = Object.keys(validateLaunch({ program: 'p' })).concat('memory', 'cpus', 'mode', 'kernel', 'x', '__proto__', 'constructor');
    let seed = 1;
    const next = (n: number): number => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % 65536) % n;
    let taken = 0;
    for (let i = 0; i < 3000; i++) {
      const raw: Record<string, unknown> = next(5) ? { program: 'p' } : {};
      for (let k = next(4); k > 0; k--) raw[names[next(names.length)]!] = next(3) ? undefined : pieces[next(pieces.length)];
      try {
        validateLaunch(raw);
        taken++;
      } catch (error) {
        assert.ok(error instanceof UserError, `${JSON.stringify(raw)}: ${String(error)}`);
      }
    }
    assert.ok(taken > 100 && taken < 2900, String(taken));
  });

  it('become what the emulator takes, with the files read', async () => {
    const files: Record<string, Uint8Array> = { 'k.elf': new Uint8Array([1]), m: new Uint8Array([2]) };
    const readFile = (path: string): Promise<Uint8Array> =>
      path in files ? Promise.resolve(files[path]!) : Promise.reject(Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }));
    const config = await toMachineConfig(validateLaunch({ program: 'k.elf', cmdline: 'c', modules: [{ file: 'm', cmdline: 'a' }], memory: '2M' }), readFile); // prettier-ignore
    assert.deepEqual(config, {
      image: files['k.elf'], imageName: 'k.elf', format: 'auto', flat: undefined, cmdline: 'c', modules: [{ name: 'm', bytes: files.m, cmdline: 'a' }],
      memoryBytes: 2 ** 21, cpuModel: undefined, cpus: 1, seed: undefined, mode: 'bare',
    }); // prettier-ignore
    await assert.rejects(
      toMachineConfig(validateLaunch({ program: 'gone.elf' }), readFile),
      /^UserError: The image 'gone\.elf' cannot be read: it does not exist\.$/,
    );
    await assert.rejects(
      toMachineConfig(validateLaunch({ program: 'k.elf', modules: [{ file: 'n' }] }), readFile),
      /The module 'n' cannot be read/,
    );
  });
});
