import { execFile } from 'node:child_process';
import { access, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Stage } from './stage.ts';

const run = promisify(execFile);

/** Loaded by glibc itself when names are looked up, so that no program names them. */
const UNNAMED = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/**
 * The shared libraries that a program or a library needs, as the machine's loader finds them.
 * @returns absolute paths; none for a static program
 * @throws ERR_CONFIG when one of them is missing
 */
async function librariesOf(file: string): Promise<string[]> {
  const said = await run('ldd', [file], { env: { ...process.env, LC_ALL: 'C' } }).catch((error: unknown) => {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    if (/not a dynamic executable|statically linked/.test(text)) return { stdout: '' };
    throw new IsomorphError('ERR_CONFIG', `ldd does not tell the libraries of ${file}`, {}, error);
  });
  const missing = /^\s*(\S+) => not found/m.exec(said.stdout)?.[1];
  if (missing !== undefined) throw new IsomorphError('ERR_CONFIG', `${file} needs ${missing}, which is not there`);
  const named = [...said.stdout.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
  return named.filter((library) => library !== '');
}

/** Where a library goes: its own folder, with `/lib` being `/usr/lib` as on every merged system. */
async function placeOf(library: string): Promise<string> {
  const folder = await realpath(path.dirname(library));
  const merged = /^\/lib(32|64|x32)?(\/|$)/.test(folder) ? `/usr${folder}` : folder;
  return path.join(merged, path.basename(library));
}

export interface CopyOptions {
  /** Libraries below this folder come with what they belong to. */
  readonly inside?: string;
  /** Paths in the image that a lower layer has. */
  readonly present?: readonly string[];
}

/**
 * Copies what these files need to run.
 * @returns the paths in the image
 */
export async function copyLibraries(
  stage: Stage,
  files: readonly string[],
  { inside, present = [] }: CopyOptions = {},
): Promise<string[]> {
  const needed = new Set<string>();
  for (const file of files) for (const library of await librariesOf(file)) needed.add(library);
  for (const library of [...needed].filter((one) => path.basename(one).startsWith('libc.so.'))) {
    for (const name of UNNAMED) {
      const unnamed = path.join(path.dirname(library), name);
      if (await exists(unnamed)) needed.add(unnamed);
    }
  }
  const places: string[] = [];
  for (const library of [...needed].sort()) {
    if (inside !== undefined && (await realpath(library)).startsWith(`${inside}${path.sep}`)) continue;
    const place = await placeOf(library);
    if (present.includes(place)) continue;
    await stage.copy(library, place);
    places.push(place);
  }
  return places;
}
