import { readFile } from 'node:fs/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { IsomorphError, unreachable } from '../shared/errors/isomorph-error.ts';
import type { Adapter } from '../shared/ids/adapter.ts';
import { connectNats } from '../shared/nats/connect.ts';
import type { Consumption } from '../shared/nats/consume.ts';
import { loadRegistry } from '../shared/registry/registry.ts';
import { openRuntime } from '../shared/runtime/open.ts';
import type { Kv } from '../shared/scratch/kv/kv.ts';
import { kvCapabilities, openKv } from '../shared/scratch/kv/open.ts';
import { openQueue, queueCapabilities } from '../shared/scratch/queue/open.ts';
import type { Queue } from '../shared/scratch/queue/queue.ts';
import { openSecrets } from '../shared/secrets/open.ts';
import type { SecretResolver } from '../shared/secrets/secrets.ts';
import type { ArtifactStore } from '../shared/world/artifact-store.ts';
import type { FileArtifactStore } from '../shared/world/drivers/file/file.ts';
import { openArtifactStore } from '../shared/world/open.ts';
import type { Config, Env } from './common/config/config.ts';
import type { ServiceDeps } from './common/deps.ts';
import type { ServiceName } from './common/services.ts';
import type { RunningGateway } from './gateway/service.ts';

export interface ComposeOptions {
  readonly config: Config;
  readonly env: Env;
  readonly log: Logger;
  /** Names this process in the ledger: unique among those that run at once. */
  readonly instance: string;
}

/** A running service. */
export interface RunningService {
  readonly name: ServiceName;
  /** Rejects when the service cannot go on, such as a projector that met a broken chain. Never resolves. */
  readonly failure: Promise<never>;
  /** Takes no more work, ends what it can, leaves the rest for the next start. */
  stop(): Promise<void>;
}

/** How long a service waits for its servers at start: in compose they start together. */
const SERVER_WAIT_MS = 30_000;

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new IsomorphError('ERR_CONFIG', `${name} is missing`);
  return value;
}

async function openStore({ artifactsUrl, gatewayUrl, gatewayKeyFile }: Config): Promise<ArtifactStore> {
  const gatewaySecret = gatewayKeyFile === undefined ? undefined : await readFile(gatewayKeyFile);
  return openArtifactStore(required(artifactsUrl, 'ARTIFACTS_URL'), {
    ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
    ...(gatewaySecret === undefined ? {} : { gatewaySecret }),
  });
}

/** Things to close, last opened first. */
type Closers = (() => Promise<void>)[];

interface Opening extends ComposeOptions {
  readonly deps: ServiceDeps;
  readonly closers: Closers;
}

/** What a service's start gives: its consumption, and its failure where it can fail. */
type Opened = Consumption & { readonly failure?: Promise<never> };

async function withStore({ config, closers }: Opening): Promise<ArtifactStore> {
  const store = await openStore(config);
  closers.push(() => store.close());
  return store;
}

async function withSecrets({ config, env, closers }: Opening): Promise<SecretResolver> {
  const secrets = await openSecrets(config.secretsUrl, env);
  closers.push(() => secrets.close());
  return secrets;
}

async function startAdmissionService(opening: Opening): Promise<Opened> {
  const { config, deps } = opening;
  const { startAdmission } = await import('./admission/service.ts');
  const secrets = await withSecrets(opening);
  const [defaultAdapter] = config.adapters;
  return startAdmission({
    ...deps,
    store: await withStore(opening),
    secrets,
    registry: await loadRegistry(config.registryDir),
    declareLeases: config.declareLeases,
    deployment: {
      adapters: config.adapters,
      defaultAdapter: defaultAdapter ?? 'mock',
      kv: config.kvUrl === undefined ? undefined : await kvCapabilities(config.kvUrl),
      queue: config.queueUrl === undefined ? undefined : await queueCapabilities(config.queueUrl),
    },
  });
}

