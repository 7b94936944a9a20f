import { executionId, stepOfExecution } from '../../ids/ids.ts';
import { plural } from '../../text/plural.ts';
import { executionOf, rule } from './rule.ts';

/** Those of version 1 may say another number of steps than they ran. */
export const noMoreStepsThanAdmitted = rule<'budget.reserved' | 'execution.scheduled'>(
  'noMoreStepsThanAdmitted',
  'its step is one of as many as the plan has',
  ({ admitted, attempts }, { data: { execution_id: id } }) => {
    if (admitted === undefined || admitted.predicates === null || attempts.size < admitted.steps) return undefined;
    return attempts.has(stepOfExecution(id)) ? undefined : `the plan has ${plural(admitted.steps, 'step')}`;
  },
);

/** `<plan_id>.<step_id>.<attempt>` of the next attempt of a step of this plan. */
export const nextAttemptReserved = rule<'budget.reserved'>(
  'nextAttemptReserved',
  'the execution_id is that of the next attempt of a step of this plan',
  ({ planId, attempts }, { data: { execution_id: id } }) => {
    const [plan, , attempt] = id.split('.');
    const stepId = stepOfExecution(id);
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
