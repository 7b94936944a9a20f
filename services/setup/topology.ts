import { type JetStreamManager, jetstreamManager, type StreamConfig, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { oldestOpenSeq } from '../../shared/journal/open-plans.ts';
import { isConsumerMissing, isStreamMissing, isWithoutStorage } from '../../shared/nats/missing.ts';
import { formatAmount } from '../../shared/text/amount.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { ALL_CONSUMERS, type ConsumerSpec } from '../../shared/wire/consumers.ts';
import { DEAD_KEPT_STREAM, DEAD_STREAM, lettersEach } from '../../shared/wire/dead.ts';
import { FACTS_STREAM } from '../../shared/wire/facts.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { MAX_BYTES_METADATA } from '../../shared/wire/scratch-streams.ts';
import { RETIRED_STREAMS, STREAMS, type StreamSpec, WORK_QUEUES } from '../../shared/wire/streams.ts';
import { DEFAULT_LIMITS, type Limits } from '../common/config/limits.ts';
import { addConsumer, consumerConfig, findConsumer, followsLedger } from '../common/consumers.ts';
import { setLimits } from '../common/limits-in-force.ts';
import { bytesOfStream, fitted, type StreamUse, usesOf } from '../common/stream-limits.ts';
import { retireTimers } from './retired-timers.ts';

async function ensureStream(jsm: JetStreamManager, spec: StreamSpec, isThere: boolean): Promise<void> {
  if (isThere) {
    await jsm.streams.update(spec.name, spec);
    return;
  }
  const config = { storage: 'file', num_replicas: 1, max_consumers: -1, ...spec } as const;
  await jsm.streams.add({ ...config, ...(await numberingOf(jsm, spec)) });
}

/**
 * Streams whose sequences are remembered elsewhere: the ledger names commands and facts by theirs, DEAD_KEPT goes on behind the
 * last letter it had.
 */
const NUMBERED_ON: ReadonlySet<string> = new Set([COMMANDS_STREAM, FACTS_STREAM, DEAD_STREAM]);

/**
 * When such a stream is made anew beside a ledger it counts on above all that it can have given: the milliseconds since 1970,
 * at fewer than a thousand messages a second.
 */
async function numberingOf(jsm: JetStreamManager, { name }: StreamSpec): Promise<Partial<StreamConfig>> {
  if (!NUMBERED_ON.has(name)) return {};
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
  const oldest = async (): Promise<number> => (followsLedger(spec) ? oldestOpenSeq(connection) : 1);
  await addConsumer(jsm, spec, before === undefined ? await oldest() : before.ack_floor.stream_seq + 1);
}

async function ensureConsumer(connection: NatsConnection, jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const { stream, durable } = spec;
  if ((await findConsumer(jsm, stream, durable)) === undefined) await takeOver(connection, jsm, spec);
  else await jsm.consumers.update(stream, durable, consumerConfig(spec));
  await retire(jsm, spec);
}

/** The streams that are there, by name. */
async function presentStreams(jsm: JetStreamManager): Promise<ReadonlyMap<string, StreamInfo>> {
  const found = new Map<string, StreamInfo>();
  for await (const info of jsm.streams.list()) found.set(info.config.name, info);
  return found;
}

export interface TopologyOptions {
  readonly limits?: Limits;
  /** Free on the disk of the streams; undefined where nobody can look. */
  readonly freeBytes?: number | undefined;
  /** Told when the streams get less than their limits, because their disk has no room for more. */
  readonly onFitted?: (fit: Fit) => void;
}

export interface Fit {
  readonly freeBytes: number;
  readonly wantedBytes: number;
  readonly givenBytes: number;
}

const totalOf = (uses: readonly StreamUse[]): number => uses.reduce((total, { limitBytes }) => total + limitBytes, 0);

const boundedBy = ({ allow_msg_schedules: hasSchedules }: StreamSpec, bytes: number): Partial<StreamConfig> =>
  hasSchedules === true ? { metadata: { [MAX_BYTES_METADATA]: String(bytes) } } : { max_bytes: bytes };

/** Every stream with its limit. @throws ERR_NO_ROOM */
function limitedStreams(
  present: ReadonlyMap<string, StreamInfo>,
  { limits = DEFAULT_LIMITS, freeBytes = Number.POSITIVE_INFINITY, onFitted }: TopologyOptions,
): StreamSpec[] {
  const holds = ({ name }: StreamSpec) => ({ name, bytes: present.get(name)?.state.bytes ?? 0 });
  const wanted = usesOf(STREAMS.map(holds), limits);
  const given = fitted(wanted, freeBytes);
  const [wantedBytes, givenBytes] = [totalOf(wanted), totalOf(given)];
  if (givenBytes < wantedBytes) onFitted?.({ freeBytes, wantedBytes, givenBytes });
  const uses = new Map(given.map((use) => [use.stream, use.limitBytes]));
  return STREAMS.map((spec) => ({
    ...spec,
    ...boundedBy(spec, uses.get(spec.name) ?? 0),
    ...(spec.discard_new_per_subject === true ? { max_msgs_per_subject: limits.waitingCommands } : {}),
    ...(spec.name === DEAD_KEPT_STREAM ? { max_msgs_per_subject: lettersEach(limits.deadLettersOfPrincipal) } : {}),
  }));
}

async function ensureStreams(jsm: JetStreamManager, options: TopologyOptions): Promise<void> {
  const present = await presentStreams(jsm);
  const set = setLimits(present.get(LEDGER_STREAM)?.config.metadata);
  const streams = limitedStreams(present, { ...options, limits: { ...DEFAULT_LIMITS, ...options.limits, ...set } });
  const isThere = ({ name }: StreamSpec): boolean => present.has(name);
  // The ledger is made first, once: where other streams are, it was, and another one in its place would be no ledger.
  const ledger = streams.filter(({ name }) => name === LEDGER_STREAM);
  if (!ledger.every(isThere) && STREAMS.some(isThere)) {
    throw new IsomorphError('ERR_LEDGER_GONE', `there is no stream ${LEDGER_STREAM}, but others are there`);
  }
  for (const spec of ledger) await ensureStream(jsm, spec, isThere(spec));
  const others = streams.filter(({ name }) => name !== LEDGER_STREAM);
  await Promise.all(others.map((spec) => ensureStream(jsm, spec, isThere(spec))));
}

/**
 * Creates what is missing, brings the rest up to date and removes what is retired; safe to run any number of times and by several at once.
 * Needs a user that may create streams: services themselves may not.
 * @throws ERR_UNAVAILABLE when the server has no JetStream; ERR_LEDGER_GONE when all but the ledger is there; ERR_NO_ROOM
 * when the limits do not fit the disk, or what the server may use of it
 */
export async function ensureTopology(connection: NatsConnection, options: TopologyOptions = {}): Promise<void> {
  try {
    const jsm = await jetstreamManager(connection);
    await ensureStreams(jsm, options);
    await Promise.all(RETIRED_STREAMS.map((name) => removeStream(jsm, name)));
    await Promise.all(ALL_CONSUMERS.map((spec) => ensureConsumer(connection, jsm, spec)));
    await retireTimers(connection, jsm);
  } catch (error) {
    if (error instanceof IsomorphError) throw error;
    if (isWithoutStorage(error)) throw await noStorage(connection, options, error);
    const message = error instanceof Error ? error.message : String(error);
    throw new IsomorphError('ERR_UNAVAILABLE', `JetStream could not be set up: ${message}`, {}, error);
  }
}

/** What the server refused, in amounts: it promises to each stream its limit, and adds up what it promised. */
async function noStorage(
  connection: NatsConnection,
  { limits = DEFAULT_LIMITS }: TopologyOptions,
  cause: unknown,
): Promise<IsomorphError> {
  const jsm = await jetstreamManager(connection);
  const [present, { storage, reserved_storage: reserved }] = [await presentStreams(jsm), await jsm.getAccountInfo()];
  const needed = STREAMS.reduce((total, { name }) => total + bytesOfStream(name, limits), 0);
  const reserving = [...present.values()]
    .filter(({ config }) => config.max_bytes > 0)
    .sort((one, other) => other.config.max_bytes - one.config.max_bytes)
    .slice(0, 4)
    .map(({ config }) => `${config.name} ${formatAmount(config.max_bytes)}`);
  const now = `${formatAmount(reserved ?? 0)} are reserved (${reserving.join(', ')}), ${formatAmount(storage)} used`;
  return new IsomorphError(
    'ERR_NO_ROOM',
    `the streams need ${formatAmount(needed)}, and nats-server may not use that much of its disk; ${now}`,
    { expected: 'smaller limits, or a larger jetstream.max_file_store' },
    cause,
  );
}