/** Where the scratch of this deployment is, for the dispatcher: how processors reach it, and what is to be purged. */
async function scratchOf({ config, deps, closers }: Opening) {
  const { kvUrl, queueUrl, scratchGatewayUrl: url, gatewayKeyFile } = config;
  const scratchStores: (Kv | Queue)[] = [];
  if (kvUrl !== undefined) scratchStores.push(await openKv(kvUrl, deps));
  if (queueUrl !== undefined) scratchStores.push(await openQueue(queueUrl, deps));
  for (const store of scratchStores) closers.push(() => store.close());
  const needed = { scratchStores, scratchRetentionS: config.scratchRetentionS };
  if (scratchStores.length === 0) return { ...needed, scratch: undefined };
  const secret = await readFile(required(gatewayKeyFile, 'ARTIFACTS_GATEWAY_KEY_FILE'));
  return { ...needed, scratch: { url: required(url, 'SCRATCH_GATEWAY_URL'), secret } };
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** `host:port` of what the URLs of jobs name, for containers that may reach nothing else. */
function reachable({ artifactsUrl, gatewayUrl, scratchGatewayUrl }: Config): string[] {
  const store = artifactsUrl === undefined ? undefined : new URL(artifactsUrl).searchParams;
  const s3 = store?.get('public_endpoint') ?? store?.get('endpoint') ?? undefined;
  const hosts = [gatewayUrl, scratchGatewayUrl, s3].flatMap((text) => {
    if (text === undefined || !URL.canParse(text)) return [];
    const { hostname, port, protocol } = new URL(text);
    return [`${hostname}:${port === '' ? DEFAULT_PORTS[protocol] : port}`];
  });
  return [...new Set(hosts)];
}

async function startDispatcherService(opening: Opening): Promise<Opened> {
  const { config, deps, closers, instance } = opening;
  const { startDispatcher } = await import('./dispatcher/service.ts');
  const open = (adapter: Adapter) =>
    openRuntime(adapter, {
      processorsDir: config.processorsDir,
      stateDir: `${config.homeDir}/${adapter}`,
      endpoints: reachable(config),
      relayImage: config.relayImage,
      modalUrl: config.modalUrl,
    });
  const runtimes = await Promise.all(config.adapters.map(open));
  for (const runtime of runtimes) closers.push(() => runtime.close());
  const secrets = await withSecrets(opening);
  return startDispatcher({
    ...deps,
    ...(await scratchOf(opening)),
    store: await withStore(opening),
    secrets,
    runtimes,
    slots: config.slots,
    instance,
  });
}

async function startProjectorService(opening: Opening): Promise<Opened> {
  const { config, deps, closers } = opening;
  const { startProjector } = await import('./projector/service.ts');
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: required(config.databaseUrl, 'DATABASE_URL'), max: 2 });
  // A lost idle connection is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => deps.log.warn({ err: error }, 'a Postgres connection was lost'));
  closers.push(() => pool.end());
  return startProjector({ ...deps, pool, store: await withStore(opening) });
}

async function start(name: ServiceName, opening: Opening): Promise<Opened> {
  switch (name) {
    case 'admission':
      return startAdmissionService(opening);
    case 'dispatcher':
      return startDispatcherService(opening);
    case 'settler':
      return (await import('./settler/service.ts')).startSettler({ ...opening.deps, store: await withStore(opening) });
    case 'sampler':
      return (await import('./sampler/service.ts')).startSampler(opening.deps);
    case 'projector':
      return startProjectorService(opening);
    default:
      return unreachable(name);
  }
}

/** Prepares a deployment, as a user of NATS who may create streams. */
export async function setUp({ config, log }: Pick<ComposeOptions, 'config' | 'log'>): Promise<void> {
  const url = required(config.natsUrl, 'NATS_URL');
  const connection = await connectNats({ url, name: 'isomorph-setup', waitMs: SERVER_WAIT_MS });
  try {
    const { gatewayKeyFile, artifactsUrl } = config;
    await (await import('./setup/service.ts')).setUp({ connection, gatewayKeyFile, artifactsUrl });
    log.info({ service: 'setup' }, 'done');
  } finally {
    await connection.close();
  }
}

/** The store that the gateway serves: one of another kind signs URLs of its own server. */
async function servedStore(config: Config): Promise<FileArtifactStore | undefined> {
  const { artifactsUrl } = config;
  if (artifactsUrl === undefined || !artifactsUrl.startsWith('file:')) return undefined;
  return (await import('../shared/world/drivers/file/file.ts')).openFileStore(new URL(artifactsUrl));
}

/** Starts the gateway, with a connection of its own. It writes nothing to the ledger. */
export async function startGateway({ config, log }: Pick<ComposeOptions, 'config' | 'log'>): Promise<RunningGateway> {
  const { listenAt, startGatewayService } = await import('./gateway/service.ts');
  const secret = await readFile(required(config.gatewayKeyFile, 'ARTIFACTS_GATEWAY_KEY_FILE'));
  const url = required(config.natsUrl, 'NATS_URL');
  const connection = await connectNats({ url, name: 'isomorph-gateway', waitMs: SERVER_WAIT_MS });
  try {
    const { kvUrl, queueUrl, gatewayListen } = config;
    const store = await servedStore(config);
    const gatewayLog = log.child({ service: 'gateway' });
    const deps = {
      connection,
      log: gatewayLog,
      nowMs: Date.now,
      secret,
      store,
      kvUrl,
      queueUrl,
      ...listenAt(gatewayListen),
    };
    const gateway = await startGatewayService(deps);
    return {
      url: gateway.url,
      async stop() {
        await gateway.stop();
        await store?.close();
        await connection.close();
      },
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function closeAll(closers: Closers, connection: NatsConnection): Promise<void> {
  for (const close of closers.reverse()) await close();
  await connection.close();
}

/** Starts one service with connections of its own. */
export async function startService(name: ServiceName, options: ComposeOptions): Promise<RunningService> {
  const log = options.log.child({ service: name });
  const url = required(options.config.natsUrl, 'NATS_URL');
  const connection = await connectNats({ url, name: `isomorph-${name}`, waitMs: SERVER_WAIT_MS });
  const closers: Closers = [];
  const deps: ServiceDeps = {
    connection,
    log,
    nowMs: Date.now,
    onForeign: (message) => log.error({ foreign: message }, 'a message in the ledger is no event'),
  };
  try {
    const started = await start(name, { ...options, log, deps, closers });
    log.info('started');
    return {
      name,
      failure: started.failure ?? new Promise<never>(() => undefined),
      async stop() {
        await started.stop();
        await closeAll(closers, connection);
        log.info('stopped');
      },
    };
  } catch (error) {
    await closeAll(closers, connection);
    throw error;
  }
}
