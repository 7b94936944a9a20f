/** Finds a nats-server that Isomorph can run on, or obtains one into the project's cache. */
import { access, constants, rm } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { formatVersion, MINIMUM_VERSION, parseVersion } from '../../shared/nats/server-version.ts';
import { type CachedServer, findCached, makeWorkDir, putIntoCache } from './cache.ts';
import { debianSource } from './debian-source.ts';
import { releaseArchive, releasePlatform, releaseSource } from './release-source.ts';
import type { NatsSource } from './sources.ts';
import { probeBinary } from './version.ts';

export interface AcquiredNatsServer {
  /** The binary; absolute. */
  readonly path: string;
  /** Its own word for its version, as "2.15.1". */
  readonly version: string;
  readonly source: 'NATS_SERVER' | 'PATH' | 'cache' | 'obtained';
  /** For people: where the binary came from. */
  readonly origin: string;
}

export interface AcquireOptions {
  /** The folder of caches; `nats-server/` is made in it. Default: `ISOMORPH_CACHE`, else `.cache` of the project. */
  readonly cacheDir?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told in one line each what takes long; never called when nothing has to be obtained. */
  readonly onProgress?: (message: string) => void;
  /** Where to obtain one, in this order. Default: a Debian package, then the official release. */
  readonly sources?: readonly NatsSource[];
}

const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const minimum = formatVersion(MINIMUM_VERSION);

/**
 * In this order: `NATS_SERVER` (a path: used or refused, never passed over), `nats-server` on PATH, the cache, the sources.
 * The system is never changed; the cache is the only place written to. Processes may do this at the same time.
 * @throws IsomorphError `ERR_CONFIG` when `NATS_SERVER` names no usable server, or when nothing gave one: its message
 *   lists what was tried and says what to install.
 */
export async function acquireNatsServer(options: AcquireOptions): Promise<AcquiredNatsServer> {
  const { env, onProgress = () => undefined, sources = [debianSource(), releaseSource()] } = options;
  if (env.NATS_SERVER !== undefined && env.NATS_SERVER !== '') return fromVariable(env.NATS_SERVER);
  const tried: string[] = [];
  const onPath = await fromPath(env.PATH ?? '', tried);
  if (onPath !== undefined) return onPath;
  const serversDir = join(
    resolve(options.cacheDir ?? (env.ISOMORPH_CACHE || join(projectDir, '.cache'))),
    'nats-server',
  );
  const cached = await fromCache(serversDir, tried);
  if (cached !== undefined) return cached;
  for (const source of sources) {
    const obtained = await obtain(source, serversDir, onProgress).catch((thrown: unknown) => {
      tried.push(`${source.name}: ${thrown instanceof Error ? thrown.message : thrown}`);
      return undefined;
    });
    if (obtained !== undefined) return { ...obtained, source: 'obtained' };
  }
  throw new IsomorphError('ERR_CONFIG', noneWorks(tried), {
    pointer: 'NATS_SERVER',
    expected: `the path of a nats-server >= ${minimum}`,
  });
}

async function fromVariable(named: string): Promise<AcquiredNatsServer> {
  const path = resolve(named);
  const probe = await probeBinary(path);
  if (probe.ok) return { path, version: probe.version, source: 'NATS_SERVER', origin: 'NATS_SERVER' };
  throw new IsomorphError('ERR_CONFIG', `NATS_SERVER is not usable: ${probe.reason}`, {
    pointer: 'NATS_SERVER',
    expected: `the path of a nats-server >= ${minimum}, or no NATS_SERVER at all`,
  });
}

async function fromPath(searchPath: string, tried: string[]): Promise<AcquiredNatsServer | undefined> {
  // A relative entry of PATH would make the choice depend on the current folder.
  for (const dir of searchPath.split(delimiter).filter(isAbsolute)) {
    const path = join(dir, 'nats-server');
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!executable) continue;
    const probe = await probeBinary(path);
    if (probe.ok) return { path, version: probe.version, source: 'PATH', origin: 'PATH' };
    tried.push(`PATH: ${probe.reason}`);
  }
  if (tried.length === 0) tried.push('PATH: no nats-server');
  return undefined;
}

async function fromCache(serversDir: string, tried: string[]): Promise<AcquiredNatsServer | undefined> {
  const cached = await findCached(serversDir);
  const probe = cached === undefined ? undefined : await probeBinary(cached.path);
  if (cached !== undefined && probe?.ok === true) return { ...cached, source: 'cache' };
  tried.push(`cache: ${probe?.ok === false ? probe.reason : 'empty'}`);
  return undefined;
}

async function obtain(
  source: NatsSource,
  serversDir: string,
  onProgress: (message: string) => void,
): Promise<CachedServer> {
  const workDir = await makeWorkDir(serversDir);
  try {
    const { binary, origin } = await source.obtain({ workDir, onProgress });
    const probe = await probeBinary(binary);
    if (!probe.ok) throw new Error(probe.reason);
    const version = parseVersion(probe.version);
    if (version === undefined) throw new Error(`${probe.version} is no version`);
    return await putIntoCache(serversDir, workDir, { binary, version, origin });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function noneWorks(tried: readonly string[]): string {
  const install =
    process.platform === 'darwin'
      ? '`brew install nats-server`'
      : `unpack ${releaseArchive(releasePlatform())} of https://github.com/nats-io/nats-server/releases`;
  return [
    `No nats-server >= ${minimum} was found, and none could be obtained.`,
    ...tried.map((reason) => `  - ${reason}`),
    `Install one yourself (${install}), then set NATS_SERVER to the path of the binary.`,
  ].join('\n');
}
