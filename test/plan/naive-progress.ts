/** Where steps stand, by a look at all of a plan's executions: slow, and plain to see. */
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from '../../shared/plan/admitted.ts';
import { reserveFor } from '../../shared/plan/budget.ts';

const MAX_LOST = 10;

function statusOf(step: AdmittedStep, its: readonly Execution[], done: ReadonlySet<string>): string {
  const last = its.at(-1);
  if (last === undefined) return step.needs.every((need) => done.has(need)) ? 'ready 1' : 'waiting';
  if (last.end === undefined) return 'open';
  if (last.end.status === 'succeeded') return 'succeeded';
  const failed = its.filter(({ end }) => end?.status === 'failed').length;
  const isOver =
    last.end.status === 'lost'
      ? its.length - failed >= MAX_LOST
      : !last.end.retryable || failed >= step.retry.max_attempts;
  return isOver ? 'failed' : `ready ${last.attempt + 1}`;
}

export interface PlainProgress {
  readonly steps: readonly (readonly [id: string, status: string])[];
  readonly schedulable: readonly string[];
  readonly unpayable: readonly string[];
  readonly revocable: readonly string[];
  readonly finished: boolean;
  readonly everyStepSucceeded: boolean;
}

export function naiveProgress(state: PlanState, plan: AdmittedPlan): PlainProgress {
  const executions = [...state.executions.values()];
  const done = new Set(executions.filter(({ end }) => end?.status === 'succeeded').map(({ stepId }) => stepId));
  const statuses = plan.steps.map((step) => {
    const its = executions.filter(({ stepId }) => stepId === step.id);
    return [step, statusOf(step, its, done)] as const;
  });
  const isEnding = state.cancelRequested !== undefined || statuses.some(([, status]) => status === 'failed');
  let left = state.budget.limit - state.budget.spent - state.budget.held;
  const [schedulable, unfunded]: [string[], string[]] = [[], []];
  for (const [step, status] of isEnding ? [] : statuses) {
    if (!status.startsWith('ready')) continue;
    const reserve = reserveFor(processorOf(plan, step));
    const isPayable = reserve <= left;
    if (isPayable) left -= reserve;
    if (isPayable) schedulable.push(`${step.id}.${status.slice('ready '.length)}`);
    else unfunded.push(step.id);
  }
  const finished = executions.every(({ settled }) => settled !== undefined) && schedulable.length === 0;
  const revocable = executions.filter(({ started, end }) => isEnding && started === undefined && end === undefined);
  return {
    steps: statuses.map(([{ id }, status]) => {
      const isLeft = status === 'waiting' || status.startsWith('ready');
      return [id, isEnding && isLeft ? 'skipped' : (status.split(' ')[0] ?? '')];
    }),
    schedulable,
    unpayable: finished ? unfunded : [],
    revocable: revocable.map(({ executionId }) => executionId),
    finished,
    everyStepSucceeded: plan.steps.every(({ id }) => done.has(id)),
  };
}
