import type { ErrorCode } from '../../shared/errors/codes.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { executionId } from '../../shared/ids/ids.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { Draft, Environment, EventData } from '../../shared/ledger/events.ts';
import { type Execution, namesOtherwise, type PlanState, unstartedExecutions } from '../../shared/ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from '../../shared/plan/admitted.ts';
import { reserveFor } from '../../shared/plan/budget.ts';
import { TOLD_CHARACTERS } from '../../shared/plan/largest.ts';
import { progressOf, type Startable } from '../../shared/plan/progress.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { adaptersOf } from '../../shared/plan/steps.ts';
import { clip } from '../../shared/text/clip.ts';
import type { ArtifactStat } from '../../shared/world/artifact-store.ts';
import { type Failure, failedDraft, failure, failureOf, tailOf } from './outcome.ts';
import { MOST_WAITING, type PlacesByRuntime, placesInQueue } from './queue-places.ts';
import type { TimedResult } from './scrub.ts';

/** Executions that are ended in one commit; the commit itself triggers the next round. */
export const ENDS_PER_COMMIT = 100;

/** A retry may be waiting out its backoff for an hour: it must not keep an ending plan open. */
export const revoke = ({ executionId }: Execution): Draft => ({
  kind: 'execution.failed',
  data: {
    execution_id: executionId,
    code: 'ERR_CANCELLED',
    message: 'the plan was ending before it could start',
    retryable: false,
    duration_ms: 0,
  },
});

const revokes = (executions: readonly Execution[]): Decision => ({
  drafts: executions.slice(0, ENDS_PER_COMMIT).map(revoke),
});

/** Of a plan that has to end and whose document cannot be read: revokes what has not started, which needs no document. */
export const decideRevokes = (state: PlanState): Decision =>
  state.phase === 'admitted' && state.cancelRequested !== undefined ? revokes(unstartedExecutions(state)) : NOTHING;

export interface NextDecision extends Decision {
  /** A retry waits for room in the ledger. */
  readonly isWaiting?: boolean;
  /** When a retry may start that nothing else wakes the plan for. */
  readonly lookAtMs?: number | undefined;
}

/** What the decision depends on beside the plan. */
export interface Now {
  /** The clock of the server. */
  readonly nowMs: number;
  /** Whether the ledger has room for more than the ends of open plans. */
  readonly hasRoom: boolean;
  /** By runtime, how many more executions of its principal may begin to wait for slots; of one that is not named: any. */
  readonly places?: PlacesByRuntime;
}

/** What a plan asks for now: reserves and schedules what is ready and payable, or revokes what may not start any more. */
export function decideNext(state: PlanState, plan: AdmittedPlan, now: Now): NextDecision {
  if (state.phase !== 'admitted') return NOTHING;
  const progress = progressOf(state, plan);
  const { revocable } = progress;
  if (revocable.length > 0) return revokes(revocable);
  const drafts: Draft[] = [];
  let held = 0;
  let isWaiting = false;
  let lookAtMs: number | undefined;
  for (const [adapter, places] of placesInQueue(state, adaptersOf(plan), now.nowMs)) {
    places.due = Math.min(places.due, now.places?.get(adapter) ?? MOST_WAITING);
    if (places.due <= 0) continue;
    for (const startable of progress.startable(adapter, held)) {
      const { attempt, notBeforeMs } = startable;
      const place = notBeforeMs > now.nowMs ? 'backoff' : 'due';
      // What the ledger keeps for a plan holds each of its steps once.
      if (!now.hasRoom && attempt > 1) isWaiting = true;
      else if (places[place] <= 0) lookAtMs = Math.min(lookAtMs ?? notBeforeMs, notBeforeMs);
      else {
        places[place] -= 1;
        held += reserveFor(processorOf(plan, startable.step));
        drafts.push(...schedule(state.planId, plan, startable));
      }
      // The rest is looked at when one of those that wait has started.
      if (places.due <= 0) break;
    }
  }
  return { drafts, isWaiting, lookAtMs };
}

/** Of what is scheduled, what waits for a slot from now on, and for no end of a backoff. */
export const beginningToWait = (drafts: readonly Draft[], nowMs: number): EventData<'execution.scheduled'>[] =>
  drafts.flatMap(({ kind, data }) =>
    kind === 'execution.scheduled' && Date.parse(data.not_before) <= nowMs ? [data] : [],
  );

function schedule(planId: string, plan: AdmittedPlan, { step, attempt, notBeforeMs }: Startable): Draft[] {
  const id = executionId(planId, step.id, attempt);
  const reserve = reserveFor(processorOf(plan, step));
  const scheduled: Draft = {
    kind: 'execution.scheduled',
    data: {
      execution_id: id,
      step_id: step.id,
      attempt,
      processor: step.processor,
      adapter: step.adapter,
      not_before: new Date(notBeforeMs).toISOString(),
    },
  };
  if (reserve === 0) return [scheduled];
  return [{ kind: 'budget.reserved', data: { execution_id: id, usd_micro: reserve } }, scheduled];
}

/** What the World and the secrets say before an execution starts. */
export interface FoundAtStart {
  /** By name of the input; undefined where nothing is. */
  readonly inputs: Readonly<Record<string, ArtifactStat | undefined>>;
  /** Why the processor cannot have its secrets; undefined when it has them. */
  readonly fault?: Failure | undefined;
}

export type StartInputs = Readonly<Record<string, ArtifactStat>>;

