import { IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import { headOf } from './chain.ts';
import type { EventData, EventKind, LedgerEvent } from './events.ts';
import { type Artifact, type Execution, type ExecutionEnd, emptyState, type PlanState } from './state.ts';

type Draftable<T> = { -readonly [K in keyof T]: T[K] };

/** The state while one call of {@link evolve} owns it: its maps are private copies. */
interface Scratchpad extends Draftable<PlanState> {
  reservations: Map<string, number>;
  executions: Map<string, Execution>;
  attempts: Map<string, readonly string[]>;
  artifacts: Map<string, Artifact>;
  predicates: EventData<'predicate.checked'>[];
  series: Map<string, number>;
  facts: Set<string>;
}

type OfExecution = Extract<LedgerEvent, { kind: `execution.${string}` | 'budget.settled' }>;
type OfBudget = Extract<LedgerEvent, { kind: `budget.${string}` }>;
type OfFact = Extract<LedgerEvent, { data: { fact_id: string } }>;

function illegal(event: LedgerEvent, why: string): never {
  throw new IsomorphError('ERR_COMMIT_INVALID', `${event.kind} at seq ${event.seq} of ${event.plan_id}: ${why}`, {
    pointer: `/seq/${event.seq}`,
  });
}

/** The phase a plan must be in for an event to be legal; everything that is not named needs an admitted plan. */
const PHASE_BEFORE: Partial<Record<EventKind, PlanState['phase']>> = {
  'plan.submitted': 'absent',
  'lease.declared': 'submitted',
  'plan.admitted': 'submitted',
  'plan.rejected': 'submitted',
};

const executionOf = (state: Scratchpad, event: OfExecution): Execution =>
  state.executions.get(event.data.execution_id) ?? illegal(event, `no execution ${event.data.execution_id}`);

function change(state: Scratchpad, execution: Execution, fields: Partial<Execution>): void {
  state.executions.set(execution.executionId, { ...execution, ...fields });
}

function schedule(state: Scratchpad, event: Extract<LedgerEvent, { kind: 'execution.scheduled' }>): void {
  const { execution_id: executionId, step_id: stepId, attempt } = event.data;
  const before = state.attempts.get(stepId) ?? [];
  if (attempt !== before.length + 1) illegal(event, `attempt ${attempt} follows ${before.length}`);
  const previous = state.executions.get(before.at(-1) ?? '');
  if (previous !== undefined && previous.end === undefined) illegal(event, `${previous.executionId} has not ended`);
  state.attempts.set(stepId, [...before, executionId]);
  state.executions.set(executionId, {
    executionId,
    stepId,
    attempt,
    scheduled: event.data,
    scheduledAt: event.ts,
    started: undefined,
    startedAt: undefined,
    end: undefined,
    endedAt: undefined,
    settled: undefined,
    reservedUsdMicro: state.reservations.get(executionId) ?? 0,
    actualUsdMicro: undefined,
  });
}

function start(state: Scratchpad, event: Extract<LedgerEvent, { kind: 'execution.started' }>): void {
  const execution = executionOf(state, event);
  if (execution.started !== undefined) illegal(event, 'it has already started');
  if (execution.end !== undefined) illegal(event, 'it has already ended');
  change(state, execution, { started: event.data, startedAt: event.ts });
}

function end(state: Scratchpad, event: OfExecution, how: ExecutionEnd): void {
  const execution = executionOf(state, event);
  if (execution.end !== undefined) illegal(event, `it has already ended as ${execution.end.status}`);
  change(state, execution, { end: how, endedAt: event.ts });
}

function settleExecution(state: Scratchpad, event: Extract<LedgerEvent, { kind: 'execution.settled' }>): void {
  const execution = executionOf(state, event);
  if (execution.actualUsdMicro === undefined) illegal(event, 'its budget is not settled');
  if (execution.settled !== undefined) illegal(event, 'it is already settled');
  change(state, execution, { settled: event.data });
}

function applyBudget(state: Scratchpad, event: OfBudget): void {
  const { limit, held, spent } = state.budget;
  if (event.kind === 'budget.reserved') {
    const { execution_id: id, usd_micro: amount } = event.data;
    if (state.reservations.has(id)) illegal(event, 'it is already reserved');
    if (spent + held + amount > limit) illegal(event, `spent ${spent} + held ${held} + ${amount} exceeds ${limit}`);
    state.reservations.set(id, amount);
    state.budget = { limit, held: held + amount, spent };
    return;
  }
  const execution = executionOf(state, event);
  const { reserved_usd_micro: reserved, actual_usd_micro: actual } = event.data;
  if (execution.actualUsdMicro !== undefined) illegal(event, 'its budget is already settled');
  if (execution.end === undefined) illegal(event, 'it has not ended');
  if (reserved !== execution.reservedUsdMicro) illegal(event, `it reserved ${execution.reservedUsdMicro}`);
  if (actual > reserved) illegal(event, `${actual} is more than it reserved`);
  state.budget = { limit, held: held - reserved, spent: spent + actual };
  change(state, execution, { actualUsdMicro: actual });
}

function writeArtifact(state: Scratchpad, event: Extract<LedgerEvent, { kind: 'artifact.written' }>): void {
  const before = state.artifacts.get(event.data.path);
  if (before !== undefined && before.cid !== event.data.cid) illegal(event, `${event.data.path} is immutable`);
  state.artifacts.set(event.data.path, event.data);
}

function recordFact(state: Scratchpad, event: OfFact): void {
  if (state.facts.has(event.data.fact_id)) illegal(event, `fact ${event.data.fact_id} is already recorded`);
  state.facts.add(event.data.fact_id);
  if (event.kind === 'streams.sampled') {
    const { series, watermark } = event.data;
    state.series.set(series, Math.max(watermark, state.series.get(series) ?? 0));
  }
}

function settlePlan(state: Scratchpad, event: Extract<LedgerEvent, { kind: 'plan.settled' }>): void {
  const { held, spent } = state.budget;
  if (held !== 0) illegal(event, `${held} micro-dollars are still held`);
  // One that reserved nothing holds nothing, and would be forgotten without its end and its receipt.
  const open = [...state.executions.values()].find((execution) => execution.settled === undefined);
  if (open !== undefined) illegal(event, `${open.executionId} is not settled`);
  if (event.data.spent_usd_micro !== spent) illegal(event, `the plan spent ${spent}`);
  state.phase = 'settled';
  state.settled = event.data;
  state.settledAt = event.ts;
}

function apply(state: Scratchpad, event: LedgerEvent): void {
  const needed = PHASE_BEFORE[event.kind] ?? 'admitted';
  if (state.phase !== needed) illegal(event, `the plan is ${state.phase}, not ${needed}`);
  switch (event.kind) {
    case 'plan.submitted':
      state.phase = 'submitted';
      state.submitted = event.data;
      state.submittedAt = event.ts;
      break;
    case 'plan.admitted':
      state.phase = 'admitted';
      state.admitted = event.data;
      state.budget = { limit: event.data.budget_limit_usd_micro, held: 0, spent: 0 };
      break;
    case 'plan.rejected':
      state.phase = 'rejected';
      state.rejected = event.data;
      break;
    case 'plan.cancel_requested':
      state.cancelRequested ??= event.data;
      break;
    case 'plan.settled':
      settlePlan(state, event);
      break;
    case 'lease.declared':
      break;
    case 'budget.reserved':
    case 'budget.settled':
      applyBudget(state, event);
      break;
    case 'execution.scheduled':
      schedule(state, event);
      break;
    case 'execution.started':
      start(state, event);
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
      settleExecution(state, event);
      break;
    case 'artifact.written':
      writeArtifact(state, event);
      break;
    case 'predicate.checked':
      state.predicates.push(event.data);
      break;
    case 'scratch.queue.published':
    case 'scratch.queue.retry':
    case 'scratch.queue.deadletter':
    case 'scratch.kv.changed':
    case 'scratch.sampled':
    case 'streams.sampled':
      recordFact(state, event);
      break;
    default:
      unreachable(event);
  }
  state.head = headOf(event);
}

const open = (state: PlanState): Scratchpad => ({
  ...state,
  reservations: new Map(state.reservations),
  executions: new Map(state.executions),
  attempts: new Map(state.attempts),
  artifacts: new Map(state.artifacts),
  predicates: [...state.predicates],
  series: new Map(state.series),
  facts: new Set(state.facts),
});

/**
 * The state after `events`, which must follow `state.head`. Pure: `state` is left as it was, so that an append
 * that loses its race costs nothing. Copies the maps once a call, so give it whole commits or whole chains.
 * @throws ERR_COMMIT_INVALID when an event is not legal in the state before it, with its seq.
 */
export function evolve(state: PlanState, events: readonly LedgerEvent[]): PlanState {
  const next = open(state);
  for (const event of events) apply(next, event);
  return next;
}

/** The state of a plan from its whole chain. */
export const fold = (planId: string, events: readonly LedgerEvent[]): PlanState => evolve(emptyState(planId), events);

/** {@link evolve} for one who meets the events singly: one copy of the state, one owner. */
export class Fold {
  readonly #state: Scratchpad;

  constructor(from: PlanState) {
    this.#state = open(from);
  }

  /** Valid until the next call of {@link apply}. */
  get state(): PlanState {
    return this.#state;
  }

  /** @throws ERR_COMMIT_INVALID when the event is not legal here; the state is then as it was. */
  apply(event: LedgerEvent): void {
    apply(this.#state, event);
  }
}
