/**
 * Where messages are of many, what is held of one and of all together at most, as shares of the prefetch: more of somebody is
 * not held once his are slow. The last quarter is for the first message of somebody, whatever happens.
 */
const MOST_OF_ONE = 1 / 4;
const MOST_OF_ALL = 1 / 2;
const FOR_FIRSTS = 3 / 4;

/** A message that is held, since then. */
interface One {
  readonly sinceMs: number;
}

/**
 * Messages that a loop holds unanswered, by whose they are: a flood of one leaves room for those of others behind it. While all
 * are answered soon, each has its turn as it comes; then as many are held as will be answered soon, and none is handed back.
 */
export class Held {
  readonly #prefetch: number;
  readonly #slowMs: number;
  /** In the order in which they came. */
  readonly #own = new Map<string, Set<One>>();
  #all = 0;

  /** @param slowMs messages of somebody are slow when the oldest is held for so long; 0: they always are */
  constructor(prefetch: number, slowMs = 0) {
    this.#prefetch = prefetch;
    this.#slowMs = slowMs;
  }

  /** For so many more there is room. */
  room(nowMs: number): number {
    const isSlow = this.#slowMs === 0 || [...this.#own.values()].some((own) => this.#isSlow(own, nowMs));
    return Math.floor(isSlow ? this.#prefetch : this.#prefetch * MOST_OF_ALL) - this.#all;
  }

  /**
   * Whether one more of these is too many, where they are not the only ones.
   * @param isAwaited others of them wait for it: handed back it would cost each of those its time, so it is too many only
   * where there is no more room but for firsts
   */
  isTooMany(whose: string, isAwaited: boolean, nowMs: number): boolean {
    const own = this.#own.get(whose);
    if (own === undefined) return false;
    if (this.#all >= this.#prefetch * FOR_FIRSTS) return true;
    if (isAwaited) return false;
    const isMuch = own.size >= this.#prefetch * MOST_OF_ONE || this.#all >= this.#prefetch * MOST_OF_ALL;
    return isMuch && this.#isSlow(own, nowMs);
  }

  /** @returns what lets it go */
  hold(whose: string, nowMs: number): () => void {
    const own = this.#own.get(whose) ?? new Set();
    const one: One = { sinceMs: nowMs };
    this.#own.set(whose, own.add(one));
    this.#all += 1;
    return () => {
      own.delete(one);
      if (own.size === 0) this.#own.delete(whose);
      this.#all -= 1;
    };
  }

  #isSlow(own: ReadonlySet<One>, nowMs: number): boolean {
    const [oldest] = own;
    return oldest !== undefined && nowMs - oldest.sinceMs >= this.#slowMs;
  }
}
