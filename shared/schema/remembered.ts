import { LRUCache } from 'lru-cache';

/** Characters of a text that is remembered at most: what was made of it takes some tens of bytes for each. */
export const MAX_REMEMBERED_TEXT = 16 * 1024;
const MAX_CHARACTERS = 256 * 1024;

/** Texts that were met once, and those that were met again. */
const MAX_ONCE = 16;
const MAX_AGAIN = 48;

/**
 * What was made of a text that strangers wrote, for those that come again: it depends on the text alone. Bounded in entries
 * and in characters. What is met for the first time makes room among its like only: a flood of texts that are never met again
 * pushes out none that is.
 */
export class Remembered<V extends object> {
  readonly #once = new LRUCache<string, V>(limits<V>(MAX_ONCE));
  readonly #again = new LRUCache<string, V>(limits<V>(MAX_AGAIN));

  /** What was made of `text` before. */
  get(text: string): V | undefined {
    const again = this.#again.get(text);
    if (again !== undefined) return again;
    const once = this.#once.get(text);
    if (once === undefined) return undefined;
    this.#once.delete(text);
    this.#again.set(text, once);
    return once;
  }

  /** To be called where {@link get} knew nothing. */
  set(text: string, made: V): void {
    this.#once.set(text, made);
  }
}

const limits = <V extends object>(max: number): LRUCache.Options<string, V, unknown> => ({
  max,
  maxSize: MAX_CHARACTERS,
  maxEntrySize: MAX_REMEMBERED_TEXT,
  sizeCalculation: (_value, text) => Math.max(1, text.length),
});
