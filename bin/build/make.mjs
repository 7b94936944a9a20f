import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { PROGRAMS } from './sources.mjs';

/** @import { BuildOptions, Plugin } from 'esbuild' */
/** @import { Sources } from './sources.mjs' */

/**
 * @typedef {object} Recipe
 * @property {string} root of the project
 * @property {Readonly<Record<string, string>>} programs sources by the names that their builds get
 * @property {(source: string) => Uint8Array} read a source, by its path from the root
 */

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
 * @param {Recipe} recipe
 * @returns {Plugin}
 */
const ownSources = ({ root, read }) => ({
  name: 'own sources',
  setup(build) {
    // What begins with `#` is a file of ours, by the `imports` of package.json.
    build.onResolve({ filter: /^[^.#]/ }, ({ path: name, kind, importer }) => {
      const stays = kind !== 'entry-point' && !BUNDLED.test(name) && !importer.includes('/node_modules/');
      return stays || name === 'pg-native' ? { external: true } : undefined;
    });
    build.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path: file }) => {
      const source = path.relative(root, file).replaceAll(path.sep, '/');
      if (source.includes('node_modules/')) return undefined;
      const text = new TextDecoder().decode(read(source));
      return { contents: text.includes('import.meta.url') ? ownUrl(source) + text : text, loader: 'ts' };
    });
  },
});

/**
 * @param {Recipe} recipe
 * @returns {BuildOptions}
 */
const optionsOf = (recipe) => ({
  absWorkingDir: recipe.root,
  entryPoints: recipe.programs,
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
  plugins: [ownSources(recipe)],
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
 * The same sources give the same bytes.
 * @param {Recipe} recipe
 * @param {string} folder three folders below the root, new
 */
export async function writeBuild(recipe, folder) {
  const { outputFiles = [] } = await esbuild.build(optionsOf(recipe));
  await mkdir(folder, { recursive: true });
  const written = outputFiles.map(({ path: file, contents }) =>
    writeFile(path.join(folder, path.basename(file)), contents),
  );
  await Promise.all(written);
}

/**
 * Makes the build of these sources in `folder`, which appears at once and whole. It is of the very bytes that were
 * hashed: a file that is edited meanwhile cannot get into a build of another digest.
 * @param {string} root
 * @param {Sources['files']} files
 * @param {string} folder
 */
export async function makeBuild(root, files, folder) {
  const programs = Object.fromEntries(Object.entries(PROGRAMS).filter(([, source]) => files.has(source)));
  /** @param {string} source */
  const read = (source) => {
    const bytes = files.get(source);
    if (bytes === undefined) throw new Error(`${source} lies outside of the folders that a build is made of`);
    return bytes;
  };
  const draft = `${folder}.${process.pid}`;
  try {
    await writeBuild({ root, programs, read }, draft);
    await rename(draft, folder).catch((error) => {
      // Another process made the same one meanwhile.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await removeOld(path.dirname(folder));
}
