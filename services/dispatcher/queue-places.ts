/**
 * How much of a plan may wait for slots at once: what is ready is scheduled a few at a time, so that the first step of another
 * plan waits behind some of a wide one, and never behind all of it (ADR 129). Pure.
 */
import { type PlanState, unstartedExecutions } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';

/** Executions of a plan that wait for the slots of one runtime, at most. Each that starts makes room for the next. */
export const MOST_WAITING = 16;

/** While more than these wait, no slot goes without: the next ones are scheduled together, not a commit for each. */
export const FEW_WAITING = 8;

/** By runtime, how many more executions of the plan may begin to wait. One that waits for the end of its backoff takes no place. */
export function placesInQueue(state: PlanState, { steps }: AdmittedPlan, nowMs: number): Map<string, number> {
  const waiting = new Map(steps.map(({ adapter }) => [adapter as string, 0]));
  for (const { scheduled } of unstartedExecutions(state)) {
    if (Date.parse(scheduled.not_before) > nowMs) continue;
    waiting.set(scheduled.adapter, (waiting.get(scheduled.adapter) ?? 0) + 1);
  }
  return new Map([...waiting].map(([adapter, count]) => [adapter, count > FEW_WAITING ? 0 : MOST_WAITING - count]));
}
