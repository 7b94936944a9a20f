import { delay } from '../../async/delay.ts';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import { clip } from '../../text/clip.ts';
import type { QueueCapabilities } from '../capabilities.ts';
import { checkBytes, checkInteger, checkPlanId, checkText, checkTimeMs } from '../checks.ts';
import { type FactSink, reasonCode } from '../facts.ts';
import { type TellName, WITHHELD_NAME } from '../names.ts';
import { type OperationCounts, Operations } from '../operations.ts';
import type { QueueOptions } from '../options.ts';
import { Backlog } from './backlog.ts';
import type { DeadLettered, Queue, QueueDriver, QueueMessage, QueueStats } from './queue.ts';
import { checkReceiptHandle, checkTopic, DEAD_SUFFIX, isDeadTopic, topicName } from './topic.ts';
import { QueueUsage } from './usage.ts';

const OPERATIONS = ['publish', 'consume', 'ack', 'nack', 'stats', 'purgePlan'] as const;
export type QueueOperation = (typeof OPERATIONS)[number];

export const DEFAULT_VISIBILITY_S = 30;
export const MAX_MESSAGES = 100;
const MAX_WAIT_S = 900;
const MAX_REASON = 1_024;
const DEFAULT_MAX_DELIVERIES = 20;
/** Dead letters are never given up again. */
const WITHOUT_LIMIT = Number.MAX_SAFE_INTEGER;
/** Between looks into a backend that cannot wait itself. */
const LOOK_AGAIN_MS = { first: 5, most: 250 };
const REPEATABLE = { isRepeatable: true };

interface Told {
  readonly planId: string;
  readonly topic: string;
  readonly tell?: TellName;
}

/** As a fact tells it. That a topic holds dead letters is no word of a processor. */
function toldTopic(topic: string, tell: TellName | undefined): string {
  if (tell === undefined) return WITHHELD_NAME;
  const { name, isDead } = topicName(topic);
  return `${tell(name)}${isDead ? DEAD_SUFFIX : ''}`;
}

/** The contract of `Queue` over any driver: what is the same everywhere, once. */
export class PortableQueue implements Queue {
  readonly driver: string;
  readonly capabilities: QueueCapabilities;
  readonly #driver: QueueDriver;
  readonly #operations: Operations<QueueOperation>;
  readonly #facts: FactSink | undefined;
  readonly #maxDeliveries: number;
  readonly #backlog = new Backlog();
  readonly #usage: QueueUsage | undefined;

