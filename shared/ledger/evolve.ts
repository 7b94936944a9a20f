import type { LedgerEvent } from './events.ts';
import { checkLegal } from './legal.ts';
import { emptyState, type PlanState, reduce, type Scratchpad, scratchpadOf } from './state.ts';

function apply(state: Scratchpad, event: LedgerEvent): void {
  checkLegal(state, event);
  reduce(state, event);
}

/**
 * The state after `events`, which must follow `state.head`. Pure: `state` is left as it was, so that an append
 * that loses its race costs nothing. Copies the maps once a call, so give it whole commits or whole chains.
 * @throws ERR_COMMIT_INVALID when an event is not legal in the state before it, with its seq.
 */
export function evolve(state: PlanState, events: readonly LedgerEvent[]): PlanState {
  const next = scratchpadOf(state);
  for (const event of events) apply(next, event);
  return next;
}

/** The state of a plan from its whole chain. */
export const fold = (planId: string, events: readonly LedgerEvent[]): PlanState => evolve(emptyState(planId), events);

/** {@link evolve} for one who meets the events singly: one copy of the state, one owner. */
export class Fold {
  readonly #state: Scratchpad;

  constructor(from: PlanState) {
    this.#state = scratchpadOf(from);
  }

  /** Valid until the next call of {@link apply}. */
  get state(): PlanState {
    return this.#state;
  }

  /** @throws ERR_COMMIT_INVALID when the event is not legal here; the state is then as it was. */
  apply(event: LedgerEvent): void {
    apply(this.#state, event);
  }
}
