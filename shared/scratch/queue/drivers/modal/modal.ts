import { LRUCache } from 'lru-cache';
import { environmentOf } from '../../../../providers/modal/account.ts';
import { ModalDict } from '../../../../providers/modal/dict.ts';
import { hashOfKey, newOperationId, objectName } from '../../../../providers/modal/names.ts';
import { type CallOptions, callOptions, type ModalSdk } from '../../../../providers/modal/sdk.ts';
import type { QueueCapabilities } from '../../../capabilities.ts';
import type { Nacked, QueueBackend, QueueDriver, QueueStats } from '../../queue.ts';
import { badReceipt } from '../../topic.ts';
import { Claimer, type Claims, firstOfKey } from './claimer.ts';
import { Leases } from './leases.ts';
import {
  checkNotExpired,
  type ModalDelivery,
  type ModalMessage,
  messageKey,
  newMessageId,
  readHandle,
  type Step,
  toContent,
} from './message.ts';
import { Tickets } from './tickets.ts';
import { ModalTopic } from './topic.ts';

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
  exactStats: true,
  refusesUsedReceipts: true,
  durable: true,
};

const KNOWN_TOPICS = 1_000;
const KNOWN_RECEIPTS = 10_000;

type NackRequest = Parameters<QueueDriver['nack']>[0];
type StepBody = Step extends infer S ? (S extends Step ? Omit<S, 'o'> : never) : never;

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
  readonly #claimer: Claimer;
  readonly #client = newOperationId();
  readonly #topics = new LRUCache<string, ModalTopic>({ max: KNOWN_TOPICS });
  /** Of acks and nacks that have not ended: one that is repeated must know its own step again. */
  readonly #settling = new LRUCache<string, string>({ max: KNOWN_RECEIPTS });

  constructor(sdk: ModalSdk, environment: string, options: CallOptions) {
    this.#sdk = sdk;
    this.#environment = environment;
    this.#options = options;
    this.#tickets = new Tickets(sdk, environment);
    this.#claimer = new Claimer(this.#tickets);
  }

  async publish({ planId, topic, body, idempotencyKey, delayMs }: Parameters<QueueDriver['publish']>[0]) {
    const { dict } = this.#topic(planId, topic);
    const id = newMessageId(Date.now() + delayMs, delayMs === 0);
    const k = idempotencyKey === undefined ? undefined : hashOfKey(idempotencyKey);
    const stored: ModalMessage = { ...toContent(body), ...(k === undefined ? {} : { k }) };
    await dict.put(messageKey(topic, id), stored);
    if (k !== undefined) {
      const first = await firstOfKey(dict, topic, k, id);
      if (first !== id) {
        await dict.pop(messageKey(topic, id));
        return first;
      }
    }
    if (delayMs === 0) await this.#tickets.put(planId, topic, { id, n: 0, d: 0 });
    return id;
  }

  consume(asked: Parameters<QueueDriver['consume']>[0]): Promise<Claims> {
    return this.#claimer.consume(this.#topic(asked.planId, asked.topic), asked);
  }

  async ack(planId: string, topicName: string, receiptHandle: string): Promise<void> {
    const topic = this.#topic(planId, topicName);
    const delivery = readHandle(planId, topicName, receiptHandle);
    if (!this.#settling.has(receiptHandle)) checkNotExpired(delivery);
    await this.#settle(topic, delivery, receiptHandle, { is: 'acked', d: delivery.d });
    topic.leases.release(delivery.id, delivery.n);
    const wasThere = await topic.dict.pop(messageKey(topicName, delivery.id));
    // If not, an answer was lost, or the plan was purged: then the lease is gone as well.
    if (!wasThere && (await topic.cellsOf(delivery.id).read(delivery.n)) === undefined) {
      await topic.cellsOf(delivery.id).remove(delivery.n + 1);
      throw badReceipt('names a message that is gone');
    }
    // Left in the Dict the steps would burden every scan. Nothing can be claimed by them: a claim looks for its message.
    await topic.cellsOf(delivery.id).removeUpTo(delivery.n + 1);
    this.#settling.delete(receiptHandle);
  }

  async nack({ planId, topic: name, receiptHandle, delayMs, reason, maxDeliveries }: NackRequest): Promise<Nacked> {
    const topic = this.#topic(planId, name);
    const delivery = readHandle(planId, name, receiptHandle);
    const { id, n, d } = delivery;
    if (!this.#settling.has(receiptHandle)) checkNotExpired(delivery);
    const lease = await topic.cellsOf(id).read(n);
    if (lease?.o !== delivery.o) throw badReceipt('names a message that is gone');
    if (d >= maxDeliveries) {
      await this.#settle(topic, delivery, receiptHandle, { is: 'dead', d, why: reason });
      topic.leases.release(id, n);
      await this.#claimer.bury(topic, id, reason);
      this.#settling.delete(receiptHandle);
      return { kind: 'deadletter', deliveries: d };
    }
    await this.#settle(topic, delivery, receiptHandle, { is: 'ready', d, x: Date.now() + delayMs });
    topic.leases.release(id, n);
    if (delayMs === 0) await this.#tickets.put(planId, name, { id, n: n + 1, d });
    this.#settling.delete(receiptHandle);
    return { kind: 'retry', deliveries: d };
  }

  async stats(planId: string, topic: string): Promise<QueueStats> {
    return this.#topic(planId, topic).stats();
  }

  async purgePlan(planId: string): Promise<void> {
    await this.#dict('queue', planId).destroy();
    await this.#dict('leases', planId).destroy();
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
    const leases = new Leases(this.#dict('leases', planId), name, this.#client);
    const topic = new ModalTopic(name, this.#dict('queue', planId), leases);
    this.#topics.set(key, topic);
    return topic;
  }

  #dict(kind: 'queue' | 'leases', planId: string): ModalDict {
    const place = { environment: this.#environment, name: objectName(kind, planId) };
    return new ModalDict(this.#sdk.cpClient, place, this.#options);
  }

  /** Writes the step after a delivery, which ends it; refuses where somebody else wrote one. */
  async #settle(topic: ModalTopic, delivery: ModalDelivery, receiptHandle: string, body: StepBody): Promise<void> {
    const o = this.#settling.get(receiptHandle) ?? newOperationId();
    this.#settling.set(receiptHandle, o);
    const created = await topic.cellsOf(delivery.id).create(delivery.n + 1, { ...body, o });
    if (!created.isOurs) throw badReceipt('was used, or its message was delivered again');
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
