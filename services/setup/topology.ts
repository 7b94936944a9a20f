import {
  type ConsumerConfig,
  type ConsumerInfo,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { ACK_WAIT_MS, ALL_CONSUMERS, type ConsumerSpec } from '../../shared/wire/consumers.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { RETIRED_STREAMS, STREAMS, type StreamSpec } from '../../shared/wire/streams.ts';

/** JetStream API errors. */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
const CONSUMER_EXISTS = 10148;

async function ensureStream(jsm: JetStreamManager, spec: StreamSpec): Promise<void> {
  const config = { storage: 'file', num_replicas: 1, max_consumers: -1, ...spec } as const;
  try {
    await jsm.streams.info(spec.name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
    await jsm.streams.add({ ...config, ...(await numberingOf(jsm, spec)) });
    return;
  }
  await jsm.streams.update(spec.name, spec);
}

/**
 * The ledger names commands by their sequence. When their stream is made anew beside a ledger it counts on above all that
 * it can have given: the milliseconds since 1970, at fewer than a thousand commands a second.
 */
async function numberingOf(jsm: JetStreamManager, { name }: StreamSpec): Promise<Partial<StreamConfig>> {
  if (name !== COMMANDS_STREAM) return {};
  try {
    const { state } = await jsm.streams.info(LEDGER_STREAM);
    return state.messages === 0 ? {} : { first_seq: Date.now() };
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
    return {};
  }
}

async function removeStream(jsm: JetStreamManager, name: string): Promise<void> {
  try {
    await jsm.streams.delete(name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
  }
}

/** Undefined when there is no such consumer. */
async function findConsumer(jsm: JetStreamManager, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  try {
    return await jsm.consumers.info(stream, durable);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND) return undefined;
    throw error;
  }
}

/** Removes the consumer of the edition before; several setups may do so at once. */
async function retire(jsm: JetStreamManager, { stream, replaces }: ConsumerSpec): Promise<void> {
  try {
    await jsm.consumers.delete(stream, replaces);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_NOT_FOUND) throw error;
  }
}

const WORK_QUEUES: ReadonlySet<string> = new Set(
  STREAMS.filter(({ retention }) => retention === 'workqueue').map(({ name }) => name),
);

/**
 * Where a new consumer begins: behind what the one before it had acknowledged without a gap, else at the start, since
 * whoever follows the ledger may see a commit twice. A work queue holds only what nobody acknowledged.
 */
function startOf({ stream }: ConsumerSpec, before: ConsumerInfo | undefined): Partial<ConsumerConfig> {
  if (before === undefined || WORK_QUEUES.has(stream)) return { deliver_policy: 'all' };
  return { deliver_policy: 'by_start_sequence', opt_start_seq: before.ack_floor.stream_seq + 1 };
}

async function addConsumer(jsm: JetStreamManager, spec: ConsumerSpec, config: Partial<ConsumerConfig>): Promise<void> {
  const { stream, durable } = spec;
  const before = await findConsumer(jsm, stream, spec.replaces);
  // A work queue refuses a second consumer of the same subjects; what is not acknowledged stays in the stream meanwhile.
  if (WORK_QUEUES.has(stream)) await retire(jsm, spec);
  try {
    await jsm.consumers.add(stream, { ...config, ...startOf(spec, before), durable_name: durable });
  } catch (error) {
    // Another setup was first; where it begins is as good.
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
  }
}

async function ensureConsumer(jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const config: Partial<ConsumerConfig> = {
    ack_policy: 'explicit',
    ack_wait: ACK_WAIT_MS * 1_000_000,
    // Retries are ours to end: a message must never vanish because it was tried too often.
    max_deliver: -1,
    max_ack_pending: -1,
    ...(spec.filter === undefined ? {} : { filter_subject: spec.filter }),
  };
  if ((await findConsumer(jsm, spec.stream, spec.durable)) === undefined) await addConsumer(jsm, spec, config);
  else await jsm.consumers.update(spec.stream, spec.durable, config);
  await retire(jsm, spec);
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
