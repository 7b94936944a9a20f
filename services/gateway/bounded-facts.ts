import { LRUCache } from 'lru-cache';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import type { FactSink, ScratchFact } from '../../shared/scratch/facts.ts';

/** Plans that are counted at once. */
const PLANS = 1_000;

export interface BoundedFactsOptions {
  /** Facts of one plan: the ledger records no more either. */
  readonly most: number;
  readonly tell: TellLimit;
}

/** Lets so many facts of a plan through, so that a flood of one neither fills the stream that all share nor drops others' facts. */
export class BoundedFacts implements FactSink {
  readonly #sink: FactSink;
  readonly #options: BoundedFactsOptions;
  readonly #counts = new LRUCache<string, number>({ max: PLANS });
  #dropped = 0;

  constructor(sink: FactSink, options: BoundedFactsOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped + this.#sink.dropped;
  }

  emit(fact: ScratchFact): void {
    const { most, tell } = this.#options;
    const used = (this.#counts.get(fact.planId) ?? 0) + 1;
    tell({ limit: 'facts', of: fact.planId, used, most });
    if (used > most) {
      this.#dropped++;
      return;
    }
    this.#counts.set(fact.planId, used);
    this.#sink.emit(fact);
  }

  flush(): Promise<void> {
    return this.#sink.flush();
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}
