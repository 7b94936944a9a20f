/** How durable consumers are made: by setup, and made anew by the service that finds its own gone. */
import {
  type ConsumerConfig,
  type ConsumerInfo,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { oldestOpenSeq } from '../../shared/journal/open-plans.ts';
import { isConsumerMissing } from '../../shared/nats/missing.ts';
import { ACK_WAIT_MS, type ConsumerSpec } from '../../shared/wire/consumers.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';

/** JetStream API error: another one was first, with another configuration. */
const CONSUMER_EXISTS = 10148;

export const consumerConfig = ({ filter }: ConsumerSpec): Partial<ConsumerConfig> => ({
  ack_policy: 'explicit',
  ack_wait: ACK_WAIT_MS * 1_000_000,
  // Retries are ours to end: a message must never vanish because it was tried too often.
  max_deliver: -1,
  max_ack_pending: -1,
  ...(filter === undefined ? {} : { filter_subject: filter }),
});

/** Undefined when there is no such consumer. */
export async function findConsumer(
  jsm: JetStreamManager,
  stream: string,
  durable: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await jsm.consumers.info(stream, durable);
  } catch (error) {
    if (isConsumerMissing(error)) return undefined;
    throw error;
  }
}

/** Whether a consumer begins where it is told to: what other streams hold is still to be done, and they are begun at their start. */
export const followsLedger = ({ stream }: ConsumerSpec): boolean => stream === LEDGER_STREAM;

/** @param fromSeq where a follower of the ledger begins, which may see a commit twice */
export async function addConsumer(jsm: JetStreamManager, spec: ConsumerSpec, fromSeq: number): Promise<void> {
  const start: Partial<ConsumerConfig> = followsLedger(spec)
    ? { deliver_policy: 'by_start_sequence', opt_start_seq: fromSeq }
    : { deliver_policy: 'all' };
  try {
    await jsm.consumers.add(spec.stream, { ...consumerConfig(spec), ...start, durable_name: spec.durable });
  } catch (error) {
    // Another one was first; where it begins is as good.
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
  }
}

/**
 * Makes a consumer that is gone anew. It begins at the oldest open plan, or where this process had got to if that is earlier.
 * @param reachedSeq the first message that this process has not finished; undefined when it had none yet
 * @throws ERR_UNAVAILABLE when the server refuses it, or it is for setup to do: the consumer of the edition before is still there
 */
export async function remakeConsumer(
  connection: NatsConnection,
  spec: ConsumerSpec,
  reachedSeq: number | undefined,
): Promise<void> {
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  if ((await findConsumer(jsm, spec.stream, spec.replaces)) !== undefined) {
    throw new IsomorphError('ERR_UNAVAILABLE', `no consumer ${spec.durable} on ${spec.stream}: setup was not run`);
  }
  const fromSeq = followsLedger(spec) ? await oldestOpenSeq(connection) : 1;
  try {
    await addConsumer(jsm, spec, Math.min(fromSeq, reachedSeq ?? fromSeq));
  } catch (error) {
    const { message } = error as Error;
    throw new IsomorphError('ERR_UNAVAILABLE', `no consumer ${spec.durable} on ${spec.stream}: ${message}`, {}, error);
  }
}
