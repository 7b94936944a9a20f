import { executionId } from '../../shared/ids/ids.ts';
import type { Job } from '../../shared/runtime/contract.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';
import { processor } from '../plan/admitted-plan.ts';

let count = 0;

/** An execution of its own, with more time than any test has unless it is told otherwise. */
export function assignment(
  ref = 'test/actor@1',
  params: Record<string, unknown> = {},
  lastingMs = 3_600_000,
): Assignment {
  count += 1;
  const id = executionId('plan', `fault-${count}`, 1);
  const deadlineMs = Date.now() + lastingMs;
  const job: Job = {
    ...{ v: 1, plan_id: 'plan', step_id: `fault-${count}`, execution_id: id, attempt: 1, processor: ref },
    ...{ params, inputs: {}, outputs: {}, deadline: new Date(deadlineMs).toISOString() },
  };
  return { executionId: id, processor: processor({ ref }), job, secrets: {}, deadlineMs };
}
