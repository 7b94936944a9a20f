import type { PlanProgress } from '../../shared/plan/progress.ts';
import { type Chain, failed, lost, scheduled, settledExecution, started, succeeded } from '../ledger/plan-history.ts';

export const RESERVE = 400;

/** Schedules a step, ends it and settles it for `actual`. */
export function attempt(
  chain: Chain,
  id: string,
  number: number,
  how: 'succeeded' | 'failed' | 'lost',
  actual = 0,
): Chain {
  const executionId = `plan.${id}.${number}`;
  const end = {
    succeeded: () => succeeded(executionId, 5),
    failed: () => failed(executionId, 5),
    lost: () => lost(executionId, 5),
  };
  return chain
    .append('dispatcher', scheduled('plan', id, number, RESERVE))
    .append('dispatcher', [started(executionId)])
    .append('dispatcher', [end[how]()])
    .append('settler', settledExecution('plan', executionId, RESERVE, actual));
}

export const statuses = ({ steps }: PlanProgress): Record<string, string> =>
  Object.fromEntries([...steps].map(([id, { status }]) => [id, status]));

export const schedulable = (progress: PlanProgress): string[] =>
  progress.schedulable.map((one) => `${one.step.id}.${one.attempt}`);
