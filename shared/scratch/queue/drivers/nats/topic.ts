/** What JetStream holds of one topic: its consumer, its messages, their marks. */
import { type ConsumerInfo, JetStreamApiError, type JetStreamPublishOptions } from '@nats-io/jetstream';
import { createInbox, headers, type Msg, type MsgHdrs } from '@nats-io/transport-node';
import { IsomorphError } from '../../../../errors/isomorph-error.ts';
import { isConflict } from '../../../../nats/missing.ts';
import { isNoMessage, type NatsAccess } from '../../../../providers/nats/scratch.ts';
import type { TopicPlace } from '../../../../wire/scratch-streams.ts';
import { laterSubject, type Mark, markSubject } from './lease.ts';

const MS_NS = 1_000_000;
const MARK_TTL = '24h';
/** Longer than the longest lease: what is not asked for goes by itself. */
const INACTIVE_NS = 46_800 * 1_000 * MS_NS;
const MIN_ACK_WAIT_MS = 1_000;
const ANSWER_MS = 5_000;
const CONSUMER_EXISTS = [10013, 10105, 10148];
const CONSUMER_NOT_FOUND = 10014;

/** Headers of our messages. */
export const HEADER = {
  id: 'Isomorph-Id',
  /** Of the copies before this one. */
  deliveries: 'Isomorph-Deliveries',
  /** Percent-encoded: headers are one line of ASCII. */
  reason: 'Isomorph-Reason',
  purged: 'Isomorph-Purged',
} as const;

export const headersOf = (fields: Readonly<Record<string, string | undefined>>): MsgHdrs => {
  const made = headers();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) made.set(name, value);
  return made;
};

/** Publishes to a topic, at once where `dueMs` is 0, else by the server's own schedule. */
export async function send(
  { stream }: NatsAccess,
  place: TopicPlace,
  message: { id: string | undefined; body: Uint8Array; fields: Record<string, string | undefined>; dueMs: number },
  options: Partial<JetStreamPublishOptions>,
): Promise<number> {
  const { id, body, fields, dueMs } = message;
  const isLater = dueMs > 0 && id !== undefined;
  const subject = isLater ? laterSubject(place, id) : place.subject;
  const schedule = isLater
    ? { 'Nats-Schedule': `@at ${new Date(dueMs).toISOString()}`, 'Nats-Schedule-Target': place.subject }
    : {};
  const marks = { ...fields, [HEADER.id]: id, ...schedule };
  // Empty headers would be sent, stored and parsed all the same.
  const isBare = Object.values(marks).every((value) => value === undefined);
  return (await stream.publish(subject, body, isBare ? options : { ...options, headers: headersOf(marks) })).seq;
}

/** Writes a mark if the one before it is `expected` (0: none). undefined: it is not. */
export async function writeMark(
  { stream }: NatsAccess,
  place: TopicPlace,
  sequence: number,
  mark: Mark,
  expected: number,
): Promise<number | undefined> {
  try {
    const subject = markSubject(place, sequence);
    const options = { ttl: MARK_TTL, expect: { lastSubjectSequence: expected } };
    return (await stream.publish(subject, JSON.stringify(mark), options)).seq;
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}

export async function readMark(
  { manager }: NatsAccess,
  place: TopicPlace,
  sequence: number,
): Promise<{ mark: Mark; sequence: number } | undefined> {
  const stored = await orNone(() =>
    manager.streams.getMessage(place.stream, { last_by_subj: markSubject(place, sequence) }),
  );
  return stored === undefined ? undefined : { mark: stored.json<Mark>(), sequence: stored.seq };
}

export const readStored = ({ manager }: NatsAccess, { stream }: TopicPlace, sequence: number) =>
  orNone(() => manager.streams.getMessage(stream, { seq: sequence }));

async function orNone<T>(read: () => Promise<T | null>): Promise<T | undefined> {
  try {
    return (await read()) ?? undefined;
  } catch (error) {
    if (isNoMessage(error)) return undefined;
    throw error;
  }
}

/**
 * Makes sure that the topic has its consumer and tells how long that one waits for an acknowledgement. Whoever comes
 * first decides that by the visibility asked for: leases of that length need no further message, and outlive a server.
 */
export async function ensureConsumer(
  { manager }: NatsAccess,
  place: TopicPlace,
  visibilityMs: number,
): Promise<number> {
  const known = await consumerInfo({ manager }, place);
  if (known !== undefined) return ackWaitMs(known);
  const ackWait = Math.max(MIN_ACK_WAIT_MS, visibilityMs);
  try {
    const created = await manager.consumers.add(place.stream, {
      durable_name: place.consumer,
      filter_subject: place.subject,
      ack_policy: 'explicit',
      deliver_policy: 'all',
      ack_wait: ackWait * MS_NS,
      max_deliver: -1,
      max_ack_pending: -1,
      inactive_threshold: INACTIVE_NS,
    });
    return ackWaitMs(created);
  } catch (error) {
    const isThere = error instanceof JetStreamApiError && CONSUMER_EXISTS.includes(error.code);
    const other = isThere ? await consumerInfo({ manager }, place) : undefined;
    if (other === undefined) throw error;
    return ackWaitMs(other);
  }
}

export async function consumerInfo(
  { manager }: Pick<NatsAccess, 'manager'>,
  { stream, consumer }: TopicPlace,
): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(stream, consumer);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND) return undefined;
    throw error;
  }
}

const ackWaitMs = ({ config }: ConsumerInfo): number => Math.round((config.ack_wait ?? 0) / MS_NS);

/** What a pull came to. `gone`: the consumer is not there (any more). */
export type Pulled = { readonly kind: 'messages'; readonly messages: readonly Msg[] } | { readonly kind: 'gone' };

/**
 * One request for the next messages. With `waitMs` it waits for the first and asks for one only: the server would
 * keep an open request for the rest. (The client's own `fetch` knows no `no_wait` and waits a second at least.)
 */
export async function pull(
  { connection }: NatsAccess,
  { stream, consumer }: TopicPlace,
  { batch, waitMs }: { batch: number; waitMs: number },
): Promise<Pulled> {
  const inbox = createInbox();
  const wanted = waitMs === 0 ? batch : 1;
  const request = waitMs === 0 ? { batch, no_wait: true } : { batch: 1, expires: waitMs * MS_NS };
  const subscription = connection.subscribe(inbox, { max: wanted + 1 });
  const timer = setTimeout(() => subscription.unsubscribe(), waitMs + ANSWER_MS);
  const messages: Msg[] = [];
  try {
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), { reply: inbox });
    for await (const message of subscription) {
      const status = message.headers?.code ?? 0;
      if (status === 503 || (status === 409 && /deleted|not found/i.test(message.headers?.description ?? ''))) {
        return messages.length === 0 ? { kind: 'gone' } : { kind: 'messages', messages };
      }
      // 404, 408: no more for now.
      if (status !== 0) return { kind: 'messages', messages };
      messages.push(message);
      if (messages.length === wanted) return { kind: 'messages', messages };
    }
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
  // Messages without their end: the rest was lost with the connection, what came is ours.
  if (messages.length > 0) return { kind: 'messages', messages };
  throw new IsomorphError('ERR_UNAVAILABLE', 'NATS gave no answer to a request for messages');
}
