import { IsomorphError } from '../errors/isomorph-error.ts';
import { headOf } from './chain.ts';
import type { EventData, EventOf, LedgerEvent } from './events.ts';
import { checkLegal } from './legal.ts';
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

/** What an event changes; that it is legal, {@link checkLegal} has seen. */
function reduce(state: Scratchpad, event: LedgerEvent): void {
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

function apply(state: Scratchpad, event: LedgerEvent): void {
  checkLegal(state, event);
  reduce(state, event);
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
  unsettled: new Set(state.unsettled),
  rejectedCommands: new Set(state.rejectedCommands),
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
