import type { Draft, LedgerEvent } from './events.ts';
import type { PlanState } from './state.ts';

/**
 * What was decided on a state: what is to be written, empty when nothing is. A rule whose caller must know more says it
 * beside the drafts, so that the answer and what it wrote are one value.
 */
export interface Decision {
  readonly drafts: readonly Draft[];
}

export const NOTHING: Decision = { drafts: [] };

/**
 * The rules of the ledger in one shape. Both functions are pure: `decide` may be asked again on a newer state whenever
 * another writer was first, and `evolve` gives every reader the same state. Time is part of a command.
 */
export interface Decider<Command, Outcome extends Decision = Decision, State = PlanState, Event = LedgerEvent> {
  readonly decide: (state: State, command: Command) => Outcome;
  readonly evolve: (state: State, events: readonly Event[]) => State;
}

/** One rule: all rules of a plan share the `evolve` of its ledger. */
export type Decide<Command, Outcome extends Decision = Decision> = Decider<Command, Outcome>['decide'];
