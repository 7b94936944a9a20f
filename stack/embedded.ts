import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { destination, type Logger, pino } from 'pino';
import { type Config, type Env, readConfig } from '../services/common/config/config.ts';
import { SERVICES, type ServiceName } from '../services/common/services.ts';
import { type ComposeOptions, type RunningService, runSetup, startService } from '../services/compose.ts';
import type { Adapter } from '../shared/ids/adapter.ts';
import { connectNats } from '../shared/nats/connect.ts';
import { freeBytesOn, writePrivate } from './files.ts';
import { lockHome } from './home-lock.ts';
import { startKeeper } from './keeper.ts';
import { Lasting } from './lasting.ts';
import { acquireNatsServer } from './nats/acquire.ts';
import { principalsOf } from './nats/principals.ts';
import { isNatsServerRunning, type NatsLogin, type NatsServerHandle, startNatsServer } from './nats/server.ts';
import { watchWrites } from './nats/write-watch.ts';
import { type Places, placesOf } from './places.ts';
import { openPostgres, type PostgresHandle } from './postgres/open.ts';
import { watchTopology } from './topology-watch.ts';

/** `<home>/stack.json`: how other programs of this machine find the running stack. Readable by its owner only. */
export interface StackInfo {
  readonly v: 1;
  readonly pid: number;
  readonly startedAt: string;
  readonly home: string;
  readonly nats: {
    readonly url: string;
    readonly auditorUrl: string;
    readonly serviceUrl: string;
    /** May change streams. Absent as below. */
    readonly adminUrl?: string;
    /** For processes that serve processors (docs/worker-contract.md). Absent as below. */
    readonly workerUrl?: string;
    /** By name, of who commands as a principal. Absent in the file of a stack that an earlier version started. */
    readonly principals?: Readonly<Record<string, string>>;
    readonly pid: number;
  };
  readonly postgres: { readonly url: string };
  readonly artifacts: { readonly url: string; readonly gatewayUrl: string; readonly gatewayKeyFile: string };
  /** Absent in the file of a stack that an earlier version started. */
  readonly scratch?: { readonly kvUrl: string | undefined; readonly queueUrl: string | undefined };
  readonly registry: string;
  readonly secretsUrl: string;
  readonly adapters: readonly Adapter[];
}

export interface EmbeddedOptions {
  /** Folder of all state; made when missing. */
  readonly home: string;
  readonly env: Env;
  /** Services to run in this process beside the gateway; default: all. Tests run them as processes of their own. */
  readonly services?: readonly ServiceName[];
  /** Told in one line each what a person waits for. */
  readonly onProgress?: (message: string) => void;
  /** Told in one line each what keeps the stack from its work, and that it is over. */
  readonly onTrouble?: (message: string) => void;
  /**
   * Told when a service cannot go on, such as a projector that met a broken chain; the rest of the stack goes on, so
   * that the fault can be looked into. Without it the stack fails.
   */
  readonly onServiceFailure?: (service: ServiceName, error: Error) => void;
}

export interface EmbeddedStack {
  readonly info: StackInfo;
  /** Environment with which `npm run service` joins this stack. */
  readonly serviceEnv: Readonly<Record<string, string>>;
  /** Rejects when a part of the stack ends again and again, or the ledger is gone; never resolves. */
  readonly failure: Promise<never>;
  /** Ends everything that was started, last first. Safe to call again. */
  stop(): Promise<void>;
}

const PROJECT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

function withLogin(url: string, { user, pass }: NatsLogin): string {
  const parsed = new URL(url);
  parsed.username = user;
  parsed.password = pass;
  return parsed.href.replace(/\/$/, '');
}

/** Everything that was started, so that it can be ended in reverse whatever happened in between. */
class Teardown {
  readonly #stops: (() => Promise<void>)[] = [];
  #stopping: Promise<void> | undefined;

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#run();
    return this.#stopping;
  }

  async #run(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
  }
}

interface Parts {
  readonly nats: NatsServerHandle;
  readonly postgres: PostgresHandle;
}

