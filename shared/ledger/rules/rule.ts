import type { EventKind, EventOf, LedgerEvent } from '../events.ts';
import type { Execution, PlanState } from '../state.ts';

/** One thing that must hold where an event stands. Pure, and no slower for a plan of many steps. */
export interface Rule<E extends LedgerEvent> {
  readonly name: string;
  /** For people: `docs/events.md`. */
  readonly says: string;
  /** What is wrong; undefined when the rule is kept. */
  readonly broken: (state: PlanState, event: E) => string | undefined;
}

export const rule = <K extends EventKind>(
  name: string,
  says: string,
  broken: Rule<EventOf<K>>['broken'],
): Rule<EventOf<K>> => ({
  name,
  says,
  broken,
});

/** Kinds that tell of one execution which was scheduled before. */
export type OfExecution = 'budget.settled' | Exclude<EventKind & `execution.${string}`, 'execution.scheduled'>;

export const executionOf = (state: PlanState, { data }: EventOf<OfExecution>): Execution | undefined =>
  state.executions.get(data.execution_id);
