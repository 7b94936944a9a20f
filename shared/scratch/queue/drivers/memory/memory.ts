import { getOrAdd, memoryStore } from '../../../../providers/memory/store.ts';
import type { QueueCapabilities } from '../../../capabilities.ts';
import type { Nacked, QueueBackend, QueueDriver, QueueStats } from '../../queue.ts';
import { deadTopic, isDeadTopic } from '../../topic.ts';
import { MemoryTopic } from './topic.ts';

const CAPABILITIES: QueueCapabilities = {
  visibility: 'per-call',
  dedupeS: 600,
  dedupeSurvivesRestart: false,
  redeliverAfterAck: false,
  ordering: 'approximate',
  maxBodyBytes: 16 * 1024 * 1024,
  maxDelayS: 366 * 86_400,
  maxVisibilityS: 43_200,
  exactStats: true,
  refusesUsedReceipts: true,
  durable: false,
};

type Plans = Map<string, Map<string, MemoryTopic>>;
type Consumed = Awaited<ReturnType<QueueDriver['consume']>>;

class MemoryQueue implements QueueDriver {
  readonly name = 'memory';
  readonly isInProcess = true;
  readonly capabilities = CAPABILITIES;
  readonly #plans: Plans;
  readonly #closing = new AbortController();

  constructor(plans: Plans) {
    this.#plans = plans;
  }

  async publish({ planId, topic, body, idempotencyKey, delayMs }: Parameters<QueueDriver['publish']>[0]) {
    const into = this.#topic(planId, topic);
    const known = idempotencyKey === undefined ? undefined : into.rememberedId(idempotencyKey);
    if (known !== undefined) return known;
    const id = into.add({ body: Buffer.from(body), delayMs });
    if (idempotencyKey !== undefined) into.remember(idempotencyKey, id, CAPABILITIES.dedupeS * 1_000);
    return id;
  }

  async consume(request: Parameters<QueueDriver['consume']>[0]): Promise<Consumed> {
    const { planId, topic, waitMs } = request;
    const deadlineMs = Date.now() + waitMs;
    for (;;) {
      const from = this.#topic(planId, topic);
      const taken = this.#take(from, request);
      const leftMs = deadlineMs - Date.now();
      if (taken.messages.length > 0 || taken.deadLettered.length > 0 || leftMs <= 0) return taken;
      await from.changed(leftMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return taken;
    }
  }

  async ack(planId: string, topic: string, receiptHandle: string): Promise<void> {
    const from = this.#topic(planId, topic);
    from.remove(from.leased(receiptHandle));
  }

  async nack(request: Parameters<QueueDriver['nack']>[0]): Promise<Nacked> {
    const { planId, topic, receiptHandle, delayMs, reason, maxDeliveries } = request;
    const from = this.#topic(planId, topic);
    const message = from.leased(receiptHandle);
    const { id, body, deliveries } = message;
    if (deliveries < maxDeliveries) {
      from.release(message, delayMs);
      return { kind: 'retry', deliveries };
    }
    from.remove(message);
    this.#topic(planId, deadTopic(topic)).add({ id, body, delayMs: 0, deadReason: reason });
    return { kind: 'deadletter', deliveries };
  }

  async stats(planId: string, topic: string): Promise<QueueStats> {
    const { ready, inFlight, delayed } = this.#topic(planId, topic).counts();
    const dead = isDeadTopic(topic) ? 0 : this.#topic(planId, deadTopic(topic)).size;
    return { ready, inFlight, delayed, dead };
  }

  async purgePlan(planId: string): Promise<void> {
    const topics = this.#plans.get(planId);
    for (const topic of topics?.values() ?? []) topic.clear();
    this.#plans.delete(planId);
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  #take(from: MemoryTopic, { planId, topic, maxMessages, visibilityMs, maxDeliveries }: TakeRequest): Consumed {
    const consumed: Consumed & { deadLettered: { kind: 'deadletter'; deliveries: number }[] } = {
      messages: [],
      deadLettered: [],
    };
    while (consumed.messages.length < maxMessages) {
      const message = from.takeReady();
      if (message === undefined) break;
      if (message.deliveries >= maxDeliveries) {
        const { id, body, deliveries } = message;
        from.remove(message);
        this.#topic(planId, deadTopic(topic)).add({ id, body, delayMs: 0, deadReason: 'expired' });
        consumed.deadLettered.push({ kind: 'deadletter', deliveries });
        continue;
      }
      consumed.messages.push(from.lease(message, visibilityMs));
    }
    return consumed;
  }

  #topic(planId: string, topic: string): MemoryTopic {
    const topics = getOrAdd(this.#plans, planId, () => new Map<string, MemoryTopic>());
    return getOrAdd(topics, topic, () => new MemoryTopic());
  }
}

type TakeRequest = Omit<Parameters<QueueDriver['consume']>[0], 'waitMs'>;

const stores = new Map<string, Plans>();

export const memoryQueue: QueueBackend = {
  capabilities: () => CAPABILITIES,
  open: async (url) => new MemoryQueue(memoryStore(stores, url, (): Plans => new Map())),
};