/** What a run may start with: every input is there, and has the bytes that the ledger names. */
export function inputsOf(state: PlanState, step: AdmittedStep, found: FoundAtStart): StartInputs | Failure {
  const inputs: [string, ArtifactStat][] = [];
  for (const [name, path] of Object.entries(step.inputs)) {
    const stat = Object.hasOwn(found.inputs, name) ? found.inputs[name] : undefined;
    if (stat === undefined) return failure('ERR_INPUT_MISSING', `input ${name}: nothing at ${path}`);
    if (namesOtherwise(state, path, stat.cid)) {
      const named = state.artifacts.get(path)?.cid;
      return failure('ERR_CID_MISMATCH', `input ${name}: ${path} has ${stat.cid}, the ledger says ${named}`);
    }
    inputs.push([name, stat]);
  }
  // As members of their own, whatever they are called.
  return Object.fromEntries(inputs);
}

const isFailure = (one: StartInputs | Failure): one is Failure => typeof one.code === 'string';

export interface Start {
  readonly executionId: string;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly found: FoundAtStart;
  /** The dispatcher that starts it. */
  readonly worker: string;
  readonly nowMs: number;
}

export type StartDecision = Decision &
  (
    | { readonly kind: 'started'; readonly inputs: StartInputs; readonly deadlineMs: number }
    /** It must not start, and ends with that. */
    | { readonly kind: 'refused' }
    /** Another dispatcher was first, or it has ended. */
    | { readonly kind: 'taken' }
  );

/** Claims an execution, or ends it when it must not start. */
export function decideStart(state: PlanState, command: Start): StartDecision {
  const { executionId: id, step, processor, found, worker, nowMs } = command;
  const execution = state.executions.get(id);
  if (execution === undefined || execution.started !== undefined || execution.end !== undefined) {
    return { kind: 'taken', drafts: [] };
  }
  const refuse = (why: Failure): StartDecision => ({
    kind: 'refused',
    drafts: [failedDraft(why, { executionId: id, durationMs: 0, environment: undefined, logTail: '' })],
  });
  if (state.cancelRequested !== undefined) return refuse(failure('ERR_CANCELLED', 'the plan was cancelled'));
  if (found.fault !== undefined) return refuse(found.fault);
  const inputs = inputsOf(state, step, found);
  if (isFailure(inputs)) return refuse(inputs);
  const deadlineMs = nowMs + processor.runtime.timeout_s * 1000;
  const started: Draft = {
    kind: 'execution.started',
    data: {
      execution_id: id,
      worker,
      session: worker,
      deadline: new Date(deadlineMs).toISOString(),
      params_cid: cidOf(canonicalBytes(step.params)),
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, { path, cid }]) => [name, { path, cid }])),
    },
  };
  return { kind: 'started', inputs, deadlineMs, drafts: [started] };
}

/** What a run left, sealed, or why that is not what its processor declares. Only a run that ended well is looked at. */
export type Collected =
  | { readonly ok: true; readonly artifacts: readonly Draft[] }
  | { readonly ok: false; readonly why: Failure };

/** How a run ended, with what it left. Every text in it is scrubbed. */
export type End = { readonly executionId: string } & (
  | { readonly kind: 'lost'; readonly reason: string; readonly durationMs: number | null }
  | {
      readonly kind: 'ended';
      readonly result: TimedResult;
      readonly outputs: Collected;
      readonly log: readonly Draft[];
      readonly environment: Environment;
      /** This dispatcher ends what runs of the plan, whether it has read the cancellation or not. */
      readonly cancelled: boolean;
    }
);

export interface EndDecision extends Decision {
  readonly outcome?: 'succeeded' | 'lost' | ErrorCode;
}

/** Judges a run and records how it ended. Nothing when the ledger already knows: the first word counts. */
export function decideEnd(state: PlanState, end: End): EndDecision {
  const { executionId: id } = end;
  const execution = state.executions.get(id);
  if (execution === undefined || execution.end !== undefined) return NOTHING;
  if (end.kind === 'lost') {
    const reason = clip(end.reason, TOLD_CHARACTERS.message);
    const data = { execution_id: id, reason, duration_ms: end.durationMs };
    return { outcome: 'lost', drafts: [{ kind: 'execution.lost', data }] };
  }
  const { result, outputs, log, environment } = end;
  const { durationMs } = result;
  const cancelled = end.cancelled || state.cancelRequested !== undefined;
  const why = failureOf(result, cancelled) ?? (outputs.ok ? undefined : outputs.why);
  if (why !== undefined) {
    const about = { executionId: id, durationMs, environment, logTail: tailOf(result.text) };
    return { outcome: why.code, drafts: [...log, failedDraft(why, about)] };
  }
  const succeeded: Draft = {
    kind: 'execution.succeeded',
    data: { execution_id: id, duration_ms: durationMs, environment },
  };
  return { outcome: 'succeeded', drafts: [...(outputs.ok ? outputs.artifacts : []), ...log, succeeded] };
}

/** Milliseconds until an instant comes; 0 when it has. */
export const untilMs = (instant: string, nowMs: number): number => Math.max(0, Date.parse(instant) - nowMs);

/** Whether the run of a quarantined plan is to be ended: that plan gets no event any more, but no run outlives its deadline. */
export const isOverdue = ({ started, end }: Execution, nowMs: number): boolean =>
  started !== undefined && end === undefined && untilMs(started.deadline, nowMs) === 0;
