import { type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { oldestOpenSeq } from '../../shared/journal/oldest-open.ts';
import { isConsumerMissing, isStreamMissing } from '../../shared/nats/missing.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { ALL_CONSUMERS, type ConsumerSpec } from '../../shared/wire/consumers.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { RETIRED_STREAMS, STREAMS, type StreamSpec, WORK_QUEUES } from '../../shared/wire/streams.ts';
import { addConsumer, consumerConfig, findConsumer } from '../common/consumers.ts';

async function ensureStream(jsm: JetStreamManager, spec: StreamSpec): Promise<void> {
  const config = { storage: 'file', num_replicas: 1, max_consumers: -1, ...spec } as const;
  try {
    await jsm.streams.info(spec.name);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
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
    if (!isStreamMissing(error)) throw error;
    return {};
  }
}

async function removeStream(jsm: JetStreamManager, name: string): Promise<void> {
  try {
    await jsm.streams.delete(name);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
}

/** Removes the consumer of the edition before; several setups may do so at once. */
async function retire(jsm: JetStreamManager, { stream, replaces }: ConsumerSpec): Promise<void> {
  try {
    await jsm.consumers.delete(stream, replaces);
  } catch (error) {
    if (!isConsumerMissing(error)) throw error;
  }
}

/**
 * Behind what the consumer of the edition before had acknowledged without a gap; without one at the oldest open plan.
 * A work queue refuses a second consumer of the same subjects: there the old one goes first, and what it had not acknowledged stays.
 */
async function takeOver(connection: NatsConnection, jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const isQueue = WORK_QUEUES.has(spec.stream);
  const before = await findConsumer(jsm, spec.stream, spec.replaces);
  if (isQueue) await retire(jsm, spec);
  const oldest = async (): Promise<number> => (isQueue ? 1 : oldestOpenSeq(connection));
  await addConsumer(jsm, spec, before === undefined ? await oldest() : before.ack_floor.stream_seq + 1);
}

async function ensureConsumer(connection: NatsConnection, jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const { stream, durable } = spec;
  if ((await findConsumer(jsm, stream, durable)) === undefined) await takeOver(connection, jsm, spec);
  else await jsm.consumers.update(stream, durable, consumerConfig(spec));
  await retire(jsm, spec);
}

/** The ledger is made first, once: where other streams are, it was, and another one in its place would be no ledger. */
async function ensureLedger(jsm: JetStreamManager): Promise<void> {
  const names = new Set<string>();
  for await (const name of jsm.streams.names()) names.add(name);
  if (!names.has(LEDGER_STREAM) && STREAMS.some(({ name }) => names.has(name))) {
    throw new IsomorphError('ERR_LEDGER_GONE', `there is no stream ${LEDGER_STREAM}, but others are there`);
  }
  await Promise.all(STREAMS.filter(({ name }) => name === LEDGER_STREAM).map((spec) => ensureStream(jsm, spec)));
}

/**
 * Creates what is missing, brings the rest up to date and removes what is retired; safe to run any number of times and by several at once.
 * Needs a user that may create streams: services themselves may not.
 * @throws ERR_UNAVAILABLE when the server has no JetStream; ERR_LEDGER_GONE when all but the ledger is there
 */
export async function ensureTopology(connection: NatsConnection): Promise<void> {
  try {
    const jsm = await jetstreamManager(connection);
    await ensureLedger(jsm);
    await Promise.all(STREAMS.map((spec) => ensureStream(jsm, spec)));
    await Promise.all(RETIRED_STREAMS.map((name) => removeStream(jsm, name)));
    await Promise.all(ALL_CONSUMERS.map((spec) => ensureConsumer(connection, jsm, spec)));
  } catch (error) {
    if (error instanceof IsomorphError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new IsomorphError('ERR_UNAVAILABLE', `JetStream could not be set up: ${message}`, {}, error);
  }
}
