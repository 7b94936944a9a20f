import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { ACK_WAIT_MS, ALL_CONSUMERS, type ConsumerSpec } from '../../shared/wire/consumers.ts';
import { RETIRED_STREAMS, STREAMS, type StreamSpec } from '../../shared/wire/streams.ts';

/** JetStream API error: stream not found. */
const STREAM_NOT_FOUND = 10059;

async function ensureStream(jsm: JetStreamManager, spec: StreamSpec): Promise<void> {
  const config = { storage: 'file', num_replicas: 1, max_consumers: -1, ...spec } as const;
  try {
    await jsm.streams.info(spec.name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
    await jsm.streams.add(config);
    return;
  }
  await jsm.streams.update(spec.name, spec);
}

async function removeStream(jsm: JetStreamManager, name: string): Promise<void> {
  try {
    await jsm.streams.delete(name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
  }
}

async function ensureConsumer(jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  await jsm.consumers.add(spec.stream, {
    durable_name: spec.durable,
    ack_policy: 'explicit',
    deliver_policy: 'all',
    ack_wait: ACK_WAIT_MS * 1_000_000,
    // Retries are ours to end: a message must never vanish because it was tried too often.
    max_deliver: -1,
    max_ack_pending: -1,
    ...(spec.filter === undefined ? {} : { filter_subject: spec.filter }),
  });
}

/**
 * Creates what is missing, brings the rest up to date and removes what is retired; safe to run any number of times and by several at once.
 * Needs a user that may create streams: services themselves may not.
 * @throws ERR_UNAVAILABLE when the server has no JetStream.
 */
export async function ensureTopology(connection: NatsConnection): Promise<void> {
  try {
    const jsm = await jetstreamManager(connection);
    await Promise.all(STREAMS.map((spec) => ensureStream(jsm, spec)));
    await Promise.all(RETIRED_STREAMS.map((name) => removeStream(jsm, name)));
    await Promise.all(ALL_CONSUMERS.map((spec) => ensureConsumer(jsm, spec)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new IsomorphError('ERR_UNAVAILABLE', `JetStream could not be set up: ${message}`, {}, error);
  }
}
