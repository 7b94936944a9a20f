import { createHash, randomUUID } from 'node:crypto';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { AskedClock } from '../../../../providers/nats/asked-clock.ts';
import type { Room } from '../../../../providers/nats/room.ts';
import { type NatsAccess, natsAccess, orUnavailable } from '../../../../providers/nats/scratch.ts';
import { QUEUE_DEDUPE_S, scratchSubjects, type TopicPlace, topicPlace } from '../../../../wire/scratch-streams.ts';
import type { QueueCapabilities } from '../../../capabilities.ts';
import type { DeadLettered, Nacked, QueueBackend, QueueDriver, QueueMessage, QueueStats } from '../../queue.ts';
import { badReceipt, deadTopic, isDeadTopic, topicName } from '../../topic.ts';
import { type Mark, type NatsDelivery, parseReply, readHandle, writeHandle } from './lease.ts';
import { roomOfQueues } from './room.ts';
import * as topics from './topic.ts';
import { HEADER } from './topic.ts';

const CAPABILITIES: QueueCapabilities = {
  visibility: 'per-call',
  dedupeS: QUEUE_DEDUPE_S,
  // The server rebuilds its memory of ids from the messages there are: those of acked ones are forgotten.
  dedupeSurvivesRestart: false,
  redeliverAfterAck: false,
  ordering: 'approximate',
  maxBodyBytes: 512 * 1024,
  maxDelayS: 7 * 86_400,
  maxVisibilityS: 43_200,
  exactStats: true,
  refusesUsedReceipts: true,
  durable: true,
};

const KNOWN_TOPICS = 10_000;
const PURGES_AT_ONCE = 64;

interface Place extends TopicPlace {
  readonly planId: string;
  readonly topic: string;
}

const PLACES = new LRUCache<string, Place>({ max: KNOWN_TOPICS });

/** Remembered: a hash tells the shard of a topic, and every operation asks. */
function placeOf(planId: string, topic: string): Place {
  const key = `${planId} ${topic}`;
  const known = PLACES.get(key);
  if (known !== undefined) return known;
  const place = { ...topicPlace(planId, topicName(topic)), planId, topic };
  PLACES.set(key, place);
  return place;
}

type ConsumeRequest = Parameters<QueueDriver['consume']>[0];
type Taken = { readonly message: QueueMessage } | { readonly dead: DeadLettered } | undefined;

class NatsQueue implements QueueDriver {
  readonly name = 'nats';
  readonly capabilities = CAPABILITIES;
  readonly #nats: NatsAccess;
  /** Milliseconds that the consumer of a topic waits for an acknowledgement. */
  readonly #consumers = new LRUCache<string, number>({ max: KNOWN_TOPICS });
  /** By stream: what was stored before this client saw the server that it is connected to. */
  readonly #boundaries = new Map<string, Boundary>();
  /** Acknowledgements on their way: `stats` waits for those of its own client. */
  readonly #ending = new Set<Promise<unknown>>();

  readonly #room: Room;
  readonly #clock: AskedClock;

  constructor(nats: NatsAccess) {
    this.#nats = nats;
    this.#room = roomOfQueues(nats);
    this.#clock = new AskedClock(nats.manager, placeOf('any', 'any').stream);
  }

