// How esbuild bundles this project: the table of what npm run build makes, and the plugins that the tests' bundles use too.
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * iced-x86 as published reads its .wasm from the disk when it is loaded, which no browser and no single-file bundle can do:
 * here the bytes become part of the bundle.
 */
export const inlineIced = {
  name: 'inline-iced-x86',
  setup(build) {
    build.onLoad({ filter: /[\\/]iced-x86[\\/]iced_x86\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const loader =
        /const path = require\('path'\)\.join\(__dirname, 'iced_x86_bg\.wasm'\);\s*const bytes = require\('fs'\)\.readFileSync\(path\);/;
      const util = /const \{ TextDecoder, TextEncoder \} = require\(`util`\);/;
      if (!loader.test(source) || !util.test(source))
        throw new Error('iced-x86 loads its WebAssembly in another way than this build knows');
      return { contents: source.replace(loader, "const bytes = require('./iced_x86_bg.wasm');").replace(util, ''), loader: 'js' };
    });
    build.onLoad({ filter: /iced_x86_bg\.wasm$/ }, async ({ path }) => ({ contents: await readFile(path), loader: 'binary' }));
  },
};

/** Scripts that tests import ask where they lie; bundled as CommonJS they would not know. */
export const keepImportMeta = {
  name: 'keep-import-meta',
  setup(build) {
    build.onLoad({ filter: /\.(ts|mjs)$/ }, async ({ path }) => {
      if (path.includes(`${sep}node_modules${sep}`)) return undefined;
      const source = await readFile(path, 'utf8');
      if (!source.includes('import.meta.')) return undefined;
      const contents = source
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.filename', JSON.stringify(path));
      return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: true,
  target: 'es2022',
  logLevel: 'warning',
  legalComments: 'none',
  external: ['vscode'],
  plugins: [inlineIced],
};
const node = { ...common, platform: 'node', format: 'cjs' };
const web = { ...common, platform: 'browser', format: 'cjs', define: { 'process.env.NODE_DEBUG': 'undefined' } };

/** What `npm run build` makes. */
export const bundles = [
  { ...node, entryPoints: ['debug-adapter/doors/cli.ts'], outfile: 'dist/cli.js', banner: { js: '#!/usr/bin/env node' } },
  { ...node, entryPoints: ['debug-adapter/doors/stdio.ts'], outfile: 'dist/debug-adapter.js' },
  { ...node, entryPoints: ['debug-adapter/doors/worker-node.ts'], outfile: 'dist/worker.js' },
  { ...web, format: 'iife', entryPoints: ['debug-adapter/doors/worker-web.ts'], outfile: 'dist/web/worker.js' },
  { ...node, entryPoints: ['extension/main-node.ts'], outfile: 'dist/node/extension.js' },
  { ...web, entryPoints: ['extension/main-web.ts'], outfile: 'dist/web/extension.js' },
];

/** The bundle of one test file or of a whole list: packages stay outside. */
export function testBundle(entryPoints) {
  return {
    ...node,
    entryPoints,
    packages: 'external',
    outbase: join(root, 'test'),
    outdir: 'out/test',
    outExtension: { '.js': '.cjs' },
    sourcemap: 'inline',
    plugins: [keepImportMeta],
  };
}
