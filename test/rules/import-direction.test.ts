/** Imports run one way (docs/ARCHITECTURE.md, "Laws", 1): which folder may know which, what each part may know of the outside, no cycles. */
import { strict as assert } from 'node:assert';
import { builtinModules } from 'node:module';
import { importsOf, sourcesBelow } from './source-files';

/** Folder of emulator/ → the folders that it may import. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  spec: [],
  isa: ['spec'],
  codegen: ['isa', 'spec'],
  memory: ['spec'],
  mmu: ['memory', 'spec'],
  cpu: ['mmu', 'memory', 'spec', 'isa', 'codegen'],
  vmx: ['cpu', 'isa', 'mmu', 'memory', 'spec'],
  hypervisor: ['vmx', 'cpu', 'isa', 'mmu', 'memory', 'spec'],
  devices: ['mmu', 'memory', 'spec'],
  boot: ['mmu', 'memory', 'spec'],
  inspect: ['hypervisor', 'vmx', 'cpu', 'devices', 'mmu', 'memory', 'isa', 'spec'],
  fleet: ['spec'],
};
/** What every folder may import: the interfaces that answer upward calls, the public types, errors with a sentence. */
const interfaces = ['emulator/cpu/ports.ts', 'emulator/api.ts', 'emulator/user-error.ts'];
/** Folders below cpu may not even know its ports. */
const belowPorts = new Set(['spec', 'isa', 'codegen', 'memory']);

const emulatorFolder = (file: string): string => (file.split('/').length > 2 ? file.split('/')[1]! : '');

function report(wrong: readonly string[]): void {
  assert.equal(wrong.length, 0, `\n${wrong.join('\n')}`);
}

describe('rule: imports run one way', () => {
  const emulator = sourcesBelow('emulator');
  const adapter = sourcesBelow('debug-adapter');
  const extension = sourcesBelow('extension');

  it('reads the sources', () => {
    assert.ok(emulator.length > 10 && importsOf(emulator.find((file) => file.startsWith('emulator/cpu/'))!).length > 0);
  });

  it('keeps the order of the folders of emulator/', () => {
    const wrong: string[] = [];
    for (const file of emulator) {
      const folder = emulatorFolder(file);
      if (folder === '') continue;
      if (!allowed[folder]) wrong.push(`${file}: emulator/${folder} has no place in the order of imports`);
      for (const { specifier, target } of importsOf(file)) {
        if (!target?.startsWith('emulator/')) continue;
        const to = emulatorFolder(target);
        if (to === folder || allowed[folder]?.includes(to)) continue;
        if (interfaces.includes(target) && !(target === 'emulator/cpu/ports.ts' && belowPorts.has(folder))) continue;
        wrong.push(`${file} imports ${specifier}: ${folder} may import ${allowed[folder]?.join(', ') || 'no other folder'}`);
      }
    }
    report(wrong);
  });

  it('lets emulator/ know no editor, no protocol, no operating system', () => {
    const wrong: string[] = [];
    for (const file of emulator) {
      for (const { specifier, target } of importsOf(file)) {
        if (target === undefined)
          wrong.push(`${file} imports the package ${specifier}${builtinModules.includes(specifier) ? ' (built into node)' : ''}`);
        else if (!target.startsWith('emulator/')) wrong.push(`${file} imports ${target}`);
      }
    }
    report(wrong);
  });

  it('lets debug-adapter/ into the emulator by its door alone, and keeps it from the editor', () => {
    const wrong: string[] = [];
    for (const file of adapter) {
      for (const { specifier, typeOnly, target } of importsOf(file)) {
        if (specifier === 'vscode') wrong.push(`${file} imports vscode`);
        if (target?.startsWith('extension/')) wrong.push(`${file} imports ${target}`);
        if (!target?.startsWith('emulator/') || target === 'emulator/index.ts' || (target === 'emulator/api.ts' && typeOnly)) continue;
        wrong.push(`${file} imports ${target}: only emulator/index, and types of emulator/api`);
      }
    }
    report(wrong);
  });

  it("keeps node's own modules in the adapter's doors", () => {
    const wrong: string[] = [];
    for (const file of adapter.filter((name) => !name.startsWith('debug-adapter/doors/'))) {
      for (const { specifier } of importsOf(file)) {
        if (specifier.startsWith('node:') || builtinModules.includes(specifier)) wrong.push(`${file} imports ${specifier}`);
      }
    }
    report(wrong);
  });

  it('lets extension/ know the protocol and the inline door of the adapter, and no emulator file', () => {
    const wrong: string[] = [];
    for (const file of extension) {
      for (const { specifier, target } of importsOf(file)) {
        if (target?.startsWith('emulator/')) wrong.push(`${file} imports ${target}`);
        if (target?.startsWith('debug-adapter/') && !['debug-adapter/protocol.ts', 'debug-adapter/doors/inline.ts'].includes(target))
          wrong.push(`${file} imports ${target}`);
        const builtIn = specifier.startsWith('node:') || builtinModules.includes(specifier);
        if (builtIn && file !== 'extension/main-node.ts')
          wrong.push(`${file} imports ${specifier}: only main-node.ts may, the rest runs in a browser too`);
      }
    }
    report(wrong);
  });

  it('has no cycles, imports of types included', () => {
    const graph = new Map<string, string[]>();
    for (const file of [...emulator, ...adapter, ...extension]) {
      graph.set(
        file,
        importsOf(file).flatMap(({ target }) => (target === undefined ? [] : [target])),
      );
    }
    const done = new Set<string>();
    const path: string[] = [];
    const wrong: string[] = [];
    const visit = (file: string): void => {
      const at = path.indexOf(file);
      if (at >= 0) wrong.push([...path.slice(at), file].join(' → '));
      if (at >= 0 || done.has(file)) return;
      path.push(file);
      for (const next of graph.get(file) ?? []) visit(next);
      path.pop();
      done.add(file);
    };
    for (const file of graph.keys()) visit(file);
    report(wrong);
  });
});
