/** What a browser would be given: files of the project and all they need, as modules of JavaScript. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Bundle {
  /** By path from the root of the project: `shared/ledger/verify.js`, and chunks that several of them share. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** What was read to make them. */
  readonly sources: readonly string[];
  /** What they still import, which no browser has. */
  readonly missing: readonly string[];
}

/** Every module under a folder of the project, by path from its root. */
export async function modulesUnder(folder: string): Promise<string[]> {
  const names = await readdir(path.join(ROOT, folder), { recursive: true });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll(path.sep, '/')}`);
}

/**
 * @param files by path from the root of the project
 * @throws when one of them imports what is of Node
 */
export async function bundleForBrowser(files: readonly string[]): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...files],
    outbase: ROOT,
    outdir: ROOT,
    write: false,
    bundle: true,
    splitting: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2024',
    metafile: true,
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { target: 'es2024', verbatimModuleSyntax: true } },
  });
  const nameOf = (file: string): string => path.relative(ROOT, file).replaceAll(path.sep, '/');
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  // What a package's own `browser` field leaves out is an empty module: it would fail when it is used.
  const leftOut = Object.keys(metafile.inputs).filter((source) => source.startsWith('(disabled)'));
  return {
    modules: new Map(outputFiles.map((file) => [nameOf(file.path), file.contents])),
    sources: Object.keys(metafile.inputs),
    missing: [...imports.filter((one) => one.external === true).map((one) => one.path), ...leftOut],
  };
}
