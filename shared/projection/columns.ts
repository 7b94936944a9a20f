import { unreachable } from '../errors/isomorph-error.ts';
import type { Head } from '../ledger/chain.ts';
import type { Execution, PlanState } from '../ledger/state.ts';
import type { AdmittedPlan } from '../plan/admitted.ts';

/** How a column is stored, and so how a value of it is written and compared. */
export type ColumnType = 'text' | 'bigint' | 'boolean' | 'timestamptz' | 'jsonb';

export interface ValueOf {
  readonly text: string;
  readonly bigint: number;
  readonly boolean: boolean;
  /** RFC 3339, UTC, with milliseconds. */
  readonly timestamptz: string;
  /** Any JSON value. */
  readonly jsonb: object;
}

/** A column: how it is stored, and what it says of its subject. */
interface Column<Subject, T extends ColumnType> {
  readonly type: T;
  readonly of: (subject: Subject) => ValueOf[T] | null | undefined;
  /** Its name where `isomorph show` has it among the facts of a plan. */
  readonly shownAs?: string;
}

type Columns<Subject> = Readonly<Record<string, { [T in ColumnType]: Column<Subject, T> }[ColumnType]>>;

/** What a row of `plans` is of. */
export interface PlanSubject {
  readonly state: PlanState;
  /** Absent where its document is not to be had. */
  readonly plan: AdmittedPlan | undefined;
  /** Why it is not to be had; undefined also where nobody tried. */
  readonly documentFault: string | undefined;
  /** Of the chain, also beyond what is known of it. */
  readonly head: Head;
}

type PlanStatus = 'absent' | 'submitted' | 'running' | 'cancelling' | 'rejected' | 'succeeded' | 'failed' | 'cancelled';

/** One word for people: how a plan ended, or how far it is. */
function planStatus(state: PlanState): PlanStatus {
  switch (state.phase) {
    case 'absent':
    case 'submitted':
    case 'rejected':
      return state.phase;
    case 'admitted':
      return state.cancelRequested === undefined ? 'running' : 'cancelling';
    case 'settled':
      return state.settled?.status ?? 'failed';
    default:
      return unreachable(state.phase);
  }
}

const NO_FAULTS: readonly never[] = [];

/**
 * Every column of `plans`, in its order: table, row, fsck and `show` come from here, and a database that lacks one
 * gets it when the projector starts. A new one stands last.
 */
export const PLAN_COLUMNS = {
  plan_id: { type: 'text', of: ({ state }) => state.planId },
  phase: { type: 'text', of: ({ state }) => state.phase },
  status: { type: 'text', of: ({ state }) => planStatus(state) },
  title: { type: 'text', of: ({ plan }) => plan?.title },
  policy: { type: 'text', of: ({ state }) => state.admitted?.policy, shownAs: 'policy' },
  steps: { type: 'bigint', of: ({ state }) => state.admitted?.steps },
  plan_path: { type: 'text', of: ({ state }) => state.submitted?.plan_path },
  plan_cid: { type: 'text', of: ({ state }) => state.submitted?.plan_cid },
  plan_bytes: { type: 'bigint', of: ({ state }) => state.submitted?.bytes },
  admitted_path: { type: 'text', of: ({ state }) => state.admitted?.admitted_path },
  admitted_cid: { type: 'text', of: ({ state }) => state.admitted?.admitted_cid },
  submitted_at: { type: 'timestamptz', of: ({ state }) => state.submittedAt },
  deadline: { type: 'timestamptz', of: ({ state }) => state.admitted?.deadline },
  cancel_reason: { type: 'text', of: ({ state }) => state.cancelRequested?.reason },
  settled_at: { type: 'timestamptz', of: ({ state }) => state.settledAt },
  faults: { type: 'jsonb', of: ({ state }) => state.settled?.faults ?? state.rejected?.faults ?? NO_FAULTS },
  head_seq: { type: 'bigint', of: ({ head }) => head.seq },
  head_hash: { type: 'text', of: ({ head }) => head.hash },
  head_ts: { type: 'timestamptz', of: ({ head }) => head.ts },
  document_fault: { type: 'text', of: ({ documentFault }) => documentFault },
} as const satisfies Columns<PlanSubject>;

