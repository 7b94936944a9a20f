import { LRUCache } from 'lru-cache';
import { checkLimit, type LimitOptions } from '../limits.ts';
import type { QueueMessage, QueueStats } from './queue.ts';
import { topicName } from './topic.ts';

interface PlanUse {
  /** Messages by topic, those in its dead letters included. */
  readonly topics: Map<string, number>;
  bytes: number;
  /** When the backend was asked last. */
  countedAtMs: number;
}

const PLANS = 1_000;
/** Deliveries of which the size is known when they are acked. */
const DELIVERIES = 10_000;
/** Before anything is refused the backend is asked, but no more often. */
const COUNT_EVERY_MS = 1_000;

export interface QueueUsageOptions extends LimitOptions {
  readonly stats: (planId: string, topic: string) => Promise<QueueStats>;
}

const total = ({ ready, inFlight, delayed, dead }: QueueStats): number => ready + inFlight + delayed + dead;
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, one) => all + one, 0);

/**
 * What each plan holds in its queues, by what passes here and by what the backend says: of a topic when it is first published
 * to, and of all of them before anything is refused. ADR 97 says how exact that is.
 */
export class QueueUsage {
  readonly #options: QueueUsageOptions;
  readonly #plans = new LRUCache<string, PlanUse>({ max: PLANS });
  readonly #sizes = new LRUCache<string, number>({ max: DELIVERIES });

  constructor(options: QueueUsageOptions) {
    this.#options = options;
  }

  /** A message is about to be published; counted from here on. @throws ERR_LIMIT, and then nothing is counted */
  async publish(planId: string, topic: string, bytes: number): Promise<void> {
    const plan = this.#plan(planId);
    if (!plan.topics.has(topic)) {
      const there = total(await this.#options.stats(planId, topic));
      // Whoever asked at the same time has counted it meanwhile.
      if (!plan.topics.has(topic)) {
        checkLimit(this.#options, 'queueTopics', planId, plan.topics.size + 1);
        plan.topics.set(topic, there);
      }
    }
    if (this.#isOver(plan, bytes)) await this.#count(planId, plan);
    checkLimit(this.#options, 'queueMessages', planId, sum(plan.topics.values()) + 1);
    checkLimit(this.#options, 'queueBytes', planId, plan.bytes + bytes);
    plan.topics.set(topic, (plan.topics.get(topic) ?? 0) + 1);
    plan.bytes += bytes;
  }

  delivered(messages: readonly QueueMessage[]): void {
    for (const { receiptHandle, body } of messages) this.#sizes.set(receiptHandle, body.byteLength);
  }

  acked(planId: string, topic: string, receiptHandle: string): void {
    const plan = this.#plans.get(planId);
    const { name } = topicName(topic);
    const before = plan?.topics.get(name) ?? 0;
    if (plan === undefined || before === 0) return;
    plan.topics.set(name, before - 1);
    plan.bytes -= Math.min(plan.bytes, this.#sizes.get(receiptHandle) ?? 0);
    this.#sizes.delete(receiptHandle);
    this.#clearBytes(plan);
  }

  forget(planId: string): void {
    this.#plans.delete(planId);
  }

  #plan(planId: string): PlanUse {
    const plan = this.#plans.get(planId) ?? { topics: new Map<string, number>(), bytes: 0, countedAtMs: -Infinity };
    this.#plans.set(planId, plan);
    return plan;
  }

  #isOver(plan: PlanUse, bytes: number): boolean {
    const { queueMessages, queueBytes } = this.#options.limits;
    return sum(plan.topics.values()) >= queueMessages || plan.bytes + bytes > queueBytes;
  }

  /** What others acked, what was stored once though published twice: only the backend knows. */
  async #count(planId: string, plan: PlanUse): Promise<void> {
    if (performance.now() - plan.countedAtMs < COUNT_EVERY_MS) return;
    plan.countedAtMs = performance.now();
    for (const topic of plan.topics.keys()) plan.topics.set(topic, total(await this.#options.stats(planId, topic)));
    this.#clearBytes(plan);
  }

  /** Whose sizes are not known is found out when nothing is left. */
  #clearBytes(plan: PlanUse): void {
    if (sum(plan.topics.values()) === 0) plan.bytes = 0;
  }
}
