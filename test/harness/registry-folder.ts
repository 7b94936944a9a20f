import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

type Files = Readonly<Record<string, string>>;

export interface RegistryFolder {
  readonly folder: string;
  /** Of a processor. */
  text(name: string): Promise<string>;
  remove(): Promise<void>;
}

/** A registry of these files, by name without extension. */
export async function writeRegistry(processors: Files, policies: Files = {}): Promise<RegistryFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-registry-'));
  for (const [kind, files] of Object.entries({ processors, policies })) {
    await mkdir(path.join(folder, kind));
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, kind, `${name}.yaml`), text);
  }
  return {
    folder,
    text: (name) => readFile(path.join(folder, 'processors', `${name}.yaml`), 'utf8'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
