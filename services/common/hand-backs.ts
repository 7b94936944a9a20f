import { LRUCache } from 'lru-cache';

/** How long a message is left alone that was handed back. */
export interface Patience {
  /** After its first delivery, up to twice that; after each that follows twice as long as before it. */
  readonly leastMs: number;
  readonly mostMs: number;
}

/** A plan gets so many of its messages again within so long, however many were handed back. */
const WINDOW_MS = 10_000;
const MESSAGES_PER_WINDOW = 100;

const KEPT_PLANS = 10_000;

interface Window {
  readonly startMs: number;
  readonly count: number;
}

export interface HandBacksOptions {
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly random: () => number;
}

/**
 * Says when a message that was handed back comes again: the later, the more often it came, and of one plan only so many in
 * a window of time, so that what a plan costs does not grow with its messages. One that came for the first time is none
 * of those: another service may be there to take it.
 */
export class HandBacks {
  readonly #options: HandBacksOptions;
  /** The last window of each plan that has one. */
  readonly #windows = new LRUCache<string, Window>({ max: KEPT_PLANS });

  constructor(options: HandBacksOptions) {
    this.#options = options;
  }

  /** @param deliveries how often the message was delivered, from 1 */
  delayMs(planId: string, deliveries: number, { leastMs, mostMs }: Patience): number {
    const { nowMs, random } = this.#options;
    const now = nowMs();
    const dueMs = now + Math.min(mostMs, leastMs * 2 ** Math.min(deliveries - 1, 30) * (1 + random()));
    return Math.ceil((deliveries === 1 ? dueMs : this.#placed(planId, dueMs)) - now);
  }

  #placed(planId: string, dueMs: number): number {
    const last = this.#windows.get(planId);
    const window =
      last === undefined || dueMs >= last.startMs + WINDOW_MS ? { startMs: dueMs, count: 0 } : roomIn(last);
    this.#windows.set(planId, { ...window, count: window.count + 1 });
    return Math.max(dueMs, window.startMs);
  }
}

const roomIn = ({ startMs, count }: Window): Window =>
  count < MESSAGES_PER_WINDOW ? { startMs, count } : { startMs: startMs + WINDOW_MS, count: 0 };
