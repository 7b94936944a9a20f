import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, and rejects at once when `signal` is aborted. */
export const delay = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? {} : { signal });

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}

/** Exponential backoff with full jitter; `attempt` counts from 0. */
export const backoffMs = (attempt: number, { baseMs, maxMs, random }: BackoffOptions): number =>
  Math.ceil(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
