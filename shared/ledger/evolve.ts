import type { LedgerEvent } from './events.ts';
import { checkLegal } from './legal.ts';
import { Edit } from './persistent.ts';
import { emptyState, type PlanState, reduce, type Scratchpad } from './state.ts';

/** Events of one plan as they come, each judged and then folded in. Costs what the events change, however large the plan. */
export class Fold {
  #own: Scratchpad;
  #given: PlanState | undefined;

  constructor(from: PlanState) {
    this.#own = { ...from, edit: new Edit() };
    this.#given = from;
  }

  /** As of now; it stays as it is, whatever is folded in later. */
  get state(): PlanState {
    if (this.#given === undefined) {
      const { edit: _, ...state } = this.#own;
      // What was given out is no longer ours to write to.
      this.#own.edit = new Edit();
      this.#given = state;
    }
    return this.#given;
  }

  /** @throws ERR_COMMIT_INVALID when the event is not legal here, with its seq; the state is then as it was */
  apply(event: LedgerEvent): void {
    checkLegal(this.#own, event);
    this.#given = undefined;
    reduce(this.#own, event);
  }
}

/**
 * The state after `events`, which must follow `state.head`. Pure: `state` is left as it was, so that an append
 * that loses its race costs nothing.
 * @throws ERR_COMMIT_INVALID when an event is not legal in the state before it, with its seq.
 */
export function evolve(state: PlanState, events: readonly LedgerEvent[]): PlanState {
  const fold = new Fold(state);
  for (const event of events) fold.apply(event);
  return fold.state;
}

/** The state of a plan from its whole chain. */
export const fold = (planId: string, events: readonly LedgerEvent[]): PlanState => evolve(emptyState(planId), events);
