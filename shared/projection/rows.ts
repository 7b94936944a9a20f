import { unreachable } from '../errors/isomorph-error.ts';
import type { Reading, Standing } from '../ledger/reading.ts';
import type { Artifact, Execution, PlanState } from '../ledger/state.ts';
import type { AdmittedPlan, AdmittedStep } from '../plan/admitted.ts';
import { progressOf } from '../plan/progress.ts';
import type { StepProgress } from '../plan/steps.ts';
import { EXECUTION_COLUMNS, PLAN_COLUMNS, rowMaker } from './columns.ts';
import type { Row, Rows } from './tables.ts';

const planRow = rowMaker(PLAN_COLUMNS);
const makeExecutionRow = rowMaker(EXECUTION_COLUMNS);

/** Made once of each state of an execution: a step must not cost what the others of its plan do. */
const executionRows = new WeakMap<Execution, Row<'executions'>>();

function executionRow(planId: string, execution: Execution): Row<'executions'> {
  const row = executionRows.get(execution) ?? makeExecutionRow({ planId, execution });
  executionRows.set(execution, row);
  return row;
}

type StepStatus = 'waiting' | 'ready' | 'scheduled' | 'running' | 'succeeded' | 'failed' | 'skipped';

function stepStatus(progress: StepProgress, settled: boolean): StepStatus {
  switch (progress.status) {
    case 'waiting':
    case 'ready':
      // Nothing starts in a plan that has ended, such as a step that its budget could not pay.
      return settled ? 'skipped' : progress.status;
    case 'open':
      return progress.execution.started === undefined ? 'scheduled' : 'running';
    case 'succeeded':
    case 'failed':
    case 'skipped':
      return progress.status;
    default:
      return unreachable(progress);
  }
}

/** Undefined when the last attempt ended at a time that no calendar has. */
function notBefore(progress: StepProgress): string | null {
  if (progress.status !== 'ready' || Number.isNaN(progress.notBeforeMs)) return null;
  return new Date(progress.notBeforeMs).toISOString();
}

function stepRow(state: PlanState, step: AdmittedStep, position: number, progress: StepProgress): Row<'steps'> {
  const attempts = state.attempts.get(step.id) ?? [];
  const status = stepStatus(progress, state.phase === 'settled');
  return {
    plan_id: state.planId,
    step_id: step.id,
    position,
    processor: step.processor,
    adapter: step.adapter,
    needs: step.needs,
    inputs: step.inputs,
    write_prefix: step.write_prefix,
    status,
    attempts: attempts.length,
    execution_id: attempts.at(-1) ?? null,
    not_before: status === 'ready' ? notBefore(progress) : null,
  };
}

/** As {@link executionRows}: an artifact keeps its place. */
const artifactRows = new WeakMap<Artifact, Row<'artifacts'>>();

function artifactRow(planId: string, artifact: Artifact, position: number): Row<'artifacts'> {
  const row = artifactRows.get(artifact) ?? {
    plan_id: planId,
    position,
    path: artifact.path,
    cid: artifact.cid,
    sha256: artifact.sha256,
    size_bytes: artifact.size,
    content_type: artifact.content_type,
    execution_id: artifact.execution_id ?? null,
  };
  artifactRows.set(artifact, row);
  return row;
}

const receiptRows = (state: PlanState): Row<'receipts'>[] =>
  [...state.executions.values()].flatMap(({ executionId, stepId, settled }) =>
    settled?.receipt_stored !== true
      ? []
      : {
          plan_id: state.planId,
          execution_id: executionId,
          step_id: stepId,
          path: settled.receipt_path,
          cid: settled.receipt_cid,
          memo_key: settled.memo_key,
        },
  );

function standingRows({ planId, head }: PlanState, standing: Standing): Row<'standings'>[] {
  if (standing.kind === 'known') return [];
  const reason = standing.kind === 'newer' ? standing.why : standing.error.message;
  return [{ plan_id: planId, standing: standing.kind, seq: standing.seq, reason, known_until: head.ts }];
}

/**
 * What the ledger says of one plan, as rows: the projector writes them and fsck expects them. Pure. Rows never vanish
 * as a plan goes on (that of its standing goes when another version reads it), and of a value that did not change the same object is given.
 * @param reading of its chain; of one that is not known to its end the rows are as far as it is, and say so
 * @param plan its admitted document; without it there are no rows of steps and no title
 * @param documentFault why that document cannot be read
 */
export function rowsOf(
  { state, head, standing }: Reading,
  plan: AdmittedPlan | undefined,
  documentFault?: string,
): Rows {
  const progress = plan === undefined ? undefined : progressOf(state, plan);
  const steps = (plan?.steps ?? []).map((step, position) =>
    stepRow(state, step, position, progress?.steps.get(step.id) ?? { status: 'waiting' }),
  );
  const { limit, held, spent } = state.budget;
  const budget = {
    plan_id: state.planId,
    limit_usd_micro: limit,
    held_usd_micro: held,
    spent_usd_micro: spent,
  };
  return {
    plans: [planRow({ state, plan, documentFault, head })],
    steps,
    executions: [...state.executions.values()].map((execution) => executionRow(state.planId, execution)),
    artifacts: [...state.artifacts.values()].map((artifact, at) => artifactRow(state.planId, artifact, at)),
    receipts: receiptRows(state),
    budgets: state.admitted === undefined ? [] : [budget],
    standings: standingRows(state, standing),
  };
}
