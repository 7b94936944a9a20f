import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Disposition, giveUp } from '../../shared/nats/disposition.ts';
import { HandBacks, type HandBacksOptions, type Patience } from './hand-backs.ts';

/** A newer service may be beside this one, or on its way. */
const NEWER: Patience = { leastMs: 500, mostMs: 60_000 };

/** Nothing but a later version, which starts its services anew, can read a quarantined plan. A run of one is ended by looks at its message. */
const QUARANTINED: Patience = { leastMs: 60_000, mostMs: 60_000 };

const TOLD_PLANS = 10_000;

export interface StandingOptions extends HandBacksOptions {
  readonly log: Logger;
  /**
   * Whether messages of a quarantined plan are kept until a version comes that can read it, as what the ledger caused;
   * else they are refused with the reason, as what comes from outside.
   */
  readonly keepQuarantined: boolean;
}

/** A message of a plan. */
export interface Delivery {
  /** Undefined when it names none that can be told. */
  readonly planId: string | undefined;
  /** How often it was delivered, from 1. */
  readonly deliveries: number;
}

/** What becomes of messages of plans that this version does not write to. They are counted a plan, and told at 1, 10, 100, … */
export class Standings {
  readonly #options: StandingOptions;
  readonly #handBacks: HandBacks;
  readonly #counts = new LRUCache<string, number>({ max: TOLD_PLANS });

  constructor(options: StandingOptions) {
    this.#options = options;
    this.#handBacks = new HandBacks(options);
  }

  /** Undefined for an error that says nothing of the plan's standing. */
  dispositionOf(error: unknown, { planId = '', deliveries }: Delivery): Disposition | undefined {
    if (!(error instanceof IsomorphError)) return undefined;
    const later = (patience: Patience): Disposition => ({
      kind: 'later',
      delayMs: this.#handBacks.delayMs(planId, deliveries, patience),
    });
    switch (error.code) {
      case 'ERR_VERSION':
        this.#tell(error, 'a plan is newer than this version: its messages are handed back');
        return later(NEWER);
      case 'ERR_QUARANTINED':
        this.#tell(error, 'a plan is quarantined: nothing is written to it');
        return this.#options.keepQuarantined ? later(QUARANTINED) : giveUp(error.toFault());
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