/** What every part of the stack is started with. */
interface Starting {
  readonly places: Places;
  readonly options: EmbeddedOptions;
  readonly teardown: Teardown;
  readonly log: Logger;
  readonly fail: (error: Error) => void;
}

/** One request to nats-server. */
const TOPOLOGY_EVERY_MS = 5_000;

/** The gateway is started before them: they are told where it listens. */
const BEHIND_GATEWAY = SERVICES.filter((name) => name !== 'gateway');

async function startNats({ places, options, teardown, log, fail }: Starting): Promise<NatsServerHandle> {
  const { env, onProgress = () => undefined, onTrouble = () => undefined } = options;
  const { natsDir: dir } = places;
  const principals = principalsOf(env);
  const { path: binary } = await acquireNatsServer({ env, onProgress });
  const lasting = await Lasting.start<NatsServerHandle>({
    name: 'nats-server',
    log,
    start: (onExit, before) =>
      startNatsServer({ binary, dir, principals, onExit, ...(before && { port: before.port }) }),
    isServed: () => isNatsServerRunning(dir),
    onGivenUp: fail,
  });
  teardown.add(() => lasting.stop());
  const monitorUrl = (): string => lasting.server.monitorUrl;
  const watch = watchWrites({ monitorUrl, dir, log, onTrouble, restart: () => lasting.restart() });
  teardown.add(() => watch.stop());
  return lasting.server;
}

async function startPostgres({ places, options, teardown, log, fail }: Starting): Promise<PostgresHandle> {
  const dir = path.join(places.home, 'postgres');
  const lasting = await Lasting.start<PostgresHandle>({
    name: 'Postgres',
    log,
    start: (onExit, before) =>
      openPostgres({ env: options.env, dir, onExit, ...(before && { port: Number(new URL(before.url).port) }) }),
    onGivenUp: fail,
  });
  teardown.add(() => lasting.stop());
  return lasting.server;
}

function infoOf(places: Places, { nats, postgres }: Parts, gatewayUrl: string, config: Config): StackInfo {
  return {
    v: 1,
    pid: process.pid,
    startedAt: new Date().toISOString(),
    home: places.home,
    nats: {
      url: nats.url,
      auditorUrl: withLogin(nats.url, nats.credentials.auditor),
      serviceUrl: withLogin(nats.url, nats.credentials.service),
      adminUrl: withLogin(nats.url, nats.credentials.admin),
      workerUrl: withLogin(nats.url, nats.credentials.worker),
      principals: Object.fromEntries(
        Object.entries(nats.principals).map(([name, login]) => [name, withLogin(nats.url, login)]),
      ),
      pid: nats.pid,
    },
    postgres: { url: postgres.url },
    artifacts: { url: places.artifactsUrl, gatewayUrl, gatewayKeyFile: places.keyFile },
    scratch: { kvUrl: config.kvUrl, queueUrl: config.queueUrl },
    registry: config.registryDir,
    secretsUrl: config.secretsUrl,
    adapters: config.adapters,
  };
}

/** What the services of the stack are told; the environment of the caller may override folders, slots and scratch. */
function environmentOf(places: Places, { nats, postgres }: Parts, env: Env): Record<string, string> {
  const fixed = {
    NATS_URL: withLogin(nats.url, nats.credentials.service),
    DATABASE_URL: postgres.url,
    ARTIFACTS_URL: places.artifactsUrl,
    ARTIFACTS_GATEWAY_KEY_FILE: places.keyFile,
    ISOMORPH_HOME: places.home,
  };
  const overridable = {
    SECRETS_URL: env.SECRETS_URL ?? `dotenv:${places.secretsFile}`,
    ISOMORPH_REGISTRY: env.ISOMORPH_REGISTRY ?? path.join(PROJECT, 'registry'),
    ISOMORPH_PROCESSORS: env.ISOMORPH_PROCESSORS ?? path.join(PROJECT, 'processors'),
    ISOMORPH_ADAPTERS: env.ISOMORPH_ADAPTERS ?? 'mock',
    KV_URL: env.KV_URL ?? 'nats:',
    QUEUE_URL: env.QUEUE_URL ?? 'nats:',
    LOG_LEVEL: env.LOG_LEVEL ?? 'info',
  };
  return { ...fixed, ...overridable };
}

