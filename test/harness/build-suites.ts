/** The suites of a run as JavaScript: to load hundreds of sources one by one took each of them three seconds of CPU. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeBuild } from '../../bin/build/make.mjs';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

export interface Suites {
  /** Arguments of Node that run this suite. */
  programOf(file: string): readonly string[];
  remove(): Promise<void>;
}

/** Each loads its sources as they are then, and tells of a fault in them alone. */
const asSources = (root: string): Suites => ({
  programOf: (file) => ['--import', import.meta.resolve('tsx'), path.join(root, file)],
  remove: async () => undefined,
});

const nameOf = (file: string): string => file.replaceAll('/', '~').replace(/\.ts$/, '');

async function build(root: string, files: readonly string[]): Promise<Suites> {
  const folder = path.join(PROJECT, '.cache', 'suites', `${process.pid}`);
  const remove = () => rm(folder, { recursive: true, force: true });
  const from = path.relative(PROJECT, root);
  const programs = Object.fromEntries(files.map((file) => [nameOf(file), path.join(from, file)]));
  // What a killed run with this process id left.
  await remove();
  await writeBuild({ root: PROJECT, programs, read: (source) => readFileSync(path.join(PROJECT, source)) }, folder);
  // Places in errors are those of the sources.
  return { programOf: (file) => ['--enable-source-maps', path.join(folder, `${nameOf(file)}.js`)], remove };
}

/**
 * Builds the suites; those outside of the project, and all where one does not build, run as sources.
 * @param files suites, by their paths from `root`
 */
export async function buildSuites(root: string, files: readonly string[]): Promise<Suites> {
  if (path.relative(PROJECT, root).startsWith('..')) return asSources(root);
  try {
    return await build(root, files);
  } catch (error) {
    process.stdout.write(`from their sources, since they do not build: ${error}\n`);
    return asSources(root);
  }
}
