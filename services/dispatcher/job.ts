import { joinWorldPath } from '../../shared/ids/world-path.ts';
import type { Execution } from '../../shared/ledger/state.ts';
import type { AdmittedPlan, AdmittedStep } from '../../shared/plan/admitted.ts';
import { clearNames } from '../../shared/plan/clear-names.ts';
import { DEFAULT_MAX_OUTPUT_BYTES, type Processor } from '../../shared/plan/registry.ts';
import type { Job, JobInput, JobOutput, JobScratch } from '../../shared/runtime/contract.ts';
import type { ClearNames } from '../../shared/scratch/names.ts';
import { SCRATCH_PATH, signToken } from '../../shared/scratch/token.ts';
import type { ArtifactStat, ArtifactStore } from '../../shared/world/artifact-store.ts';

/** The scratch gateway of this deployment. */
export interface ScratchAccess {
  /** Base URL, as processors reach it. */
  readonly url: string;
  /** The key that its tokens are signed with. */
  readonly secret: Uint8Array;
}

export interface JobOptions {
  readonly planId: string;
  readonly executionId: string;
  readonly execution: Execution;
  readonly plan: AdmittedPlan;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly inputs: Readonly<Record<string, ArtifactStat>>;
  readonly store: ArtifactStore;
  readonly scratch: ScratchAccess | undefined;
  readonly deadlineMs: number;
}

/** A URL outlives the deadline by the time its last upload may take. */
const URL_MARGIN_S = 60;

async function jobInputs({ inputs, store, executionId }: JobOptions, ttlS: number): Promise<Record<string, JobInput>> {
  const entries = Object.entries(inputs).map(async ([name, stat]): Promise<[string, JobInput]> => {
    const { path, cid, size, contentType } = stat;
    const getUrl = await store.presign({ worldPath: path, ttlS, audience: 'public', readerId: executionId });
    return [name, { path, cid, size, content_type: contentType, get_url: getUrl }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function jobOutputs(options: JobOptions, ttlS: number): Promise<Record<string, JobOutput>> {
  const { step, processor, store, executionId } = options;
  const entries = processor.outputs.map(async (output): Promise<[string, JobOutput]> => {
    const path = joinWorldPath(step.write_prefix, output.path);
    const maxBytes = output.max_bytes ?? DEFAULT_MAX_OUTPUT_BYTES;
    const put = await store.presignPut({
      uploadId: executionId,
      worldPath: path,
      contentType: output.content_type,
      maxBytes,
      ttlS,
      audience: 'public',
    });
    const { content_type, required } = output;
    const headers = Object.keys(put.headers).length === 0 ? {} : { put_headers: { ...put.headers } };
    return [output.path, { path, content_type, required, max_bytes: maxBytes, put_url: put.url, ...headers }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Of each plan, computed once: a step must not cost what its whole plan does. */
const namesOf = new WeakMap<AdmittedPlan, ClearNames>();

function clearNamesOf(plan: AdmittedPlan): ClearNames {
  const names = namesOf.get(plan) ?? clearNames(plan);
  namesOf.set(plan, names);
  return names;
}

/** Admission refused the plan if there is no scratch here and the processor needs it. */
function jobScratch({ planId, executionId, plan, processor, scratch, deadlineMs }: JobOptions): JobScratch | undefined {
  if (scratch === undefined || processor.scratch.length === 0) return undefined;
  const grant = {
    plan_id: planId,
    execution_id: executionId,
    scratch: processor.scratch,
    clear_names: clearNamesOf(plan),
    expires_s: Math.ceil(deadlineMs / 1_000) + URL_MARGIN_S,
  };
  return { url: new URL(SCRATCH_PATH, scratch.url).href, token: signToken(grant, scratch.secret) };
}

/** The lowest version of the contract that says it all: a processor of version 1 is told nothing that it does not know. */
const versionOf = (outputs: Readonly<Record<string, JobOutput>>): Job['v'] =>
  Object.values(outputs).some(({ put_headers }) => put_headers !== undefined) ? 2 : 1;

/** What a processor is told (docs/processor-contract.md). Its URLs are credentials: it is stored nowhere. */
export async function buildJob(options: JobOptions): Promise<Job> {
  const { planId, executionId, execution, step, processor, deadlineMs } = options;
  const ttlS = processor.runtime.timeout_s + URL_MARGIN_S;
  const scratch = jobScratch(options);
  const [inputs, outputs] = await Promise.all([jobInputs(options, ttlS), jobOutputs(options, ttlS)]);
  return {
    v: versionOf(outputs),
    plan_id: planId,
    step_id: step.id,
    execution_id: executionId,
    attempt: execution.attempt,
    processor: processor.ref,
    params: { ...step.params },
    inputs,
    outputs,
    ...(scratch === undefined ? {} : { scratch }),
    deadline: new Date(deadlineMs).toISOString(),
  };
}
