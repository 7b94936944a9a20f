import { type Consumer, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { isConsumerMissing, isStreamMissing } from './missing.ts';

export interface Wanted {
  readonly connection: NatsConnection;
  readonly consumer: { readonly stream: string; readonly durable: string };
  readonly log: Logger;
  /** Makes the consumer anew, which is gone. */
  remake?(reachedSeq: number | undefined): Promise<void>;
}

/** A server that says nothing has not said that anything is gone. */
export const unanswered = (stream: string, error: unknown): IsomorphError =>
  new IsomorphError('ERR_UNAVAILABLE', `NATS does not answer for ${stream}: ${(error as Error).message}`, {}, error);

/** @throws ERR_UNAVAILABLE when it does not exist, and could not be made anew, or nobody answers */
export async function openConsumer(wanted: Wanted, reachedSeq: number | undefined): Promise<Consumer> {
  const { connection, log, remake } = wanted;
  const { stream, durable } = wanted.consumer;
  const { consumers } = jetstream(connection);
  try {
    return await consumers.get(stream, durable);
  } catch (error) {
    if (isStreamMissing(error)) {
      const who = 'run setup, as whoever may create streams';
      throw new IsomorphError('ERR_UNAVAILABLE', `the stream ${stream} is gone: ${who}`, {}, error);
    }
    if (!isConsumerMissing(error)) throw unanswered(stream, error);
    if (remake === undefined) {
      throw new IsomorphError('ERR_UNAVAILABLE', `no consumer ${durable} on ${stream}`, {}, error);
    }
  }
  await remake(reachedSeq);
  log.error({ stream, durable }, 'the consumer was gone: it was made anew');
  return consumers.get(stream, durable);
}
