import { executionId } from '../../shared/ids/ids.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft, DraftData } from '../../shared/ledger/events.ts';
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, processorOf } from '../../shared/plan/admitted.ts';
import { reserveFor } from '../../shared/plan/budget.ts';
import { progressOf } from '../../shared/plan/progress.ts';

/** Steps scheduled in one commit; the commit itself triggers the next round. */
const STEPS_PER_COMMIT = 100;

/** A retry may be waiting out its backoff for an hour: it must not keep an ending plan open. */
const revoke = ({ executionId }: Execution): Draft => ({
  kind: 'execution.failed',
  data: {
    execution_id: executionId,
    code: 'ERR_CANCELLED',
    message: 'the plan was ending before it could start',
    retryable: false,
    duration_ms: 0,
  },
});

/** What a plan asks for now: reserves and schedules what is ready and payable, or revokes what may not start any more. */
export function decideNext(state: PlanState, plan: AdmittedPlan): Decision {
  if (state.phase !== 'admitted') return NOTHING;
  const { schedulable, revocable } = progressOf(state, plan);
  if (revocable.length > 0) return { drafts: revocable.slice(0, STEPS_PER_COMMIT).map(revoke) };
  const drafts = schedulable.slice(0, STEPS_PER_COMMIT).flatMap(({ step, attempt, notBeforeMs }): Draft[] => {
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
  return { drafts };
}

/** An execution that may still be started, by whoever is first. */
export const isStartable = (execution: Execution | undefined): boolean =>
  execution !== undefined && execution.started === undefined && execution.end === undefined;

/** Claims an execution. Nothing when another dispatcher was first, or it has ended. */
export function decideStart(state: PlanState, started: DraftData<'execution.started'>): Decision {
  if (!isStartable(state.executions.get(started.execution_id)) || state.cancelRequested !== undefined) return NOTHING;
  return { drafts: [{ kind: 'execution.started', data: started }] };
}

/** The end of an execution with what it left. */
export interface End {
  readonly executionId: string;
  readonly drafts: readonly Draft[];
}

/** Records how an execution ended. Nothing when the ledger already knows: the first word counts. */
export function decideEnd(state: PlanState, { executionId: id, drafts }: End): Decision {
  const execution = state.executions.get(id);
  return execution === undefined || execution.end !== undefined ? NOTHING : { drafts };
}

/** Ends a plan that outlived its deadline. */
export function decideDeadline(state: PlanState, nowMs: number): Decision {
  const { admitted, phase, cancelRequested } = state;
  if (phase !== 'admitted' || admitted === undefined || cancelRequested !== undefined) return NOTHING;
  if (nowMs < Date.parse(admitted.deadline)) return NOTHING;
  return { drafts: [{ kind: 'plan.cancel_requested', data: { reason: 'deadline' } }] };
}
