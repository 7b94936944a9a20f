import { canonicalBytes } from '../hash/canonical.ts';
import { cidOf } from '../hash/cid.ts';
import { executionFolder, stepOfExecution } from '../ids/ids.ts';
import { joinWorldPath } from '../ids/world-path.ts';
import type { EventKind, EventOf, LedgerEvent } from '../ledger/events.ts';
import type { Execution, PlanState } from '../ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf, UNREAD_PREDICATES } from './admitted.ts';
import { actualFor, reserveFor } from './budget.ts';
import { progressOf, statusAtEnd } from './progress.ts';

/** A plan as it stands before an event, and what it was admitted as. */
export interface Audited {
  readonly plan: AdmittedPlan;
  readonly state: PlanState;
  readonly steps: ReadonlyMap<string, AdmittedStep>;
  /** A step that ended without success and is not tried again. */
  readonly failedStep: string | undefined;
}

export interface Contradiction {
  readonly found: string;
  readonly expected: string;
}

/** One thing that must hold between an event and the admitted plan. Pure, and no slower for a plan of many steps. */
export interface DocumentRule<E extends LedgerEvent> {
  readonly name: string;
  /** For people: `docs/events.md`. */
  readonly says: string;
  /** Undefined when the rule is kept. */
  readonly broken: (audited: Audited, event: E) => Contradiction | undefined;
}

type Broken<K extends EventKind> = DocumentRule<EventOf<K>>['broken'];

const rule = <K extends EventKind>(name: string, says: string, broken: Broken<K>): DocumentRule<EventOf<K>> => ({
  name,
  says,
  broken,
});

const differs = (what: string, found: unknown, expected: unknown): Contradiction | undefined =>
  found === expected ? undefined : { found: `${what} is ${String(found)}`, expected: String(expected) };

interface Of {
  readonly execution: Execution;
  readonly step: AdmittedStep;
}

/** For a rule that a plan without that step cannot break: the scheduling was told. */
const ofExecution =
  <E extends LedgerEvent & { data: { execution_id?: string } }>(
    broken: (of: Of, audited: Audited, event: E) => Contradiction | undefined,
  ): DocumentRule<E>['broken'] =>
  (audited, event) => {
    const execution = audited.state.executions.get(event.data.execution_id ?? '');
    const step = audited.steps.get(execution?.stepId ?? '');
    return execution === undefined || step === undefined ? undefined : broken({ execution, step }, audited, event);
  };

const isDone = ({ attempts, executions }: PlanState, stepId: string): boolean =>
  executions.get(attempts.get(stepId)?.at(-1) ?? '')?.end?.status === 'succeeded';

// The plan

export const admittedAsTold = rule<'plan.admitted'>(
  'admittedAsTold',
  'id, policy, budget and the numbers of steps and predicates are those of the admitted plan',
  ({ plan }, { plan_id, data }) =>
    differs('the plan', plan_id, plan.plan_id) ??
    differs('policy', data.policy, plan.policy) ??
    differs('budget_limit_usd_micro', data.budget_limit_usd_micro, plan.budget_limit_usd_micro) ??
    differs('the number of steps', data.steps, plan.steps.length) ??
    // Version 1 does not tell.
    differs('the number of predicates', data.predicates ?? plan.predicates.length, plan.predicates.length),
);

export const endAsReached = rule<'plan.settled'>(
  'endAsReached',
  'nothing is open and nothing can start any more; how it ends follows from its steps, its predicates, and who cancelled it',
  ({ plan, state }, { data: { status } }) => {
    const progress = progressOf(state, plan);
    if (!progress.finished) {
      return {
        found: `it is ${status} while steps of it can go on`,
        expected: 'an end when nothing can start any more',
      };
    }
    const [checked, all] = [state.predicates.length, plan.predicates.length];
    if (progress.everyStepSucceeded && checked !== all && state.predicates.every(({ ok }) => ok)) {
      return { found: `${checked} predicates were checked`, expected: `${all} before the end` };
    }
    return differs('status', status, statusAtEnd(state, progress, state.predicates));
  },
);

// The budget

export const reserveOfEntry = rule<'budget.reserved'>(
  'reserveOfEntry',
  'the amount is what the registry entry of the step says: fixed cost + cost a second × timeout',
  ({ plan, steps }, { data: { execution_id: id, usd_micro: amount } }) => {
    const step = steps.get(stepOfExecution(id));
    // What is scheduled for it is told.
    return step === undefined ? undefined : differs('usd_micro', amount, reserveFor(processorOf(plan, step)));
  },
);

export const costOfEntry = rule<'budget.settled'>(
  'costOfEntry',
  'the cost is what the registry entry makes of the duration, and nothing for what never started; or the whole reserve, where the plan had to end: nobody may have been able to read the entry then',
  ofExecution(({ execution: { started, end, reservedUsdMicro }, step }, { plan, state }, { data }) => {
    const isUnread = state.cancelRequested !== undefined && started !== undefined;
    if (isUnread && data.actual_usd_micro === reservedUsdMicro) return undefined;
    const used = started === undefined ? 0 : actualFor(processorOf(plan, step), end?.durationMs ?? null);
    return differs('actual_usd_micro', data.actual_usd_micro, Math.min(reservedUsdMicro, used));
  }),
);

