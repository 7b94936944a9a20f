import type { Draft, EventData } from '../../shared/ledger/events.ts';
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, processorOf } from '../../shared/plan/admitted.ts';
import { reserveFor } from '../../shared/plan/budget.ts';
import { executionId } from '../../shared/plan/names.ts';
import { progressOf } from '../../shared/plan/progress.ts';

/** Steps scheduled in one commit; the commit itself triggers the next round. */
const STEPS_PER_COMMIT = 100;

/** Reserves and schedules what is ready and payable. */
export function decideSchedule(state: PlanState, plan: AdmittedPlan): Draft[] {
  if (state.phase !== 'admitted') return [];
  const { schedulable } = progressOf(state, plan);
  return schedulable.slice(0, STEPS_PER_COMMIT).flatMap(({ step, attempt, notBeforeMs }): Draft[] => {
    const id = executionId(state.planId, step.id, attempt);
    const reserve = reserveFor(processorOf(plan, step));
    const scheduled: Draft = {
      kind: 'execution.scheduled',
      data: {
        execution_id: id,
        step_id: step.id,
        attempt,
        processor: step.processor,
        adapter: step.adapter,
        not_before: new Date(notBeforeMs).toISOString(),
      },
    };
    if (reserve === 0) return [scheduled];
    return [{ kind: 'budget.reserved', data: { execution_id: id, usd_micro: reserve } }, scheduled];
  });
}

/** An execution that may still be started, by whoever is first. */
export const isStartable = (execution: Execution | undefined): boolean =>
  execution !== undefined && execution.started === undefined && execution.end === undefined;

/** Claims an execution. Nothing when another dispatcher was first, or it has ended. */
export function decideStart(state: PlanState, started: EventData<'execution.started'>): Draft[] {
  if (!isStartable(state.executions.get(started.execution_id)) || state.cancelRequested !== undefined) return [];
  return [{ kind: 'execution.started', data: started }];
}

/** Records how an execution ended. Nothing when the ledger already knows: the first word counts. */
export function decideEnd(state: PlanState, id: string, drafts: readonly Draft[]): readonly Draft[] {
  const execution = state.executions.get(id);
  return execution === undefined || execution.end !== undefined ? [] : drafts;
}

/** Ends a plan that outlived its deadline. */
export function decideDeadline(state: PlanState, nowMs: number): Draft[] {
  const { admitted, phase, cancelRequested } = state;
  if (phase !== 'admitted' || admitted === undefined || cancelRequested !== undefined) return [];
  if (nowMs < Date.parse(admitted.deadline)) return [];
  return [{ kind: 'plan.cancel_requested', data: { reason: 'deadline' } }];
}
