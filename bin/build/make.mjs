import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { PROGRAMS } from './sources.mjs';

/** @import { BuildOptions, Plugin } from 'esbuild' */
/** @import { Sources } from './sources.mjs' */

/**
 * Packages that become part of a build, with all they need: most of a start was spent on finding and reading their many
 * files. They are plain JavaScript and look for no file of their own; all others stay imports.
 */
const BUNDLED = /^(@nats-io\/.*|ajv|commander|pg|typebox|yaml)(\/|$)/;

/**
 * Files of a build lie side by side in `.cache/build/<digest>/`, three folders below the root. `import.meta.url` stays
 * that of the source, so that what a source names relative to itself is found where it always was.
 * @param {string} source
 */
const ownUrl = (source) => `const source_url = new URL(${JSON.stringify(`../../../${source}`)}, build_url).href; `;
const BANNER = [
  "import { createRequire as build_require } from 'node:module';",
  'const build_url = import.meta.url;',
  'const require = build_require(build_url);',
].join(' ');

/**
 * Hands over the very bytes that were hashed: a file that is edited meanwhile cannot get into a build of another digest.
 * @param {string} root
 * @param {Sources['files']} files
 * @returns {Plugin}
 */
const hashedSources = (root, files) => ({
  name: 'hashed sources',
  setup(build) {
    // What begins with `#` is a file of ours, by the `imports` of package.json.
    build.onResolve({ filter: /^[^.#]/ }, ({ path: name, kind, importer }) => {
      const stays = kind !== 'entry-point' && !BUNDLED.test(name) && !importer.includes('/node_modules/');
      return stays || name === 'pg-native' ? { external: true } : undefined;
    });
    build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const source = path.relative(root, file).replaceAll(path.sep, '/');
      const bytes = files.get(source);
      if (bytes === undefined) throw new Error(`${source} lies outside of the folders that a build is made of`);
      const text = bytes.toString('utf8');
      return { contents: text.includes('import.meta.url') ? ownUrl(source) + text : text, loader: 'ts' };
    });
  },
});

/**
 * @param {string} root
 * @param {Sources['files']} files
 * @returns {BuildOptions}
 */
const optionsOf = (root, files) => ({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(Object.entries(PROGRAMS).filter(([, source]) => files.has(source))),
  outdir: '.cache/build/digest',
  write: false,
  bundle: true,
  splitting: true,
  chunkNames: '[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'silent',
  legalComments: 'none',
  tsconfigRaw: { compilerOptions: { target: 'es2024', verbatimModuleSyntax: true } },
  define: { 'import.meta.url': 'source_url' },
  banner: { js: BANNER },
  plugins: [hashedSources(root, files)],
});

/** Builds beyond these are removed once they are a day old: a program that still runs may load more of its own. */
const KEPT = 10;
const DAY_MS = 86_400_000;

/** @param {string} folder */
async function removeOld(folder) {
  const builds = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = path.join(folder, name);
      // A draft of another process may get its name, or go, meanwhile.
      const madeMs = await stat(file).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      return { file, madeMs };
    }),
  );
  const newestFirst = builds.sort((a, b) => b.madeMs - a.madeMs);
  const old = newestFirst.slice(KEPT).filter(({ madeMs }) => madeMs < Date.now() - DAY_MS);
  for (const { file } of old) await rm(file, { recursive: true, force: true });
}

/**
 * Makes the build of these sources in `folder`, which appears at once and whole. The same sources give the same bytes.
 * @param {string} root
 * @param {Sources['files']} files
 * @param {string} folder
 */
export async function makeBuild(root, files, folder) {
  const { outputFiles = [] } = await esbuild.build(optionsOf(root, files));
  const draft = `${folder}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  try {
    for (const { path: file, contents } of outputFiles)
      await writeFile(path.join(draft, path.basename(file)), contents);
    await rename(draft, folder).catch((error) => {
      // Another process made the same one meanwhile.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await removeOld(path.dirname(folder));
}
