import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { SCRATCH_PATH } from '../../shared/scratch/token.ts';
import type { FileArtifactStore } from '../../shared/world/drivers/file/file.ts';
import { startGateway } from './artifact-server.ts';
import { NatsFactSink } from './facts.ts';
import { scratchHandler } from './scratch-handler.ts';

export interface GatewayDeps {
  /** Carries audit facts, and scratch on `nats:`. */
  readonly connection: NatsConnection;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** The key of URLs and tokens. */
  readonly secret: Uint8Array;
  readonly host: string;
  readonly port: number;
  /** Of a `file:` store; another signs URLs of its own server. */
  readonly store: FileArtifactStore | undefined;
  readonly kvUrl: string | undefined;
  readonly queueUrl: string | undefined;
}

export interface RunningGateway {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * The way from processors into a deployment: artifacts of a `file:` store by signed URLs, KV and queues by tokens.
 * @throws ERR_CONFIG for an unusable URL or key, ERR_UNAVAILABLE when a backend does not answer or the port is taken.
 */
export async function startGatewayService(deps: GatewayDeps): Promise<RunningGateway> {
  const { connection, log, nowMs, secret, host, port, store, kvUrl, queueUrl } = deps;
  const facts = new NatsFactSink(connection);
  const options = { connection, factSink: facts };
  const kv = kvUrl === undefined ? undefined : await openKv(kvUrl, options);
  const queue = queueUrl === undefined ? undefined : await openQueue(queueUrl, options);
  const scratch = scratchHandler({
    secret,
    nowMs,
    onError: (error) => log.error({ err: error }, 'a scratch request failed'),
    ...(kv === undefined ? {} : { kv }),
    ...(queue === undefined ? {} : { queue }),
  });
  const gateway = await startGateway({
    ...{ secret, host, port, nowMs },
    mounts: { [SCRATCH_PATH]: scratch },
    ...(store === undefined ? {} : { store }),
  });
  log.info({ url: gateway.url }, 'started');
  return {
    url: gateway.url,
    async stop() {
      await gateway.close();
      await Promise.all([kv?.close(), queue?.close()]);
      await facts.close();
      if (facts.dropped > 0) log.warn({ dropped: facts.dropped }, 'audit facts of scratch were dropped');
      log.info('stopped');
    },
  };
}

/** `host:port`, as the configuration has checked it. */
export function listenAt(text: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`tcp://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}
