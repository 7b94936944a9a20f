/**
 * The cache of nats-server binaries: `<cache>/nats-server/<version>-<platform>-<arch>/{nats-server, origin.json}`.
 * A folder appears there whole, by rename, or not at all; so any number of processes may fill it at once.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  compareVersions,
  formatVersion,
  isNewEnough,
  parseVersion,
  type Version,
} from '../../shared/nats/server-version.ts';
import { isAlive } from '../process.ts';

const BINARY = 'nats-server';
const ORIGIN = 'origin.json';
const WORK_PREFIX = '.work-';

/** Written beside the binary: where it came from and what it must hash to. */
interface Origin {
  readonly version: string;
  readonly origin: string;
  readonly binary_sha256: string;
}

export interface CachedServer {
  readonly path: string;
  readonly version: string;
  readonly origin: string;
}

const platformSuffix = `-${process.platform}-${process.arch}`;

const sha256File = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

/** The entry if it is whole: its binary has the hash that was noted when it was put there. */
async function readEntry(dir: string): Promise<CachedServer | undefined> {
  const path = join(dir, BINARY);
  try {
    const noted = JSON.parse(await readFile(join(dir, ORIGIN), 'utf8')) as Origin;
    if ((await sha256File(path)) !== noted.binary_sha256) return undefined;
    return { path, version: noted.version, origin: noted.origin };
  } catch (thrown) {
    // Half an entry (no file, or no JSON) is no entry: it is replaced by the next one obtained.
    if (thrown instanceof SyntaxError || (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) {
      return undefined;
    }
    throw thrown;
  }
}

/** The newest usable server of the cache for this machine; undefined when there is none. */
export async function findCached(serversDir: string): Promise<CachedServer | undefined> {
  const versions = (await namesIn(serversDir))
    .filter((name) => name.endsWith(platformSuffix) && !name.startsWith(WORK_PREFIX))
    .flatMap((name) => parseVersion(name) ?? [])
    .filter(isNewEnough)
    .sort((a, b) => compareVersions(b, a));
  for (const version of versions) {
    const entry = await readEntry(entryDir(serversDir, version));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

const entryDir = (serversDir: string, version: Version): string =>
  join(serversDir, `${formatVersion(version)}${platformSuffix}`);

/** A fresh folder inside the cache, so that what is made in it can be renamed into place. */
export async function makeWorkDir(serversDir: string): Promise<string> {
  await mkdir(serversDir, { recursive: true });
  await removeAbandonedWork(serversDir);
  return mkdtemp(join(serversDir, `${WORK_PREFIX}${process.pid}-`));
}

/** Removes what processes left behind that died while they filled the cache. */
async function removeAbandonedWork(serversDir: string): Promise<void> {
  for (const name of await namesIn(serversDir)) {
    const [, pid] = /^\.work-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !(await isAlive(Number(pid)))) {
      await rm(join(serversDir, name), { recursive: true, force: true });
    }
  }
}

/**
 * Puts a checked binary into the cache. When another process was first with the same version, its entry is used.
 * @param workDir a folder of `makeWorkDir`, which the caller removes.
 */
export async function putIntoCache(
  serversDir: string,
  workDir: string,
  found: { binary: string; version: Version; origin: string },
): Promise<CachedServer> {
  const draft = await mkdtemp(join(workDir, 'entry-'));
  await copyFile(found.binary, join(draft, BINARY));
  await chmod(join(draft, BINARY), 0o755);
  const noted: Origin = {
    version: formatVersion(found.version),
    origin: found.origin,
    binary_sha256: await sha256File(join(draft, BINARY)),
  };
  await writeFile(join(draft, ORIGIN), `${JSON.stringify(noted, null, 2)}\n`);
  await chmod(draft, 0o755);
  const target = entryDir(serversDir, found.version);
  for (;;) {
    try {
      await rename(draft, target);
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw thrown;
      const theirs = await readEntry(target);
      if (theirs !== undefined) return theirs;
      await moveAside(target, join(workDir, `damaged-${basename(target)}`));
      continue;
    }
    return { path: join(target, BINARY), version: noted.version, origin: noted.origin };
  }
}

async function moveAside(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    // Another process that met the same damage moved it first.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
  }
}