  publish({ planId, topic, body, idempotencyKey, delayMs }: Parameters<QueueDriver['publish']>[0]): Promise<string> {
    return orUnavailable(async () => {
      const place = placeOf(planId, topic);
      await this.#boundary(place);
      await this.#room.take(place.stream, body.byteLength);
      const keyed = idempotencyKey === undefined ? undefined : idOfKey(place, idempotencyKey);
      const id = keyed ?? (delayMs > 0 ? randomUUID() : undefined);
      const message = { id, body, fields: {}, dueMs: await this.#clock.after(delayMs) };
      const seq = await topics.send(this.#nats, place, message, keyed === undefined ? {} : { msgID: keyed });
      return id ?? String(seq);
    });
  }

  consume(request: ConsumeRequest): ReturnType<QueueDriver['consume']> {
    return orUnavailable(async () => {
      const place = placeOf(request.planId, request.topic);
      const pulled = await this.#pull(place, request, 0);
      const raw = pulled.length > 0 || request.waitMs === 0 ? pulled : await this.#pull(place, request, request.waitMs);
      const taken = await Promise.all(raw.map((message) => this.#take(message, place, request)));
      return {
        messages: taken.flatMap((one) => (one !== undefined && 'message' in one ? [one.message] : [])),
        deadLettered: taken.flatMap((one) => (one !== undefined && 'dead' in one ? [one.dead] : [])),
      };
    });
  }

  ack(planId: string, topic: string, receiptHandle: string): Promise<void> {
    return orUnavailable(async () => {
      const place = placeOf(planId, topic);
      const { reply, mark, delivery } = readHandle(receiptHandle, place, await this.#clock.nowMs());
      const written = await topics.writeMark(this.#nats, place, delivery.sequence, { is: 'acked' }, mark);
      if (written === undefined) throw badReceipt('was used, or the message was delivered again');
      this.#end(reply);
    });
  }

  nack(request: Parameters<QueueDriver['nack']>[0]): Promise<Nacked> {
    return orUnavailable(async () => {
      const { planId, topic, receiptHandle, delayMs, reason, maxDeliveries } = request;
      const place = placeOf(planId, topic);
      const {
        reply,
        mark: expected,
        deliveries,
        delivery,
      } = readHandle(receiptHandle, place, await this.#clock.nowMs());
      const stored = await topics.readStored(this.#nats, place, delivery.sequence);
      if (stored === undefined) throw badReceipt('names a message that is gone');
      const mark: Exclude<Mark, { is: 'leased' | 'acked' }> =
        deliveries >= maxDeliveries
          ? { is: 'dead', deliveries, reason }
          : { is: 'nacked', deliveries, dueMs: await this.#clock.after(delayMs) };
      if ((await topics.writeMark(this.#nats, place, delivery.sequence, mark, expected)) === undefined) {
        throw badReceipt('was used, or the message was delivered again');
      }
      await this.#finish(mark, { place, reply, delivery, header: stored.header, body: stored.data });
      return { kind: mark.is === 'dead' ? 'deadletter' : 'retry', deliveries };
    });
  }

  stats(planId: string, topic: string): Promise<QueueStats> {
    return orUnavailable(async () => {
      await Promise.all(this.#ending);
      const place = placeOf(planId, topic);
      const [total, delayed, dead, consumer] = await Promise.all([
        this.#count(place.stream, place.subject),
        this.#count(place.stream, `${place.subject}.later.*`),
        isDeadTopic(topic) ? 0 : this.#count(place.stream, topicPlace(planId, { name: topic, isDead: true }).subject),
        topics.consumerInfo(this.#nats, place),
      ]);
      const inFlight = consumer?.num_ack_pending ?? 0;
      return { ready: Math.max(0, total - inFlight), inFlight, delayed, dead };
    });
  }

  purgePlan(planId: string): Promise<void> {
    return orUnavailable(async () => {
      await Promise.all(this.#ending);
      await Promise.all(scratchSubjects(planId).map((one) => this.#purge(planId, one.stream, one.filters)));
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#ending);
    await this.#nats.release();
  }

  /** Messages that were delivered, each to be taken or ended. */
  async #pull(place: Place, { visibilityMs, maxMessages }: ConsumeRequest, waitMs: number): Promise<readonly Msg[]> {
    for (let isSecond = false; ; isSecond = true) {
      if (!this.#consumers.has(place.consumer)) {
        this.#consumers.set(place.consumer, await topics.ensureConsumer(this.#nats, place, visibilityMs));
      }
      const pulled = await topics.pull(this.#nats, place, { batch: maxMessages, waitMs });
      if (pulled.kind === 'messages') return pulled.messages;
      this.#consumers.delete(place.consumer);
      if (isSecond) return [];
    }
  }

  /** Makes a delivery its consumer's own. undefined: there is nothing to hand out. */
  async #take(raw: Msg, place: Place, { visibilityMs, maxDeliveries }: ConsumeRequest): Promise<Taken> {
    const reply = raw.reply ?? '';
    const delivery = parseReply(reply);
    const { headers: header, data: body } = raw;
    if (delivery === undefined) return undefined;
    if (header?.has(HEADER.purged)) return void this.#end(reply);
    const deliveries = delivery.deliveries + Number(header?.get(HEADER.deliveries) || 0);
    const copy = { place, reply, delivery, header, body };
    const isOld = delivery.sequence <= (await this.#boundary(place));
    const mayBeMarked = delivery.deliveries > 1 || isOld;
    const before = mayBeMarked ? await topics.readMark(this.#nats, place, delivery.sequence) : undefined;
    if (before !== undefined && before.mark.is !== 'leased') return void (await this.#finish(before.mark, copy));
    const isDead = deliveries > maxDeliveries;
    const mark: Mark = isDead ? { is: 'dead', deliveries: deliveries - 1, reason: 'expired' } : { is: 'leased' };
    let written: number | undefined = 0;
    if (isDead || delivery.deliveries > 1 || before !== undefined) {
      written = await topics.writeMark(this.#nats, place, delivery.sequence, mark, before?.sequence ?? 0);
      // Its receipt was used meanwhile: the next delivery will find that.
      if (written === undefined) return undefined;
    }
    if (mark.is === 'dead') {
      await this.#finish(mark, copy);
      return { dead: { kind: 'deadletter', deliveries: mark.deliveries } };
    }
    const expiresAtMs = (await this.#clock.nowMs()) + visibilityMs;
    if (visibilityMs !== this.#consumers.get(place.consumer)) {
      this.#nats.connection.publish(reply, `-NAK ${JSON.stringify({ delay: visibilityMs * 1_000_000 })}`);
    }
    const reason = header?.get(HEADER.reason);
    return {
      message: {
        id: header?.get(HEADER.id) || String(delivery.sequence),
        body,
        receiptHandle: writeHandle({ reply, mark: written, deliveries, expiresAtMs }),
        deliveries,
        ...(reason ? { deadReason: decodeURIComponent(reason) } : {}),
      },
    };
  }

  /**
   * The last sequence that may have been delivered before the server was started: a server that is killed can forget its
   * last deliveries and acknowledgements, and then tells of a second delivery as if it were the first.
   */
  #boundary({ stream }: Place): Promise<number> {
    const serverId = this.#nats.connection.info?.server_id ?? '';
    const known = this.#boundaries.get(stream);
    if (known?.serverId === serverId) return known.lastSequence;
    const lastSequence = this.#nats.manager.streams.info(stream).then(({ state }) => state.last_seq);
    this.#boundaries.set(stream, { serverId, lastSequence });
    // The next call asks again.
    lastSequence.catch(() => this.#boundaries.delete(stream));
    return lastSequence;
  }

  /** Does what the last mark of a message says. Doing it again does no more: copies carry an id of their own. */
  async #finish(mark: Exclude<Mark, { is: 'leased' }>, copy: Copy): Promise<void> {
    const { place, reply, delivery, header, body } = copy;
    const id = header?.get(HEADER.id) || String(delivery.sequence);
    const msgID = `${mark.is}.${delivery.sequence}`;
    if (mark.is === 'nacked') {
      const fields = {
        [HEADER.deliveries]: String(mark.deliveries),
        [HEADER.reason]: header?.get(HEADER.reason) || undefined,
      };
      await topics.send(this.#nats, place, { id, body, fields, dueMs: mark.dueMs }, { msgID });
    } else if (mark.is === 'dead') {
      const to = placeOf(place.planId, deadTopic(place.topic));
      const fields = { [HEADER.reason]: encodeURIComponent(mark.reason) };
      await topics.send(this.#nats, to, { id, body, fields, dueMs: 0 }, { msgID });
    }
    await this.#end(reply);
  }

  /** The mark has ended the delivery already: if this is lost, the next one finds the mark and ends it again. */
  #end(reply: string): Promise<unknown> {
    const ending: Promise<unknown> = this.#nats.connection
      .request(reply, '+ACK')
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return ending;
  }

  async #count(stream: string, filter: string): Promise<number> {
    const { state } = await this.#nats.manager.streams.info(stream, { subjects_filter: filter });
    return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  }

  /** Services may not purge streams: a message that rolls its subject up removes those before it, then itself. */
  async #purge(planId: string, stream: string, filters: readonly string[]): Promise<void> {
    const { manager } = this.#nats;
    const limit = pLimit(PURGES_AT_ONCE);
    for (const filter of filters) {
      const { state } = await manager.streams.info(stream, { subjects_filter: filter });
      const marks = { 'Nats-Rollup': 'sub', [HEADER.purged]: planId };
      const purge = (subject: string) =>
        this.#nats.stream.publish(subject, '', { headers: topics.headersOf(marks), ttl: '1s' });
      await Promise.all(Object.keys(state.subjects ?? {}).map((subject) => limit(() => purge(subject))));
    }
  }
}

interface Boundary {
  /** A new one at each start of a server. */
  readonly serverId: string;
  readonly lastSequence: Promise<number>;
}

interface Copy {
  readonly place: Place;
  readonly reply: string;
  readonly delivery: NatsDelivery;
  readonly header: MsgHdrs | undefined;
  readonly body: Uint8Array;
}

const idOfKey = ({ consumer }: Place, key: string): string =>
  `k${createHash('sha256').update(`${consumer}\n${key}`).digest('base64url')}`;

export const natsQueue: QueueBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => new NatsQueue(await natsAccess(url, options)),
};
