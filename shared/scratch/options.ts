import type { NatsConnection } from '@nats-io/transport-node';
import type { FactSink } from './facts.ts';
import type { LimitOptions } from './limits.ts';

/** What `openKv` and `openQueue` take beside the URL; a driver reads what concerns it. */
export interface ScratchOptions {
  /** Where audit facts go; without one none are made. */
  readonly factSink?: FactSink;
  /** For `nats:` without a host: a connection that is there already. It is left open by `close`. */
  readonly connection?: NatsConnection;
  /** An attempt that has no answer by then fails with ERR_UNAVAILABLE. Default 10 s; a consume adds what it waits. */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  /** What a plan may hold, and who is told; without it nothing is counted. For whoever all writes of plans pass. */
  readonly limit?: LimitOptions;
}

/** How operations that are safe to repeat meet passing faults: waits grow from `baseMs` to `maxMs`, with full jitter. */
export interface RetryOptions {
  /** The first one included; 1 repeats nothing. Default 4. */
  readonly attempts?: number;
  /** Default 50. */
  readonly baseMs?: number;
  /** Default 1000. */
  readonly maxMs?: number;
}

export interface QueueOptions extends ScratchOptions {
  /** After so many deliveries without an ack a message goes to the dead letters. Default 20. */
  readonly maxDeliveries?: number;
}