function openLog({ logs }: Places, level: string): Logger {
  return pino({ level, base: null }, destination({ dest: path.join(logs, 'services.log'), mkdir: true, sync: true }));
}

/**
 * Starts the embedded stack: nats-server, Postgres (PGlite unless `DATABASE_URL`), the artifact gateway and the
 * services. Everything listens on loopback; state stays in `home`.
 * @throws ERR_CONFIG when another stack runs on `home` or a part cannot be had, with what to do about it.
 */
export async function startEmbeddedStack(options: EmbeddedOptions): Promise<EmbeddedStack> {
  const places = placesOf(path.resolve(options.home));
  const teardown = new Teardown();
  const lock = await lockHome(places.home);
  teardown.add(() => lock.release());
  let fail: (error: Error) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever waits for it sees it; that nobody does must not end the process.
  failure.catch(() => undefined);
  startKeeper(path.join(places.home, 'mock'));
  try {
    const log = openLog(places, options.env.LOG_LEVEL ?? 'info');
    const starting: Starting = { places, options, teardown, log, fail };
    const [nats, postgres] = await allStarted([startNats(starting), startPostgres(starting)]);
    const parts = { nats, postgres };
    const base = environmentOf(places, parts, options.env);
    const composition = { env: options.env, log, instance: `embedded-${process.pid}` };
    const beginning = readConfig({ ...options.env, ...base }, ['setup', 'gateway']);
    const adminUrl = withLogin(nats.url, nats.credentials.admin);
    const prepare = async () =>
      runSetup({ config: { ...beginning, natsUrl: adminUrl }, log, freeBytes: await freeBytesOn(places.natsDir) });
    await prepare();
    await keepTopology(adminUrl, prepare, starting);
    const front = await startTogether(['gateway'], { ...composition, config: beginning }, teardown);
    const gatewayUrl = front[0]?.url ?? '';
    const serviceEnv = { ...base, ARTIFACTS_GATEWAY_URL: gatewayUrl, SCRATCH_GATEWAY_URL: gatewayUrl };
    const config = readConfig({ ...options.env, ...serviceEnv }, SERVICES);
    const { services: names = BEHIND_GATEWAY } = options;
    const services = [...front, ...(await startTogether(names, { ...composition, config }, teardown))];
    const { onServiceFailure = (_, error) => fail(error) } = options;
    for (const { name, failure: failed } of services) failed.catch((error: Error) => onServiceFailure(name, error));
    const info = infoOf(places, parts, gatewayUrl, config);
    const infoFile = path.join(places.home, 'stack.json');
    await writePrivate(infoFile, JSON.stringify(info, null, 2));
    teardown.add(() => rm(infoFile, { force: true }));
    return { info, serviceEnv, failure, stop: () => teardown.stop() };
  } catch (error) {
    await teardown.stop();
    throw error;
  }
}

async function keepTopology(url: string, setUp: () => Promise<void>, { teardown, log, fail }: Starting): Promise<void> {
  const connection = await connectNats({ url, name: 'isomorph-stack' });
  teardown.add(() => connection.close());
  const watch = watchTopology({ connection, log, setUp, onLedgerGone: fail, everyMs: TOPOLOGY_EVERY_MS });
  teardown.add(() => watch.stop());
}

/** Starts services that are ended together too: none waits for another to end. */
function startTogether(
  names: readonly ServiceName[],
  options: ComposeOptions,
  teardown: Teardown,
): Promise<readonly RunningService[]> {
  const running: RunningService[] = [];
  teardown.add(async () => {
    await Promise.all(running.map((service) => service.stop()));
  });
  const start = async (name: ServiceName): Promise<RunningService> => {
    const service = await startService(name, options);
    running.push(service);
    return service;
  };
  return allStarted(names.map(start));
}

/** All of them, or the first error once none is still starting: what came up meanwhile must be known to be ended. */
async function allStarted<T extends readonly unknown[]>(
  starts: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const results = await Promise.allSettled(starts);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Promise.all(starts) as unknown as Promise<T>;
}
