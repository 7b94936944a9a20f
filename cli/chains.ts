import { LRUCache } from 'lru-cache';
import type { RawEvent } from '../shared/ledger/envelope.ts';
import { beginningOf, ChainReader, type Taken } from '../shared/ledger/reading.ts';

/** Enough for every plan that is being worked on; what is told of them is bounded whatever the ledger holds. */
const READ_AT_ONCE = 1_000;

export interface ChainsOptions {
  /** Whether the commits come from the first of the ledger on: then a plan that has not come yet is at its beginning. */
  readonly isWhole: boolean;
  /** Commits of a plan that stand before message `seq`, in order. */
  before(planId: string, seq: number): AsyncIterable<readonly RawEvent[]>;
}

/**
 * The chains of any number of plans, as far as their commits have come. Of all but the most recent plans only the name
 * is kept: such a plan is read again when it goes on.
 */
export class Chains {
  readonly #options: ChainsOptions;
  readonly #left = new Set<string>();
  readonly #readers = new LRUCache<string, ChainReader>({
    max: READ_AT_ONCE,
    disposeAfter: (_, planId) => this.#left.add(planId),
  });

  constructor(options: ChainsOptions) {
    this.#options = options;
  }

  /** @param seq of the message that holds the commit @returns what {@link ChainReader} makes of it */
  async take(commit: readonly RawEvent[], planId: string, seq: number): Promise<Taken> {
    const reader = this.#readers.get(planId) ?? (await this.#readerOf(planId, seq));
    this.#readers.set(planId, reader);
    return reader.take(commit);
  }

  async #readerOf(planId: string, seq: number): Promise<ChainReader> {
    const reader = new ChainReader(beginningOf(planId));
    if (this.#options.isWhole && !this.#left.has(planId)) return reader;
    for await (const commit of this.#options.before(planId, seq)) reader.take(commit);
    return reader;
  }
}
