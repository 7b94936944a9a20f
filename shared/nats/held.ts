/**
 * Where messages are of many, what is held of one and of all together at most, as shares of the prefetch: more of somebody is
 * not held, but for the only one. The other half is room for those.
 */
const MOST_OF_ONE = 1 / 4;
const MOST_OF_ALL = 1 / 2;

/** Messages that a loop holds unanswered, by whose they are: a flood of one leaves room for those of others behind it. */
export class Held {
  readonly #prefetch: number;
  readonly #own = new Map<string, number>();
  #all = 0;

  constructor(prefetch: number) {
    this.#prefetch = prefetch;
  }

  /** For so many more there is room. */
  get room(): number {
    return this.#prefetch - this.#all;
  }

  /** Whether one more of these is too many, where they are not the only ones. */
  isTooMany(whose: string): boolean {
    const own = this.#own.get(whose) ?? 0;
    if (own === 0) return false;
    return own >= this.#prefetch * MOST_OF_ONE || this.#all >= this.#prefetch * MOST_OF_ALL;
  }

  add(whose: string): void {
    this.#own.set(whose, (this.#own.get(whose) ?? 0) + 1);
    this.#all += 1;
  }

  delete(whose: string): void {
    const left = (this.#own.get(whose) ?? 1) - 1;
    if (left > 0) this.#own.set(whose, left);
    else this.#own.delete(whose);
    this.#all -= 1;
  }
}
