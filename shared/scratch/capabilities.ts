/** What a backend can do. Declared once, on the driver; printed by `isomorph doctor`, checked by the conformance suites. */

export interface KvCapabilities {
  /** Finest unit of a time to live; `none`: a put with one fails with ERR_UNIMPLEMENTED. */
  readonly ttl: 'ms' | 's' | 'none';
  /** Largest value in bytes. */
  readonly maxValueBytes: number;
  /** What was acknowledged is there after a restart of the backend. */
  readonly durable: boolean;
}

export interface QueueCapabilities {
  /** Whether a consumer chooses how long a delivery stays invisible, for each call. */
  readonly visibility: 'per-call' | 'per-topic';
  /** How long an idempotency key is remembered, in seconds; 0: publish with one fails with ERR_UNIMPLEMENTED. */
  readonly dedupeS: number;
  readonly dedupeSurvivesRestart: boolean;
  /** A message that was acked may be delivered once more (SQS standard queues). */
  readonly redeliverAfterAck: boolean;
  readonly ordering: 'none' | 'approximate';
  readonly maxBodyBytes: number;
  readonly maxDelayS: number;
  readonly maxVisibilityS: number;
  /** `stats` tells messages that are put off from the others, and what it tells is true now. Without: about, and only all together. */
  readonly exactStats: boolean;
  /** A receipt that was used is refused in every process; without, for certain only in the one that used it. */
  readonly refusesUsedReceipts: boolean;
  readonly durable: boolean;
}
