import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/** A folder of another version of Postgres, or of PGlite, is another folder. */
async function versionOf(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const { version } = JSON.parse(await readFile(join(dirname(entry), '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** An empty database of this version, made once: making one takes seconds of CPU, copying it a fraction of that. */
async function emptyDatabase(cacheDir: string): Promise<string> {
  const folder = join(cacheDir, 'pglite');
  const ready = join(folder, await versionOf());
  if (existsSync(ready)) return ready;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, '.work-'));
  try {
    const made = await PGlite.create(join(draft, 'data'));
    await made.close();
    await rename(join(draft, 'data'), ready).catch((error) => {
      // Another process made the same one meanwhile.
      if (!existsSync(ready)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return ready;
}

/** Makes the data folder if there is none: aside, and renamed when it is whole. A start that was killed leaves no half. */
export async function ensureDataFolder(dataDir: string, cacheDir: string): Promise<void> {
  if (existsSync(dataDir)) return;
  const draft = `${dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  await cp(await emptyDatabase(cacheDir), draft, { recursive: true });
  await rename(draft, dataDir);
}
