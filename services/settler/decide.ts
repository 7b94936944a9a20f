import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft, EventData } from '../../shared/ledger/events.ts';
import { namesOtherwise, type PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, type AdmittedPredicate, UNREAD_PREDICATES } from '../../shared/plan/admitted.ts';
import type { PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import { type PlanProgress, progressOf, statusAtEnd } from '../../shared/plan/progress.ts';
import { clip } from '../../shared/text/clip.ts';
import { afterSettling, type DocumentOrFault, isUnread, type SettleExecution, settlements } from './settlement.ts';

/** Predicates checked in one commit. */
const CHECKS_PER_COMMIT = 100;

/** The predicates to be checked next, in order: none before every step succeeded and nothing is open. */
export function duePredicates(state: PlanState, plan: AdmittedPlan): readonly AdmittedPredicate[] {
  if (state.phase !== 'admitted') return [];
  const progress = progressOf(state, plan);
  const done = state.predicates.length;
  return progress.finished && progress.everyStepSucceeded ? plan.predicates.slice(done, done + CHECKS_PER_COMMIT) : [];
}

/**
 * Whether an object counts as evidence of a predicate. One that is not what the ledger names at its path is none of the
 * plan's: as good as absent.
 */
export const isEvidence = (state: PlanState, { path, cid }: { readonly path: string; readonly cid: string }): boolean =>
  !namesOtherwise(state, path, cid);

function stepFaults(progress: PlanProgress): Fault[] {
  return [...progress.steps].flatMap(([id, step]) => {
    if (step.status !== 'failed') return [];
    const { end, executionId } = step.execution;
    // Revoked because another step failed: that one tells why.
    if (end?.status === 'failed' && end.code === 'ERR_CANCELLED') return [];
    const pointer = `/steps/${id}`;
    if (end?.status === 'failed')
      return [{ code: end.code as Fault['code'], message: `${executionId}: ${end.message}`, pointer }];
    return [fault('ERR_EXECUTION_LOST', `${executionId} and those before it were lost`, { pointer })];
  });
}

const budgetFaults = (state: PlanState, progress: PlanProgress): Fault[] =>
  progress.unpayable.map((id) =>
    fault('ERR_BUDGET_EXHAUSTED', `${state.budget.spent} of ${state.budget.limit} micro-dollars are spent`, {
      pointer: `/steps/${id}`,
    }),
  );

function predicateFaults(checks: readonly EventData<'predicate.checked'>[]): Fault[] {
  return checks
    .filter(({ ok }) => !ok)
    .map(({ predicate, pointer, found }) => fault('ERR_PREDICATE', `${predicate}: ${found}`, { pointer }));
}

/** Receipts that the ledger names and the store did not take. */
const receiptFaults = ({ executions }: PlanState): Fault[] =>
  [...executions.values()]
    .filter(({ settled }) => settled?.receipt_stored === false)
    .map(({ executionId, stepId }) =>
      fault('ERR_UNAVAILABLE', `the receipt of ${executionId} could not be stored before the plan had to end`, {
        pointer: `/steps/${stepId}`,
      }),
    );

type Settled = Extract<Draft, { kind: 'plan.settled' }>;

const ending = (before: readonly Draft[], end: Settled): SettlePlanDecision => ({
  status: end.data.status,
  drafts: [...before, end],
});

const deadlineFaults = ({ cancelRequested, admitted }: PlanState): Fault[] =>
  cancelRequested?.reason === 'deadline'
    ? [fault('ERR_TIMEOUT', `the plan did not end before ${admitted?.deadline}`, { pointer: '/timeout_s' })]
    : [];

function settledPlan(
  state: PlanState,
  progress: PlanProgress,
  checks: readonly EventData<'predicate.checked'>[],
): Settled {
  const faults = [
    ...stepFaults(progress),
    ...budgetFaults(state, progress),
    ...predicateFaults(checks),
    ...receiptFaults(state),
  ];
  if (!progress.everyStepSucceeded) faults.unshift(...deadlineFaults(state));
  return {
    kind: 'plan.settled',
    data: {
      status: statusAtEnd(state, progress, checks),
      spent_usd_micro: state.budget.spent,
      faults: boundedFaults(faults),
    },
  };
}

/** Characters of what a predicate found. */
const MAX_FOUND = 500;

export interface Settle {
  /** Where it is a fault, what an execution of the plan cost is its reserve. */
  readonly plan: DocumentOrFault;
  /** Executions that have ended, with their receipts. */
  readonly settling: readonly SettleExecution[];
  /** What became of predicates of the plan, from the one at `from` on. */
  readonly checked: { readonly from: number; readonly results: readonly PredicateResult[] };
}

export interface SettlePlanDecision extends Decision {
  /** How the plan ended, if it ends with this commit. */
  readonly status?: EventData<'plan.settled'>['status'];
}

/**
 * What can be said of a plan now, in one commit: receipts and budgets of what has ended and, where nothing is open then, its
 * predicates and how it ended. As many commits as the limits ask for.
 */
export function decideSettle(state: PlanState, { plan, settling, checked }: Settle): SettlePlanDecision {
  if (state.phase !== 'admitted') return NOTHING;
  const drafts = settlements(state, plan, settling);
  const settled = afterSettling(state, drafts);
  if (settled === undefined) return { drafts };
  const ended = isUnread(plan) ? decideEndWithoutDocument(settled, plan) : decideEndOfPlan(settled, plan, checked);
  return { ...ended, drafts: [...drafts, ...ended.drafts] };
}

/** The end of a plan: its predicates, then how it ended. */
function decideEndOfPlan(state: PlanState, plan: AdmittedPlan, checked: Settle['checked']): SettlePlanDecision {
  const progress = progressOf(state, plan);
  if (!progress.finished) return NOTHING;
  const done = state.predicates.length;
  const due = duePredicates(state, plan);
  // They became due, or others were checked, since the evidence was read: the commit that did so brings us back.
  if (due.length > 0 && checked.from !== done) return NOTHING;
  const checks = due.flatMap(({ pointer, call }, index) => {
    const result = checked.results[index];
    return result === undefined
      ? []
      : [{ pointer, predicate: call.use, ok: result.ok, found: clip(result.found, MAX_FOUND) }];
  });
  if (checks.length < due.length) return NOTHING;
  const drafts = checks.map((data): Draft => ({ kind: 'predicate.checked', data }));
  if (progress.everyStepSucceeded && done + checks.length < plan.predicates.length) return { drafts };
  return ending(drafts, settledPlan(state, progress, [...state.predicates, ...checks]));
}

/**
 * The end of a plan that has to end and whose admitted document cannot be read, once nothing of it is open: by its chain alone.
 * Nothing may start any more, so a step that has not succeeded never will; a predicate that nobody can read does not hold.
 * @param why the document cannot be read
 */
export function decideEndWithoutDocument(state: PlanState, why: Fault): SettlePlanDecision {
  const { phase, cancelRequested, admitted, stepsSucceeded, unsettled: open, budget } = state;
  if (phase !== 'admitted' || cancelRequested === undefined || admitted === undefined || open.size > 0) return NOTHING;
  const unread = fault(why.code, `the admitted plan cannot be read: ${why.message}`);
  const end = (status: Settled['data']['status'], before: readonly Draft[], faults: readonly Fault[]) =>
    ending(before, {
      kind: 'plan.settled',
      data: {
        status,
        spent_usd_micro: budget.spent,
        faults: boundedFaults([...faults, ...receiptFaults(state)]),
      },
    });
  if (stepsSucceeded < admitted.steps) {
    const status = cancelRequested.reason === 'client' ? 'cancelled' : 'failed';
    return end(status, [], [...deadlineFaults(state), unread]);
  }
  const failed = predicateFaults(state.predicates);
  if (admitted.predicates !== null && state.predicates.length >= admitted.predicates) {
    return end(failed.length === 0 ? 'succeeded' : 'failed', [], failed);
  }
  const found = clip(unread.message, MAX_FOUND);
  return end(
    'failed',
    [{ kind: 'predicate.checked', data: { ...UNREAD_PREDICATES, ok: false, found } }],
    [unread, ...failed],
  );
}
