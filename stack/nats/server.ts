/** nats-server as a child process: durable, on loopback only, with an account for services and one for clients. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { notReady, readJsonFile, writePrivate } from '../files.ts';
import {
  adopt,
  type Child,
  type ChildEnd,
  endPid,
  findByLastArguments,
  freeLoopbackPort,
  isPortFree,
} from '../process.ts';
import { type ListeningPorts, waitUntilReady } from './readiness.ts';
import { loginName, NATS_USERS, OPERATOR, type Passwords, serverConfig } from './server-config.ts';

export interface NatsLogin {
  readonly user: string;
  readonly pass: string;
}

export interface NatsServerHandle {
  /** `nats://127.0.0.1:<port>`, without credentials: a client that gives none is an EDGE client. */
  readonly url: string;
  readonly port: number;
  readonly monitorUrl: string;
  readonly pid: number;
  /** Clients that command under a name of their own: `operator`, and those that were asked for. */
  readonly principals: Readonly<Record<string, NatsLogin>>;
  /** `admin` may do everything, `service` all but unmake streams, `auditor` reads the ledger by direct get. As `connect()` takes them. */
  readonly credentials: Readonly<Record<'admin' | 'service' | 'auditor' | 'worker', NatsLogin>>;
  /** Ends the server in order; what was acknowledged stays. Safe to call again. */
  stop(): Promise<void>;
}

export interface NatsServerOptions {
  /** A nats-server of `acquireNatsServer`. */
  readonly binary: string;
  /** The server's own folder: configuration, passwords, log, `jetstream/`. One server a folder. */
  readonly dir: string;
  /** Names under which clients command, beside `operator` and those without a name. */
  readonly principals?: readonly string[];
  /** This port or none. Default: the port of the last time if it is free, else a free one. */
  readonly port?: number;
  /** The server ended without having been told to. */
  readonly onExit?: (end: ChildEnd) => void;
  /** Large stores take a while to be read. Default 60 s. */
  readonly readyTimeoutMs?: number;
  /** After this the server is killed. Default 20 s: a server ends about 90 file consumers a second. */
  readonly stopTimeoutMs?: number;
}

const LEFT_OVER_GRACE_MS = 10_000;
const READY_MS = 60_000;

/**
 * Starts the server and returns when it is ready, JetStream is on and each write is synced.
 * A server that a killed parent left behind in the same folder is ended first.
 * @throws IsomorphError `ERR_CONFIG` when the wanted port is taken or the server is not durable; `ERR_UNAVAILABLE` when it
 *   did not become ready, with the end of its log.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServerHandle> {
  const dir = resolve(options.dir);
  const paths = {
    config: join(dir, 'server.conf'),
    log: join(dir, 'nats-server.log'),
    ports: join(dir, 'ports.json'),
    passwords: join(dir, 'passwords.json'),
  };
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  for (const pid of await findByLastArguments(['-c', paths.config])) await endPid(pid, { graceMs: LEFT_OVER_GRACE_MS });
  const names = [...new Set([OPERATOR, ...(options.principals ?? [])])];
  const { passwords, principals } = await keptPasswords(paths.passwords, names);

  const attempt = async (wanted: ListeningPorts) => {
    await removePortsFiles(dir);
    const config = serverConfig({
      ...wanted,
      passwords,
      principals: names.map((name) => ({ name, password: principals[name] ?? '' })),
      storeDir: dir,
      logFile: paths.log,
      portsDir: dir,
    });
    await writePrivate(paths.config, config);
    return launch(options, dir, paths);
  };
  const preferred = await choosePorts(options.port, paths.ports);
  let started = await attempt(preferred);
  if (started === undefined && options.port === undefined) {
    // A port was taken between the look and the start.
    started = await attempt({ port: ANY_PORT, monitorPort: ANY_PORT });
  }
  if (started === undefined) {
    throw await notReady('nats-server', options.readyTimeoutMs ?? READY_MS, paths.log);
  }
  const { child, ports } = started;
  await writePrivate(paths.ports, JSON.stringify(ports));
  const login = (user: 'admin' | 'service' | 'auditor' | 'worker'): NatsLogin => ({
    user: loginName(user),
    pass: passwords[user],
  });
  return {
    url: `nats://127.0.0.1:${ports.port}`,
    port: ports.port,
    monitorUrl: `http://127.0.0.1:${ports.monitorPort}`,
    pid: child.pid,
    principals: Object.fromEntries(names.map((name) => [name, { user: name, pass: principals[name] ?? '' }])),
    credentials: {
      admin: login('admin'),
      service: login('service'),
      auditor: login('auditor'),
      worker: login('worker'),
    },
    stop: async () => {
      await child.stop({ graceMs: options.stopTimeoutMs ?? 20_000 });
    },
  };
}

/** Whether a server runs in this folder, whoever started it. */
export const isNatsServerRunning = async (dir: string): Promise<boolean> =>
  (await findByLastArguments(['-c', join(resolve(dir), 'server.conf')])).length > 0;

