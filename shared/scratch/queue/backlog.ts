import { LRUCache } from 'lru-cache';

const TOPICS = 10_000;

/**
 * About how many messages a topic holds, as far as this client published and acked them: what `approx_size` of the audit
 * facts says. To ask the backend at each publish would double its cost.
 */
export class Backlog {
  readonly #sizes = new LRUCache<string, number>({ max: TOPICS });

  /** The size after the change, never below 0. */
  add(planId: string, topic: string, change: number): number {
    const key = `${planId}/${topic}`;
    const size = Math.max(0, (this.#sizes.get(key) ?? 0) + change);
    this.#sizes.set(key, size);
    return size;
  }

  forget(planId: string): void {
    for (const key of this.#sizes.keys()) if (key.startsWith(`${planId}/`)) this.#sizes.delete(key);
  }
}
