/** What a look at a plan decides when nothing has happened to it: what ends it, and what it has open, by the clock alone. Pure. */
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import { type Execution, openExecutions, type PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { endsWithoutItsRunnerAt, missedAt, queueEnds } from '../../shared/plan/due.ts';
import { ENDS_PER_COMMIT, revoke } from './decide.ts';
import { failedDraft, failure } from './outcome.ts';

export interface Due {
  /** Undefined while the store cannot be asked: what ends a plan does not need it. */
  readonly plan: AdmittedPlan | undefined;
  readonly nowMs: number;
  /** Open executions that no dispatcher has in hand, and none will be given. */
  readonly gone: ReadonlySet<string>;
}

const lost = ({ executionId }: Execution, reason: string): Draft => ({
  kind: 'execution.lost',
  data: { execution_id: executionId, reason, duration_ms: null },
});

function queueTimeout({ executionId, scheduled }: Execution): Draft {
  const why = failure('ERR_QUEUE_TIMEOUT', `no slot of ${scheduled.adapter} was free for it in time`);
  return failedDraft(why, { executionId, durationMs: 0, environment: undefined, logTail: '' });
}

/** What has waited too long for a slot, and what nobody has in hand any more. */
function ofOpen(open: readonly Execution[], { plan, nowMs, gone }: Due): Draft[] {
  const ends = queueEnds(open, plan);
  return open.flatMap((execution) => {
    const { executionId, started } = execution;
    if ((ends.get(executionId) ?? Number.POSITIVE_INFINITY) <= nowMs) return queueTimeout(execution);
    if (!gone.has(executionId)) return [];
    return lost(execution, started === undefined ? 'nobody was given it' : `${started.worker} did not end it in time`);
  });
}

/** Of a plan that has to end nothing starts any more, and nobody is waited for longer than the grace. */
const ofEnding = (open: readonly Execution[], withoutRunner: boolean): Draft[] =>
  open.flatMap((execution) => {
    if (execution.started === undefined) return revoke(execution);
    return withoutRunner ? lost(execution, 'the plan had to end, and nobody ended it in time') : [];
  });

/** Executions that have to be looked for: who had them may be no more. */
export const missed = (state: PlanState, nowMs: number): Execution[] =>
  state.phase === 'admitted' && state.cancelRequested === undefined
    ? openExecutions(state).filter((execution) => missedAt(execution) <= nowMs)
    : [];

/** Asked again until there is nothing more. */
export function decideDue(state: PlanState, due: Due): Decision {
  const { admitted, phase, cancelRequested } = state;
  if (phase !== 'admitted' || admitted === undefined) return NOTHING;
  if (cancelRequested === undefined && Date.parse(admitted.deadline) <= due.nowMs) {
    return { drafts: [{ kind: 'plan.cancel_requested', data: { reason: 'deadline' } }] };
  }
  const open = openExecutions(state);
  const endMs = endsWithoutItsRunnerAt(state);
  const drafts = endMs === undefined ? ofOpen(open, due) : ofEnding(open, endMs <= due.nowMs);
  return { drafts: drafts.slice(0, ENDS_PER_COMMIT) };
}
