import { LRUCache } from 'lru-cache';
import type { Question } from './question.ts';

const WINDOW_MS = 10_000;
/** In that time, of one asker and one kind of question. */
const MOST = 3;
const REMEMBERED = 1_000;

/**
 * Who asked more than the quick lane gives. Each such question ends the worker that everybody's usual ones wait for, so whoever
 * asks several is answered in the slow lane for a while, whatever it asks.
 */
export class Overruns {
  readonly #nowMs: () => number;
  /** When its last ones were. */
  readonly #last = new LRUCache<string, readonly number[]>({ max: REMEMBERED });

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  note(asker: string, { kind }: Question): void {
    const key = `${kind} ${asker}`;
    this.#last.set(key, [...(this.#last.get(key) ?? []), this.#nowMs()].slice(-MOST));
  }

  areMany(asker: string, { kind }: Question): boolean {
    const last = this.#last.get(`${kind} ${asker}`) ?? [];
    return last.length === MOST && (last[0] ?? 0) > this.#nowMs() - WINDOW_MS;
  }
}
