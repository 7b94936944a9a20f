/**
 * How much of a plan may wait for slots at once: what is ready is scheduled a few at a time, so that the first step of another
 * plan waits behind some of a wide one, and never behind all of it (ADR 129). Pure.
 */
import { type PlanState, unstartedExecutions } from '../../shared/ledger/state.ts';

/** Executions of a plan that wait for the slots of one runtime, at most; and as many retries that wait for the end of their backoff. */
export const MOST_WAITING = 8;

/** While more than these wait, no slot goes without: the next ones are scheduled together, not a commit for each. */
export const FEW_WAITING = 4;

/** How many executions may begin to wait for slots, by runtime. */
export type PlacesByRuntime = ReadonlyMap<string, number>;

/** How many more of a plan may begin to wait. */
export interface QueuePlaces {
  /** For a slot. */
  due: number;
  /** For the end of their backoff: then they wait for a slot, whatever else does. */
  backoff: number;
}

/** Of the runtimes that a plan uses. */
export function placesInQueue(
  state: PlanState,
  adapters: Iterable<string>,
  nowMs: number,
): ReadonlyMap<string, QueuePlaces> {
  const places = new Map([...adapters].map((adapter) => [adapter, { due: MOST_WAITING, backoff: MOST_WAITING }]));
  for (const { scheduled } of unstartedExecutions(state)) {
    const own = places.get(scheduled.adapter);
    if (own !== undefined) own[Date.parse(scheduled.not_before) > nowMs ? 'backoff' : 'due'] -= 1;
  }
  for (const own of places.values()) if (own.due < MOST_WAITING - FEW_WAITING) own.due = 0;
  return places;
}
