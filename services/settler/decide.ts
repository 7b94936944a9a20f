import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft, EventData, LedgerEvent } from '../../shared/ledger/events.ts';
import { type Execution, namesOtherwise, type PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, type AdmittedPredicate, processorOf } from '../../shared/plan/admitted.ts';
import { actualFor } from '../../shared/plan/budget.ts';
import type { PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import { type PlanProgress, progressOf, statusAtEnd } from '../../shared/plan/progress.ts';
import { stepOf } from '../../shared/plan/steps.ts';
import { clip } from '../../shared/text/clip.ts';
import type { ReceiptDocument } from './receipt.ts';

/** Executions whose end is in the ledger and whose receipt is not. */
export const unsettled = (state: PlanState): Execution[] =>
  state.phase === 'admitted'
    ? [...state.unsettled].flatMap((id) => state.executions.get(id) ?? []).filter(({ end }) => end !== undefined)
    : [];

export interface SettleExecution {
  readonly plan: AdmittedPlan;
  readonly executionId: string;
  readonly receipt: ReceiptDocument;
  /** As it is in the World; undefined where the plan has to end without it. */
  readonly stored: { readonly sha256: string; readonly size: number } | undefined;
}

/** Receipt and budget of one execution. Nothing when another settler was first. */
export function decideSettleExecution(
  state: PlanState,
  { plan, executionId, receipt, stored }: SettleExecution,
): Decision {
  const execution = state.executions.get(executionId);
  const step = stepOf(plan, execution?.stepId);
  if (execution?.end === undefined || execution.settled !== undefined || step === undefined) return NOTHING;
  const { reservedUsdMicro } = execution;
  // An execution that never started has cost nothing.
  const used = execution.started === undefined ? 0 : actualFor(processorOf(plan, step), execution.end.durationMs);
  const { path, cid, memoKey } = receipt;
  const about = { path, cid, content_type: 'application/json', execution_id: executionId };
  const drafts: Draft[] = [
    ...(stored === undefined
      ? []
      : [{ kind: 'artifact.written', data: { ...about, sha256: stored.sha256, size: stored.size } } as const]),
    {
      kind: 'budget.settled',
      data: {
        execution_id: executionId,
        reserved_usd_micro: reservedUsdMicro,
        actual_usd_micro: Math.min(reservedUsdMicro, used),
      },
    },
    {
      kind: 'execution.settled',
      data: {
        execution_id: executionId,
        receipt_path: path,
        receipt_cid: cid,
        memo_key: memoKey,
        receipt_stored: stored !== undefined,
      },
    },
  ];
  return { drafts };
}

export type OwedReceipt = EventData<'execution.settled'>;

/** For as long a store is asked to take a receipt that it did not take; then `fsck` alone tells of it. */
const OWED_S = 4 * 86_400;

/** Receipts that a commit tells of as not stored: whoever follows the ledger here stores them. */
export const owedReceipts = (events: readonly LedgerEvent[], nowMs: number): OwedReceipt[] =>
  events.flatMap((event) => {
    if (event.kind !== 'execution.settled' || event.data.receipt_stored) return [];
    return nowMs - Date.parse(event.ts) > OWED_S * 1_000 ? [] : [event.data];
  });

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

function settled(state: PlanState, progress: PlanProgress, checks: readonly EventData<'predicate.checked'>[]): Settled {
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

export interface SettlePlan {
  readonly plan: AdmittedPlan;
  /** What became of predicates of the plan, from the one at `from` on. */
  readonly checked: { readonly from: number; readonly results: readonly PredicateResult[] };
}

export interface SettlePlanDecision extends Decision {
  /** How the plan ended, if it ends with this commit. */
  readonly status?: EventData<'plan.settled'>['status'];
}

/** The end of a plan: its predicates, then how it ended, in as many commits as the limits ask for. */
export function decideSettlePlan(state: PlanState, { plan, checked }: SettlePlan): SettlePlanDecision {
  if (state.phase !== 'admitted') return NOTHING;
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
  return ending(drafts, settled(state, progress, [...state.predicates, ...checks]));
}

/**
 * The end of a plan that has to end and whose admitted document cannot be read, where its chain alone tells it: nothing is
 * open, nothing may start any more, and a step is missing, which no document changes.
 * @param why the document cannot be read
 */
export function decideEndWithoutDocument(state: PlanState, why: Fault): SettlePlanDecision {
  const { phase, cancelRequested, admitted, stepsSucceeded, unsettled: open, budget } = state;
  if (phase !== 'admitted' || cancelRequested === undefined || open.size > 0) return NOTHING;
  if (admitted === undefined || stepsSucceeded >= admitted.steps) return NOTHING;
  const unread = fault(why.code, `the admitted plan cannot be read: ${why.message}`);
  const data = {
    status: cancelRequested.reason === 'client' ? 'cancelled' : 'failed',
    spent_usd_micro: budget.spent,
    faults: boundedFaults([...deadlineFaults(state), unread, ...receiptFaults(state)]),
  } as const;
  return ending([], { kind: 'plan.settled', data });
}
