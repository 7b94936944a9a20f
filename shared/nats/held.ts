import { Counts } from '../async/counts.ts';

/**
 * Where messages are of many, what is held of one and of all together at most, as shares of the prefetch: more of somebody is
 * not held, but for the only one. The other half is room for those.
 */
const MOST_OF_ONE = 1 / 4;
const MOST_OF_ALL = 1 / 2;

/** Messages that a loop holds unanswered, by whose they are: a flood of one leaves room for those of others behind it. */
export class Held {
  readonly #prefetch: number;
  readonly #counts = new Counts();

  constructor(prefetch: number) {
    this.#prefetch = prefetch;
  }

  /** For so many more there is room. */
  get room(): number {
    return this.#prefetch - this.#counts.all;
  }

  /** Whether one more of these is too many, where they are not the only ones. */
  isTooMany(whose: string): boolean {
    const own = this.#counts.of(whose);
    if (own === 0) return false;
    return own >= this.#prefetch * MOST_OF_ONE || this.#counts.all >= this.#prefetch * MOST_OF_ALL;
  }

  add(whose: string): void {
    this.#counts.add(whose);
  }

  delete(whose: string): void {
    this.#counts.remove(whose);
  }
}
