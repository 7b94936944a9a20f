/** The Postgres of the machine's Debian: installed, or else unpacked into the cache as any user, like nats-server is. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type DebianFolder, ensureFolder, rootOf } from '../../test/harness/servers/debian-folder.ts';
import { available, forgetWhatWasFound } from '../../test/harness/servers/detect.ts';
import { startPostgres } from '../../test/harness/servers/index.ts';

const FOLDER = { name: 'postgres', packages: ['postgresql'], program: 'usr/lib/postgresql' } as const;

const LIBRARIES: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** As for a machine with an SSD and a load of small transactions; a commit is on the disk when it is acknowledged. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '256MB',
  wal_buffers: '16MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
  random_page_cost: '1.1',
  jit: 'off',
};

/** The machine's own suite: what is of it needs no root folder of its own. */
async function ownSuite(): Promise<string> {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1];
  if (suite === undefined) throw new Error('this is no Debian: install Postgres yourself');
  return suite;
}

/** From here on this process finds the programs of the folder, and they their libraries. */
async function usePrograms(folder: DebianFolder): Promise<void> {
  const root = rootOf(folder);
  const [version = ''] = await readdir(path.join(root, folder.program));
  process.env.PATH = `${path.join(root, folder.program, version, 'bin')}${path.delimiter}${process.env.PATH}`;
  process.env.LD_LIBRARY_PATH = path.join(root, 'usr/lib', LIBRARIES[process.arch] ?? '');
  forgetWhatWasFound();
}

/** A server for the bench alone, in a temporary folder. */
export async function startBenchPostgres() {
  if (!(await available('postgres')).ok) {
    const folder = { ...FOLDER, suite: await ownSuite() };
    process.stderr.write('unpacking Postgres of Debian into the cache (the system is left alone)\n');
    await ensureFolder(folder);
    await usePrograms(folder);
  }
  return startPostgres(SETTINGS);
}
