/** Postgres without a Postgres: PGlite (WASM) in a process of its own, reached by `pg` like any other server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { notReady, readJsonFile, writePrivate } from '../files.ts';
import { adopt, type Child, type ChildEnd, endPid, findByLastArguments, isPortFree } from '../process.ts';

export interface PgliteHandle {
  /** `postgres://isomorph:<password>@127.0.0.1:<port>/postgres`, for `pg`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Closes the database in order. Safe to call again. */
  stop(): Promise<void>;
}

export interface PgliteOptions {
  /** The server's own folder: `data/`, its log and its last port. One server a folder. */
  readonly dir: string;
  /** This port or none. Default: the port of the last time if it is free, else a free one. */
  readonly port?: number;
  /** The server ended without having been told to. */
  readonly onExit?: (end: ChildEnd) => void;
  /** The first start makes the data folder, which took 9 s on a busy machine. Default 90 s. */
  readonly readyTimeoutMs?: number;
}

const STOP_GRACE_MS = 10_000;
const READY_MS = 90_000;
const LOG_LIMIT_BYTES = 5 * 1024 * 1024;
/** Starts pglite-main.ts. The same arguments from every version of it: left-overs are found by them. */
const PROGRAM = [fileURLToPath(new URL('../../bin/run.mjs', import.meta.url)), 'pglite'];

/**
 * Starts the server and returns when it accepts connections. One that a killed parent left behind is ended first.
 * What holds for a user of it: statements of all connections run one after another, an open transaction blocks the others,
 * and the session (settings, temporary tables, *named* prepared statements) is shared by all connections.
 * @throws IsomorphError `ERR_CONFIG` when the wanted port is taken, `ERR_UNAVAILABLE` when it did not become ready.
 */
export async function startPglite(options: PgliteOptions): Promise<PgliteHandle> {
  const dir = resolve(options.dir);
  const dataDir = join(dir, 'data');
  const remembered = join(dir, 'port.json');
  const log = join(dir, 'pglite.log');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const pid of await findByLastArguments([...PROGRAM, dataDir])) await endPid(pid, { graceMs: STOP_GRACE_MS });
  await shortenLog(log);

  const password = await keptPassword(join(dir, 'password.json'));
  const preferred = await choosePort(options.port, remembered);
  let started = await launch(options, { dataDir, port: preferred, log, password });
  if (started === undefined && options.port === undefined && preferred !== 0) {
    // The port of the last time was taken between the look and the start.
    started = await launch(options, { dataDir, port: 0, log, password });
  }
  if (started === undefined) {
    throw await notReady('PGlite', options.readyTimeoutMs ?? READY_MS, log);
  }
  const { child, port } = started;
  await writePrivate(remembered, JSON.stringify({ port }));
  return {
    url: `postgres://isomorph:${password}@127.0.0.1:${port}/postgres?sslmode=disable`,
    port,
    pid: child.pid,
    stop: async () => {
      await child.stop({ graceMs: STOP_GRACE_MS });
    },
  };
}

async function keptPassword(path: string): Promise<string> {
  const kept = (await readJsonFile(path)) as { password?: string } | undefined;
  const password = kept?.password ?? randomBytes(24).toString('base64url');
  await writePrivate(path, JSON.stringify({ password }));
  return password;
}

async function choosePort(port: number | undefined, remembered: string): Promise<number> {
  if (port === undefined) {
    const last = (await readJsonFile(remembered)) as { port?: number } | undefined;
    return last?.port !== undefined && (await isPortFree(last.port)) ? last.port : 0;
  }
  if (await isPortFree(port)) return port;
  throw new IsomorphError('ERR_CONFIG', `port ${port} of 127.0.0.1 is taken`, { expected: 'a free port' });
}

async function shortenLog(path: string): Promise<void> {
  const size = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await rename(path, `${path}.1`);
}

/** undefined when the server did not become ready; it has ended then. */
async function launch(
  options: PgliteOptions,
  { dataDir, port, log: logPath, password }: { dataDir: string; port: number; log: string; password: string },
): Promise<{ child: Child; port: number } | undefined> {
  const log = await open(logPath, 'a', 0o600);
  let ready = false;
  try {
    const spawned = spawn(process.execPath, [...PROGRAM, dataDir], {
      detached: true,
      env: { ...process.env, PGLITE_PORT: String(port), PGLITE_PASSWORD: password },
      stdio: ['pipe', 'pipe', log.fd],
    });
    const announced = readAnnouncedPort(spawned);
    const child = await adopt(spawned, (end) => {
      if (ready) options.onExit?.(end);
    });
    const timeout = delay(options.readyTimeoutMs ?? READY_MS, undefined, { ref: false });
    const listening = await Promise.race([announced, child.ended.then(() => undefined), timeout]);
    if (listening === undefined) {
      await child.stop({ graceMs: STOP_GRACE_MS });
      return undefined;
    }
    ready = true;
    return { child, port: listening };
  } finally {
    await log.close();
  }
}

/** The first line of the child that announces a port; what else it prints is read and dropped, so that it never blocks. */
function readAnnouncedPort(spawned: ChildProcess): Promise<number> {
  return new Promise((resolvePort) => {
    if (spawned.stdout === null) return;
    createInterface({ input: spawned.stdout }).on('line', (line) => {
      const [, port] = /^\{"port":(\d+)\}$/.exec(line) ?? [];
      if (port !== undefined) resolvePort(Number(port));
    });
  });
}
