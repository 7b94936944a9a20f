import type { Draft } from './events.ts';
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
 * A rule of the ledger: what is to be written for a command on a state. Pure, time being part of the command: it is asked
 * again on a newer state whenever another writer was first. What follows from what it writes is `evolve`, the same for all.
 */
export type Decider<Command, Outcome extends Decision = Decision> = (state: PlanState, command: Command) => Outcome;

/** The command of a rule, as the last argument of who asks it; a rule that needs none gets none. */
export type CommandArgument<Command> = undefined extends Command ? [] : [command: Command];
