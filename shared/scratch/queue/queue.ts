import type { QueueCapabilities } from '../capabilities.ts';
import type { TellName } from '../names.ts';
import type { QueueOptions } from '../options.ts';

/** One delivery of a message. */
export interface QueueMessage {
  /** The same in every delivery. */
  readonly id: string;
  readonly body: Uint8Array;
  /** Names this delivery: an opaque string that any process may use until the message is delivered again. */
  readonly receiptHandle: string;
  /** This one included, from 1. */
  readonly deliveries: number;
  /** Of a message in `<topic>.dead` only: what ended its last delivery, the reason of the nack or `expired`. */
  readonly deadReason?: string;
}

export interface QueueStats {
  readonly ready: number;
  readonly inFlight: number;
  readonly delayed: number;
  /** In the topic's dead letters. */
  readonly dead: number;
}

/**
 * Queues, the scratch of a plan. This comment is the contract that `portable-queue.ts` and the drivers keep together and
 * `test/scratch/queue-conformance.ts` tests.
 *
 * - At least once: a message is delivered until it is acked, also when its consumer dies. No strict order.
 * - A topic is `[a-z0-9][a-z0-9_-]{0,62}`, and is there once it is used. Plans never see each other's topics.
 * - `publish` answers the message id. The same `idempotencyKey` on one topic within at least 5 minutes stores nothing
 *   and answers the same id. With `delayS` the message becomes ready only then.
 * - `consume` hides what it hands out for `visibilityTimeoutS` (default 30). It answers at once when anything is ready,
 *   else waits up to `waitS` (default 0) and may answer empty.
 * - `ack` resolves when the message is gone for good. `nack` makes it ready again after `delayS` (default 0). A receipt
 *   that has expired, was used, or belongs to another topic or plan is refused with ERR_RECEIPT and touches nobody
 *   else's delivery.
 * - A message that was delivered `maxDeliveries` times (of the queue, default 20) without an ack is not delivered again:
 *   it moves to `<topic>.dead`, which is consumed like a topic, with what ended its last delivery: the reason of the
 *   nack or `expired`. It keeps its id and its body; deliveries are counted anew. Dead letters are delivered without limit.
 * - Errors: ERR_SCHEMA, ERR_TOO_LARGE, ERR_RECEIPT, ERR_UNIMPLEMENTED, ERR_UNAVAILABLE.
 */
export interface Queue {
  readonly driver: string;
  readonly capabilities: QueueCapabilities;
  publish(request: {
    readonly planId: string;
    readonly topic: string;
    readonly body: Uint8Array;
    readonly idempotencyKey?: string;
    readonly delayS?: number;
    /** How the audit fact tells the topic; without it the fact does not. */
    readonly tell?: TellName;
  }): Promise<string>;
  consume(request: {
    readonly planId: string;
    readonly topic: string;
    /** 1 when absent; at most 100. Fewer may come. */
    readonly maxMessages?: number;
    readonly visibilityTimeoutS?: number;
    readonly waitS?: number;
    readonly tell?: TellName;
  }): Promise<QueueMessage[]>;
  ack(request: { readonly planId: string; readonly topic: string; readonly receiptHandle: string }): Promise<void>;
  nack(request: {
    readonly planId: string;
    readonly topic: string;
    readonly receiptHandle: string;
    readonly delayS?: number;
    readonly reason?: string;
    readonly tell?: TellName;
  }): Promise<void>;
  stats(request: { readonly planId: string; readonly topic: string }): Promise<QueueStats>;
  /** Removes every message of the plan, dead letters included. */
  purgePlan(request: { readonly planId: string }): Promise<void>;
  close(): Promise<void>;
}

/** What a driver did with a nack, for the audit facts. */
export type Nacked = { readonly kind: 'retry'; readonly deliveries: number } | DeadLettered;
export interface DeadLettered {
  readonly kind: 'deadletter';
  readonly deliveries: number;
}

/**
 * What a backend writes: the least that differs. Names, sizes and times are checked before. A driver does not retry,
 * emits no facts, and throws IsomorphError only. `topic` may end in `.dead`. Times are whole milliseconds.
 */
export interface QueueDriver {
  readonly name: string;
  /** Its calls end by themselves, with no server behind them: they need no time limit. */
  readonly isInProcess?: boolean;
  readonly capabilities: QueueCapabilities;
  publish(message: {
    readonly planId: string;
    readonly topic: string;
    readonly body: Uint8Array;
    readonly idempotencyKey: string | undefined;
    readonly delayMs: number;
  }): Promise<string>;
  consume(request: {
    readonly planId: string;
    readonly topic: string;
    readonly maxMessages: number;
    readonly visibilityMs: number;
    readonly waitMs: number;
    readonly maxDeliveries: number;
  }): Promise<{ readonly messages: QueueMessage[]; readonly deadLettered: readonly DeadLettered[] }>;
  ack(planId: string, topic: string, receiptHandle: string): Promise<void>;
  nack(request: {
    readonly planId: string;
    readonly topic: string;
    readonly receiptHandle: string;
    readonly delayMs: number;
    readonly reason: string;
    readonly maxDeliveries: number;
  }): Promise<Nacked>;
  stats(planId: string, topic: string): Promise<QueueStats>;
  purgePlan(planId: string): Promise<void>;
  close(): Promise<void>;
}

/** What a driver file exports. */
export interface QueueBackend {
  /** What a backend at this URL can do, without a connection: for admission, `doctor` and the docs. */
  capabilities(url: URL): QueueCapabilities;
  /** @throws ERR_CONFIG for an unusable URL, ERR_UNAVAILABLE when the backend cannot be reached. */
  open(url: URL, options: QueueOptions): Promise<QueueDriver>;
}