  constructor(driver: QueueDriver, options: QueueOptions = {}) {
    const { factSink, maxDeliveries = DEFAULT_MAX_DELIVERIES } = options;
    checkInteger(maxDeliveries, 1, 1_000_000, '/maxDeliveries');
    this.driver = driver.name;
    this.capabilities = driver.capabilities;
    this.#driver = driver;
    this.#operations = new Operations(
      { driver: `${driver.name} queue`, isInProcess: driver.isInProcess, names: OPERATIONS },
      options,
    );
    this.#facts = factSink;
    this.#maxDeliveries = maxDeliveries;
    const stats = (planId: string, topic: string) => this.stats({ planId, topic });
    this.#usage = options.limit && new QueueUsage({ ...options.limit, stats });
  }

  async publish(request: Parameters<Queue['publish']>[0]): Promise<string> {
    const { planId, topic, body, idempotencyKey, delayS = 0 } = request;
    checkPlanId(planId);
    checkTopic(topic, 'published to');
    checkBytes(body, this.capabilities.maxBodyBytes, '/body');
    if (idempotencyKey !== undefined) this.#checkIdempotencyKey(idempotencyKey);
    const delayMs = checkTimeMs(delayS, { minS: 0, maxS: this.capabilities.maxDelayS, pointer: '/delayS' });
    const message = { planId, topic, body, idempotencyKey, delayMs };
    await this.#usage?.publish(planId, topic, body.byteLength);
    // Without a key a message whose answer was lost would be stored twice.
    const isRepeatable = idempotencyKey !== undefined;
    const id = await this.#operations.run('publish', () => this.#driver.publish(message), { isRepeatable });
    if (this.#facts !== undefined) {
      const approx_size = this.#backlog.add(planId, topic, 1);
      this.#facts.emit({
        planId,
        kind: 'scratch.queue.published',
        data: { topic: toldTopic(topic, request.tell), bytes: body.byteLength, approx_size },
      });
    }
    return id;
  }

  async consume(request: Parameters<Queue['consume']>[0]): Promise<QueueMessage[]> {
    const { planId, topic, maxMessages = 1, visibilityTimeoutS, waitS = 0 } = request;
    checkPlanId(planId);
    checkTopic(topic, 'consumed');
    checkInteger(maxMessages, 1, MAX_MESSAGES, '/maxMessages');
    const visibilityMs = this.#visibilityMs(visibilityTimeoutS);
    const totalMs = checkTimeMs(waitS, { minS: 0, maxS: MAX_WAIT_S, pointer: '/waitS' });
    const maxDeliveries = this.#limitOf(topic);
    const deadlineMs = totalMs === 0 ? 0 : performance.now() + totalMs;
    let pauseMs = LOOK_AGAIN_MS.first;
    for (let waitMs = totalMs; ; ) {
      const asked = { planId, topic, maxMessages, visibilityMs, waitMs, maxDeliveries };
      const { messages, deadLettered } = await this.#operations.run('consume', () => this.#driver.consume(asked), {
        isRepeatable: true,
        extraMs: waitMs,
      });
      for (const dead of deadLettered) this.#deadLettered(request, dead, 'expired');
      this.#usage?.delivered(messages);
      if (messages.length > 0 || totalMs === 0) return messages;
      waitMs = Math.ceil(deadlineMs - performance.now());
      if (waitMs <= 0 || this.#operations.isClosed) return [];
      await delay(Math.min(pauseMs, waitMs));
      pauseMs = Math.min(pauseMs * 2, LOOK_AGAIN_MS.most);
      waitMs = Math.max(0, Math.ceil(deadlineMs - performance.now()));
    }
  }

  async ack({ planId, topic, receiptHandle }: Parameters<Queue['ack']>[0]): Promise<void> {
    checkPlanId(planId);
    checkTopic(topic, 'consumed');
    checkReceiptHandle(receiptHandle);
    await this.#operations.run('ack', () => this.#driver.ack(planId, topic, receiptHandle), REPEATABLE);
    this.#usage?.acked(planId, topic, receiptHandle);
    if (this.#facts !== undefined) this.#backlog.add(planId, topic, -1);
  }

  async nack(request: Parameters<Queue['nack']>[0]): Promise<void> {
    const { planId, topic, receiptHandle, delayS = 0 } = request;
    checkPlanId(planId);
    checkTopic(topic, 'consumed');
    checkReceiptHandle(receiptHandle);
    const delayMs = checkTimeMs(delayS, { minS: 0, maxS: this.capabilities.maxDelayS, pointer: '/delayS' });
    const reason = clip(request.reason ?? 'nack', MAX_REASON);
    const maxDeliveries = this.#limitOf(topic);
    const asked = { planId, topic, receiptHandle, delayMs, reason, maxDeliveries };
    const nacked = await this.#operations.run('nack', () => this.#driver.nack(asked), REPEATABLE);
    if (nacked.kind === 'deadletter') this.#deadLettered(request, nacked, reason);
    else {
      const data = {
        topic: toldTopic(topic, request.tell),
        deliveries: nacked.deliveries,
        delay_s: Math.ceil(delayMs / 1_000),
      };
      this.#facts?.emit({ planId, kind: 'scratch.queue.retry', data });
    }
  }

  async stats({ planId, topic }: Parameters<Queue['stats']>[0]): Promise<QueueStats> {
    checkPlanId(planId);
    checkTopic(topic, 'consumed');
    return this.#operations.run('stats', () => this.#driver.stats(planId, topic), REPEATABLE);
  }

  async purgePlan({ planId }: Parameters<Queue['purgePlan']>[0]): Promise<void> {
    checkPlanId(planId);
    await this.#operations.run('purgePlan', () => this.#driver.purgePlan(planId), REPEATABLE);
    this.#backlog.forget(planId);
    this.#usage?.forget(planId);
  }

  /** How often each operation was called, failed and was repeated, since this client was opened. */
  counts(): Readonly<Record<QueueOperation, OperationCounts>> {
    return this.#operations.counts();
  }

  async close(): Promise<void> {
    if (this.#operations.isClosed) return;
    this.#operations.close();
    await this.#driver.close();
  }

  #limitOf(topic: string): number {
    return isDeadTopic(topic) ? WITHOUT_LIMIT : this.#maxDeliveries;
  }

  #checkIdempotencyKey(key: string): void {
    const pointer = '/idempotencyKey';
    checkText(key, pointer);
    if (this.capabilities.dedupeS > 0) return;
    throw new IsomorphError('ERR_UNIMPLEMENTED', 'this backend does not remember idempotency keys', { pointer });
  }

  #visibilityMs(visibilityTimeoutS: number | undefined): number {
    const pointer = '/visibilityTimeoutS';
    const { visibility, maxVisibilityS } = this.capabilities;
    if (visibility === 'per-topic' && visibilityTimeoutS !== undefined) {
      throw new IsomorphError('ERR_UNIMPLEMENTED', 'this backend sets the visibility timeout by topic', { pointer });
    }
    const seconds = visibilityTimeoutS ?? DEFAULT_VISIBILITY_S;
    return checkTimeMs(seconds, { minS: Number.MIN_VALUE, maxS: maxVisibilityS, pointer });
  }

  #deadLettered({ planId, topic, tell }: Told, { deliveries }: DeadLettered, reason: string): void {
    if (this.#facts === undefined) return;
    this.#backlog.add(planId, topic, -1);
    const data = { topic: toldTopic(topic, tell), deliveries, reason: reasonCode(reason) };
    this.#facts.emit({ planId, kind: 'scratch.queue.deadletter', data });
  }
}
