import { executionFolder, executionId } from '../ids/ids.ts';
import { isCanonicalKey, keyOf } from '../ids/world-path.ts';
import { plural } from '../text/plural.ts';
import type { EventKind, EventOf, LedgerEvent } from './events.ts';
import { type Execution, namesOtherwise, type PlanState } from './state.ts';

/** One thing that must hold where an event stands. Pure, and no slower for a plan of many steps. */
export interface Rule<E extends LedgerEvent> {
  readonly name: string;
  /** For people: `docs/events.md`. */
  readonly says: string;
  /** What is wrong; undefined when the rule is kept. */
  readonly broken: (state: PlanState, event: E) => string | undefined;
}

const rule = <K extends EventKind>(
  name: string,
  says: string,
  broken: Rule<EventOf<K>>['broken'],
): Rule<EventOf<K>> => ({
  name,
  says,
  broken,
});

const receiptPath = (planId: string, id: string): string => `${executionFolder(planId, id)}determinism.json`;

/** Kinds that tell of one execution which was scheduled before. */
type OfExecution = 'budget.settled' | Exclude<EventKind & `execution.${string}`, 'execution.scheduled'>;
type OfFact = Extract<LedgerEvent, { data: { fact_id: string } }>['kind'];

const executionOf = (state: PlanState, { data }: EventOf<OfExecution>): Execution | undefined =>
  state.executions.get(data.execution_id);

/** The step that an execution id names. */
const stepIn = (id: string): string => id.split('.')[1] ?? '';

// The plan

