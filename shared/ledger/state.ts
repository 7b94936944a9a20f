import { IsomorphError } from '../errors/isomorph-error.ts';
import { EMPTY_HEAD, type Head, headOf } from './chain.ts';
import type { Environment, EventData, EventOf, LedgerEvent } from './events.ts';
import { type Edit, PersistentMap, PersistentSet } from './persistent.ts';

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

/** Everything the ledger says of one plan. Built by `evolve` alone; whoever holds one holds it unchanged. */
export interface PlanState {
  readonly planId: string;
  readonly head: Head;
  readonly phase: Phase;
  readonly submitted: EventData<'plan.submitted'> | undefined;
  readonly submittedAt: string | undefined;
  readonly admitted: EventData<'plan.admitted'> | undefined;
  readonly rejected: EventData<'plan.rejected'> | undefined;
  /** `command_seq` of every command that was rejected: what makes admission idempotent where an id was given back. */
  readonly rejectedCommands: PersistentSet<number>;
  readonly cancelRequested: EventData<'plan.cancel_requested'> | undefined;
  readonly cancelRequestedAt: string | undefined;
  readonly settled: EventData<'plan.settled'> | undefined;
  readonly settledAt: string | undefined;
  /** Micro-dollars. `spent + held <= limit` at every prefix of the ledger; `held` is 0 at rest. */
  readonly budget: { readonly limit: number; readonly held: number; readonly spent: number };
  /** Reserved micro-dollars by execution id. */
  readonly reservations: PersistentMap<string, number>;
  /** By execution id, in the order they were scheduled. */
  readonly executions: PersistentMap<string, Execution>;
  /** Execution ids by step, in order of attempt. */
  readonly attempts: PersistentMap<string, readonly string[]>;
  /** Executions that are not settled yet. */
  readonly unsettled: PersistentSet<string>;
  /** Steps of which an execution succeeded. */
  readonly stepsSucceeded: number;
  readonly artifacts: PersistentMap<string, Artifact>;
  /** Paths that were written as an execution's, by its id. */
  readonly leftBy: PersistentMap<string, readonly string[]>;
  readonly predicates: readonly EventData<'predicate.checked'>[];
  /** Highest watermark by series. */
  readonly series: PersistentMap<string, number>;
  /** Facts already recorded: what makes the sampler idempotent. */
  readonly facts: PersistentSet<string>;
}

export const emptyState = (planId: string): PlanState => ({
  planId,
  head: EMPTY_HEAD,
  phase: 'absent',
  submitted: undefined,
  submittedAt: undefined,
  admitted: undefined,
  rejected: undefined,
  rejectedCommands: PersistentSet.of(),
  cancelRequested: undefined,
  cancelRequestedAt: undefined,
  settled: undefined,
  settledAt: undefined,
  budget: { limit: 0, held: 0, spent: 0 },
  reservations: PersistentMap.of(),
  executions: PersistentMap.of(),
  attempts: PersistentMap.of(),
  unsettled: PersistentSet.of(),
  stepsSucceeded: 0,
  artifacts: PersistentMap.of(),
  leftBy: PersistentMap.of(),
  predicates: [],
  series: PersistentMap.of(),
  facts: PersistentSet.of(),
});

/** Whether the ledger names other bytes at this path than those found there: then what is there is none of the plan's. */
export function namesOtherwise(state: PlanState, path: string, cid: string): boolean {
  const named = state.artifacts.get(path);
  return named !== undefined && named.cid !== cid;
}

/** How much a state holds: by this a cache of states is bounded. */
export const entriesOf = ({ executions, artifacts, facts }: PlanState): number =>
  1 + executions.size + artifacts.size + facts.size;

/** Whether nothing more is to happen in it; what is said of it may still be recorded, and the id of a rejected plan be used again. */
export const isOver = ({ phase }: PlanState): boolean => phase === 'settled' || phase === 'rejected';

