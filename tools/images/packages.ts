import { existsSync } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Stage } from './stage.ts';

/** Packages with native code: they cannot be part of a bundle and travel as a `node_modules`. */

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Manifest;

/** The folder of a package as Node finds it from `from`; undefined when it is not installed. */
async function installed(name: string, from: string): Promise<string | undefined> {
  const folder = path.join(from, 'node_modules', name);
  if (existsSync(path.join(folder, 'package.json'))) return realpath(folder);
  const above = path.dirname(from);
  return above === from ? undefined : installed(name, above);
}

/** Adds a package and all that it needs, by name. Optional ones that are not installed are for other platforms. */
async function collect(name: string, from: string, found: Map<string, string>): Promise<void> {
  const folder = await installed(name, from);
  if (folder === undefined) throw new IsomorphError('ERR_CONFIG', `${name} is not installed; run npm ci`);
  const known = found.get(name);
  if (known === folder) return;
  if (known !== undefined) throw new IsomorphError('ERR_CONFIG', `two versions of ${name} are needed`);
  found.set(name, folder);
  const { dependencies = {}, optionalDependencies = {} } = await manifestOf(folder);
  for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }).sort()) {
    const isOptional = needed in optionalDependencies;
    if (isOptional && (await installed(needed, folder)) === undefined) continue;
    await collect(needed, folder, found);
  }
}

/**
 * A dependency of `from`'s and all that it needs, by name.
 * @throws ERR_CONFIG when one is not installed, or is needed in two versions
 */
export async function packagesOf(name: string, from: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  await collect(name, from, found);
  return found;
}

const isNative = (file: string): boolean => /\.node$|\.so(\.[\d.]+)?$/.test(file);

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return files.filter((file) => !path.relative(folder, file).split(path.sep).includes('node_modules')).sort();
}

export interface NativePackages {
  /** Dependencies of the processor that must stay imports. */
  readonly external: readonly string[];
  /** Folders of these and all that they need, by name. */
  readonly folders: ReadonlyMap<string, string>;
}

/** Which dependencies of a processor have native code, themselves or in what they need. */
export async function nativePackages(processorFolder: string): Promise<NativePackages> {
  const external: string[] = [];
  const folders = new Map<string, string>();
  if (!existsSync(path.join(processorFolder, 'package.json'))) return { external, folders };
  const { dependencies = {} } = await manifestOf(processorFolder);
  for (const name of Object.keys(dependencies).sort()) {
    const found = await packagesOf(name, processorFolder);
    const files = await Promise.all([...found.values()].map(filesOf));
    if (!files.flat().some(isNative)) continue;
    external.push(name);
    for (const [needed, folder] of found) {
      const other = folders.get(needed);
      if (other !== undefined && other !== folder) {
        throw new IsomorphError('ERR_CONFIG', `two versions of ${needed} are needed`);
      }
      folders.set(needed, folder);
    }
  }
  return { external, folders };
}

/**
 * Copies the packages to `<target>/node_modules`.
 * @returns the native files among them, as they lie on this machine
 */
export async function stagePackages(
  stage: Stage,
  { folders }: Pick<NativePackages, 'folders'>,
  target: string,
): Promise<string[]> {
  const natives: string[] = [];
  for (const [name, folder] of folders) {
    for (const file of await filesOf(folder)) {
      await stage.copy(file, path.join(target, 'node_modules', name, path.relative(folder, file)));
      if (isNative(file)) natives.push(file);
    }
  }
  return natives;
}
