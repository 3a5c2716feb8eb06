// npm run build: bundles the command line, the debug adapter, its worker and the extension into dist/ (see bundles.mjs).
//   --minify   smaller files, for the package
import { chmodSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundles, root } from './bundles.mjs';

/** Builds everything; entry files that do not exist are named. Throws when something does not build. */
export async function build({ minify = false, quiet = false } = {}) {
  const { build: esbuild } = await import('esbuild');
  const there = bundles.filter(({ entryPoints: [entry], outfile }) => {
    const exists = existsSync(join(root, entry));
    if (!exists) console.log(`not built: ${outfile}, as there is no ${entry} yet`);
    return exists;
  });
  const results = await Promise.allSettled(there.map((options) => esbuild({ ...options, minify, sourcemap: !minify })));
  const broken = there.filter((_, index) => results[index].status === 'rejected').map(({ outfile }) => outfile);
  for (const { outfile, banner } of there.filter((options) => !broken.includes(options.outfile))) {
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
