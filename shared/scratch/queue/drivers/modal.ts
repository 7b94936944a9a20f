import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { QueueCapabilities } from '../../capabilities.ts';
import { ModalDict } from '../../modal/dict.ts';
import {
  bodyOf,
  checkNotExpired,
  type Delivery,
  messageKey,
  newMessageId,
  parseMessage,
  readReceipt,
  type Step,
  type StoredMessage,
  type Ticket,
  toContent,
  writeReceipt,
} from '../../modal/message.ts';
import { hashOfKey, newOperationId, objectName } from '../../modal/names.ts';
import { type CallOptions, callOptions, environmentOf, isUnavailable, type ModalSdk } from '../../modal/sdk.ts';
import { Tickets } from '../../modal/tickets.ts';
import { ModalTopic } from '../../modal/topic.ts';
import type { QueueBackend } from '../open.ts';
import type { DeadLettered, Nacked, QueueDriver, QueueMessage, QueueStats } from '../queue.ts';
import { badReceipt, deadTopic } from '../topic.ts';

/** Modal forgets what was idle for 7 days: a message that nobody looks at, and an idempotency key. */
const CAPABILITIES: QueueCapabilities = {
  visibility: 'per-call',
  dedupeS: 604_800,
  dedupeSurvivesRestart: true,
  redeliverAfterAck: false,
  ordering: 'none',
  maxBodyBytes: 1_048_576,
  maxDelayS: 86_400,
  maxVisibilityS: 86_400,
  durable: true,
};

const KNOWN_TOPICS = 1_000;
const KNOWN_RECEIPTS = 10_000;
const PARALLEL = 16;
/** How long to wait for a ticket before the Dict is looked through again, for what others left behind since. */
const WAIT_MS = { least: 250, most: 1_000 };

type Asked = Parameters<QueueDriver['consume']>[0];
type NackRequest = Parameters<QueueDriver['nack']>[0];
type StepBody = Step extends infer S ? (S extends Step ? Omit<S, 'o'> : never) : never;

interface Claims {
  readonly messages: QueueMessage[];
  readonly deadLettered: DeadLettered[];
}

/**
 * A queue on a Modal Dict a plan, which alone says what is true: a message is an entry, and its life is a chain of write-once
 * steps (leased, ready, acked, dead). Whoever writes step n + 1 first decides; an ack and a redelivery cannot both win
 * (ADR 59). A modal.Queue carries tickets that wake consumers.
 */
export class ModalQueue implements QueueDriver {
  readonly name = 'modal';
  readonly capabilities = CAPABILITIES;
  readonly #sdk: ModalSdk;
  readonly #environment: string;
  readonly #options: CallOptions;
  readonly #tickets: Tickets;
  readonly #topics = new LRUCache<string, ModalTopic>({ max: KNOWN_TOPICS });
  /** Of acks and nacks that have not ended: one that is repeated must know its own step again. */
  readonly #settling = new LRUCache<string, string>({ max: KNOWN_RECEIPTS });

  constructor(sdk: ModalSdk, environment: string, options: CallOptions) {
    this.#sdk = sdk;
    this.#environment = environment;
    this.#options = options;
    this.#tickets = new Tickets(sdk, environment);
  }

  async publish({ planId, topic, body, idempotencyKey, delayMs }: Parameters<QueueDriver['publish']>[0]) {
    const { dict } = this.#topic(planId, topic);
    const id = newMessageId(Date.now() + delayMs, delayMs === 0);
    const k = idempotencyKey === undefined ? undefined : hashOfKey(idempotencyKey);
    const stored: StoredMessage = { ...toContent(body), ...(k === undefined ? {} : { k }) };
    await dict.put(messageKey(topic, id), stored);
    if (k !== undefined) {
      const first = await this.#firstOf(dict, topic, k, id);
      if (first !== id) {
        await dict.pop(messageKey(topic, id));
        return first;
      }
    }
    if (delayMs === 0) await this.#tickets.put(planId, topic, { id, n: 0, d: 0 });
    return id;
  }

