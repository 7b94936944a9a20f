import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * `npm run lock`: completes package-lock.json for platforms that npm left out. npm leaves an optional dependency out of the
 * lock when it could not read its manifest, and `npm ci` then refuses the lock; or it writes it without the hash of its
 * bytes, and `npm ci` would install whatever a registry serves. The hash is asked for; the platform follows from the name.
 */

interface LockEntry {
  version?: string;
  link?: boolean;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

export interface Lock {
  packages: Record<string, LockEntry>;
}

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos', 'win32'];
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];
const LIBC: Readonly<Record<string, string>> = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl' };

function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  const words = name.split('/').at(-1)?.split('-') ?? [];
  const found = (known: readonly string[]): string[] => words.filter((word) => known.includes(word)).slice(-1);
  const libc = words.flatMap((word) => LIBC[word] ?? []);
  return { os: found(OS), cpu: found(CPU), ...(libc.length === 0 ? {} : { libc }) };
}

/** Optional dependencies that no entry of the lock provides, with what would. */
export function missingPlatforms({ packages }: Lock): Map<string, LockEntry> {
  const missing = new Map<string, LockEntry>();
  for (const [path, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
      const platform = platformOf(name);
      if (places.some((place) => packages[place] !== undefined) || platform.os?.length !== 1) continue;
      const entry = { version, ...(dev === true ? { dev } : {}), optional: true, ...platform };
      missing.set(`node_modules/${name}`, entry);
    }
  }
  return missing;
}

/** Paths of packages from a registry whose bytes nothing in the lock names. */
export const withoutIntegrity = ({ packages }: Lock): string[] =>
  Object.entries(packages)
    .filter(([path, { link, integrity }]) => path.includes('node_modules/') && link !== true && integrity === undefined)
    .map(([path]) => path);

/** @throws Error when the registry does not serve this version: one that it serves for every platform is to be chosen */
async function integrityOf(path: string, { version }: LockEntry): Promise<string> {
  const spec = `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`;
  const { stdout } = await promisify(execFile)('npm', ['view', spec, 'dist.integrity']);
  if (!stdout.startsWith('sha512-')) throw new Error(`the registry names no integrity of ${spec}`);
  return stdout.trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  const lock = JSON.parse(await readFile(file, 'utf8')) as Lock;
  for (const [path, entry] of missingPlatforms(lock)) lock.packages[path] = entry;
  for (const path of withoutIntegrity(lock)) {
    const { version, ...rest } = lock.packages[path] ?? {};
    const entry = { ...(version === undefined ? {} : { version }) };
    lock.packages[path] = { ...entry, integrity: await integrityOf(path, entry), ...rest };
  }
  const byPath = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries(byPath);
  await writeFile(file, `${JSON.stringify(lock, null, 2)}\n`);
}
