import type { EventData } from '../ledger/events.ts';
import type { Execution, PlanState } from '../ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from './admitted.ts';
import { reserveFor } from './budget.ts';

/** Executions that vanish with their runtime are not the processor's fault: they have a bound of their own. */
export const MAX_LOST = 10;

/** How long a step waits after a lost execution. */
const LOST_BACKOFF_S = 0.5;

/** Longest wait between two attempts. */
const MAX_BACKOFF_S = 3600;

/** Where a step stands, derived from the ledger alone. */
export type StepProgress =
  | { readonly status: 'waiting' }
  | { readonly status: 'ready'; readonly attempt: number; readonly notBeforeMs: number }
  | { readonly status: 'open'; readonly execution: Execution }
  | { readonly status: 'succeeded'; readonly execution: Execution }
  | { readonly status: 'failed'; readonly execution: Execution }
  /** Will not run: what it needs failed, or the plan is ending. */
  | { readonly status: 'skipped' };

export interface PlanProgress {
  readonly steps: ReadonlyMap<string, StepProgress>;
  /** Steps that may be scheduled now: ready, and their reserve fits what is left of the budget. */
  readonly schedulable: readonly {
    readonly step: AdmittedStep;
    readonly attempt: number;
    readonly notBeforeMs: number;
  }[];
  /** Ready, but unpayable for good: nothing that is still held will come back. */
  readonly unpayable: readonly string[];
  /** Scheduled executions that have not started and no longer shall: the plan is ending. */
  readonly revocable: readonly Execution[];
  /** True when nothing is open and nothing can start any more. */
  readonly finished: boolean;
}

function notBefore(step: AdmittedStep, failed: number, last: Execution): number {
  const endedMs = Date.parse(last.endedAt ?? last.scheduledAt);
  const { backoff_s: base, backoff_factor: factor } = step.retry;
  const seconds = last.end?.status === 'lost' ? LOST_BACKOFF_S : Math.min(MAX_BACKOFF_S, base * factor ** (failed - 1));
  return endedMs + Math.round(seconds * 1000);
}

const failedAttempts = (executions: readonly Execution[]): number =>
  executions.filter(({ end }) => end?.status === 'failed').length;

/** Whether the last of a step's attempts so far ended the step for good, without success. */
export function endsItsStep(step: AdmittedStep, executions: readonly Execution[]): boolean {
  const end = executions.at(-1)?.end;
  if (end === undefined || end.status === 'succeeded') return false;
  const failed = failedAttempts(executions);
  if (end.status === 'lost') return executions.length - failed >= MAX_LOST;
  return !end.retryable || failed >= step.retry.max_attempts;
}

function ofAttempts(step: AdmittedStep, executions: readonly Execution[]): StepProgress | undefined {
  const last = executions.at(-1);
  if (last === undefined) return undefined;
  if (last.end === undefined) return { status: 'open', execution: last };
  if (last.end.status === 'succeeded') return { status: 'succeeded', execution: last };
  if (endsItsStep(step, executions)) return { status: 'failed', execution: last };
  return { status: 'ready', attempt: last.attempt + 1, notBeforeMs: notBefore(step, failedAttempts(executions), last) };
}

function ofNeeds(step: AdmittedStep, steps: ReadonlyMap<string, StepProgress>, submittedMs: number): StepProgress {
  const isReady = step.needs.every((need) => steps.get(need)?.status === 'succeeded');
  return isReady ? { status: 'ready', attempt: 1, notBeforeMs: submittedMs } : { status: 'waiting' };
}

/** `steps` of an admitted plan are in an order in which every step stands behind what it needs. */
function stepsOf(state: PlanState, plan: AdmittedPlan): Map<string, StepProgress> {
  const submittedMs = Date.parse(state.submittedAt ?? '1970-01-01T00:00:00.000Z');
  const steps = new Map<string, StepProgress>();
  for (const step of plan.steps) {
    const executions = (state.attempts.get(step.id) ?? []).flatMap((id) => state.executions.get(id) ?? []);
    steps.set(step.id, ofAttempts(step, executions) ?? ofNeeds(step, steps, submittedMs));
  }
  return steps;
}

/** Nothing new starts once the plan is being cancelled or one of its steps has failed for good. */
const isEnding = (state: PlanState, steps: ReadonlyMap<string, StepProgress>): boolean =>
  state.cancelRequested !== undefined || [...steps.values()].some((step) => step.status === 'failed');

function stopStarting(steps: Map<string, StepProgress>): void {
  for (const [id, step] of steps) {
    if (step.status === 'waiting' || step.status === 'ready') steps.set(id, { status: 'skipped' });
  }
}

/**
 * Where a plan stands and what may happen next. The dispatcher schedules by it and the settler ends by it, so both
 * always agree. Pure.
 */
export function progressOf(state: PlanState, plan: AdmittedPlan): PlanProgress {
  const steps = stepsOf(state, plan);
  const ending = isEnding(state, steps);
  if (ending) stopStarting(steps);
  const schedulable: PlanProgress['schedulable'][number][] = [];
  const unfunded: string[] = [];
  let left = state.budget.limit - state.budget.spent - state.budget.held;
  for (const step of plan.steps) {
    const progress = steps.get(step.id);
    if (progress?.status !== 'ready') continue;
    const reserve = reserveFor(processorOf(plan, step));
    if (reserve > left) {
      unfunded.push(step.id);
      continue;
    }
    left -= reserve;
    schedulable.push({ step, attempt: progress.attempt, notBeforeMs: progress.notBeforeMs });
  }
  const executions = [...state.executions.values()];
  const unsettled = executions.some((execution) => execution.settled === undefined);
  return {
    steps,
    schedulable,
    unpayable: unsettled || schedulable.length > 0 ? [] : unfunded,
    revocable: ending ? executions.filter(({ started, end }) => started === undefined && end === undefined) : [],
    finished: !unsettled && schedulable.length === 0,
  };
}

export const allSucceeded = ({ steps }: PlanProgress): boolean =>
  [...steps.values()].every(({ status }) => status === 'succeeded');

/** How a plan ends that is finished: by its steps first, then by its predicates. */
export function statusAtEnd(
  { cancelRequested }: PlanState,
  progress: PlanProgress,
  checks: readonly { readonly ok: boolean }[],
): EventData<'plan.settled'>['status'] {
  if (!allSucceeded(progress)) return cancelRequested?.reason === 'client' ? 'cancelled' : 'failed';
  return checks.every(({ ok }) => ok) ? 'succeeded' : 'failed';
}