  async consume(asked: Asked): Promise<Claims> {
    const { planId, visibilityMs, waitMs } = asked;
    const topic = this.#topic(planId, asked.topic);
    const claims: Claims = { messages: [], deadLettered: [] };
    const isFull = () => claims.messages.length >= asked.maxMessages;
    const missing = () => asked.maxMessages - claims.messages.length;
    const isWithScan = topic.isScanDue(visibilityMs);
    try {
      if (isWithScan) await this.#scan(topic, claims);
      topic.takeDue();
      await this.#claimFrom(topic.overdue, topic, asked, claims);
      while (!isFull()) {
        const tickets = await this.#tickets.take(planId, topic.name, missing(), 0);
        if (tickets.length === 0) break;
        await this.#claimAll(tickets, topic, asked, claims);
      }
      await this.#claimFrom(topic.backlog, topic, asked, claims);
      if (claims.messages.length === 0 && !isWithScan) {
        await this.#scan(topic, claims);
        await this.#claimFrom(topic.overdue, topic, asked, claims);
        await this.#claimFrom(topic.backlog, topic, asked, claims);
      }
      if (claims.messages.length === 0 && waitMs > 0) {
        const untilDueMs = Math.max(0, topic.takeDue() - Date.now());
        const longestMs = Math.min(WAIT_MS.most, Math.max(WAIT_MS.least, visibilityMs / 2));
        const pauseMs = Math.min(waitMs, untilDueMs, longestMs);
        const tickets = await this.#tickets.take(planId, topic.name, asked.maxMessages, pauseMs);
        await this.#claimAll(tickets, topic, asked, claims);
      }
    } catch (error) {
      // What was claimed is this consumer's now: without it the messages would wait for their timeout.
      if (!isUnavailable(error) || claims.messages.length + claims.deadLettered.length === 0) throw error;
    }
    return claims;
  }

  async ack(planId: string, topicName: string, receiptHandle: string): Promise<void> {
    const topic = this.#topic(planId, topicName);
    const delivery = readReceipt(planId, topicName, receiptHandle);
    if (!this.#settling.has(receiptHandle)) checkNotExpired(delivery);
    await this.#settle(topic, delivery, receiptHandle, { is: 'acked', d: delivery.d });
    const wasThere = await topic.dict.pop(messageKey(topicName, delivery.id));
    // If not, an answer was lost, or the plan was purged: then the lease is gone as well.
    if (!wasThere && (await topic.cellsOf(delivery.id).read(delivery.n)) === undefined) {
      await topic.cellsOf(delivery.id).remove(delivery.n + 1);
      throw badReceipt('names a message that is gone');
    }
    this.#settling.delete(receiptHandle);
  }

  async nack({ planId, topic: name, receiptHandle, delayMs, reason, maxDeliveries }: NackRequest): Promise<Nacked> {
    const topic = this.#topic(planId, name);
    const delivery = readReceipt(planId, name, receiptHandle);
    const { id, n, d } = delivery;
    if (!this.#settling.has(receiptHandle)) checkNotExpired(delivery);
    const lease = await topic.cellsOf(id).read(n);
    if (lease?.o !== delivery.o) throw badReceipt('names a message that is gone');
    if (d >= maxDeliveries) {
      await this.#settle(topic, delivery, receiptHandle, { is: 'dead', d, why: reason });
      await this.#bury(topic, id, reason);
      this.#settling.delete(receiptHandle);
      return { kind: 'deadletter', deliveries: d };
    }
    await this.#settle(topic, delivery, receiptHandle, { is: 'ready', d, x: Date.now() + delayMs });
    if (delayMs === 0) await this.#tickets.put(planId, name, { id, n: n + 1, d });
    this.#settling.delete(receiptHandle);
    return { kind: 'retry', deliveries: d };
  }

  async stats(planId: string, topic: string): Promise<QueueStats> {
    return this.#topic(planId, topic).stats();
  }

  async purgePlan(planId: string): Promise<void> {
    await this.#dict(planId).destroy();
    await this.#tickets.purge(planId);
    for (const key of this.#topics.keys()) if (key.startsWith(`${planId}/`)) this.#topics.delete(key);
  }

  async close(): Promise<void> {
    this.#sdk.close();
  }

  #topic(planId: string, name: string): ModalTopic {
    const key = `${planId}/${name}`;
    const known = this.#topics.get(key);
    if (known !== undefined) return known;
    const topic = new ModalTopic(name, this.#dict(planId));
    this.#topics.set(key, topic);
    return topic;
  }

  #dict(planId: string): ModalDict {
    const place = { environment: this.#environment, name: objectName('queue', planId) };
    return new ModalDict(this.#sdk.cpClient, place, this.#options);
  }

  /** The message that an idempotency key stands for: the first that got here. */
  async #firstOf(dict: ModalDict, topic: string, k: string, id: string): Promise<string> {
    const key = `i:${topic}:${k}`;
    if (await dict.putIfAbsent(key, id)) return id;
    const first = await dict.get(key);
    return typeof first === 'string' ? first : this.#firstOf(dict, topic, k, id);
  }

  /** Writes the step after a delivery, which ends it; refuses where somebody else wrote one. */
  async #settle(topic: ModalTopic, delivery: Delivery, receiptHandle: string, body: StepBody): Promise<void> {
    const o = this.#settling.get(receiptHandle) ?? newOperationId();
    this.#settling.set(receiptHandle, o);
    const created = await topic.cellsOf(delivery.id).create(delivery.n + 1, { ...body, o });
    if (!created.isOurs) throw badReceipt('was used, or its message was delivered again');
  }

  async #scan(topic: ModalTopic, claims: Claims): Promise<void> {
    for (const { id, step } of await topic.scan()) {
      if (step?.is === 'acked') await topic.dict.pop(messageKey(topic.name, id));
      if (step?.is === 'dead' && (await this.#bury(topic, id, step.why))) {
        claims.deadLettered.push({ kind: 'deadletter', deliveries: step.d });
      }
    }
  }

  async #claimFrom(list: Ticket[], topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    while (list.length > 0 && claims.messages.length < asked.maxMessages) {
      const tickets = list.splice(0, asked.maxMessages - claims.messages.length);
      await this.#claimAll(tickets, topic, asked, claims);
    }
  }

