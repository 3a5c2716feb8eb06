// Builds the C guests with gcc, nasm, ld and objcopy, byte for byte the same wherever the tools have the versions in toolchain.json.
//
//   node test/guests/build.mjs            builds the guests in place, runs the kernels natively for their checksums, records the tools
//   node test/guests/build.mjs --check    builds into a temporary folder and compares; differences end with status 1
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const kernelsFolder = join(folder, 'kernels');
const exampleFolder = join(folder, '..', '..', 'examples');
const toolchainFile = join(folder, 'toolchain.json');

const guestFlags = [
  ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', '-g', '-gno-record-gcc-switches', '-ffreestanding', '-mgeneral-regs-only'],
  ...['-mno-red-zone', '-fno-pic', '-fno-pie', '-fno-stack-protector', '-fcf-protection=none', '-fno-asynchronous-unwind-tables'],
  '-fno-tree-loop-distribute-patterns', // else the loop inside memset becomes a call of memset
];

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.error) throw new Error(`${command} could not be run: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

function withScratch(body) {
  const scratch = mkdtempSync(join(tmpdir(), 'nestscope-build-'));
  try {
    return body(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export function toolVersions() {
  const versions = {};
  for (const [tool, option] of Object.entries({ gcc: '--version', nasm: '-v', ld: '-v', objcopy: '-V' })) {
    const result = spawnSync(tool, [option], { encoding: 'utf8' });
    versions[tool] = result.status === 0 ? result.stdout.split('\n')[0].trim() : undefined;
  }
  return versions;
}

/** True where the tools here are the very ones that built the committed images. */
export function sameTools() {
  const recorded = JSON.parse(readFileSync(toolchainFile, 'utf8'));
  return Object.entries(toolVersions()).every(([tool, version]) => recorded[tool] === version);
}

/** Builds the kernels guest into `output` (a path). */
export function buildKernels(output) {
  withScratch((scratch) => {
    const objects = ['guest', 'kernels'].map((name) => {
      const object = join(scratch, `${name}.o`);
      run('gcc', [...guestFlags, `-fdebug-prefix-map=${kernelsFolder}=.`, '-c', '-o', object, `${name}.c`], kernelsFolder);
      return object;
    });
    link(scratch, [assemble(scratch, kernelsFolder, 'boot'), ...objects], output);
  });
}

/** Builds a guest that is one .asm file. */
export function buildAssembly(source, output) {
  withScratch((scratch) => link(scratch, [assemble(scratch, dirname(source), basename(source, '.asm'))], output));
}

// Without line information: nasm would write the folder's absolute path into it.
function assemble(scratch, cwd, name) {
  const object = join(scratch, `${name}.o`);
  const include = join(exampleFolder, 'common') + '/';
  run('nasm', ['-w+error', '-f', 'elf64', '--reproducible', '-I', include, '-o', object, `${name}.asm`], cwd);
  return object;
}

function link(scratch, objects, output) {
  const linked = join(scratch, 'linked.elf');
  const layout = ['-n', '--build-id=none', '--no-warn-rwx-segments', '-T', join(exampleFolder, 'link.ld')];
  run('ld', ['-m', 'elf_x86_64', ...layout, '-o', linked, ...objects], scratch);
  run('objcopy', ['-O', 'elf32-i386', linked, resolve(output)], scratch);
}

/** What the kernels print for a scale, by running them on this machine. */
export function nativeOutput(scale) {
  return withScratch((scratch) => {
    const program = join(scratch, 'native');
    run('gcc', ['-std=gnu11', '-O2', '-o', program, 'native.c', 'kernels.c'], kernelsFolder);
    return run(program, [String(scale)], scratch);
  });
}

/** Every committed image of this folder and how it is built. */
export const images = [
  { path: join(kernelsFolder, 'kernels.elf'), build: buildKernels },
  ...['exit-loop', 'round-trips'].map((name) => ({
    path: join(folder, 'bench', `${name}.elf`),
    build: (output) => buildAssembly(join(folder, 'bench', `${name}.asm`), output),
  })),
  { path: join(folder, 'cold', 'cold-boot.elf'), build: (output) => buildAssembly(join(folder, 'cold', 'cold-boot.asm'), output) },
  { path: join(folder, 'smp', 'shoot-down.elf'), build: (output) => buildAssembly(join(folder, 'smp', 'shoot-down.asm'), output) },
  ...['delivery', 'devices', 'between', 'idle', 'typing'].map((name) => ({
    path: join(folder, 'delivery', `${name}.elf`),
    build: (output) => buildAssembly(join(folder, 'delivery', `${name}.asm`), output),
  })),
  ...['real-mode', 'segments', 'tasks', 'virtual-8086', 'long-mode-gates', 'address-line-20'].map((name) => ({
    path: join(folder, 'modes', `${name}.elf`),
    build: (output) => buildAssembly(join(folder, 'modes', `${name}.asm`), output),
  })),
  ...['controls', 'ept', 'events', 'entry-controls', 'entry-guest', 'exits', 'instructions', 'ept-levels', 'state'].map((name) => ({
    path: join(folder, 'vmx', `${name}.elf`),
    build: (output) => buildAssembly(join(folder, 'vmx', `${name}.asm`), output),
  })),
];

function main(check) {
  let different = 0;
  for (const { path, build } of images) {
    const name = relative(folder, path);
    if (!check) {
      build(path);
      console.log(`${name}: ${readFileSync(path).length} bytes`);
      continue;
    }
    withScratch((scratch) => {
      const built = join(scratch, 'built.elf');
      build(built);
      const same = readFileSync(built).equals(readFileSync(path));
      if (!same) different++;
      console.log(`${name}: ${same ? 'as committed' : 'DIFFERENT from the committed one'}`);
    });
  }
  if (!check) {
    for (const scale of [1, 10]) writeFileSync(join(kernelsFolder, `expected-scale-${scale}.txt`), nativeOutput(scale));
    writeFileSync(toolchainFile, JSON.stringify(toolVersions(), null, 2) + '\n');
  } else if (!sameTools()) {
    console.log('the tools here are not those of toolchain.json');
  }
  process.exitCode = different > 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main(process.argv.includes('--check'));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
