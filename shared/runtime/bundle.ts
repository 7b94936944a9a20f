import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../errors/isomorph-error.ts';

/** Paths in comments of a bundle are relative to it: the same code gives the same bytes in whatever folder one calls. */
const PROJECT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * One self-contained ES module of a TypeScript entry, for Node 20 and later, which strips no types and for which a
 * loader would cost each start 200 ms. The same sources give the same bytes.
 * @param external packages that stay imports, for they cannot be bundled
 * @throws ERR_START when it does not build
 */
export async function bundle(entry: string, external: readonly string[] = []): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: PROJECT,
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: [...external],
    logLevel: 'silent',
    legalComments: 'none',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  }).catch((error: Error) => {
    throw new IsomorphError('ERR_START', `${entry} does not build: ${error.message}`, {}, error);
  });
  return result.outputFiles[0]?.contents ?? new Uint8Array();
}
