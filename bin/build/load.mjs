import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PROGRAMS, readSources } from './sources.mjs';

export const PROJECT = path.resolve(fileURLToPath(new URL('../../', import.meta.url)));

/**
 * The build of the sources as they are now, made when there is none. A build of other sources has another folder.
 * @param {string} root
 * @returns {Promise<string>} its folder
 */
export async function currentBuild(root) {
  const { digest, files } = readSources(root);
  const folder = path.join(root, '.cache', 'build', digest);
  if (!existsSync(folder)) {
    const { makeBuild } = await import('./make.mjs');
    await makeBuild(root, files, folder);
  }
  // A build finds packages and sources from where it lies.
  if (realpathSync(folder) !== folder) throw new Error(`${folder} is a link to somewhere else`);
  return folder;
}

/**
 * What esbuild says of a source that is no TypeScript: the place and the fault are all that helps, not the stack of esbuild.
 * @param {unknown} error
 * @returns {never}
 */
export function refuseSources(error) {
  if (!(error instanceof Error) || !/^(?:Build|Transform) failed with /.test(error.message)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

/**
 * Loads a program of the project from its build. Where none can be made (a folder that cannot be written, a source that
 * is just being edited), tsx runs the sources themselves.
 * @param {keyof typeof PROGRAMS} name
 */
export async function loadProgram(name) {
  /** @type {string} */
  let folder;
  try {
    folder = await currentBuild(PROJECT);
  } catch (error) {
    if (process.env.ISOMORPH_DEBUG === '1') process.stderr.write(`started slowly, without a build: ${error}\n`);
    const { register } = await import('tsx/esm/api');
    register();
    return import(pathToFileURL(path.join(PROJECT, PROGRAMS[name])).href).catch(refuseSources);
  }
  // Places in errors are those of the sources.
  process.setSourceMapsEnabled(true);
  return import(pathToFileURL(path.join(folder, `${name}.js`)).href);
}
