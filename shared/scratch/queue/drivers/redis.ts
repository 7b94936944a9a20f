/** Queues on Redis and Valkey: a stream with a consumer group a topic; what must be atomic is Lua (docs/adr/0055). */
import { createHash, randomUUID } from 'node:crypto';
import type { QueueCapabilities } from '../../capabilities.ts';
import { connectRedis, type RedisConnection } from '../../redis/connection.ts';
import { ACK, CONSUME, NACK, PUBLISH, QUEUE_SCRIPTS, STATS, TOPIC_PARTS } from '../../redis/queue-scripts.ts';
import type { QueueBackend } from '../open.ts';
import type { DeadLettered, Nacked, QueueDriver, QueueMessage, QueueStats } from '../queue.ts';
import { badReceipt, deadTopic, isDeadTopic } from '../topic.ts';

const DEDUPE_S = 600;
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

/** Entries of two topics may have one id: a receipt says which topic it is of. */
const topicMark = (planId: string, topic: string): string => digest(`${planId}/${topic}`, 'base64url').slice(0, 12);

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
};

class RedisQueue implements QueueDriver {
  readonly name = 'redis';
  readonly capabilities = CAPABILITIES;
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    redis.define(QUEUE_SCRIPTS);
  }

  async publish(message: Parameters<QueueDriver['publish']>[0]): Promise<string> {
    const { planId, topic, body, idempotencyKey, delayMs } = message;
    const remembered = this.#key(planId, topic, `dedupe:${digest(idempotencyKey ?? '', 'hex')}`);
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const id = await this.#redis.run(
      PUBLISH,
      ...this.#topicKeys(planId, topic),
      remembered,
      ...[randomUUID(), bytes, delayMs, idempotencyKey === undefined ? '' : DEDUPE_S * 1000],
    );
    return String(id);
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
      const stream = this.#key(request.planId, request.topic, 'stream');
      await this.#redis.waitForEntry(stream, found.lastEntry, Math.min(leftMs, untilDueMs, WAIT_SLICE_MS));
    }
  }

  async ack(planId: string, topic: string, receiptHandle: string): Promise<void> {
    const [entry, generation] = this.#delivery(planId, topic, receiptHandle);
    const done = await this.#redis.run(ACK, ...this.#topicKeys(planId, topic), entry, generation);
    if (done !== 1) throw badReceipt('names no current delivery');
  }

  async nack(request: Parameters<QueueDriver['nack']>[0]): Promise<Nacked> {
    const { planId, topic, receiptHandle, delayMs, reason, maxDeliveries } = request;
    const [entry, generation] = this.#delivery(planId, topic, receiptHandle);
    const [done, deliveries] = (await this.#redis.run(
      NACK,
      ...this.#topicKeys(planId, topic),
      this.#key(planId, deadTopic(topic), 'stream'),
      ...[entry, generation, delayMs, reason, maxDeliveries],
    )) as [Buffer, number];
    const kind = done.toString();
    if (kind !== 'retry' && kind !== 'deadletter') throw badReceipt('names no current delivery');
    return { kind, deliveries };
  }

  async stats(planId: string, topic: string): Promise<QueueStats> {
    const dead = deadTopic(topic);
    const [ready, inFlight, delayed, count] = (await this.#redis.run(
      STATS,
      ...this.#topicKeys(planId, topic),
      ...[this.#key(planId, dead, 'stream'), this.#key(planId, dead, 'delayed')],
    )) as [number, number, number, number];
    return { ready, inFlight, delayed, dead: isDeadTopic(topic) ? 0 : count };
  }

  purgePlan(planId: string): Promise<void> {
    return this.#redis.purge('queue', planId);
  }

  close(): Promise<void> {
    return this.#redis.close();
  }

  async #take(request: Parameters<QueueDriver['consume']>[0]): Promise<Found> {
    const { planId, topic, maxMessages, visibilityMs, maxDeliveries } = request;
    const [givenUp, delivered, dueMs, lastEntry] = (await this.#redis.run(
      CONSUME,
      ...this.#topicKeys(planId, topic),
      this.#key(planId, deadTopic(topic), 'stream'),
      ...[maxMessages, visibilityMs, maxDeliveries],
    )) as Consumed;
    const mark = topicMark(planId, topic);
    return {
      deadLettered: givenUp.map((deliveries) => ({ kind: 'deadletter', deliveries })),
      messages: delivered.map(([entry, generation, id, deliveries, reason, body]) => ({
        id: id.toString(),
        body,
        receiptHandle: `${mark}.${entry}.${generation}`,
        deliveries,
        ...(isDeadTopic(topic) ? { deadReason: reason.toString() } : {}),
      })),
      ...{ dueMs, lastEntry: lastEntry.toString() },
    };
  }

  #delivery(planId: string, topic: string, receiptHandle: string): [entry: string, generation: string] {
    const [, mark, entry, generation] = RECEIPT.exec(receiptHandle) ?? [];
    if (mark !== topicMark(planId, topic) || entry === undefined || generation === undefined) {
      throw badReceipt('is not one of this topic');
    }
    return [entry, generation];
  }

  #key(planId: string, topic: string, part: string): string {
    return `${this.#redis.planPrefix('queue', planId)}${topic}:${part}`;
  }

  #topicKeys(planId: string, topic: string): string[] {
    return TOPIC_PARTS.map((part) => this.#key(planId, topic, part));
  }
}

export const redisQueue: QueueBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url) => new RedisQueue(await connectRedis(url)),
};
