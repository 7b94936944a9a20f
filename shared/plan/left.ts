import { executionFolder, receiptPath } from '../ids/ids.ts';
import { joinWorldPath } from '../ids/world-path.ts';
import { type Artifact, artifactsOf, type Execution, type PlanState } from '../ledger/state.ts';
import { type AdmittedPlan, processorOf } from './admitted.ts';
import { stepOf } from './steps.ts';

export const logPath = (planId: string, executionId: string): string =>
  `${executionFolder(planId, executionId)}log.txt`;

/**
 * What the ledger names as left by the run of an execution: its outputs and its log. Looked for at the paths that they
 * can have, since a plan may name very many. The receipt is none of them: it is made of the ledger, by whoever needs it.
 * @param plan undefined where its document cannot be read: then at every path that the ledger names
 */
export function leftBy(
  state: PlanState,
  plan: AdmittedPlan | undefined,
  { executionId, stepId, end }: Execution,
): Artifact[] {
  if (end === undefined) return [];
  if (plan === undefined) {
    const receipt = receiptPath(state.planId, executionId);
    return artifactsOf(state, executionId).filter(({ path }) => path !== receipt);
  }
  const step = stepOf(plan, stepId);
  if (step === undefined) return [];
  const outputs = processorOf(plan, step).outputs.map(({ path }) => joinWorldPath(step.write_prefix, path));
  return [...outputs, logPath(state.planId, executionId)].flatMap((path) => {
    const artifact = state.artifacts.get(path);
    return artifact?.execution_id === executionId ? [artifact] : [];
  });
}
