import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { ADAPTERS } from '../ids/adapter.ts';
import { COMMITTED_LEDGER, LEDGER_STREAM, WHOLE_LEDGER } from './ledger.ts';
import { SCRATCH_STREAMS } from './scratch-streams.ts';

const SECOND_NS = 1_000_000_000;
const DAY_NS = 86_400 * SECOND_NS;

/** Long enough for a stalled event loop, short enough that work of a killed service goes on soon. */
export const ACK_WAIT_MS = 10_000;

type StreamSpec = Pick<StreamConfig, 'name' | 'subjects'> & Partial<StreamConfig>;

/** Every stream of Isomorph (DESIGN "Subjects and streams"). */
export const STREAMS: readonly StreamSpec[] = [
  {
    name: 'COMMANDS',
    description: 'what clients ask for',
    subjects: ['plans.submit', 'plans.cancel'],
    retention: 'workqueue',
    max_msg_size: 1024 * 1024,
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: LEDGER_STREAM,
    description: 'the append-only, hash-chained ledger',
    subjects: [WHOLE_LEDGER],
    retention: 'limits',
    discard: 'new',
    deny_delete: true,
    deny_purge: true,
    republish: { src: WHOLE_LEDGER, dest: COMMITTED_LEDGER },
    compression: 's2',
    allow_direct: true,
    max_msg_size: 1024 * 1024,
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: 'WORK',
    description: 'scheduled executions, for dispatchers',
    subjects: ['work.>'],
    retention: 'workqueue',
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: 'FACTS',
    description: 'what scratch adapters and processors report, for the sampler',
    subjects: ['facts.>'],
    retention: 'workqueue',
    max_msg_size: 64 * 1024,
    duplicate_window: 120 * SECOND_NS,
  },
  {
    name: 'STREAMS',
    description: 'live chunks',
    subjects: ['streams.>'],
    retention: 'limits',
    discard: 'old',
    max_age: DAY_NS,
    max_bytes: 4 * 1024 ** 3,
  },
  {
    name: 'DEAD',
    description: 'what could not be parsed or handled, with the reason',
    subjects: ['dead.>'],
    retention: 'limits',
    discard: 'old',
    max_age: 30 * DAY_NS,
    max_bytes: 1024 ** 3,
    allow_direct: true,
  },
  ...SCRATCH_STREAMS,
];

export interface ConsumerSpec {
  readonly stream: string;
  readonly durable: string;
  readonly filter?: string;
}

/** Every durable consumer. The projector needs none: it reads from the position that Postgres keeps. */
export const CONSUMERS: readonly ConsumerSpec[] = [
  { stream: 'COMMANDS', durable: 'admission' },
  { stream: LEDGER_STREAM, durable: 'dispatcher' },
  { stream: LEDGER_STREAM, durable: 'settler' },
  ...ADAPTERS.map((adapter) => ({ stream: 'WORK', durable: `dispatcher-${adapter}`, filter: `work.${adapter}` })),
  { stream: 'WORK', durable: 'dispatcher-timers', filter: 'work.timer' },
  { stream: 'WORK', durable: 'dispatcher-purges', filter: 'work.purge' },
  { stream: 'FACTS', durable: 'sampler' },
];

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
 * Creates what is missing and brings the rest up to date; safe to run any number of times and by several at once.
 * Needs a user that may create streams: services themselves may not.
 * @throws ERR_UNAVAILABLE when the server has no JetStream.
 */
export async function ensureTopology(connection: NatsConnection): Promise<void> {
  try {
    const jsm = await jetstreamManager(connection);
    await Promise.all(STREAMS.map((spec) => ensureStream(jsm, spec)));
    await Promise.all(CONSUMERS.map((spec) => ensureConsumer(jsm, spec)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new IsomorphError('ERR_UNAVAILABLE', `JetStream could not be set up: ${message}`, {}, error);
  }
}
