/**
 * When somebody must look at a plan although nothing happens to it (Law 4). What is here is asked of the ledger alone; the
 * admitted document, which a store may refuse just then, only makes it more exact. Pure.
 */
import { type Execution, openExecutions, type PlanState } from '../ledger/state.ts';
import type { AdmittedPlan } from './admitted.ts';

/** For so long those who run what a cancelled plan has open may take to its end; then it is ended without them. */
export const END_GRACE_MS = 5_000;

/** For so long after its deadline an execution may be collected and recorded by who ran it. */
const OVERDUE_MS = 10_000;

/** A scheduled execution that nobody has started by then is looked for. */
const UNSTARTED_MS = 60_000;

/** Between two looks at an open plan. */
const LOOK_LEAST_MS = 10_000;
const LOOK_MOST_MS = 300_000;

/**
 * How often an open plan is looked at: so often that what begins between two looks, a run or a wait for a slot, is due behind
 * the next, and needs no alarm of its own.
 */
export function lookEveryMs(plan: AdmittedPlan | undefined): number {
  const runs = Object.values(plan?.processors ?? {}).map(({ runtime }) => runtime.timeout_s);
  const waits = plan?.steps.flatMap(({ queue_timeout_s: timeoutS }) => timeoutS ?? []) ?? [];
  return Math.max(LOOK_LEAST_MS, Math.min(LOOK_MOST_MS, ...[...runs, ...waits].map((seconds) => seconds * 1_000)));
}

const sinceMs = ({ scheduled, scheduledAt }: Execution): number =>
  Math.max(Date.parse(scheduledAt), Date.parse(scheduled.not_before));

/** When an execution has waited long enough for a slot, by its id; of one that waits as long as its plan nothing is told. */
export function queueEnds(open: readonly Execution[], plan: AdmittedPlan | undefined): ReadonlyMap<string, number> {
  const timeouts = new Map(plan?.steps.map(({ id, queue_timeout_s: timeoutS }) => [id, timeoutS]));
  return new Map(
    open.flatMap((execution): [string, number][] => {
      const timeoutS = timeouts.get(execution.stepId);
      if (execution.started !== undefined || timeoutS === undefined) return [];
      return [[execution.executionId, sinceMs(execution) + timeoutS * 1_000]];
    }),
  );
}

/** From when on an open execution is to be looked for: whoever had it may be no more. */
export const missedAt = (execution: Execution): number =>
  execution.started === undefined
    ? sinceMs(execution) + UNSTARTED_MS
    : Date.parse(execution.started.deadline) + OVERDUE_MS;

/** When what a cancelled plan still has open is ended without who runs it; undefined while it is not cancelled. */
export const endsWithoutItsRunnerAt = ({ cancelRequestedAt }: PlanState): number | undefined =>
  cancelRequestedAt === undefined ? undefined : Date.parse(cancelRequestedAt) + END_GRACE_MS;

/** The earliest instant at which something about the plan is due by itself; undefined when nothing ever is. */
export function dueAt(state: PlanState, plan: AdmittedPlan | undefined): number | undefined {
  const { phase, admitted, cancelRequested } = state;
  if (phase !== 'admitted' || admitted === undefined) return undefined;
  const open = openExecutions(state);
  if (cancelRequested !== undefined) return open.length === 0 ? undefined : endsWithoutItsRunnerAt(state);
  return Math.min(Date.parse(admitted.deadline), ...queueEnds(open, plan).values());
}

/**
 * The instant of the next look at an open plan; undefined for one that is not open. What is due already is done by the look
 * that asks for this, and looked after once more soon.
 */
export function nextLookAt(state: PlanState, plan: AdmittedPlan | undefined, nowMs: number): number | undefined {
  if (state.phase !== 'admitted') return undefined;
  const dueMs = dueAt(state, plan) ?? Number.POSITIVE_INFINITY;
  const soonMs = dueMs > nowMs ? dueMs : nowMs + END_GRACE_MS;
  const missed = openExecutions(state).map(missedAt);
  return Math.min(soonMs, nowMs + lookEveryMs(plan), ...missed.filter((ms) => ms > nowMs));
}

/** The first look at a plan that is about to be admitted. */
export const firstLookAt = (plan: AdmittedPlan, deadlineMs: number, nowMs: number): number =>
  Math.min(deadlineMs, nowMs + lookEveryMs(plan));
