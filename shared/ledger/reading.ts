import { IsomorphError } from '../errors/isomorph-error.ts';
import { checkLink, EMPTY_HEAD, type Head, headOf } from './chain.ts';
import type { RawEvent } from './envelope.ts';
import type { LedgerEvent } from './events.ts';
import { Fold } from './evolve.ts';
import { readMeaning } from './meaning.ts';
import { emptyState, type PlanState } from './state.ts';

/** What a plan is to this version: known, or no longer, and from which event on. */
export type Standing =
  | { readonly kind: 'known' }
  /** Intact, and it goes on in a version that is not known here: it may be read by its envelope, never written. */
  | { readonly kind: 'newer'; readonly seq: number; readonly why: string }
  /** An event is illegal where it stands: the plan gets no event any more. ERR_COMMIT_INVALID says which rule is broken. */
  | { readonly kind: 'quarantined'; readonly seq: number; readonly error: IsomorphError };

/** A plan's chain as far as it was read. */
export interface Reading {
  /** After the last event that is known and legal; `state.head` is that event. */
  readonly state: PlanState;
  /** The last event of the chain, whatever it means: what the next one must link to. */
  readonly head: Head;
  readonly standing: Standing;
}

export const KNOWN: Standing = { kind: 'known' };

export const beginningOf = (planId: string): Reading => ({
  state: emptyState(planId),
  head: EMPTY_HEAD,
  standing: KNOWN,
});

/** A chain that was folded without a reader: known to its end. */
export const knownReading = (state: PlanState): Reading => ({ state, head: state.head, standing: KNOWN });

/** What became of a commit. */
export type Taken =
  /** In the chain; `events` are those of it that are known and legal, and so changed the state. */
  | { readonly kind: 'linked'; readonly events: readonly LedgerEvent[] }
  /** Not in the chain: skipped, the plan goes on as if it were not there. ERR_CHAIN_BROKEN, or ERR_NOT_AN_EVENT. */
  | { readonly kind: 'foreign'; readonly error: IsomorphError };

/**
 * Reads the chain of one plan on from where it was read to, commit by commit, and tells the three cases apart: foreign,
 * newer, quarantined. Journal, projector, verifier and fsck all read by it, so that all agree.
 */
export class ChainReader {
  readonly #planId: string;
  readonly #fold: Fold;
  #head: Head;
  #standing: Standing;

  constructor(from: Reading) {
    this.#planId = from.state.planId;
    this.#fold = new Fold(from.state);
    this.#head = from.head;
    this.#standing = from.standing;
  }

  /** As of now; it stays as it is, whatever is taken later. */
  get reading(): Reading {
    return { state: this.#fold.state, head: this.#head, standing: this.#standing };
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** @param commit events of one message, decoded: in canonical form, with the hashes that they say */
  take(commit: readonly RawEvent[]): Taken {
    let head = this.#head;
    try {
      for (const raw of commit) {
        this.#checkPlan(raw);
        checkLink(head, raw);
        head = headOf(raw);
      }
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      return { kind: 'foreign', error };
    }
    this.#head = head;
    return { kind: 'linked', events: commit.flatMap((raw) => this.#judge(raw) ?? []) };
  }

  /** Goes on behind an event that does not link, for who follows an export rather than a stream. */
  follow(raw: RawEvent, error: IsomorphError): void {
    this.#head = headOf(raw);
    if (this.#standing.kind === 'known') this.#standing = { kind: 'quarantined', seq: raw.seq, error };
  }

  #checkPlan(raw: RawEvent): void {
    if (raw.plan_id === this.#planId) return;
    throw new IsomorphError('ERR_NOT_AN_EVENT', `an event of ${raw.plan_id} among those of ${this.#planId}`);
  }

  /** The event when it is known and legal; from the first that is not, none is. */
  #judge(raw: RawEvent): LedgerEvent | undefined {
    if (this.#standing.kind !== 'known') return undefined;
    const meaning = readMeaning(raw);
    if (meaning.kind === 'newer') {
      this.#standing = { kind: 'newer', seq: raw.seq, why: meaning.why };
      return undefined;
    }
    try {
      if (meaning.kind === 'illegal') throw meaning.error;
      this.#fold.apply(meaning.event);
      return meaning.event;
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      this.#standing = { kind: 'quarantined', seq: raw.seq, error };
      return undefined;
    }
  }
}

/** {@link ChainReader} over a whole list. Pure: `from` is left as it was. */
export function readOn(from: Reading, commits: Iterable<readonly RawEvent[]>): Reading {
  const reader = new ChainReader(from);
  for (const commit of commits) reader.take(commit);
  return reader.reading;
}
