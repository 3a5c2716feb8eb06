// Builds the examples with nasm, ld and objcopy, byte for byte the same wherever the tools have the versions in toolchain.json.
//
//   node examples/build.mjs            builds every example in place and records the tools' versions
//   node examples/build.mjs --check    builds into a temporary folder and compares; differences end with status 1
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const toolchainFile = join(folder, 'toolchain.json');

export const examples = ['hello64', 'nested-hello', 'entry-failure', 'four-processors'];
/** Virtual CPUs of the examples that want several. */
export const cpusOf = { 'four-processors': 4 };

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.error) throw new Error(`${command} could not be run: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** The first line that each tool says of its version, or undefined for a tool that is not there. */
export function toolVersions(tools = { nasm: '-v', ld: '-v', objcopy: '-V' }) {
  const versions = {};
  for (const [tool, option] of Object.entries(tools)) {
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

/**
 * nasm writes the folder in which it ran into the compile unit (DW_AT_comp_dir), and has no option against that: it becomes ".",
 * which a debugger reads as "the folder of the image". Works on the only unit in a linked image's .debug_info.
 */
export function relativeCompileFolder(image, cwd, scratch) {
  const section = join(scratch, 'debug_info');
  run('objcopy', ['--dump-section', `.debug_info=${section}`, image], scratch);
  const bytes = readFileSync(section);
  const name = Buffer.from(`${cwd}/\0`, 'utf8');
  const at = bytes.indexOf(name);
  if (at < 0) throw new Error(`${image}: no compile folder in .debug_info`);
  const shorter = Buffer.concat([bytes.subarray(0, at), Buffer.from('.\0'), bytes.subarray(at + name.length)]);
  shorter.writeUInt32LE(shorter.length - 4, 0); // unit_length
  writeFileSync(section, shorter);
  run('objcopy', ['--update-section', `.debug_info=${section}`, image], scratch);
}

/** Builds one example into `output` (a path). */
export function buildExample(name, output) {
  const cwd = join(folder, name);
  const scratch = mkdtempSync(join(tmpdir(), 'nestscope-build-'));
  try {
    const object = join(scratch, `${name}.o`);
    const linked = join(scratch, `${name}.elf`);
    run('nasm', ['-w+error', '-g', '-F', 'dwarf', '-f', 'elf64', '--reproducible', '-I', '../common/', '-o', object, `${name}.asm`], cwd);
    const layout = ['-n', '--build-id=none', '--no-warn-rwx-segments', '-T', '../link.ld'];
    run('ld', ['-m', 'elf_x86_64', ...layout, '-o', linked, object], cwd);
    relativeCompileFolder(linked, cwd, scratch);
    // Multiboot loaders want an ELF32 container; the code in it stays what it is.
    run('objcopy', ['-O', 'elf32-i386', linked, resolve(output)], scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function main(check) {
  let different = 0;
  const scratch = mkdtempSync(join(tmpdir(), 'nestscope-check-'));
  try {
    for (const name of examples) {
      const committed = join(folder, name, `${name}.elf`);
      const built = check ? join(scratch, `${name}.elf`) : committed;
      buildExample(name, built);
      const same = !check || readFileSync(committed).equals(readFileSync(built));
      if (!same) different++;
      console.log(
        `${name}: ${readFileSync(built).length} bytes${check ? (same ? ', as committed' : ', DIFFERENT from the committed one') : ''}`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (!check) writeFileSync(toolchainFile, JSON.stringify(toolVersions(), null, 2) + '\n');
  else if (!sameTools()) console.log('the tools here are not those of toolchain.json');
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
