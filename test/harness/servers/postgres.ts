import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { available } from './detect.ts';
import { type RunningServer, startServer } from './running.ts';

const run = promisify(execFile);

interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** Postgres refuses to run as root: then it runs as the user `postgres` of Debian's package, else as `nobody`. */
async function unprivilegedUser(): Promise<UserIds | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name]))).catch(() => undefined);
    const [uid, gid] = (ids ?? []).map(({ stdout }) => Number(stdout));
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('there is neither a user postgres nor a user nobody to run Postgres as');
}

async function connectOnce(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } finally {
    await client.end();
  }
}

/**
 * A Postgres of its own in a temporary folder, on loopback with a password, its Unix socket in the same folder.
 * @param settings further settings, as `{ max_connections: '20' }`. Unless told, `fsync` is off: a test loses nothing by it.
 * @throws Error when there is no Postgres; ask `available('postgres')` first.
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<RunningServer> {
  const server = await available('postgres');
  if (!server.ok) throw new Error(server.reason);
  const user = await unprivilegedUser();
  const password = randomBytes(18).toString('base64url');
  return startServer({
    name: 'postgres',
    spawn: async (dir, port) => {
      const dataDir = join(dir, 'data');
      const passwordFile = join(dir, 'password');
      await mkdir(dataDir, { mode: 0o700 });
      await writeFile(passwordFile, password, { mode: 0o600 });
      if (user !== undefined) for (const path of [dir, dataDir, passwordFile]) await chown(path, user.uid, user.gid);
      const initdb = ['-D', dataDir, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync'];
      const encoding = ['--encoding=UTF8', '--locale=C'];
      await run(join(dirname(server.path), 'initdb'), [...initdb, ...encoding], { ...user, cwd: dir });
      const fixed = { port: `${port}`, listen_addresses: '127.0.0.1', unix_socket_directories: dir };
      const options = Object.entries({ fsync: 'off', ...settings, ...fixed }).flatMap(([key, value]) => [
        '-c',
        `${key}=${value}`,
      ]);
      return spawn(server.path, ['-D', dataDir, ...options], { ...user, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    },
    url: (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres?sslmode=disable`,
    probe: connectOnce,
    // Fast shutdown: SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
  });
}
