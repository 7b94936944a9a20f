import { plural } from '../../text/plural.ts';
import type { PlanState } from '../state.ts';
import { rule } from './rule.ts';

export const anotherCommand = rule<'plan.submitted'>(
  'anotherCommand',
  'a rejected plan gives its id back to another command',
  ({ rejectedCommands }, { data }) =>
    rejectedCommands.has(data.command_seq) ? `command ${data.command_seq} was rejected already` : undefined,
);

// The schema has the form of a principal, and `_` stands for nobody where dead letters are filed.
export const bySomebody = rule<'plan.submitted'>(
  'bySomebody',
  'its principal is one who may command: `_` is nobody',
  (_, { data: { principal } }) => (principal === '_' ? 'the principal _ is nobody' : undefined),
);

export const commandKnown = rule<'plan.submitted'>(
  'commandKnown',
  'its command has a place in COMMANDS, which counts from 1',
  (_, { v, data }) => (v > 1 && data.command_seq === 0 ? 'command 0 never was' : undefined),
);

/** The name of a document holds the first 16 digits of its hash. Ledgers were made by hand where it holds none. */
const HASH_IN_NAME = /-([0-9a-f]{16})\.json$/;

function strayDocument(planId: string, path: string, cid: string): string | undefined {
  const folder = `/artifacts/plans/${planId}/`;
  if (!path.startsWith(folder)) return `${path} is not in ${folder}`;
  const [, hash] = HASH_IN_NAME.exec(path) ?? [];
  return hash === undefined || cid.startsWith(`blake3:${hash}`) ? undefined : `${path} is not named after ${cid}`;
}

export const ownDocument = rule<'plan.submitted'>(
  'ownDocument',
  'its document lies in `/artifacts/plans/<plan_id>/`, and a hash in its name is that of its CID',
  ({ planId }, { data }) => strayDocument(planId, data.plan_path, data.plan_cid),
);

export const ownAdmittedDocument = rule<'plan.admitted'>(
  'ownAdmittedDocument',
  'its document lies in `/artifacts/plans/<plan_id>/`, and a hash in its name is that of its CID',
  ({ planId }, { data }) => strayDocument(planId, data.admitted_path, data.admitted_cid),
);

// Whoever wrote the one wrote the other in the same commit; the older of the two could hide how many predicates there are.
export const noOlderThanItsSubmission = rule<'plan.admitted'>(
  'noOlderThanItsSubmission',
  'it is no version 1 behind a submission of version 2',
  ({ submitted }, { data: { predicates } }) =>
    predicates === null && submitted?.command_seq !== 0 ? 'its submission is of a later version' : undefined,
);

export const someStep = rule<'plan.admitted'>('someStep', 'it has a step', (_, { data: { steps, predicates } }) =>
  steps === 0 && predicates !== null ? 'it has no step' : undefined,
);

export const cancelledOnce = rule<'plan.cancel_requested'>(
  'cancelledOnce',
  'no cancellation was requested before',
  ({ cancelRequested }) =>
    cancelRequested === undefined
      ? undefined
      : `the plan is being cancelled for the reason "${cancelRequested.reason}"`,
);

export const reasonOfItsWriter = rule<'plan.cancel_requested'>(
  'reasonOfItsWriter',
  'admission cancels for a client, the dispatcher at the deadline',
  (_, { by, data: { reason } }) =>
    (by === 'admission') === (reason === 'client') ? undefined : `${by} does not cancel for the reason "${reason}"`,
);

export const notCancelled = rule<'budget.reserved' | 'execution.scheduled' | 'execution.started'>(
  'notCancelled',
  'no cancellation was requested',
  ({ cancelRequested }) => (cancelRequested === undefined ? undefined : 'the plan is being cancelled'),
);

export const nothingHeld = rule<'plan.settled'>('nothingHeld', 'nothing of the budget is held', ({ budget }) =>
  budget.held === 0 ? undefined : `${budget.held} micro-dollars are still held`,
);

// One that reserved nothing holds nothing, and would be forgotten without its end and its receipt.
export const everyExecutionSettled = rule<'plan.settled'>(
  'everyExecutionSettled',
  'every execution is settled',
  ({ unsettled }) => {
    const [open] = unsettled;
    return open === undefined ? undefined : `${open} is not settled`;
  },
);

