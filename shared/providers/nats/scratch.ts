/** What the nats drivers of KV and queues share. */
import { JetStreamApiError, type JetStreamClient, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import { connectNats } from '../../nats/connect.ts';
import { isStreamFull } from '../../nats/missing.ts';
import type { ScratchOptions } from '../../scratch/options.ts';

export interface NatsAccess {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: JetStreamClient;
  /** Closes the connection if it was opened for this client. */
  release(): Promise<void>;
}

/** @throws ERR_CONFIG without host and connection, ERR_UNAVAILABLE when no server answers. */
export async function natsAccess(url: URL, { connection }: ScratchOptions): Promise<NatsAccess> {
  if (url.host === '' && connection === undefined) {
    const expected = 'nats://host:port, or a connection in the options';
    throw new IsomorphError('ERR_CONFIG', 'nats: names no server', { expected });
  }
  const own = url.host === '' ? undefined : await connectNats({ url: url.href, name: 'scratch' });
  const used = own ?? connection;
  if (used === undefined) throw new IsomorphError('ERR_INTERNAL', 'no connection');
  // A user who may not ask $JS.API.INFO can use scratch all the same.
  const manager = await jetstreamManager(used, { checkAPI: false });
  return { connection: used, manager, stream: manager.jetstream(), release: async () => own?.close() };
}

/** JetStream API error: no message at this place. */
const NO_MESSAGE = 10037;

export const isNoMessage = (error: unknown): boolean => error instanceof JetStreamApiError && error.code === NO_MESSAGE;

/** What the client throws, as passing faults: it does not answer, or its streams are not there yet. */
export function unavailable(error: unknown): IsomorphError {
  if (error instanceof IsomorphError) return error;
  if (isStreamFull(error)) {
    const expected = 'less kept in KV of all plans, or a larger ISOMORPH_MAX_KV_BYTES';
    return new IsomorphError('ERR_LIMIT', 'the stream of NATS is full', { expected }, error);
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new IsomorphError('ERR_UNAVAILABLE', `NATS: ${message}`, {}, error);
}

/** Runs `call`, with every error one of ours. */
export async function orUnavailable<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw unavailable(error);
  }
}
