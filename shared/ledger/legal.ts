import { IsomorphError } from '../errors/isomorph-error.ts';
import type { EventKind, EventOf, LedgerEvent, LedgerWriter } from './events.ts';
import * as budget from './rules/budget.ts';
import * as executions from './rules/executions.ts';
import * as plan from './rules/plan.ts';
import * as records from './rules/records.ts';
import type { Rule } from './rules/rule.ts';
import type { Phase, PlanState } from './state.ts';

/** Where an event of kind K is legal: by whom, in which state of its plan, and what else must hold there. */
export interface LegalRow<K extends EventKind> {
  readonly by: readonly LedgerWriter[];
  /** The plan is in one of these. */
  readonly in: readonly Phase[];
  /** Checked in this order; the first that is broken is told. */
  readonly rules: readonly Rule<EventOf<K>>[];
}

const RUNNING = ['admitted'] as const;
const FACT = { by: ['sampler'], in: RUNNING, rules: [records.recordedOnce] } as const;

/**
 * What is legal, whole: `evolve` refuses by it, the verifier finds by it, and `docs/events.md` is written from it. What
 * needs the admitted document is in `shared/plan/audit.ts`.
 */
export const LEGAL: { readonly [K in EventKind]: LegalRow<K> } = {
  'plan.submitted': {
    by: ['admission'],
    in: ['absent', 'rejected'],
    rules: [plan.anotherCommand, plan.bySomebody, plan.commandKnown, plan.ownDocument],
  },
  'lease.declared': { by: ['admission'], in: ['submitted'], rules: [] },
  'plan.admitted': {
    by: ['admission'],
    in: ['submitted'],
    rules: [plan.someStep, plan.noOlderThanItsSubmission, plan.ownAdmittedDocument],
  },
  'plan.rejected': { by: ['admission'], in: ['submitted'], rules: [] },
  'plan.cancel_requested': {
    by: ['admission', 'dispatcher'],
    in: RUNNING,
    rules: [plan.reasonOfItsWriter, plan.cancelledOnce],
  },
  'plan.settled': {
    by: ['settler'],
    in: RUNNING,
    rules: [
      plan.nothingHeld,
      plan.everyExecutionSettled,
      plan.everyReserveUsed,
      plan.spentAsCounted,
      plan.successOfEveryStep,
      plan.successOfEveryPredicate,
      plan.successWithoutFaults,
      plan.failedForAReason,
      plan.cancelledByAClient,
      plan.cancelledBeforeItsEnd,
    ],
  },
  'budget.reserved': {
    by: ['dispatcher'],
    in: RUNNING,
    rules: [
      plan.notCancelled,
      budget.reservedOnce,
      budget.nextAttemptReserved,
      budget.noMoreStepsThanAdmitted,
      executions.afterARetryableEnd,
      budget.withinTheLimit,
    ],
  },
  'execution.scheduled': {
    by: ['dispatcher'],
    in: RUNNING,
    rules: [
      plan.notCancelled,
      executions.ownId,
      budget.noMoreStepsThanAdmitted,
      executions.nextAttempt,
      executions.afterARetryableEnd,
    ],
  },
  'execution.started': {
    by: ['dispatcher'],
    in: RUNNING,
    rules: [executions.known, executions.notStarted, executions.notEnded, plan.notCancelled, executions.inputsAsNamed],
  },
  'execution.succeeded': {
    by: ['dispatcher'],
    in: RUNNING,
    rules: [executions.known, executions.notEnded, executions.hasStarted],
  },
  'execution.failed': { by: ['dispatcher'], in: RUNNING, rules: [executions.known, executions.notEnded] },
  'execution.lost': { by: ['dispatcher'], in: RUNNING, rules: [executions.known, executions.notEnded] },
  'budget.settled': {
    by: ['settler'],
    in: RUNNING,
    rules: [
      executions.known,
      executions.hasEnded,
      budget.budgetSettledOnce,
      budget.reservedAsTold,
      budget.noMoreThanReserved,
      budget.freeIfNeverStarted,
    ],
  },
  'execution.settled': {
    by: ['settler'],
    in: RUNNING,
    rules: [
      executions.known,
      executions.afterItsBudget,
      executions.settledOnce,
      executions.receiptWritten,
      executions.receiptOwed,
    ],
  },
  'artifact.written': {
    by: ['dispatcher', 'settler'],
    in: RUNNING,
    rules: [records.canonicalPath, records.inNoOtherPlansFolder, records.immutable, records.ofAnExecution],
  },
  'predicate.checked': {
    by: ['settler'],
    in: RUNNING,
    rules: [records.afterEveryStep, records.noMoreThanAdmitted, records.checkedOnce],
  },
  'scratch.queue.published': FACT,
  'scratch.queue.retry': FACT,
  'scratch.queue.deadletter': FACT,
  'scratch.kv.changed': FACT,
  'scratch.sampled': FACT,
  'streams.sampled': FACT,
};

const among = (names: readonly string[]): string => names.join(' or ');

/** Which rule an event breaks in the state before it; undefined when it is legal there. */
function brokenBy<K extends EventKind>(state: PlanState, event: EventOf<K>, row: LegalRow<K>): string | undefined {
  if (!row.in.includes(state.phase)) return `the plan is ${state.phase}, not ${among(row.in)}`;
  if (!row.by.includes(event.by)) return `it is by ${event.by}, not ${among(row.by)}`;
  for (const { broken } of row.rules) {
    const why = broken(state, event);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** @throws ERR_COMMIT_INVALID when an event is not legal in the state before it, with its seq */
export function checkLegal(state: PlanState, event: LedgerEvent): void {
  // The row is that of the event's own kind, which the type of a look-up by a union cannot say.
  const why = brokenBy(state, event as EventOf<EventKind>, LEGAL[event.kind] as unknown as LegalRow<EventKind>);
  if (why === undefined) return;
  throw new IsomorphError('ERR_COMMIT_INVALID', `${event.kind} at seq ${event.seq} of ${event.plan_id}: ${why}`, {
    pointer: `/seq/${event.seq}`,
  });
}
