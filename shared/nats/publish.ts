import { type JetStreamPublishOptions, jetstream, type PubAck } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';

/**
 * Stores a message in the stream of its subject.
 * @throws ERR_UNAVAILABLE when no server confirms it; it may have been stored all the same.
 */
export async function publish(
  connection: NatsConnection,
  subject: string,
  body: Uint8Array | string,
  options: Partial<JetStreamPublishOptions> = {},
): Promise<PubAck> {
  try {
    return await jetstream(connection).publish(subject, body, options);
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `${subject}: ${(error as Error).message}`, {}, error);
  }
}