// Executions

export const stepOfPlan = rule<'execution.scheduled'>(
  'stepOfPlan',
  'the plan has the step, with this processor and adapter',
  ({ plan, steps }, { data }) => {
    const step = steps.get(data.step_id);
    if (step === undefined) return { found: `no step ${data.step_id}`, expected: `one of ${plan.steps.length} steps` };
    return differs('processor', data.processor, step.processor) ?? differs('adapter', data.adapter, step.adapter);
  },
);

export const needsDone = rule<'execution.scheduled'>(
  'needsDone',
  'every step that it needs has succeeded',
  ({ state, steps }, { data }) => {
    const open = steps.get(data.step_id)?.needs.find((need) => !isDone(state, need));
    return open === undefined
      ? undefined
      : { found: `${data.step_id} is scheduled before ${open} succeeded`, expected: `success of ${open}` };
  },
);

export const withinRetries = rule<'execution.scheduled'>(
  'withinRetries',
  'no step has failed for good: its failures are fewer than `max_attempts`, its losses fewer than 10',
  ({ failedStep }) =>
    failedStep === undefined
      ? undefined
      : { found: `step ${failedStep} has failed for good`, expected: 'nothing scheduled after that' },
);

export const reservedFirst = rule<'execution.scheduled'>(
  'reservedFirst',
  'what it may cost is reserved',
  ({ plan, state, steps }, { data: { execution_id: id, step_id: stepId } }) => {
    const step = steps.get(stepId);
    if (step === undefined || state.reservations.has(id)) return undefined;
    return differs('the reserve', 0, reserveFor(processorOf(plan, step)));
  },
);

export const inputsOfStep = rule<'execution.started'>(
  'inputsOfStep',
  'params and inputs are those of the step',
  ofExecution(({ step }, _, { data }) => {
    const names = (inputs: object): string => Object.keys(inputs).sort().join(' ');
    const first = Object.entries(data.inputs).find(([name, { path }]) => step.inputs[name] !== path);
    if (names(data.inputs) !== names(step.inputs)) return differs('the inputs', names(data.inputs), names(step.inputs));
    if (first === undefined) return differs('params_cid', data.params_cid, cidOf(canonicalBytes(step.params)));
    const [name, { path }] = first;
    return differs(`input ${name}`, path, step.inputs[name]);
  }),
);

export const ranWhereAdmitted = rule<'execution.succeeded' | 'execution.failed'>(
  'ranWhereAdmitted',
  'it ran on the adapter of the step',
  ofExecution(({ step }, _, { data: { environment } }) =>
    environment === undefined ? undefined : differs('adapter', environment.adapter, step.adapter),
  ),
);

export const outputsWritten = rule<'execution.succeeded'>(
  'outputsWritten',
  'every output that the registry entry requires was written by this execution',
  ofExecution(({ execution, step }, { plan, state }) => {
    const missing = processorOf(plan, step)
      .outputs.filter(({ required }) => required)
      .map(({ path }) => joinWorldPath(step.write_prefix, path))
      .find((path) => state.artifacts.get(path)?.execution_id !== execution.executionId);
    return missing === undefined ? undefined : { found: 'an output is missing', expected: missing };
  }),
);

// Artifacts and predicates

export const ownPath = rule<'artifact.written'>(
  'ownPath',
  'it is an output that the registry entry of its step names, or lies in the folder of its execution',
  ofExecution(({ execution, step }, { plan }, { data: { path } }) => {
    const folder = executionFolder(plan.plan_id, execution.executionId);
    const outputs = processorOf(plan, step).outputs.map((output) => joinWorldPath(step.write_prefix, output.path));
    if (outputs.includes(path) || path.startsWith(folder)) return undefined;
    return { found: `${path} is not of step ${step.id}`, expected: [...outputs, folder].join(' or ') };
  }),
);

export const predicateOfPlan = rule<'predicate.checked'>(
  'predicateOfPlan',
  'it is the next predicate of the plan; or stands for all that are left, and does not hold, where the plan had to end and nobody could read them',
  ({ plan, state }, { data }) => {
    const { pointer, predicate } = UNREAD_PREDICATES;
    const isUnread = state.cancelRequested !== undefined && data.pointer === pointer && data.predicate === predicate;
    if (isUnread && !data.ok) return undefined;
    const next = plan.predicates[state.predicates.length];
    if (next === undefined) return { found: `${data.predicate} at ${data.pointer}`, expected: 'no further predicate' };
    return differs('the predicate', `${data.predicate} at ${data.pointer}`, `${next.call.use} at ${next.pointer}`);
  },
);
