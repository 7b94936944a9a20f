/** What JetStream refused, by its code. */
import { JetStreamApiError } from '@nats-io/jetstream';

/** JetStream API errors. */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

export const isStreamMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;

export const isConsumerMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND;

/** Insufficient storage resources: more would be promised to streams than the server, or the account, may use. */
const NO_STORAGE: ReadonlySet<number> = new Set([10028, 10047]);

export const isWithoutStorage = (error: unknown): boolean =>
  error instanceof JetStreamApiError && NO_STORAGE.has(error.code);

/** A stream that takes nothing new has reached one of its limits. */
export const STREAM_FULL = 10077;

export const isStreamFull = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === STREAM_FULL;

/** JetStream API errors: the expected last sequence is not the actual one, on one server and of a replicated stream. */
const CONFLICTS: ReadonlySet<number> = new Set([10071, 10164]);

/** Another writer was first. */
export const isConflictCode = (code: number): boolean => CONFLICTS.has(code);

export const isConflict = (error: unknown): boolean => error instanceof JetStreamApiError && isConflictCode(error.code);