  async #claimAll(tickets: readonly Ticket[], topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    const limit = pLimit(PARALLEL);
    const outcomes = await Promise.allSettled(
      tickets.map((ticket) => limit(() => this.#claim(ticket, topic, asked, claims))),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Tries to make one message this consumer's. Others may be first, or the ticket may be old: then nothing happens. */
  async #claim({ id, n, d }: Ticket, topic: ModalTopic, asked: Asked, claims: Claims): Promise<void> {
    const cells = topic.cellsOf(id);
    const o = newOperationId();
    if (d >= asked.maxDeliveries) {
      // Only a lease that ran out comes here: a nack would have buried it.
      const { isOurs } = await cells.create(n + 1, { is: 'dead', o, d, why: 'expired' });
      if (isOurs && (await this.#bury(topic, id, 'expired'))) {
        claims.deadLettered.push({ kind: 'deadletter', deliveries: d });
      }
      return;
    }
    const expiresMs = Date.now() + asked.visibilityMs;
    const { isOurs } = await cells.create(n + 1, { is: 'leased', o, d: d + 1, x: expiresMs });
    if (!isOurs) return;
    const stored = await this.#stored(topic, id);
    if (stored === undefined) {
      // An old ticket of a message that is gone: the step just written belongs to nothing.
      await cells.remove(n + 1);
      return;
    }
    const delivery = { id, n: n + 1, d: d + 1, o, expiresMs };
    claims.messages.push({
      id,
      body: bodyOf(stored),
      receiptHandle: writeReceipt(asked.planId, topic.name, delivery),
      deliveries: d + 1,
      ...(stored.why === undefined ? {} : { deadReason: stored.why }),
    });
  }

  /** A message, unless it is gone, or a second one of its idempotency key whose publisher was killed. */
  async #stored(topic: ModalTopic, id: string): Promise<StoredMessage | undefined> {
    const value = await topic.dict.get(messageKey(topic.name, id));
    if (value === undefined) return undefined;
    const stored = parseMessage(value);
    if (stored.k === undefined || (await this.#firstOf(topic.dict, topic.name, stored.k, id)) === id) return stored;
    await topic.dict.pop(messageKey(topic.name, id));
    return undefined;
  }

  /** Moves a message whose last step is `dead`. False: it was moved already. */
  async #bury(topic: ModalTopic, id: string, why: string): Promise<boolean> {
    const stored = await this.#stored(topic, id);
    if (stored === undefined) return false;
    const { t, b } = stored;
    const content = t === undefined ? { b: b ?? '' } : { t };
    await topic.dict.putIfAbsent(messageKey(deadTopic(topic.name), id), { ...content, why });
    await topic.dict.pop(messageKey(topic.name, id));
    return true;
  }
}

export const modalQueue: QueueBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url, options) => {
    const environment = environmentOf(url);
    const { ModalClient } = await import('modal');
    const sdk = new ModalClient(environment === '' ? {} : { environment });
    return new ModalQueue(sdk, environment, callOptions(options.timeoutMs));
  },
};
