import { EMPTY_HEAD, type Head } from './chain.ts';
import type { Environment, EventData } from './events.ts';

export type Phase = 'absent' | 'submitted' | 'admitted' | 'rejected' | 'settled';

/** How an execution ended. */
export type ExecutionEnd =
  | { readonly status: 'succeeded'; readonly durationMs: number; readonly environment: Environment }
  | {
      readonly status: 'failed';
      readonly durationMs: number;
      readonly environment: Environment | undefined;
      readonly code: string;
      readonly message: string;
      readonly retryable: boolean;
    }
  /** Its duration is null when nobody knows it. */
  | { readonly status: 'lost'; readonly durationMs: number | null; readonly reason: string };

export interface Execution {
  readonly executionId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly scheduled: EventData<'execution.scheduled'>;
  readonly scheduledAt: string;
  readonly started: EventData<'execution.started'> | undefined;
  readonly startedAt: string | undefined;
  readonly end: ExecutionEnd | undefined;
  readonly endedAt: string | undefined;
  readonly settled: EventData<'execution.settled'> | undefined;
  readonly reservedUsdMicro: number;
  readonly actualUsdMicro: number | undefined;
}

export type Artifact = EventData<'artifact.written'>;

/** Everything the ledger says of one plan. Built by `evolve` alone. */
export interface PlanState {
  readonly planId: string;
  readonly head: Head;
  readonly phase: Phase;
  readonly submitted: EventData<'plan.submitted'> | undefined;
  readonly submittedAt: string | undefined;
  readonly admitted: EventData<'plan.admitted'> | undefined;
  readonly rejected: EventData<'plan.rejected'> | undefined;
  /** `command_seq` of every command that was rejected: what makes admission idempotent where an id was given back. */
  readonly rejectedCommands: ReadonlySet<number>;
  readonly cancelRequested: EventData<'plan.cancel_requested'> | undefined;
  readonly settled: EventData<'plan.settled'> | undefined;
  readonly settledAt: string | undefined;
  /** Micro-dollars. `spent + held <= limit` at every prefix of the ledger; `held` is 0 at rest. */
  readonly budget: { readonly limit: number; readonly held: number; readonly spent: number };
  /** Reserved micro-dollars by execution id. */
  readonly reservations: ReadonlyMap<string, number>;
  /** By execution id, in the order they were scheduled. */
  readonly executions: ReadonlyMap<string, Execution>;
  /** Execution ids by step, in order of attempt. */
  readonly attempts: ReadonlyMap<string, readonly string[]>;
  /** Executions that are not settled yet. */
  readonly unsettled: ReadonlySet<string>;
  /** Steps of which an execution succeeded. */
  readonly stepsSucceeded: number;
  readonly artifacts: ReadonlyMap<string, Artifact>;
  readonly predicates: readonly EventData<'predicate.checked'>[];
  /** Highest watermark by series. */
  readonly series: ReadonlyMap<string, number>;
  /** Facts already recorded: what makes the sampler idempotent. */
  readonly facts: ReadonlySet<string>;
}

export const emptyState = (planId: string): PlanState => ({
  planId,
  head: EMPTY_HEAD,
  phase: 'absent',
  submitted: undefined,
  submittedAt: undefined,
  admitted: undefined,
  rejected: undefined,
  rejectedCommands: new Set(),
  cancelRequested: undefined,
  settled: undefined,
  settledAt: undefined,
  budget: { limit: 0, held: 0, spent: 0 },
  reservations: new Map(),
  executions: new Map(),
  attempts: new Map(),
  unsettled: new Set(),
  stepsSucceeded: 0,
  artifacts: new Map(),
  predicates: [],
  series: new Map(),
  facts: new Set(),
});

/** Whether the ledger names other bytes at this path than those found there: then what is there is none of the plan's. */
export function namesOtherwise(state: PlanState, path: string, cid: string): boolean {
  const named = state.artifacts.get(path);
  return named !== undefined && named.cid !== cid;
}
