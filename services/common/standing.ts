import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Disposition, dead } from '../../shared/nats/consume.ts';

/** A newer service may be on its way: soon, and not all at once. */
const HAND_BACK_MS = { least: 1_000, most: 5_000 } as const;

/** Nothing but a later version, which starts its services anew, can read a quarantined plan. */
const QUARANTINE_MS = 60_000;

const TOLD_PLANS = 10_000;

export interface StandingOptions {
  readonly log: Logger;
  /**
   * Whether messages of a quarantined plan are kept until a version comes that can read it, as what the ledger caused;
   * else they are refused with the reason, as what comes from outside.
   */
  readonly keepQuarantined: boolean;
  readonly random: () => number;
}

/** What becomes of messages of plans that this version does not write to. They are counted a plan, and told at 1, 10, 100, … */
export class Standings {
  readonly #options: StandingOptions;
  readonly #counts = new LRUCache<string, number>({ max: TOLD_PLANS });

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  /** Undefined for an error that says nothing of the plan's standing. */
  dispositionOf(error: unknown): Disposition | undefined {
    if (!(error instanceof IsomorphError)) return undefined;
    switch (error.code) {
      case 'ERR_VERSION': {
        this.#tell(error, 'a plan is newer than this version: its messages are handed back');
        const { least, most } = HAND_BACK_MS;
        return { kind: 'later', delayMs: least + Math.floor(this.#options.random() * (most - least)) };
      }
      case 'ERR_QUARANTINED':
        this.#tell(error, 'a plan is quarantined: nothing is written to it');
        return this.#options.keepQuarantined ? { kind: 'later', delayMs: QUARANTINE_MS } : dead(error.toFault());
      default:
        return undefined;
    }
  }

  #tell(error: IsomorphError, what: string): void {
    const count = (this.#counts.get(error.message) ?? 0) + 1;
    this.#counts.set(error.message, count);
    if (!Number.isInteger(Math.log10(count))) return;
    const { code, message, place } = error;
    const level = code === 'ERR_QUARANTINED' ? 'error' : 'warn';
    this.#options.log[level]({ code, reason: message, ...place, handed_back: count }, what);
  }
}
