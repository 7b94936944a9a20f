import { readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** Stands for `import.meta.url`, which would be the bundle's: fixtures lie beside the source. */
const URL_NAME = '__source_url';

const STAND_IN = fileURLToPath(new URL('suite.ts', import.meta.url));

const sources = (root: string, instrumented: ReadonlyMap<string, string>): Plugin => ({
  name: 'instrumented sources',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/harness\/suite\.ts$/ }, () => ({ path: STAND_IN }));
    onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const text = instrumented.get(path.relative(root, file)) ?? (await readFile(file, 'utf8'));
      const url = JSON.stringify(pathToFileURL(file).href);
      return { contents: `const ${URL_NAME} = ${url}; ${text}`, loader: 'ts' };
    });
  },
});

/** By suite: one module in `folder` that holds the suite and all that it imports of ours, instrumented. */
export async function bundleSuites(
  root: string,
  folder: string,
  suites: readonly string[],
  instrumented: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(suites.map((suite) => [suite, path.join(root, 'test', suite)])),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    define: { 'import.meta.url': URL_NAME },
    plugins: [sources(root, instrumented)],
    logLevel: 'error',
  });
  return new Map(suites.map((suite) => [suite, path.join(folder, `${suite}.mjs`)]));
}
