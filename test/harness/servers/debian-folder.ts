/**
 * Folders with programs of a newer Debian than the machine's, or of its own that are not installed. Packages are fetched by the machine's own apt with a
 * configuration of its own, held against Debian's keyring, and unpacked, not installed: no script of theirs runs, and the
 * system stays as it is. Each is made once, then found in the cache.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { debianMirrors, parseDeb822, parseSourcesList } from '../../../stack/nats/apt-mirrors.ts';

const run = promisify(execFile);

const SUITE = 'forky';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const APT_TIMEOUT_MS = 600_000;
/** dpkg-deb is mostly one thread of decompression. */
const UNPACKED_AT_ONCE = 4;

export interface DebianFolder {
  /** Of its folder in the cache. */
  readonly name: string;
  /** Unpacked with all they need. */
  readonly packages: readonly string[];
  /** A program of the last of them: where it is, the folder is whole. */
  readonly program: string;
  /** Default: a newer one than the machine's. What is of its own suite runs where it lies, and for everybody. */
  readonly suite?: string;
}

const cacheOf = ({ name }: DebianFolder): string => {
  const project = fileURLToPath(new URL('../../../', import.meta.url));
  return join(resolve(process.env.ISOMORPH_CACHE || join(project, '.cache')), name);
};

/** Where the folder is, once made; another one when it would be made another way. */
export function rootOf(folder: DebianFolder): string {
  const { suite = SUITE, packages } = folder;
  const recipe = createHash('sha256').update(JSON.stringify([suite, packages, process.arch, 1]));
  return join(cacheOf(folder), `${suite}-${recipe.digest('hex').slice(0, 12)}`);
}

/** A newer suite's programs need its libraries, and a root folder in which they find them. */
const whyNotAllowed = ({ suite = SUITE }: DebianFolder): string | undefined =>
  suite === SUITE && (process.platform !== 'linux' || process.getuid?.() !== 0)
    ? 'only root on Linux may change its root folder'
    : undefined;

/**
 * Why a program of the folder cannot be used here; undefined when it can.
 * @param program its path inside the folder
 */
export async function whyMissing(folder: DebianFolder, program = folder.program): Promise<string | undefined> {
  const reason = whyNotAllowed(folder);
  if (reason !== undefined) return reason;
  return access(join(rootOf(folder), program)).then(
    () => undefined,
    () => `there is no ${join(rootOf(folder), program)}; npm run test:all makes it`,
  );
}

async function configuredMirrors(): Promise<readonly string[]> {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const files = ['/etc/apt/sources.list', ...parts.map((name) => join('/etc/apt/sources.list.d', name))];
  const sources = files.map(async (file) => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return file.endsWith('.sources') ? parseDeb822(text) : parseSourcesList(text);
  });
  return debianMirrors((await Promise.all(sources)).flat(), KEYRING);
}

const aptConfig = (work: string): string =>
  [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Post-Invoke;',
    `Dir::State "${work}/state";`,
    // Nothing counts as installed: what is asked for comes with all it needs.
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${work}/cache";`,
    `Dir::Etc::sourcelist "${work}/sources.list";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    'APT::Sandbox::User "root";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    // A mirror that stands still serves an index past its date. These servers hold test data on loopback.
    'Acquire::Check-Valid-Until "false";',
    '',
  ].join('\n');

async function download(
  work: string,
  mirror: string,
  { packages, suite = SUITE }: DebianFolder,
): Promise<readonly string[]> {
  await rm(work, { recursive: true, force: true });
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
    await mkdir(join(work, folder), { recursive: true });
  }
  await writeFile(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`, { mode: 0o600 });
  const config = join(work, 'apt.conf');
  await writeFile(config, aptConfig(work));
  const apt = (...args: string[]) =>
    run('apt-get', ['-c', config, '-qq', ...args], {
      timeout: APT_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
  await apt('update');
  await apt('install', '-y', '--no-install-recommends', '--download-only', ...packages);
  const archives = join(work, 'cache/archives');
  return (await readdir(archives)).filter((name) => name.endsWith('.deb')).map((name) => join(archives, name));
}

async function unpack(packages: readonly string[], root: string): Promise<void> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', folder), { recursive: true });
    await symlink(`usr/${folder}`, join(root, folder));
  }
  const waiting = [...packages];
  const worker = async (): Promise<void> => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) await run('dpkg-deb', ['-x', file, root]);
  };
  await Promise.all(Array.from({ length: UNPACKED_AT_ONCE }, worker));
  for (const folder of ['usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
    await rm(join(root, folder), { recursive: true, force: true });
  }
  for (const folder of ['proc', 'dev', 'tmp', 'state']) await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/tmp:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\n');
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
}

/**
 * Makes the folder unless it is there.
 * @throws Error when this is no Debian with its keyring, not root, or no mirror serves.
 */
export async function ensureFolder(folder: DebianFolder): Promise<void> {
  const root = rootOf(folder);
  if ((await whyMissing(folder)) === undefined) return;
  const reason = whyNotAllowed(folder);
  if (reason !== undefined) throw new Error(`${reason}, as ${folder.name} needs it here`);
  await access(KEYRING).catch(() => {
    throw new Error(`Debian's keyring ${KEYRING} is missing (package debian-archive-keyring)`);
  });
  await mkdir(dirname(root), { recursive: true });
  const work = await mkdtemp(join(dirname(root), '.work-'));
  try {
    const faults: string[] = [];
    for (const mirror of await configuredMirrors()) {
      const packages = await download(join(work, 'apt'), mirror, folder).catch((thrown: unknown) => {
        faults.push(String(thrown).slice(0, 500));
        return undefined;
      });
      if (packages === undefined) continue;
      await unpack(packages, join(work, 'root'));
      await putInPlace(join(work, 'root'), folder);
      return;
    }
    throw new Error(
      `no Debian mirror of apt serves ${folder.suite ?? SUITE}: ${faults.join('; ') || 'none is configured'}`,
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function putInPlace(made: string, folder: DebianFolder): Promise<void> {
  try {
    await rename(made, rootOf(folder));
  } catch (thrown) {
    // Another process was first: its folder is as good.
    if ((await whyMissing(folder)) !== undefined) throw thrown;
  }
}
