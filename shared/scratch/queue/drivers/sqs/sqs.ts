/** Queues on SQS: a FIFO queue a topic, each message a group of its own (docs/adr/0056). */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { delay } from '../../../../async/delay.ts';
import type { QueueCapabilities } from '../../../capabilities.ts';
import type { DeadLettered, Nacked, QueueBackend, QueueDriver, QueueMessage, QueueStats } from '../../queue.ts';
import { badReceipt, deadTopic, isDeadTopic } from '../../topic.ts';
import {
  decodeEnvelope,
  decodeReceipt,
  encodeEnvelope,
  encodeReceipt,
  type SqsEnvelope,
  type SqsReceipt,
} from './envelope.ts';
import { guarded, isBadHandle, isMissingQueue, SqsRefusal } from './faults.ts';
import { parseSqsUrl, type SqsLocation } from './location.ts';
import { idempotentId, planQueuePrefix, queueName, topicMark } from './names.ts';
import { type Received, SqsService } from './service.ts';

const MAX_HIDDEN_S = 43_200;
const MAX_POLL_S = 20;
const RECEIVE_MAX = 10;
/** How long to wait for a queue that is not there yet, before looking again. */
const ABSENT_WAIT_MS = 1000;
/** A lease begins at SQS before its message is here: what ends there first must not be taken for good. */
const EARLIER_MS = 100;
const USED_HANDLES_MAX = 10_000;
const LAST_BODIES_MAX_BYTES = 64 * 1024 * 1024;
/** Body and envelope stay within 256 KiB as base64, with room for a reason. */
const MAX_BODY_BYTES = 190 * 1024;

type ConsumeRequest = Parameters<QueueDriver['consume']>[0];

/** A message on its last delivery: what a nack needs to make a dead letter of it. */
interface LastDelivery extends Pick<SqsEnvelope, 'id' | 'body'> {
  readonly messageId: string;
}

interface Sorted {
  readonly message?: QueueMessage;
  readonly deadLettered?: DeadLettered;
}

const asWholeSeconds = (ms: number): number => Math.ceil(ms / 1000);

const capabilitiesOf = ({ dedupes }: SqsLocation): QueueCapabilities => ({
  visibility: 'per-call',
  dedupeS: dedupes ? 300 : 0,
  dedupeSurvivesRestart: dedupes,
  durable: true,
  redeliverAfterAck: false,
  ordering: 'none',
  maxBodyBytes: MAX_BODY_BYTES,
  maxDelayS: MAX_HIDDEN_S,
  maxVisibilityS: MAX_HIDDEN_S,
  // SQS counts in the background, and does not tell messages that are put off from others.
  exactStats: false,
  // Each process knows which ones it used; SQS takes a handle again until its message is received anew.
  refusesUsedReceipts: false,
});

