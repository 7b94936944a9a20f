import { executionId, receiptPath, stepOfExecution } from '../../ids/ids.ts';
import { namesOtherwise } from '../state.ts';
import { executionOf, type OfExecution, rule } from './rule.ts';

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
    const before = executions.get(attempts.get(stepOfExecution(id))?.at(-1) ?? '');
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
  'the receipt is `determinism.json` in the folder of this execution, written before with that CID if it is stored',
  ({ planId, artifacts }, { data }) => {
    const { execution_id: id, receipt_path: path, receipt_cid: cid, receipt_stored: isStored } = data;
    if (path !== receiptPath(planId, id)) return `its receipt is ${receiptPath(planId, id)}`;
    if (!isStored) return undefined;
    const written = artifacts.get(path);
    return written?.cid === cid && written.execution_id === id ? undefined : `no receipt ${cid} was written at ${path}`;
  },
);

export const receiptOwed = rule<'execution.settled'>(
  'receiptOwed',
  'a receipt that is not stored was not written, and the plan had to end: its cancellation was requested',
  ({ artifacts, cancelRequested }, { data: { receipt_path: path, receipt_stored: isStored } }) => {
    if (isStored) return undefined;
    if (cancelRequested === undefined) return 'its receipt is not stored, and the plan did not have to end';
    return artifacts.has(path) ? `its receipt was written at ${path}` : undefined;
  },
);