const ANY_PORT = -1;

async function choosePorts(port: number | undefined, remembered: string): Promise<ListeningPorts> {
  const last = (await readJsonFile(remembered)) as Partial<ListeningPorts> | undefined;
  const monitorPort = await freeLoopbackPort(last?.monitorPort);
  if (port === undefined) return { port: await freeLoopbackPort(last?.port), monitorPort };
  if (await isPortFree(port)) return { port, monitorPort };
  throw new IsomorphError('ERR_CONFIG', `port ${port} of 127.0.0.1 is taken`, { expected: 'a free port' });
}

interface Kept {
  readonly passwords: Passwords;
  readonly principals: Readonly<Record<string, string>>;
}

/** Passwords of users and of principals; of one who is not asked for now, it is kept for the next time. */
async function keptPasswords(path: string, names: readonly string[]): Promise<Kept> {
  const file = ((await readJsonFile(path)) ?? {}) as Partial<Passwords & { principals: Record<string, string> }>;
  const newPassword = (): string => randomBytes(24).toString('base64url');
  const passwords = Object.fromEntries(NATS_USERS.map((user) => [user, file[user] ?? newPassword()])) as Passwords;
  const principals = new Map(Object.entries(file.principals ?? {}));
  for (const name of names) if (!principals.has(name)) principals.set(name, newPassword());
  const kept: Kept = { passwords, principals: Object.fromEntries(principals) };
  await writePrivate(path, JSON.stringify({ ...passwords, principals: kept.principals }));
  return kept;
}

/** A server that was killed leaves its ports file, and its pid may be given out again. */
async function removePortsFiles(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.ports'));
  await Promise.all(names.map((name) => rm(join(dir, name), { force: true })));
}

interface NatsProcess {
  readonly child: Child;
  readonly ports: ListeningPorts;
}

/** undefined when the server did not become ready; it has ended then. */
async function launch(
  options: NatsServerOptions,
  dir: string,
  paths: { config: string; log: string },
): Promise<NatsProcess | undefined> {
  const log = await open(paths.log, 'a', 0o600);
  let ready = false;
  try {
    const child = await adopt(
      // A session of its own: an interrupt at the terminal reaches the stack, which ends the server after its services.
      spawn(options.binary, ['-c', paths.config], { cwd: dir, detached: true, stdio: ['ignore', log.fd, log.fd] }),
      (end) => {
        if (ready) options.onExit?.(end);
      },
    ).catch((thrown: unknown) => {
      throw new IsomorphError('ERR_CONFIG', `${options.binary} cannot be started`, { pointer: 'NATS_SERVER' }, thrown);
    });
    let ports: ListeningPorts | undefined;
    try {
      ports = await waitUntilReady({
        portsDir: dir,
        pid: child.pid,
        timeoutMs: options.readyTimeoutMs ?? READY_MS,
        hasEnded: child.hasEnded,
      });
    } finally {
      if (ports === undefined) await child.stop({ graceMs: LEFT_OVER_GRACE_MS });
    }
    if (ports === undefined) return undefined;
    ready = true;
    return { child, ports };
  } finally {
    await log.close();
  }
}