/** Executions whose receipt and cost are not in the ledger yet, in the order in which they were scheduled. */
export const unsettledExecutions = ({ unsettled, executions }: PlanState): Execution[] =>
  [...unsettled].flatMap((id) => executions.get(id) ?? []);

/** Executions that have no end yet. */
export const openExecutions = (state: PlanState): Execution[] =>
  unsettledExecutions(state).filter(({ end }) => end === undefined);

/** Executions that have not started, and still may. */
export const unstartedExecutions = (state: PlanState): Execution[] =>
  openExecutions(state).filter(({ started }) => started === undefined);

/** What was written as an execution's: outputs, log and receipt. */
export const artifactsOf = ({ leftBy, artifacts }: PlanState, executionId: string): Artifact[] =>
  (leftBy.get(executionId) ?? [])
    .flatMap((path) => artifacts.get(path) ?? [])
    .filter(({ execution_id: id }) => id === executionId);

type Draftable<T> = { -readonly [K in keyof T]: T[K] };

/** The state while a fold owns it: nobody else sees it before it is given out, and then it is another one. */
export interface Scratchpad extends Draftable<PlanState> {
  edit: Edit;
}

type OfFact = Extract<LedgerEvent, { data: { fact_id: string } }>;

function change(state: Scratchpad, executionId: string, fields: Partial<Execution>): void {
  const execution = state.executions.get(executionId);
  if (execution === undefined) throw new IsomorphError('ERR_INTERNAL', `a rule let ${executionId} pass`);
  state.executions = state.executions.set(executionId, { ...execution, ...fields }, state.edit);
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
  const { edit } = state;
  state.attempts = state.attempts.set(stepId, [...(state.attempts.get(stepId) ?? []), executionId], edit);
  state.unsettled = state.unsettled.add(executionId, edit);
  const execution: Execution = {
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
  };
  state.executions = state.executions.set(executionId, execution, edit);
}

function end(state: Scratchpad, event: LedgerEvent & { data: { execution_id: string } }, how: ExecutionEnd): void {
  change(state, event.data.execution_id, { end: how, endedAt: event.ts });
  if (how.status === 'succeeded') state.stepsSucceeded += 1;
}

function reserve(state: Scratchpad, { data }: EventOf<'budget.reserved'>): void {
  state.reservations = state.reservations.set(data.execution_id, data.usd_micro, state.edit);
  state.budget = { ...state.budget, held: state.budget.held + data.usd_micro };
}

function settleBudget(state: Scratchpad, { data }: EventOf<'budget.settled'>): void {
  const { limit, held, spent } = state.budget;
  const { execution_id: id, reserved_usd_micro: reserved, actual_usd_micro: actual } = data;
  state.budget = { limit, held: held - reserved, spent: spent + actual };
  change(state, id, { actualUsdMicro: actual });
}

function recordFact(state: Scratchpad, event: OfFact): void {
  state.facts = state.facts.add(event.data.fact_id, state.edit);
  if (event.kind !== 'streams.sampled') return;
  const { series, watermark } = event.data;
  state.series = state.series.set(series, Math.max(watermark, state.series.get(series) ?? 0), state.edit);
}

function write(state: Scratchpad, { data }: EventOf<'artifact.written'>): void {
  const { path, execution_id: id } = data;
  state.artifacts = state.artifacts.set(path, data, state.edit);
  if (id !== undefined) state.leftBy = state.leftBy.set(id, [...(state.leftBy.get(id) ?? []), path], state.edit);
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
      if (state.submitted !== undefined) {
        state.rejectedCommands = state.rejectedCommands.add(state.submitted.command_seq, state.edit);
      }
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
      state.unsettled = state.unsettled.delete(event.data.execution_id, state.edit);
      break;
    case 'artifact.written':
      write(state, event);
      break;
    case 'predicate.checked':
      state.predicates = [...state.predicates, event.data];
      break;
    default:
      // Facts are left: a kind of another sort does not fit here, and needs a case above.
      recordFact(state, event);
  }
  state.head = headOf(event);
}
