import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { within } from '../shared/async/within.ts';
import { connectNats } from '../shared/nats/connect.ts';
import { clockOf } from './common/clock.ts';
import type { Config, Env } from './common/config/config.ts';
import type { ServiceDeps } from './common/deps.ts';
import { limitsInForce } from './common/limits-in-force.ts';
import { type Opened, Opening, required } from './common/opening.ts';
import type { ProcessName, ServiceName } from './common/services.ts';
import { tellOfConnection } from './common/tell-connection.ts';

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
  /** Where it is reached, if it listens. */
  readonly url: string | undefined;
  /** Rejects when the service cannot go on, such as a projector that met a broken chain. Never resolves. */
  readonly failure: Promise<never>;
  /** Takes no more work, ends what it can in 9 s, leaves the rest for the next start. */
  stop(): Promise<void>;
}

/** Each is imported when it is started: a process pays for its own service alone. */
const STARTS: Readonly<Record<ServiceName, () => Promise<{ start(opening: Opening): Promise<Opened> }>>> = {
  admission: () => import('./admission/start.ts'),
  dispatcher: () => import('./dispatcher/start.ts'),
  settler: () => import('./settler/start.ts'),
  sampler: () => import('./sampler/start.ts'),
  projector: () => import('./projector/start.ts'),
  gateway: () => import('./gateway/start.ts'),
};

/** How long a process waits before it says that NATS is away: it is started again then. */
const START_WAIT_MS = 5_000;

/** A service that is told to end has ended by then, whatever it waits for: containers are killed after 10 s. */
const STOP_MS = 9_000;
/** Of that: how long what is under way may take to its end. */
const DRAIN_MS = 6_000;

/** Ends what was started, then closes what it works with; what takes too long is left for the next start. */
async function stopWithin(log: Logger, stop: () => Promise<void>, close: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  const late = (what: string) => () => log.warn(`${what}: it is left for the next start`);
  await within(DRAIN_MS, stop(), late('what is under way does not end'));
  const leftMs = STOP_MS - (performance.now() - startedMs);
  await within(leftMs, close(), late('what was opened does not close'));
}

const connectAs = ({ natsUrl }: Config, name: ProcessName) =>
  connectNats({ url: required(natsUrl, 'NATS_URL'), name: `isomorph-${name}`, waitMs: START_WAIT_MS });

export interface SetUpOptions extends Pick<ComposeOptions, 'config' | 'log'> {
  /** Free on the disk of the streams, for who can look. */
  readonly freeBytes?: number;
}

/** Prepares a deployment, as a user of NATS who may create streams. */
export async function runSetup({ config, log, freeBytes }: SetUpOptions): Promise<void> {
  const connection = await connectAs(config, 'setup');
  try {
    const { gatewayKeyFile, artifactsUrl } = config;
    await (await import('./setup/service.ts')).setUp({
      connection,
      gatewayKeyFile,
      artifactsUrl,
      limits: config,
      freeBytes,
      onFitted: (fit) => log.warn({ ...fit }, 'the disk has no room for all limits: the streams get less'),
    });
    log.info({ service: 'setup' }, 'done');
  } finally {
    await connection.close();
  }
}

/** What a start asks of the server; where that fails the connection is closed. */
async function orClosed<T>(connection: NatsConnection, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Starts one service with connections of its own. */
export async function startService(name: ServiceName, options: ComposeOptions): Promise<RunningService> {
  const log = options.log.child({ service: name });
  const connection = await connectAs(options.config, name);
  tellOfConnection(connection, log).catch((error: unknown) =>
    log.error({ err: error }, 'nobody watches the connection'),
  );
  const clock = await orClosed(connection, clockOf(connection, log));
  const deps: ServiceDeps = {
    connection,
    log,
    nowMs: clock.nowMs,
    saw: (serverMs) => clock.saw(serverMs),
    onForeign: (message) => log.error({ foreign: message }, 'a message in the ledger is no event'),
  };
  const config = await orClosed(connection, limitsInForce(connection, options.config));
  const opening = new Opening({ ...options, config, deps });
  try {
    // After the connection: a server does not wait for the credentials of a process that is busy reading code.
    const { start } = await STARTS[name]();
    const started = await start(opening);
    const { url, failure } = started;
    log.info(url === undefined ? {} : { url }, 'started');
    return {
      name,
      url,
      failure: failure ?? new Promise<never>(() => undefined),
      async stop() {
        await stopWithin(
          log,
          () => started.stop(),
          () => opening.close(),
        );
        await connection.close();
        log.info('stopped');
      },
    };
  } catch (error) {
    await opening.close();
    await connection.close();
    throw error;
  }
}