/** What a row of `executions` is of. */
export interface ExecutionSubject {
  readonly planId: string;
  readonly execution: Execution;
}

const failed = ({ end }: Execution) => (end?.status === 'failed' ? end : undefined);
const lost = ({ end }: Execution) => (end?.status === 'lost' ? end : undefined);

/** Every column of `executions`, as {@link PLAN_COLUMNS} of `plans`. */
export const EXECUTION_COLUMNS = {
  plan_id: { type: 'text', of: ({ planId }) => planId },
  execution_id: { type: 'text', of: ({ execution }) => execution.executionId },
  step_id: { type: 'text', of: ({ execution }) => execution.stepId },
  attempt: { type: 'bigint', of: ({ execution }) => execution.attempt },
  processor: { type: 'text', of: ({ execution }) => execution.scheduled.processor },
  adapter: { type: 'text', of: ({ execution }) => execution.scheduled.adapter },
  status: {
    type: 'text',
    of: ({ execution: { end, started } }) => end?.status ?? (started === undefined ? 'scheduled' : 'running'),
  },
  scheduled_at: { type: 'timestamptz', of: ({ execution }) => execution.scheduledAt },
  not_before: { type: 'timestamptz', of: ({ execution }) => execution.scheduled.not_before },
  started_at: { type: 'timestamptz', of: ({ execution }) => execution.startedAt },
  deadline: { type: 'timestamptz', of: ({ execution }) => execution.started?.deadline },
  ended_at: { type: 'timestamptz', of: ({ execution }) => execution.endedAt },
  worker: { type: 'text', of: ({ execution }) => execution.started?.worker },
  params_cid: { type: 'text', of: ({ execution }) => execution.started?.params_cid },
  inputs: { type: 'jsonb', of: ({ execution }) => execution.started?.inputs },
  duration_ms: { type: 'bigint', of: ({ execution }) => execution.end?.durationMs },
  code: {
    type: 'text',
    of: ({ execution }) =>
      failed(execution)?.code ?? (lost(execution) === undefined ? undefined : 'ERR_EXECUTION_LOST'),
  },
  message: { type: 'text', of: ({ execution }) => failed(execution)?.message ?? lost(execution)?.reason },
  retryable: { type: 'boolean', of: ({ execution }) => failed(execution)?.retryable },
  environment: {
    type: 'jsonb',
    of: ({ execution: { end } }) => (end?.status === 'lost' ? undefined : end?.environment),
  },
  reserved_usd_micro: { type: 'bigint', of: ({ execution }) => execution.reservedUsdMicro },
  actual_usd_micro: { type: 'bigint', of: ({ execution }) => execution.actualUsdMicro },
} as const satisfies Columns<ExecutionSubject>;

/** Names and types, as the other tables have them. */
export const typesOf = <C extends Columns<never>>(columns: C): { readonly [N in keyof C]: C[N]['type'] } =>
  Object.fromEntries(Object.entries(columns).map(([name, { type }]) => [name, type])) as {
    readonly [N in keyof C]: C[N]['type'];
  };

type RowOf<C extends Columns<never>> = { readonly [N in keyof C]: ValueOf[C[N]['type']] | null };

type SubjectOf<C extends Columns<never>> = Parameters<C[keyof C]['of']>[0];

/** A function that gives the row of a subject. */
export function rowMaker<C extends Columns<never>>(columns: C): (subject: SubjectOf<C>) => RowOf<C> {
  const named: [string, { of(subject: SubjectOf<C>): unknown }][] = Object.entries(columns);
  return (subject) => {
    const row: Record<string, unknown> = {};
    for (const [name, { of }] of named) row[name] = of(subject) ?? null;
    return row as RowOf<C>;
  };
}
