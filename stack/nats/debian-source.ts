/**
 * nats-server from a newer Debian suite, as any user, with the machine's own apt and mirror. Everything apt writes lies in
 * the work folder; the system's package lists, caches and hooks are neither read nor changed. ADR 0031 says why.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isNewEnough, parseVersion } from '../../shared/nats/server-version.ts';
import { type AptSource, debianMirrors, parseDeb822, parseSourcesList } from './apt-mirrors.ts';
import type { NatsSource } from './sources.ts';

const run = promisify(execFile);

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Testing first: sid's Release file is expired on a mirror that stands still, forky's is not. */
const SUITES = ['forky', 'sid'] as const;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** 10 MB of package index over a slow line. */
const APT_TIMEOUT_MS = 180_000;

/** The facts of the signed Packages index that the file is held against. */
export interface PackageRecord {
  readonly version: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Reads the first paragraph of `apt-cache show`. Undefined when a field is missing or malformed. */
export function parsePackageRecord(text: string): PackageRecord | undefined {
  const [paragraph = ''] = text.split(/\n\s*\n/);
  const version = /^Version: (\S+)$/m.exec(paragraph)?.[1];
  const size = /^Size: (\d+)$/m.exec(paragraph)?.[1];
  const sha256 = /^SHA256: ([0-9a-f]{64})$/m.exec(paragraph)?.[1];
  if (version === undefined || size === undefined || sha256 === undefined) return undefined;
  return { version, sizeBytes: Number(size), sha256 };
}

/**
 * apt.conf of a private apt. `#clear` drops the machine's own hooks (they would run outside the work folder); refusing
 * unsigned archives is stated because the machine's configuration may allow them.
 */
const privateAptConfig = (root: string): string =>
  [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    `Dir::State "${root}/state";`,
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${root}/cache";`,
    `Dir::Etc::sourcelist "${root}/sources.list";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    'APT::Sandbox::User "root";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'Acquire::AllowWeakRepositories "false";',
    'Acquire::Check-Valid-Until "true";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    '',
  ].join('\n');

async function configuredSources(etcApt: string): Promise<AptSource[]> {
  const parts = await readdir(join(etcApt, 'sources.list.d')).catch(() => []);
  const files = ['sources.list', ...parts.sort().map((name) => join('sources.list.d', name))];
  const parsed = await Promise.all(
    files.map(async (name) => {
      if (!name.endsWith('.list') && !name.endsWith('.sources')) return [];
      // A file that is missing or closed to this user names no mirror that this user could be told to use.
      const text = await readFile(join(etcApt, name), 'utf8').catch(() => '');
      return name.endsWith('.sources') ? parseDeb822(text) : parseSourcesList(text);
    }),
  );
  return parsed.flat();
}

/** What apt said went wrong, without passwords of a mirror's address. */
function aptFault(thrown: unknown): string {
  const stderr =
    thrown instanceof Error && 'stderr' in thrown && typeof thrown.stderr === 'string' ? thrown.stderr : String(thrown);
  const lines = stderr.split('\n').filter((line) => /^[EW]: /.test(line));
  return (lines.slice(0, 2).join(' ') || stderr.trim().slice(0, 300)).replace(/\/\/[^/@\s]*@/g, '//');
}

async function obtainFrom(
  mirror: string,
  suite: string,
  architecture: string,
  root: string,
): Promise<{ binary: string; origin: string }> {
  await mkdir(join(root, 'state/lists/partial'), { recursive: true });
  await mkdir(join(root, 'cache/archives/partial'), { recursive: true });
  const options = `arch=${architecture} signed-by=${KEYRING} targets=Packages lang=none`;
  await writeFile(join(root, 'sources.list'), `deb [${options}] ${mirror} ${suite} main\n`, { mode: 0o600 });
  const config = join(root, 'apt.conf');
  await writeFile(config, privateAptConfig(root));
  const apt = (program: 'apt-get' | 'apt-cache', ...args: string[]) =>
    run(program, ['-c', config, '-qq', ...args], {
      cwd: root,
      timeout: APT_TIMEOUT_MS,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });

  await apt('apt-get', 'update');
  const wanted = `nats-server:${architecture}`;
  const record = parsePackageRecord((await apt('apt-cache', 'show', '--no-all-versions', wanted)).stdout);
  if (record === undefined) throw new Error(`the index of ${suite} does not describe nats-server`);
  const version = parseVersion(record.version);
  if (version === undefined || !isNewEnough(version))
    throw new Error(`${suite} has only nats-server ${record.version}`);
  await apt('apt-get', 'download', wanted);
  const name = (await readdir(root)).find((file) => file.endsWith('.deb'));
  if (name === undefined) throw new Error('apt-get download left no package');
  await checkPackage(join(root, name), record);
  await run('dpkg-deb', ['-x', join(root, name), join(root, 'unpacked')]);
  return {
    binary: join(root, 'unpacked/usr/sbin/nats-server'),
    origin: `Debian ${suite}, package nats-server ${record.version}`,
  };
}

/** @throws Error when the file is not the one that the signed index describes. */
export async function checkPackage(path: string, record: PackageRecord): Promise<void> {
  const { size } = await stat(path);
  if (size !== record.sizeBytes) throw new Error(`the package has ${size} bytes, its index says ${record.sizeBytes}`);
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (sha256 !== record.sha256) throw new Error(`the package hashes to ${sha256}, its index says ${record.sha256}`);
}

/** @param etcApt where apt's configuration lies; another folder only in tests. */
export function debianSource(etcApt = '/etc/apt'): NatsSource {
  return {
    name: 'Debian package',
    obtain: async ({ workDir, onProgress }) => {
      const architecture = process.platform === 'linux' ? ARCHITECTURES[process.arch] : undefined;
      if (architecture === undefined) throw new Error(`no package is taken for ${process.platform} ${process.arch}`);
      await requireApt();
      const mirrors = debianMirrors(await configuredSources(etcApt), KEYRING);
      if (mirrors.length === 0) throw new Error('apt is configured with no Debian mirror');
      const faults: string[] = [];
      for (const [index, mirror] of mirrors.slice(0, 2).entries()) {
        for (const suite of SUITES) {
          onProgress(`fetching nats-server from Debian ${suite} into the cache (the system is left alone)`);
          try {
            return await obtainFrom(mirror, suite, architecture, join(workDir, `apt-${suite}-${index}`));
          } catch (thrown) {
            faults.push(`${suite}: ${aptFault(thrown)}`);
          }
        }
      }
      throw new Error(faults.join('; '));
    },
  };
}

async function requireApt(): Promise<void> {
  for (const program of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    await run(program, ['--version']).catch(() => {
      throw new Error(`${program} is not installed: this is no Debian or Ubuntu`);
    });
  }
  await access(KEYRING).catch(() => {
    throw new Error(
      `Debian's keyring ${KEYRING} is missing (package debian-archive-keyring), so nothing could be checked`,
    );
  });
}