export const anotherCommand = rule<'plan.submitted'>(
  'anotherCommand',
  'a rejected plan gives its id back to another command',
  ({ rejectedCommands }, { data }) =>
    rejectedCommands.has(data.command_seq) ? `command ${data.command_seq} was rejected already` : undefined,
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

const missingSteps = (state: PlanState): string | undefined => {
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

export const cancelledByAClient = rule<'plan.settled'>(
  'cancelledByAClient',
  'a plan that ends as cancelled was cancelled by a client',
  ({ cancelRequested }, { data }) =>
    data.status !== 'cancelled' || cancelRequested?.reason === 'client' ? undefined : 'no client cancelled it',
);

/** Those of version 1 may say another number of steps than they ran. */
export const noMoreStepsThanAdmitted = rule<'budget.reserved' | 'execution.scheduled'>(
  'noMoreStepsThanAdmitted',
  'its step is one of as many as the plan has',
  ({ admitted, attempts }, { data: { execution_id: id } }) => {
    if (admitted === undefined || admitted.predicates === null || attempts.size < admitted.steps) return undefined;
    return attempts.has(stepIn(id)) ? undefined : `the plan has ${plural(admitted.steps, 'step')}`;
  },
);

// The budget

/** `<plan_id>.<step_id>.<attempt>` of the next attempt of a step of this plan. */
export const nextAttemptReserved = rule<'budget.reserved'>(
  'nextAttemptReserved',
  'the execution_id is that of the next attempt of a step of this plan',
  ({ planId, attempts }, { data: { execution_id: id } }) => {
    const [plan, , attempt] = id.split('.');
    const stepId = stepIn(id);
    const next = (attempts.get(stepId)?.length ?? 0) + 1;
    if (plan === planId && attempt === `${next}` && id === executionId(planId, stepId, next)) return undefined;
    return `${id} is not the next attempt of a step of ${planId}`;
  },
);

export const reservedOnce = rule<'budget.reserved'>(
  'reservedOnce',
  'nothing was reserved for it yet',
  ({ reservations }, { data }) => (reservations.has(data.execution_id) ? 'it is already reserved' : undefined),
);

export const withinTheLimit = rule<'budget.reserved'>(
  'withinTheLimit',
  'with what is spent and held it stays within the limit',
  ({ budget: { limit, held, spent } }, { data: { usd_micro: amount } }) =>
    spent + held + amount > limit ? `spent ${spent} + held ${held} + ${amount} exceeds ${limit}` : undefined,
);

export const budgetSettledOnce = rule<'budget.settled'>(
  'budgetSettledOnce',
  'its budget is not settled yet',
  (state, event) =>
    executionOf(state, event)?.actualUsdMicro === undefined ? undefined : 'its budget is already settled',
);

export const reservedAsTold = rule<'budget.settled'>(
  'reservedAsTold',
  'what comes free is what was reserved',
  (state, event) => {
    const reserved = executionOf(state, event)?.reservedUsdMicro;
    return event.data.reserved_usd_micro === reserved ? undefined : `it reserved ${reserved}`;
  },
);

export const freeIfNeverStarted = rule<'budget.settled'>(
  'freeIfNeverStarted',
  'it cost nothing if it never started',
  (state, event) => {
    const cost = event.data.actual_usd_micro;
    return cost === 0 || executionOf(state, event)?.started !== undefined
      ? undefined
      : `it never started, and cost ${cost}`;
  },
);

export const noMoreThanReserved = rule<'budget.settled'>(
  'noMoreThanReserved',
  'it cost no more than it reserved',
  (_, { data: { actual_usd_micro: actual, reserved_usd_micro: reserved } }) =>
    actual > reserved ? `${actual} is more than it reserved` : undefined,
);

// Executions

export const known = rule<OfExecution>('known', 'the execution was scheduled', (state, event) =>
  executionOf(state, event) === undefined ? `no execution ${event.data.execution_id}` : undefined,
);

export const ownId = rule<'execution.scheduled'>(
  'ownId',
  'its execution_id is `<plan_id>.<step_id>.<attempt>`',
  ({ planId }, { data: { execution_id: id, step_id: stepId, attempt } }) => {
    const own = executionId(planId, stepId, attempt);
    return id === own ? undefined : `${id} should be ${own}`;
  },
);

export const nextAttempt = rule<'execution.scheduled'>(
  'nextAttempt',
  'its attempt follows the one before',
  ({ attempts }, { data: { step_id: stepId, attempt } }) => {
    const before = attempts.get(stepId)?.length ?? 0;
    return attempt === before + 1 ? undefined : `attempt ${attempt} follows ${before}`;
  },
);

export const afterARetryableEnd = rule<'budget.reserved' | 'execution.scheduled'>(
  'afterARetryableEnd',
  'the attempt before was lost, or failed in a way that is worth a retry',
  ({ attempts, executions }, { data: { execution_id: id } }) => {
    const before = executions.get(attempts.get(stepIn(id))?.at(-1) ?? '');
    if (before === undefined) return undefined;
    if (before.end === undefined) return `${before.executionId} has not ended`;
    if (before.end.status === 'succeeded') return `${before.executionId} succeeded`;
    if (before.end.status === 'lost' || before.end.retryable) return undefined;
    return `${before.executionId} failed for good`;
  },
);

export const notStarted = rule<'execution.started'>('notStarted', 'it has not started yet', (state, event) =>
  executionOf(state, event)?.started === undefined ? undefined : 'it has already started',
);

export const inputsAsNamed = rule<'execution.started'>(
  'inputsAsNamed',
  'each input has the CID that was written at its path, if one was',
  (state, { data: { inputs } }) => {
    const other = Object.entries(inputs).find(([, { path, cid }]) => namesOtherwise(state, path, cid));
    if (other === undefined) return undefined;
    const [name, { path, cid }] = other;
    return `input ${name} is ${cid}, not what was written at ${path}`;
  },
);

export const hasStarted = rule<'execution.succeeded'>('hasStarted', 'it has started', (state, event) =>
  executionOf(state, event)?.started === undefined ? 'it has not started' : undefined,
);

export const notEnded = rule<'execution.started' | 'execution.succeeded' | 'execution.failed' | 'execution.lost'>(
  'notEnded',
  'it has not ended yet',
  (state, event) => {
    const end = executionOf(state, event)?.end;
    return end === undefined ? undefined : `it has already ended as ${end.status}`;
  },
);

export const hasEnded = rule<'budget.settled'>('hasEnded', 'it has ended', (state, event) =>
  executionOf(state, event)?.end === undefined ? 'it has not ended' : undefined,
);

export const afterItsBudget = rule<'execution.settled'>('afterItsBudget', 'its budget is settled', (state, event) =>
  executionOf(state, event)?.actualUsdMicro === undefined ? 'its budget is not settled' : undefined,
);

export const settledOnce = rule<'execution.settled'>('settledOnce', 'it is not settled yet', (state, event) =>
  executionOf(state, event)?.settled === undefined ? undefined : 'it is already settled',
);

export const receiptWritten = rule<'execution.settled'>(
  'receiptWritten',
  'the receipt is `determinism.json` in the folder of this execution, written before, with that CID',
  ({ planId, artifacts }, { data: { execution_id: id, receipt_path: path, receipt_cid: cid } }) => {
    if (path !== receiptPath(planId, id)) return `its receipt is ${receiptPath(planId, id)}`;
    const written = artifacts.get(path);
    return written?.cid === cid && written.execution_id === id ? undefined : `no receipt ${cid} was written at ${path}`;
  },
);

// Artifacts, predicates, facts

export const canonicalPath = rule<'artifact.written'>(
  'canonicalPath',
  'its path is in canonical form',
  (_, { data: { path } }) => (isCanonicalKey(keyOf(path)) ? undefined : `${path} is not in canonical form`),
);

export const ofAnExecution = rule<'artifact.written'>(
  'ofAnExecution',
  'it is of an execution: of the dispatcher while that runs, its receipt of the settler after its end',
  ({ planId, executions }, { by, data: { execution_id: id, path } }) => {
    const execution = executions.get(id ?? '');
    if (id === undefined || execution === undefined) return `no execution ${id}`;
    if (execution.settled !== undefined) return `${id} is settled`;
    if (by === 'settler') {
      if (execution.end === undefined) return `${id} has not ended`;
      return path === receiptPath(planId, id) ? undefined : `${path} is not the receipt of ${id}`;
    }
    if (path === receiptPath(planId, id)) return `the receipt of ${id} is written by the settler`;
    if (execution.started === undefined) return `${id} has not started`;
    return execution.end === undefined ? undefined : `${id} has already ended as ${execution.end.status}`;
  },
);

export const immutable = rule<'artifact.written'>(
  'immutable',
  'its path has no other CID',
  ({ artifacts }, { data: { path, cid } }) =>
    (artifacts.get(path)?.cid ?? cid) === cid ? undefined : `${path} is immutable`,
);

export const afterEveryStep = rule<'predicate.checked'>('afterEveryStep', 'every step has succeeded', (state) =>
  missingSteps(state),
);

export const noMoreThanAdmitted = rule<'predicate.checked'>(
  'noMoreThanAdmitted',
  'the plan has as many predicates',
  ({ admitted, predicates }) => {
    const all = admitted?.predicates ?? undefined;
    return all === undefined || predicates.length < all ? undefined : `the plan has ${plural(all, 'predicate')}`;
  },
);

export const checkedOnce = rule<'predicate.checked'>(
  'checkedOnce',
  'it was not checked before',
  ({ predicates }, { data: { pointer } }) =>
    predicates.some((checked) => checked.pointer === pointer) ? `${pointer} was checked already` : undefined,
);

export const recordedOnce = rule<OfFact>('recordedOnce', 'its fact_id is new', ({ facts }, { data }) =>
  facts.has(data.fact_id) ? `fact ${data.fact_id} is already recorded` : undefined,
);
