/** What settles an execution: its receipt and its cost. Pure. */
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { seal } from '../../shared/ledger/chain.ts';
import type { Draft, EventData, LedgerEvent } from '../../shared/ledger/events.ts';
import { evolve } from '../../shared/ledger/evolve.ts';
import { type Execution, type ExecutionEnd, type PlanState, unsettledExecutions } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, processorOf } from '../../shared/plan/admitted.ts';
import { actualFor } from '../../shared/plan/budget.ts';
import { stepOf } from '../../shared/plan/steps.ts';
import type { ReceiptDocument } from './receipt.ts';

/** Executions whose end is in the ledger and whose receipt is not. */
export const unsettled = (state: PlanState): Execution[] =>
  state.phase === 'admitted' ? unsettledExecutions(state).filter(({ end }) => end !== undefined) : [];

/** While something runs and nothing has ended since, there is nothing to settle. */
export const isRunning = (state: PlanState): boolean => state.unsettled.size > 0 && unsettled(state).length === 0;

export interface SettleExecution {
  readonly executionId: string;
  readonly receipt: ReceiptDocument;
  /** As it is in the World; undefined where the plan has to end without it. */
  readonly stored: { readonly sha256: string; readonly size: number } | undefined;
}

/** The admitted document of a plan; where the plan has to end and its document cannot be read, why. */
export type DocumentOrFault = AdmittedPlan | Fault;

export const isUnread = (plan: DocumentOrFault): plan is Fault => 'code' in plan;

/** In micro-dollars; undefined for an execution of no step of the plan. One that never started has cost nothing. */
function costOf(plan: DocumentOrFault, execution: Execution, end: ExecutionEnd): number | undefined {
  if (execution.started === undefined) return 0;
  if (isUnread(plan)) return execution.reservedUsdMicro;
  const step = stepOf(plan, execution.stepId);
  return step === undefined ? undefined : actualFor(processorOf(plan, step), end.durationMs);
}

/** Receipt and budget of one execution. Nothing when another settler was first. */
function settlement(
  state: PlanState,
  plan: DocumentOrFault,
  { executionId, receipt, stored }: SettleExecution,
): Draft[] {
  const execution = state.executions.get(executionId);
  if (execution?.end === undefined || execution.settled !== undefined) return [];
  const { reservedUsdMicro } = execution;
  const used = costOf(plan, execution, execution.end);
  if (used === undefined) return [];
  const { path, cid, memoKey } = receipt;
  const about = { path, cid, content_type: 'application/json', execution_id: executionId };
  return [
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
}

/** Executions that are settled in one commit. */
export const SETTLED_PER_COMMIT = 100;
/** Beside the end of their plan, which may have much to say. */
const SETTLED_WITH_THE_END = 16;

/**
 * The plan as it is once these are settled, where nothing of it is open then: what its predicates look at and its end is
 * decided on. Undefined while something is.
 */
export function asSettled(
  state: PlanState,
  plan: DocumentOrFault,
  settling: readonly SettleExecution[],
): PlanState | undefined {
  return state.phase === 'admitted' ? afterSettling(state, settlements(state, plan, settling)) : undefined;
}

export const settlements = (state: PlanState, plan: DocumentOrFault, settling: readonly SettleExecution[]): Draft[] =>
  settling.flatMap((one) => settlement(state, plan, one));

/** The same of a plan that is admitted, with what settling them writes. */
export function afterSettling(state: PlanState, drafts: readonly Draft[]): PlanState | undefined {
  if (drafts.length === 0) return state.unsettled.size === 0 ? state : undefined;
  const settled = drafts.filter(({ kind }) => kind === 'execution.settled').length;
  if (settled < state.unsettled.size || settled > SETTLED_WITH_THE_END) return undefined;
  return evolve(state, seal(state.head, drafts, { planId: state.planId, by: 'settler', nowMs: 0 }));
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
