import type { EventData } from '../ledger/events.ts';
import { type Execution, type PlanState, unstartedExecutions } from '../ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from './admitted.ts';
import { reserveFor } from './budget.ts';
import { numbersIn, type StepProgress, type StepsProgress, stepsOf } from './steps.ts';

/** A step that may be scheduled now. */
export interface Startable {
  readonly step: AdmittedStep;
  readonly attempt: number;
  readonly notBeforeMs: number;
}

export interface PlanProgress {
  readonly steps: ReadonlyMap<string, StepProgress>;
  /** Steps that may be scheduled now, in the order of the plan: ready, and their reserve fits what is left of the budget. */
  readonly schedulable: readonly Startable[];
  /** The same, each found when it is asked for. */
  startable(): Iterable<Startable>;
  /** Ready, but unpayable for good: nothing that is still held will come back. */
  readonly unpayable: readonly string[];
  /** Scheduled executions that have not started and no longer shall: the plan is ending. */
  readonly revocable: readonly Execution[];
  /** True when nothing is open and nothing can start any more. */
  readonly finished: boolean;
  readonly everyStepSucceeded: boolean;
}

const SKIPPED: StepProgress = { status: 'skipped' };

/** Each answer is found when it is asked for, and at no time by a look at all steps unless it tells of all. */
class Progress implements PlanProgress {
  readonly #state: PlanState;
  readonly #plan: AdmittedPlan;
  readonly #its: StepsProgress;
  /** Nothing new starts once the plan is being cancelled or one of its steps has failed for good. */
  readonly #isEnding: boolean;

  constructor(state: PlanState, plan: AdmittedPlan) {
    this.#state = state;
    this.#plan = plan;
    this.#its = stepsOf(state, plan);
    this.#isEnding = state.cancelRequested !== undefined || this.#its.failed > 0;
  }

  get steps(): ReadonlyMap<string, StepProgress> {
    const { steps } = this.#its;
    if (!this.#isEnding) return steps;
    const isLeft = ({ status }: StepProgress) => status === 'waiting' || status === 'ready';
    return new Map([...steps].map(([id, step]) => [id, isLeft(step) ? SKIPPED : step]));
  }

  get schedulable(): readonly Startable[] {
    return [...this.startable()];
  }

  *startable(): Generator<Startable> {
    for (const { startable, isPayable } of this.#ready()) if (isPayable) yield startable;
  }

  get unpayable(): readonly string[] {
    if (!this.finished) return [];
    return [...this.#ready()].map(({ startable }) => startable.step.id);
  }

  get revocable(): readonly Execution[] {
    return this.#isEnding ? unstartedExecutions(this.#state) : [];
  }

  get finished(): boolean {
    return this.#state.unsettled.size === 0 && this.startable().next().done === true;
  }

  get everyStepSucceeded(): boolean {
    return this.#its.succeeded === this.#plan.steps.length;
  }

  /** In the order of the plan, each paid for before the next one. */
  *#ready(): Generator<{ readonly startable: Startable; readonly isPayable: boolean }> {
    if (this.#isEnding) return;
    const { limit, spent, held } = this.#state.budget;
    let left = limit - spent - held;
    for (const number of numbersIn(this.#its.ready)) {
      const step = this.#plan.steps[number];
      const progress = this.#its.steps.get(step?.id ?? '');
      if (step === undefined || progress?.status !== 'ready') continue;
      const reserve = reserveFor(processorOf(this.#plan, step));
      const isPayable = reserve <= left;
      if (isPayable) left -= reserve;
      const { attempt, notBeforeMs } = progress;
      yield { startable: { step, attempt, notBeforeMs }, isPayable };
    }
  }
}

/**
 * Where a plan stands and what may happen next. The dispatcher schedules by it and the settler ends by it, so both
 * always agree. Pure; costs what has changed since the last state of the plan.
 */
export const progressOf = (state: PlanState, plan: AdmittedPlan): PlanProgress => new Progress(state, plan);

/** How a plan ends that is finished: by its steps first, then by its predicates. */
export function statusAtEnd(
  { cancelRequested }: PlanState,
  progress: PlanProgress,
  checks: readonly { readonly ok: boolean }[],
): EventData<'plan.settled'>['status'] {
  if (!progress.everyStepSucceeded) return cancelRequested?.reason === 'client' ? 'cancelled' : 'failed';
  return checks.every(({ ok }) => ok) ? 'succeeded' : 'failed';
}
