import { readFileSync } from 'node:fs';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { SCRATCH_PATH } from '../../shared/scratch/token.ts';
import type { FileArtifactStore } from '../../shared/world/drivers/file/file.ts';
import type { ServiceDeps } from '../common/deps.ts';
import type { Opened } from '../common/opening.ts';
import { startGateway } from './artifact-server.ts';
import { traceOf } from './defect.ts';
import { scratchHandler } from './scratch-handler.ts';
import { Traffic, type TrafficLimits } from './traffic.ts';

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
  readonly limits: TrafficLimits;
  readonly tellLimit: TellLimit;
}

/** For what is no connection of the gateway: servers, folders, the program itself. */
const OTHER_FILES = 256;
/** A connection and the file that it is served. */
const FILES_OF_ONE = 2;

/** How many files this process may have open; undefined where the system does not tell. */
function openFilesMost(): number | undefined {
  try {
    const most = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return most === undefined ? undefined : Number(most);
  } catch {
    // Only Linux has it; elsewhere the configuration alone says.
    return undefined;
  }
}

/** No more connections than the system lets this process have: beyond it everybody's fail. */
function withinFiles(limits: TrafficLimits, filesMost: number | undefined, log: GatewayDeps['log']): TrafficLimits {
  const most = Math.max(1, Math.floor(((filesMost ?? Infinity) - OTHER_FILES) / FILES_OF_ONE));
  if (limits.connections <= most) return limits;
  log.warn({ connections: most, open_files: filesMost }, 'this process may not open the files of as many connections');
  return { ...limits, connections: most };
}

/**
 * The way from processors into a deployment: artifacts of a `file:` store by signed URLs, KV and queues by tokens.
 * @throws ERR_CONFIG for an unusable key, ERR_UNAVAILABLE when the port is taken.
 */
export async function startGatewayService(deps: GatewayDeps): Promise<Opened & { readonly url: string }> {
  const { log, nowMs, secret, host, port, store, kv, queue } = deps;
  const traffic = new Traffic({ limits: withinFiles(deps.limits, openFilesMost(), log), tell: deps.tellLimit });
  const scratch = scratchHandler({
    secret,
    traffic,
    nowMs,
    onError: (error) => log.error({ defect: traceOf(error) }, 'a scratch request failed'),
    ...(kv === undefined ? {} : { kv }),
    ...(queue === undefined ? {} : { queue }),
  });
  const gateway = await startGateway({
    ...{ secret, host, port, nowMs, traffic },
    mounts: { [SCRATCH_PATH]: scratch },
    ...(store === undefined ? {} : { store }),
  });
  return { url: gateway.url, stop: () => gateway.close() };
}
