import type { EventData } from '../ledger/events.ts';
import { type Execution, type PlanState, unstartedExecutions } from '../ledger/state.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from './admitted.ts';
import { reserveFor } from './budget.ts';
import { allIn, NONE, numbersIn, type StepProgress, type StepsProgress, stepsOf } from './steps.ts';

/** A step that may be scheduled now. */
export interface Startable {
  readonly step: AdmittedStep;
  readonly attempt: number;
  readonly notBeforeMs: number;
}

export interface PlanProgress {
  readonly steps: ReadonlyMap<string, StepProgress>;
  /** Steps that may be scheduled now: ready, and their reserve fits what is left of the budget. */
  readonly schedulable: readonly Startable[];
  /**
   * Those of one runtime, in the order of the plan, each found when it is asked for.
   * @param held micro-dollars that are reserved with them, and that the ledger does not know yet
   */
  startable(adapter: string, held: number): Iterable<Startable>;
  /** Ready, but unpayable for good: nothing that is still held will come back. */
  readonly unpayable: readonly string[];
  /** Scheduled executions that have not started and no longer shall: the plan is ending. */
  readonly revocable: readonly Execution[];
  /** True when nothing is open and nothing can start any more. */
  readonly finished: boolean;
  readonly everyStepSucceeded: boolean;
}

interface Ready {
  readonly startable: Startable;
  readonly isPayable: boolean;
}

function* payable(ready: Iterable<Ready>): Generator<Startable> {
  for (const { startable, isPayable } of ready) if (isPayable) yield startable;
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
    return [...payable(this.#ready(allIn(this.#its.ready)))];
  }

  startable(adapter: string, held: number): Iterable<Startable> {
    return payable(this.#ready(numbersIn(this.#its.ready.get(adapter) ?? NONE), held));
  }

  get unpayable(): readonly string[] {
    if (!this.finished) return [];
    return [...this.#ready(allIn(this.#its.ready))].map(({ startable }) => startable.step.id);
  }

  get revocable(): readonly Execution[] {
    return this.#isEnding ? unstartedExecutions(this.#state) : [];
  }

  get finished(): boolean {
    if (this.#state.unsettled.size > 0) return false;
    for (const _ of payable(this.#ready(allIn(this.#its.ready)))) return false;
    return true;
  }

  get everyStepSucceeded(): boolean {
    return this.#its.succeeded === this.#plan.steps.length;
  }

  /** Steps by their numbers, each paid for before the next one. */
  *#ready(numbers: Iterable<number>, alsoHeld = 0): Generator<Ready> {
    if (this.#isEnding) return;
    const { limit, spent, held } = this.#state.budget;
    let left = limit - spent - held - alsoHeld;
    for (const number of numbers) {
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
