import { LRUCache } from 'lru-cache';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { ToldRate } from '../../shared/async/told-rate.ts';
import { LIMITS } from '../common/config/limits.ts';

/** Seconds of the rate that may be refused at once after a rest. */
const BURST_S = 2;

/** Principals of whom something was refused lately. */
const REMEMBERED = 10_000;

export interface RefusalsOptions {
  /** Refused commands of one principal. */
  readonly perS: number;
  readonly tell: TellLimit;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

/**
 * A refusal costs its sender nothing and us a judgement and a letter: of whom more is refused than a rate allows, the next
 * commands wait, each for its own instant, and those of all others find us free.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #rates = new LRUCache<string, ToldRate>({ max: REMEMBERED });
  /** Commands that have waited, by their sequence. */
  readonly #paid = new LRUCache<number, true>({ max: REMEMBERED });

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** For how many milliseconds a command waits; 0 for one that has waited. */
  waitMs(principal: string, seq: number): number {
    const rate = this.#rates.get(principal);
    if (rate === undefined || rate.tokens >= 0 || this.#paid.has(seq)) return 0;
    this.#paid.set(seq, true);
    return rate.take(1);
  }

  /** Called for each command that is refused. */
  refused(principal: string, seq: number): void {
    if (this.#paid.delete(seq)) return;
    const { perS, tell, nowMs } = this.#options;
    const limit = LIMITS.refusalsOfPrincipal.name;
    const rate =
      this.#rates.get(principal) ??
      new ToldRate({
        limit,
        of: principal,
        perS,
        tell,
        burst: perS * BURST_S,
        ...(nowMs === undefined ? {} : { nowMs }),
      });
    this.#rates.set(principal, rate);
    rate.take(1);
  }
}
