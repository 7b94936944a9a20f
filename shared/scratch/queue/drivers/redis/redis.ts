/** Queues on Redis and Valkey: a stream with a consumer group a topic; what must be atomic is Lua (docs/adr/0055). */
import { createHash, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { connectRedis, type RedisConnection, type RunScript } from '../../../../providers/redis/connection.ts';
import type { QueueCapabilities } from '../../../capabilities.ts';
import type { DeadLettered, Nacked, QueueBackend, QueueDriver, QueueMessage, QueueStats } from '../../queue.ts';
import { badReceipt, deadTopic, isDeadTopic } from '../../topic.ts';
import { ACK, CONSUME, NACK, PUBLISH, STATS, TOPIC_PARTS } from './scripts.ts';

const DEDUPE_S = 600;
/** Topics whose names are kept ready: to make them costs as much as the rest of an ack. */
const TOPICS = 1_000;
/** A message that is published with a delay while others wait is heard of after at most this time. */
const WAIT_SLICE_MS = 500;
const RECEIPT = /^([\w-]{12})\.(\d+-\d+)\.(\d+)$/;

/** As the script answers them: bytes for strings. */
type Delivered = [entry: Buffer, generation: number, id: Buffer, deliveries: number, reason: Buffer, body: Buffer];
type Consumed = [givenUp: number[], messages: Delivered[], dueMs: number, lastEntry: Buffer];

interface Found {
  readonly messages: QueueMessage[];
  readonly deadLettered: DeadLettered[];
  readonly dueMs: number;
  readonly lastEntry: string;
}

const digest = (text: string, encoding: 'hex' | 'base64url'): string =>
  createHash('sha256').update(text).digest(encoding);

/** The names of a topic. */
interface Place {
  /** As `TOPIC_PARTS` says. */
  readonly keys: readonly string[];
  readonly stream: string;
  /** Begins the names of remembered idempotency keys. */
  readonly dedupe: string;
  readonly deadStream: string;
  readonly deadDelayed: string;
  readonly isDead: boolean;
  /** Entries of two topics may have one id: a receipt says which topic it is of. */
  readonly mark: string;
}

const CAPABILITIES: QueueCapabilities = {
  visibility: 'per-call',
  dedupeS: DEDUPE_S,
  // Redis answers before it writes to the disk, and with its defaults loses up to a minute.
  dedupeSurvivesRestart: false,
  durable: false,
  redeliverAfterAck: false,
  ordering: 'approximate',
  maxBodyBytes: 1024 * 1024,
  maxDelayS: 30 * 86_400,
  maxVisibilityS: 7 * 86_400,
  exactStats: true,
  refusesUsedReceipts: true,
};

class RedisQueue implements QueueDriver {
  readonly name = 'redis';
  readonly capabilities = CAPABILITIES;
  readonly #redis: RedisConnection;
  readonly #publish: RunScript;
  readonly #consume: RunScript;
  readonly #ack: RunScript;
  readonly #nack: RunScript;
  readonly #stats: RunScript;
  readonly #places = new LRUCache<string, Place>({ max: TOPICS });

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#publish = redis.script(PUBLISH);
    this.#consume = redis.script(CONSUME);
    this.#ack = redis.script(ACK);
    this.#nack = redis.script(NACK);
    this.#stats = redis.script(STATS);
  }

  publish(message: Parameters<QueueDriver['publish']>[0]): Promise<string> {
    const { planId, topic, body, idempotencyKey, delayMs } = message;
    const { keys, dedupe } = this.#place(planId, topic);
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const remembered = idempotencyKey === undefined ? dedupe : dedupe + digest(idempotencyKey, 'hex');
    const rememberedMs = idempotencyKey === undefined ? '' : DEDUPE_S * 1000;
    return this.#publish(...keys, remembered, randomUUID(), bytes, delayMs, rememberedMs).then(String);
  }

  async consume(request: Parameters<QueueDriver['consume']>[0]) {
    const deadlineMs = performance.now() + request.waitMs;
    const deadLettered: DeadLettered[] = [];
    for (;;) {
      const found = await this.#take(request);
      deadLettered.push(...found.deadLettered);
      const leftMs = deadlineMs - performance.now();
      if (found.messages.length > 0 || deadLettered.length > 0 || leftMs <= 0) {
        return { messages: found.messages, deadLettered };
      }
      const untilDueMs = found.dueMs < 0 ? WAIT_SLICE_MS : found.dueMs;
      const { stream } = this.#place(request.planId, request.topic);
      await this.#redis.waitForEntry(stream, found.lastEntry, Math.min(leftMs, untilDueMs, WAIT_SLICE_MS));
    }
  }

  async ack(planId: string, topic: string, receiptHandle: string): Promise<void> {
    const place = this.#place(planId, topic);
    const [entry, generation] = delivery(place, receiptHandle);
    if ((await this.#ack(...place.keys, entry, generation)) !== 1) throw badReceipt('names no current delivery');
  }

  async nack(request: Parameters<QueueDriver['nack']>[0]): Promise<Nacked> {
    const { planId, topic, receiptHandle, delayMs, reason, maxDeliveries } = request;
    const place = this.#place(planId, topic);
    const [entry, generation] = delivery(place, receiptHandle);
    const asked = [entry, generation, delayMs, reason, maxDeliveries];
    const [done, deliveries] = (await this.#nack(...place.keys, place.deadStream, ...asked)) as [Buffer, number];
    const kind = done.toString();
    if (kind !== 'retry' && kind !== 'deadletter') throw badReceipt('names no current delivery');
    return { kind, deliveries };
  }

  async stats(planId: string, topic: string): Promise<QueueStats> {
    const { keys, deadStream, deadDelayed, isDead } = this.#place(planId, topic);
    const counts = (await this.#stats(...keys, deadStream, deadDelayed)) as [number, number, number, number];
    const [ready, inFlight, delayed, dead] = counts;
    return { ready, inFlight, delayed, dead: isDead ? 0 : dead };
  }

  purgePlan(planId: string): Promise<void> {
    return this.#redis.purge('queue', planId);
  }

  close(): Promise<void> {
    return this.#redis.close();
  }

  async #take(request: Parameters<QueueDriver['consume']>[0]): Promise<Found> {
    const { planId, topic, maxMessages, visibilityMs, maxDeliveries } = request;
    const place = this.#place(planId, topic);
    const [givenUp, delivered, dueMs, lastEntry] = (await this.#consume(
      ...place.keys,
      place.deadStream,
      ...[maxMessages, visibilityMs, maxDeliveries],
    )) as Consumed;
    return {
      deadLettered: givenUp.map((deliveries) => ({ kind: 'deadletter', deliveries })),
      messages: delivered.map((one) => messageOf(place, one)),
      ...{ dueMs, lastEntry: lastEntry.toString() },
    };
  }

  #place(planId: string, topic: string): Place {
    // A plan id has no slash.
    const name = `${planId}/${topic}`;
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const prefix = this.#redis.planPrefix('queue', planId);
    const [own, dead] = [`${prefix}${topic}`, `${prefix}${deadTopic(topic)}`];
    const place = {
      keys: TOPIC_PARTS.map((part) => `${own}:${part}`),
      stream: `${own}:stream`,
      dedupe: `${own}:dedupe:`,
      ...{ deadStream: `${dead}:stream`, deadDelayed: `${dead}:delayed`, isDead: isDeadTopic(topic) },
      mark: digest(name, 'base64url').slice(0, 12),
    };
    this.#places.set(name, place);
    return place;
  }
}

function messageOf(
  { mark, isDead }: Place,
  [entry, generation, id, deliveries, reason, body]: Delivered,
): QueueMessage {
  const receiptHandle = `${mark}.${entry}.${generation}`;
  const message = { id: id.toString(), body, receiptHandle, deliveries };
  return isDead ? { ...message, deadReason: reason.toString() } : message;
}

function delivery(place: Place, receiptHandle: string): [entry: string, generation: string] {
  const [, mark, entry, generation] = RECEIPT.exec(receiptHandle) ?? [];
  if (mark !== place.mark || entry === undefined || generation === undefined) {
    throw badReceipt('is not one of this topic');
  }
  return [entry, generation];
}

export const redisQueue: QueueBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => new RedisQueue(await connectRedis(url, options)),
};
