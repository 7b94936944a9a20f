import { JetStreamApiError } from '@nats-io/jetstream';

/** JetStream API errors. */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

export const isStreamMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;

export const isConsumerMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND;
