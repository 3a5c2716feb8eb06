// npm run build: bundles the command line, the debug adapter, its worker and the extension into dist/ (see bundles.mjs).
//   --minify   smaller files, for the package
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundles, root } from './bundles.mjs';

/** Builds everything; throws when something does not build. */
export async function build({ minify = false, quiet = false } = {}) {
  const { build: esbuild } = await import('esbuild');
  const results = await Promise.allSettled(bundles.map((options) => esbuild({ ...options, minify, sourcemap: !minify })));
  const broken = bundles.filter((_, index) => results[index].status === 'rejected').map(({ outfile }) => outfile);
  for (const { outfile, banner } of bundles.filter((options) => !broken.includes(options.outfile))) {
    const path = join(root, outfile);
    if (banner) chmodSync(path, 0o755);
    if (!quiet) console.log(`${outfile}  ${Math.round(statSync(path).size / 1024)} KiB`);
  }
  if (broken.length > 0) throw new Error(`could not build ${broken.join(', ')}`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await build({ minify: process.argv.includes('--minify') }).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
