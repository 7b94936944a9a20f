import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Cid, cidOf } from '../../shared/hash/cid.ts';
import { executionFolder, receiptPath } from '../../shared/ids/ids.ts';
import type { Environment } from '../../shared/ledger/events.ts';
import { artifactsOf, type Execution, type PlanState } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, processorOf } from '../../shared/plan/admitted.ts';
import { stepOf } from '../../shared/plan/steps.ts';

export interface ReceiptDocument {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly cid: Cid;
  readonly memoKey: string;
}

/** What must be equal for two runs to be expected to give the same bytes. */
const deterministicPart = ({
  image_digest,
  claimed,
  cpu,
  memory_gb,
  gpu,
  timeout_s,
  present_env_keys,
}: Environment) => ({
  image_digest,
  // Nobody but the worker knows: never equal to a digest that somebody looked at.
  ...(claimed === undefined ? {} : { claimed }),
  cpu,
  memory_gb,
  ...(gpu === undefined ? {} : { gpu }),
  timeout_s,
  present_env_keys,
});

/** Outputs only: the log is a record of the run, and tells of times and attempts. */
function outputCids(state: PlanState, execution: Execution): Record<string, string> {
  const own = executionFolder(state.planId, execution.executionId);
  const outputs = artifactsOf(state, execution.executionId).filter(({ path }) => !path.startsWith(own));
  return Object.fromEntries(outputs.map(({ path, cid }) => [path, cid]));
}

/**
 * The determinism receipt of an ended execution (DESIGN "Receipts"): canonical JSON, from the ledger alone, so that
 * whoever makes it again makes the same bytes. Scratch is not in it.
 * @param plan undefined where its document cannot be read; it tells the params of an execution that never started
 */
export function receiptOf(state: PlanState, plan: AdmittedPlan | undefined, execution: Execution): ReceiptDocument {
  const { end, started, stepId, executionId, scheduled } = execution;
  const step = plan === undefined ? undefined : stepOf(plan, stepId);
  if (end === undefined || (plan !== undefined && step === undefined)) throw new Error(`${executionId} has not ended`);
  const environment = end.status === 'lost' ? undefined : end.environment;
  const inputs = Object.entries(started?.inputs ?? {});
  const inputCids = Object.fromEntries(inputs.map(([, { path, cid }]) => [path, cid]));
  const paramsCid = step === undefined ? (started?.params_cid ?? null) : cidOf(canonicalBytes(step.params));
  const memo = {
    processor: step?.processor ?? scheduled.processor,
    params_cid: paramsCid,
    // By name, not by path: two inputs that change places make other outputs, an input that moved does not.
    input_cids: Object.fromEntries(inputs.map(([name, { cid }]) => [name, cid])),
    environment: environment === undefined ? null : deterministicPart(environment),
  };
  const memoKey = cidOf(canonicalBytes(memo));
  const receipt = {
    v: 1,
    plan_id: state.planId,
    step_id: stepId,
    execution_id: executionId,
    attempt: execution.attempt,
    outcome: end.status,
    processor: plan === undefined || step === undefined ? scheduled.processor : processorOf(plan, step).ref,
    params_cid: paramsCid,
    input_cids: inputCids,
    output_cids: outputCids(state, execution),
    env_fingerprint: environment ?? null,
    env_fingerprint_hash: environment === undefined ? null : cidOf(canonicalBytes(environment)),
    memo_key: memoKey,
  };
  const path = receiptPath(state.planId, executionId);
  const bytes = canonicalBytes(receipt);
  return { path, bytes, cid: cidOf(bytes), memoKey };
}