class SqsQueue implements QueueDriver {
  readonly name = 'sqs';
  readonly capabilities: QueueCapabilities;
  readonly #service: SqsService;
  readonly #prefix: string;
  /** SQS takes the handle of a delivery again after its ack or nack; the contract does not. */
  readonly #used = new LRUCache<string, true>({ max: USED_HANDLES_MAX });
  readonly #last = new LRUCache<string, LastDelivery>({
    maxSize: LAST_BODIES_MAX_BYTES,
    sizeCalculation: ({ body }) => body.byteLength + 1,
  });

  constructor(at: SqsLocation) {
    this.capabilities = capabilitiesOf(at);
    this.#service = new SqsService(at);
    this.#prefix = at.prefix;
  }

  async publish(message: Parameters<QueueDriver['publish']>[0]): Promise<string> {
    const { planId, topic, body, idempotencyKey, delayMs } = message;
    const id = idempotencyKey === undefined ? randomUUID() : idempotentId(planId, topic, idempotencyKey);
    await guarded('publish', () => this.#send(planId, topic, { id, body, delayMs }, id));
    return id;
  }

  consume(request: ConsumeRequest) {
    return guarded('consume', async () => {
      const messages: QueueMessage[] = [];
      const deadLettered: DeadLettered[] = [];
      const url = await this.#service.find(this.#queue(request.planId, request.topic));
      if (url === undefined) await delay(Math.min(request.waitMs, ABSENT_WAIT_MS));
      while (url !== undefined && messages.length < request.maxMessages) {
        const most = Math.min(RECEIVE_MAX, request.maxMessages - messages.length);
        const isFirst = messages.length + deadLettered.length === 0;
        const found = await this.#receive(url, request, most, isFirst).catch((error: unknown) => {
          // What was received is handed out: else it would stay hidden for nothing.
          if (isFirst) throw error;
          return [];
        });
        for (const sorted of found) {
          if (sorted.message !== undefined) messages.push(sorted.message);
          if (sorted.deadLettered !== undefined) deadLettered.push(sorted.deadLettered);
        }
        if (found.length < most) break;
      }
      return { messages, deadLettered };
    });
  }

  async ack(planId: string, topic: string, receiptHandle: string): Promise<void> {
    const { handle } = this.#current(planId, topic, receiptHandle);
    await guarded('ack', () => this.#use(planId, topic, handle, (url) => this.#service.remove(url, handle)));
  }

  async nack(request: Parameters<QueueDriver['nack']>[0]): Promise<Nacked> {
    const { planId, topic, receiptHandle, delayMs, reason, maxDeliveries } = request;
    const { handle, deliveries, receivedMs } = this.#current(planId, topic, receiptHandle);
    const last = deliveries >= maxDeliveries ? this.#last.get(handle) : undefined;
    return guarded('nack', async () => {
      if (last !== undefined) {
        await this.#use(planId, topic, handle, async (url) => {
          await this.#sendDead(planId, topic, last, reason);
          await this.#service.remove(url, handle);
        });
        return { kind: 'deadletter', deliveries };
      }
      // SQS counts the 12 hours that a message can be hidden from when it was received.
      const mostS = Math.max(0, MAX_HIDDEN_S - asWholeSeconds(Date.now() - receivedMs) - 1);
      const forS = Math.min(asWholeSeconds(delayMs), mostS);
      await this.#use(planId, topic, handle, (url) => this.#service.hide(url, handle, forS));
      return { kind: 'retry', deliveries };
    });
  }

  stats(planId: string, topic: string): Promise<QueueStats> {
    return guarded('stats', async () => {
      const of = await this.#counts(planId, topic);
      const dead = isDeadTopic(topic) ? undefined : await this.#counts(planId, deadTopic(topic));
      return {
        ...{ ready: of.visible, inFlight: of.hidden, delayed: of.delayed },
        dead: dead === undefined ? 0 : dead.visible + dead.hidden + dead.delayed,
      };
    });
  }

  purgePlan(planId: string): Promise<void> {
    return guarded('purge', () => this.#service.removeQueues(planQueuePrefix(this.#prefix, planId)));
  }

  async close(): Promise<void> {
    this.#service.close();
  }

  async #receive(url: string, request: ConsumeRequest, most: number, isFirst: boolean): Promise<Sorted[]> {
    const { planId, topic, visibilityMs, waitMs } = request;
    const visibilityS = asWholeSeconds(visibilityMs);
    const waitS = isFirst ? Math.min(MAX_POLL_S, Math.floor(waitMs / 1000)) : 0;
    const found = await this.#service.receive(url, { most, visibilityS, waitS }).catch((error: unknown) => {
      if (!(error instanceof SqsRefusal) || !isMissingQueue(error)) throw error;
      this.#service.forget(this.#queue(planId, topic));
      return [];
    });
    const receivedMs = Date.now();
    const sorted = await Promise.allSettled(
      found.map((received) => this.#sort(url, request, received, { receivedMs, visibilityS })),
    );
    // What could not be put aside comes back after its visibility timeout, and is then tried again.
    return sorted.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : {}));
  }

  /** A message to hand out, one to put off since it is not due, or one that was delivered often enough. */
  async #sort(
    url: string,
    { planId, topic, maxDeliveries }: ConsumeRequest,
    { messageId, handle, text, receives, sentMs, firstReceivedMs }: Received,
    { receivedMs, visibilityS }: { receivedMs: number; visibilityS: number },
  ): Promise<Sorted> {
    const { id, body, delayMs, deadReason } = decodeEnvelope(text, messageId);
    const dueMs = sentMs + delayMs;
    if (dueMs > receivedMs) {
      await this.#service.hide(url, handle, Math.min(MAX_HIDDEN_S - 1, asWholeSeconds(dueMs - receivedMs)));
      return {};
    }
    const wasPutOff = delayMs > 0 && firstReceivedMs < dueMs;
    const deliveries = Math.max(1, wasPutOff ? receives - 1 : receives);
    if (deliveries > maxDeliveries) {
      await this.#sendDead(planId, topic, { id, body, messageId }, 'expired');
      await this.#service.remove(url, handle);
      return { deadLettered: { kind: 'deadletter', deliveries: deliveries - 1 } };
    }
    if (deliveries === maxDeliveries) this.#last.set(handle, { id, body, messageId });
    const mark = topicMark(planId, topic);
    const expiresMs = receivedMs + visibilityS * 1000 - EARLIER_MS;
    return {
      message: {
        ...{ id, body, deliveries },
        receiptHandle: encodeReceipt({ mark, deliveries, receivedMs, expiresMs, handle }),
        ...(deadReason === undefined ? {} : { deadReason }),
      },
    };
  }

  /** First the dead letter, then the end of the message: SQS drops what of it is sent twice. */
  #sendDead(planId: string, topic: string, { id, body, messageId }: LastDelivery, deadReason: string): Promise<void> {
    return this.#send(planId, deadTopic(topic), { id, body, delayMs: 0, deadReason }, messageId);
  }

  async #send(planId: string, topic: string, envelope: SqsEnvelope, uniqueId: string): Promise<void> {
    const name = this.#queue(planId, topic);
    const tags = { 'isomorph:plan': planId, 'isomorph:topic': topic };
    const text = encodeEnvelope(envelope);
    try {
      await this.#service.send(await this.#service.make(name, tags), text, uniqueId);
    } catch (error) {
      if (!(error instanceof SqsRefusal) || !isMissingQueue(error)) throw error;
      this.#service.forget(name);
      await this.#service.send(await this.#service.make(name, tags), text, uniqueId);
    }
  }

  #current(planId: string, topic: string, receiptHandle: string): SqsReceipt {
    const receipt = decodeReceipt(receiptHandle);
    if (receipt.mark !== topicMark(planId, topic)) throw badReceipt('is of another topic');
    if (receipt.expiresMs <= Date.now()) throw badReceipt('has expired');
    if (this.#used.has(receipt.handle)) throw badReceipt('was used');
    return receipt;
  }

  async #use(planId: string, topic: string, handle: string, use: (url: string) => Promise<void>): Promise<void> {
    const url = await this.#service.find(this.#queue(planId, topic));
    if (url === undefined) throw badReceipt('is of a topic that was purged');
    try {
      await use(url);
    } catch (error) {
      if (error instanceof SqsRefusal && isBadHandle(error)) throw badReceipt('names no current delivery');
      throw error;
    }
    this.#used.set(handle, true);
    this.#last.delete(handle);
  }

  async #counts(planId: string, topic: string): Promise<{ visible: number; hidden: number; delayed: number }> {
    const name = this.#queue(planId, topic);
    const nothing = { visible: 0, hidden: 0, delayed: 0 };
    const url = await this.#service.find(name);
    if (url === undefined) return nothing;
    return this.#service.counts(url).catch((error: unknown) => {
      if (!(error instanceof SqsRefusal) || !isMissingQueue(error)) throw error;
      this.#service.forget(name);
      return nothing;
    });
  }

  #queue(planId: string, topic: string): string {
    return queueName(this.#prefix, planId, topic);
  }
}

export const sqsQueue: QueueBackend = {
  capabilities: (url) => capabilitiesOf(parseSqsUrl(url)),
  // Nothing is called before the first operation: an account may permit some of them only.
  open: async (url) => new SqsQueue(parseSqsUrl(url)),
};
