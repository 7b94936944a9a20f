import { IsomorphError } from '../errors/isomorph-error.ts';
import { EMPTY_HEAD, type Head, headOf } from './chain.ts';
import type { Environment, EventData, EventOf, LedgerEvent } from './events.ts';

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
  readonly cancelRequestedAt: string | undefined;
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
  cancelRequestedAt: undefined,
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

type Draftable<T> = { -readonly [K in keyof T]: T[K] };

/** The state while one call of `evolve` owns it: its maps are private copies. */
export interface Scratchpad extends Draftable<PlanState> {
  reservations: Map<string, number>;
  executions: Map<string, Execution>;
  attempts: Map<string, readonly string[]>;
  artifacts: Map<string, Artifact>;
  predicates: EventData<'predicate.checked'>[];
  series: Map<string, number>;
  facts: Set<string>;
  unsettled: Set<string>;
  rejectedCommands: Set<number>;
}

type OfFact = Extract<LedgerEvent, { data: { fact_id: string } }>;

function change(state: Scratchpad, executionId: string, fields: Partial<Execution>): Execution {
  const execution = state.executions.get(executionId);
  if (execution === undefined) throw new IsomorphError('ERR_INTERNAL', `a rule let ${executionId} pass`);
  const changed = { ...execution, ...fields };
  state.executions.set(executionId, changed);
  return changed;
}

function submit(state: Scratchpad, { data, ts }: EventOf<'plan.submitted'>): void {
  // After a rejection, which leaves nothing behind but its reasons.
  state.phase = 'submitted';
  state.submitted = data;
  state.submittedAt = ts;
  state.rejected = undefined;
}

function schedule(state: Scratchpad, { data, ts }: EventOf<'execution.scheduled'>): void {
  const { execution_id: executionId, step_id: stepId, attempt } = data;
  state.attempts.set(stepId, [...(state.attempts.get(stepId) ?? []), executionId]);
  state.unsettled.add(executionId);
  state.executions.set(executionId, {
    executionId,
    stepId,
    attempt,
    scheduled: data,
    scheduledAt: ts,
    started: undefined,
    startedAt: undefined,
    end: undefined,
    endedAt: undefined,
    settled: undefined,
    reservedUsdMicro: state.reservations.get(executionId) ?? 0,
    actualUsdMicro: undefined,
  });
}

function end(state: Scratchpad, event: LedgerEvent & { data: { execution_id: string } }, how: ExecutionEnd): void {
  change(state, event.data.execution_id, { end: how, endedAt: event.ts });
  if (how.status === 'succeeded') state.stepsSucceeded += 1;
}

function reserve(state: Scratchpad, { data }: EventOf<'budget.reserved'>): void {
  state.reservations.set(data.execution_id, data.usd_micro);
  state.budget = { ...state.budget, held: state.budget.held + data.usd_micro };
}

function settleBudget(state: Scratchpad, { data }: EventOf<'budget.settled'>): void {
  const { limit, held, spent } = state.budget;
  const { execution_id: id, reserved_usd_micro: reserved, actual_usd_micro: actual } = data;
  state.budget = { limit, held: held - reserved, spent: spent + actual };
  change(state, id, { actualUsdMicro: actual });
}

function recordFact(state: Scratchpad, event: OfFact): void {
  state.facts.add(event.data.fact_id);
  if (event.kind !== 'streams.sampled') return;
  const { series, watermark } = event.data;
  state.series.set(series, Math.max(watermark, state.series.get(series) ?? 0));
}

/** What an event changes. That it is legal, whoever calls has seen. */
export function reduce(state: Scratchpad, event: LedgerEvent): void {
  switch (event.kind) {
    case 'plan.submitted':
      submit(state, event);
      break;
    case 'plan.admitted':
      state.phase = 'admitted';
      state.admitted = event.data;
      state.budget = { limit: event.data.budget_limit_usd_micro, held: 0, spent: 0 };
      break;
    case 'plan.rejected':
      state.phase = 'rejected';
      state.rejected = event.data;
      if (state.submitted !== undefined) state.rejectedCommands.add(state.submitted.command_seq);
      break;
    case 'plan.cancel_requested':
      state.cancelRequested = event.data;
      state.cancelRequestedAt = event.ts;
      break;
    case 'plan.settled':
      state.phase = 'settled';
      state.settled = event.data;
      state.settledAt = event.ts;
      break;
    case 'lease.declared':
      break;
    case 'budget.reserved':
      reserve(state, event);
      break;
    case 'budget.settled':
      settleBudget(state, event);
      break;
    case 'execution.scheduled':
      schedule(state, event);
      break;
    case 'execution.started':
      change(state, event.data.execution_id, { started: event.data, startedAt: event.ts });
      break;
    case 'execution.succeeded': {
      const { duration_ms: durationMs, environment } = event.data;
      end(state, event, { status: 'succeeded', durationMs, environment });
      break;
    }
    case 'execution.failed': {
      const { duration_ms: durationMs, environment, code, message, retryable } = event.data;
      end(state, event, { status: 'failed', durationMs, environment, code, message, retryable });
      break;
    }
    case 'execution.lost':
      end(state, event, { status: 'lost', durationMs: event.data.duration_ms, reason: event.data.reason });
      break;
    case 'execution.settled':
      change(state, event.data.execution_id, { settled: event.data });
      state.unsettled.delete(event.data.execution_id);
      break;
    case 'artifact.written':
      state.artifacts.set(event.data.path, event.data);
      break;
    case 'predicate.checked':
      state.predicates.push(event.data);
      break;
    default:
      // Facts are left: a kind of another sort does not fit here, and needs a case above.
      recordFact(state, event);
  }
  state.head = headOf(event);
}

export const scratchpadOf = (state: PlanState): Scratchpad => ({
  ...state,
  reservations: new Map(state.reservations),
  executions: new Map(state.executions),
  attempts: new Map(state.attempts),
  artifacts: new Map(state.artifacts),
  predicates: [...state.predicates],
  series: new Map(state.series),
  facts: new Set(state.facts),
  unsettled: new Set(state.unsettled),
  rejectedCommands: new Set(state.rejectedCommands),
});
