import type { Kv } from '../../shared/scratch/kv/kv.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { SCRATCH_PATH } from '../../shared/scratch/token.ts';
import type { FileArtifactStore } from '../../shared/world/drivers/file/file.ts';
import type { ServiceDeps } from '../common/deps.ts';
import type { Opened } from '../common/opening.ts';
import { startGateway } from './artifact-server.ts';
import { traceOf } from './defect.ts';
import { scratchHandler } from './scratch-handler.ts';

export interface GatewayDeps extends Pick<ServiceDeps, 'log' | 'nowMs'> {
  /** The key of URLs and tokens. */
  readonly secret: Uint8Array;
  readonly host: string;
  readonly port: number;
  /** Of a `file:` store; another signs URLs of its own server. */
  readonly store: FileArtifactStore | undefined;
  /** Undefined: this deployment has none. */
  readonly kv: Kv | undefined;
  readonly queue: Queue | undefined;
}

/**
 * The way from processors into a deployment: artifacts of a `file:` store by signed URLs, KV and queues by tokens.
 * @throws ERR_CONFIG for an unusable key, ERR_UNAVAILABLE when the port is taken.
 */
export async function startGatewayService(deps: GatewayDeps): Promise<Opened & { readonly url: string }> {
  const { log, nowMs, secret, host, port, store, kv, queue } = deps;
  const scratch = scratchHandler({
    secret,
    nowMs,
    onError: (error) => log.error({ defect: traceOf(error) }, 'a scratch request failed'),
    ...(kv === undefined ? {} : { kv }),
    ...(queue === undefined ? {} : { queue }),
  });
  const gateway = await startGateway({
    ...{ secret, host, port, nowMs },
    mounts: { [SCRATCH_PATH]: scratch },
    ...(store === undefined ? {} : { store }),
  });
  return { url: gateway.url, stop: () => gateway.close() };
}