export const everyReserveUsed = rule<'plan.settled'>(
  'everyReserveUsed',
  'whatever was reserved was scheduled',
  ({ reservations, executions }) => {
    const unused = [...reservations.keys()].find((id) => !executions.has(id));
    return unused === undefined ? undefined : `${unused} was reserved and never scheduled`;
  },
);

export const spentAsCounted = rule<'plan.settled'>(
  'spentAsCounted',
  'what it says was spent is what its executions cost',
  ({ budget }, { data }) => (data.spent_usd_micro === budget.spent ? undefined : `the plan spent ${budget.spent}`),
);

/**
 * Version 1 is held to the steps that ran: how many there are is checked with the admitted document, since ledgers
 * of that version were made by hand whose number of steps is another.
 */
const stepsToSucceed = ({ admitted, attempts }: PlanState): number =>
  admitted?.predicates === null ? Math.max(attempts.size, Math.min(1, admitted.steps)) : (admitted?.steps ?? 0);

export const missingSteps = (state: PlanState): string | undefined => {
  const steps = stepsToSucceed(state);
  return state.stepsSucceeded === steps ? undefined : `${state.stepsSucceeded} of ${steps} steps succeeded`;
};

export const successOfEveryStep = rule<'plan.settled'>(
  'successOfEveryStep',
  'a plan that succeeded has every step succeeded',
  (state, { data }) => (data.status === 'succeeded' ? missingSteps(state) : undefined),
);

export const successOfEveryPredicate = rule<'plan.settled'>(
  'successOfEveryPredicate',
  'a plan that succeeded has every predicate checked, and each holds',
  ({ admitted, predicates }, { data }) => {
    if (data.status !== 'succeeded') return undefined;
    const failed = predicates.find(({ ok }) => !ok);
    if (failed !== undefined) return `predicate ${failed.pointer} does not hold`;
    const all = admitted?.predicates ?? predicates.length;
    return predicates.length === all ? undefined : `${predicates.length} of ${all} predicates were checked`;
  },
);

export const successWithoutFaults = rule<'plan.settled'>(
  'successWithoutFaults',
  'a plan that succeeded has no faults but those of receipts that are not stored',
  ({ executions }, { data }) => {
    if (data.status !== 'succeeded' || data.faults.length === 0) return undefined;
    const other = data.faults.find(({ code }) => code !== 'ERR_UNAVAILABLE');
    if (other !== undefined) return `it succeeded with the fault ${other.code}`;
    const owed = [...executions.values()].filter(({ settled }) => settled?.receipt_stored === false).length;
    return data.faults.length <= owed
      ? undefined
      : `it succeeded with ${plural(data.faults.length, 'fault')}, and ${plural(owed, 'receipt')} not stored`;
  },
);

/** What version 1 does not tell: how many steps and predicates there are. */
const isToldWhole = ({ admitted }: PlanState): boolean => admitted?.predicates !== null;

export const failedForAReason = rule<'plan.settled'>(
  'failedForAReason',
  'a plan that failed has a step that did not succeed, or a predicate that does not hold',
  (state, { data }) =>
    data.status === 'failed' &&
    isToldWhole(state) &&
    missingSteps(state) === undefined &&
    state.predicates.every(({ ok }) => ok)
      ? 'every step succeeded, and no predicate fails'
      : undefined,
);

export const cancelledBeforeItsEnd = rule<'plan.settled'>(
  'cancelledBeforeItsEnd',
  'a plan that ends as cancelled has a step that did not succeed',
  (state, { data }) =>
    data.status === 'cancelled' && isToldWhole(state) && missingSteps(state) === undefined
      ? 'every step succeeded'
      : undefined,
);

export const cancelledByAClient = rule<'plan.settled'>(
  'cancelledByAClient',
  'a plan that ends as cancelled was cancelled by a client',
  ({ cancelRequested }, { data }) =>
    data.status !== 'cancelled' || cancelRequested?.reason === 'client' ? undefined : 'no client cancelled it',
);
