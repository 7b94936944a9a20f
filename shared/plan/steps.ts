import { Edit, PersistentMap } from '../ledger/persistent.ts';
import type { Execution, PlanState } from '../ledger/state.ts';
import type { AdmittedPlan, AdmittedStep } from './admitted.ts';

/** Executions that vanish with their runtime are not the processor's fault: they have a bound of their own. */
export const MAX_LOST = 10;

/** How long a step waits after a lost execution. */
const LOST_BACKOFF_S = 0.5;

/** Longest wait between two attempts. */
const MAX_BACKOFF_S = 3600;

/** Where a step stands, derived from the ledger alone. */
export type StepProgress =
  | { readonly status: 'waiting' }
  | { readonly status: 'ready'; readonly attempt: number; readonly notBeforeMs: number }
  | { readonly status: 'open'; readonly execution: Execution }
  | { readonly status: 'succeeded'; readonly execution: Execution }
  | { readonly status: 'failed'; readonly execution: Execution }
  /** Will not run: what it needs failed, or the plan is ending. */
  | { readonly status: 'skipped' };

function notBefore(step: AdmittedStep, failed: number, last: Execution): number {
  const endedMs = Date.parse(last.endedAt ?? last.scheduledAt);
  const { backoff_s: base, backoff_factor: factor } = step.retry;
  const seconds = last.end?.status === 'lost' ? LOST_BACKOFF_S : Math.min(MAX_BACKOFF_S, base * factor ** (failed - 1));
  return endedMs + Math.round(seconds * 1000);
}

const failedAttempts = (executions: readonly Execution[]): number =>
  executions.filter(({ end }) => end?.status === 'failed').length;

/** Whether the last of a step's attempts so far ended the step for good, without success. */
export function endsItsStep(step: AdmittedStep, executions: readonly Execution[]): boolean {
  const end = executions.at(-1)?.end;
  if (end === undefined || end.status === 'succeeded') return false;
  const failed = failedAttempts(executions);
  if (end.status === 'lost') return executions.length - failed >= MAX_LOST;
  return !end.retryable || failed >= step.retry.max_attempts;
}

function ofAttempts(step: AdmittedStep, executions: readonly Execution[]): StepProgress | undefined {
  const last = executions.at(-1);
  if (last === undefined) return undefined;
  if (last.end === undefined) return { status: 'open', execution: last };
  if (last.end.status === 'succeeded') return { status: 'succeeded', execution: last };
  if (endsItsStep(step, executions)) return { status: 'failed', execution: last };
  return { status: 'ready', attempt: last.attempt + 1, notBeforeMs: notBefore(step, failedAttempts(executions), last) };
}

/** Steps of a plan by their number in it, as bits: of 10,000 steps a copy has 1,250 bytes. */
type StepBits = Uint32Array;

const WORD_BITS = 32;

/** Numbers of the steps that are in the set, in order. */
export function* numbersIn(bits: StepBits): Generator<number> {
  for (const [word, value] of bits.entries()) {
    for (let left = value; left !== 0; left &= left - 1) yield word * WORD_BITS + 31 - Math.clz32(left & -left);
  }
}

/** Of no step. */
export const NONE: StepBits = new Uint32Array(0);

/** Numbers of the steps that are in any of them, in order. */
export function allIn(sets: ReadonlyMap<string, StepBits>): Iterable<number> {
  const [first = NONE, ...others] = sets.values();
  return numbersIn(
    others.length === 0 ? first : first.map((word, at) => others.reduce((all, one) => all | (one[at] ?? 0), word)),
  );
}

function put(bits: StepBits = NONE, number: number, isIn: boolean): void {
  const word = Math.floor(number / WORD_BITS);
  const bit = 1 << (number % WORD_BITS);
  bits[word] = isIn ? (bits[word] ?? 0) | bit : (bits[word] ?? 0) & ~bit;
}

/** What of a plan stays the same all its life, by the id of a step. */
interface Layout {
  readonly numbers: ReadonlyMap<string, number>;
  /** The steps that need it. */
  readonly dependants: ReadonlyMap<string, readonly AdmittedStep[]>;
  readonly adapters: ReadonlySet<string>;
}

const layouts = new WeakMap<AdmittedPlan, Layout>();

function layoutOf(plan: AdmittedPlan): Layout {
  const known = layouts.get(plan);
  if (known !== undefined) return known;
  const dependants = new Map<string, AdmittedStep[]>(plan.steps.map(({ id }) => [id, []]));
  for (const step of plan.steps) for (const need of new Set(step.needs)) dependants.get(need)?.push(step);
  const numbers = new Map(plan.steps.map(({ id }, number) => [id, number]));
  const layout = { numbers, dependants, adapters: new Set(plan.steps.map(({ adapter }) => adapter)) };
  layouts.set(plan, layout);
  return layout;
}

/** The runtimes that it uses. */
export const adaptersOf = (plan: AdmittedPlan): ReadonlySet<string> => layoutOf(plan).adapters;

/** The step of an id. */
export const stepOf = (plan: AdmittedPlan, id: string | undefined): AdmittedStep | undefined =>
  plan.steps[layoutOf(plan).numbers.get(id ?? '') ?? plan.steps.length];

/** Where the steps of a plan stand after some of its executions, whether or not the plan is ending. */
export interface StepsProgress {
  readonly steps: PersistentMap<string, StepProgress>;
  /** Those that are ready, by their runtime. */
  readonly ready: ReadonlyMap<string, StepBits>;
  readonly succeeded: number;
  readonly failed: number;
  /** By step, how many of those that it needs have not succeeded. */
  readonly missing: PersistentMap<string, number>;
  readonly executions: PersistentMap<string, Execution>;
  readonly submittedAt: string | undefined;
}

const WAITING: StepProgress = { status: 'waiting' };

const readyAtFirst = (submittedAt: string | undefined): StepProgress => ({
  status: 'ready',
  attempt: 1,
  notBeforeMs: Date.parse(submittedAt ?? '1970-01-01T00:00:00.000Z'),
});

function beginning(plan: AdmittedPlan, submittedAt: string | undefined): StepsProgress {
  const { steps } = plan;
  const none = (): StepBits => new Uint32Array(Math.ceil(steps.length / WORD_BITS));
  const ready = new Map([...adaptersOf(plan)].map((adapter) => [adapter, none()]));
  const first = readyAtFirst(submittedAt);
  for (const [number, { needs, adapter }] of steps.entries()) put(ready.get(adapter), number, needs.length === 0);
  return {
    steps: PersistentMap.of(steps.map(({ id, needs }) => [id, needs.length === 0 ? first : WAITING])),
    ready,
    succeeded: 0,
    failed: 0,
    missing: PersistentMap.of(steps.map(({ id, needs }) => [id, new Set(needs).size])),
    executions: PersistentMap.of(),
    submittedAt,
  };
}

type Draft = { -readonly [K in keyof StepsProgress]: StepsProgress[K] };

/** The progress after those executions that changed; what they do not concern is not looked at. */
class Following {
  readonly #plan: AdmittedPlan;
  readonly #state: PlanState;
  readonly #edit = new Edit();
  readonly #own: Draft;
  /** Steps to be judged, by their ids. */
  readonly #due: Set<string>;

  constructor(plan: AdmittedPlan, state: PlanState, from: StepsProgress, changed: Iterable<string>) {
    this.#plan = plan;
    this.#due = new Set(changed);
    this.#state = state;
    this.#own = {
      ...from,
      ready: new Map([...from.ready].map(([adapter, bits]) => [adapter, bits.slice()])),
      executions: state.executions,
    };
  }

  result(): StepsProgress {
    for (const id of this.#due) {
      this.#due.delete(id);
      const step = stepOf(this.#plan, id);
      if (step !== undefined) this.#judge(step);
    }
    return this.#own;
  }

  #judge(step: AdmittedStep): void {
    const { attempts, executions } = this.#state;
    const own = (attempts.get(step.id) ?? []).flatMap((id) => executions.get(id) ?? []);
    const isFree = this.#own.missing.get(step.id) === 0;
    this.#put(step, ofAttempts(step, own) ?? (isFree ? readyAtFirst(this.#own.submittedAt) : WAITING));
  }

  #put(step: AdmittedStep, now: StepProgress): void {
    const own = this.#own;
    const { numbers, dependants } = layoutOf(this.#plan);
    const before = own.steps.get(step.id);
    own.steps = own.steps.set(step.id, now, this.#edit);
    put(own.ready.get(step.adapter), numbers.get(step.id) ?? 0, now.status === 'ready');
    const gained = (status: StepProgress['status']) =>
      Number(now.status === status) - Number(before?.status === status);
    own.failed += gained('failed');
    const succeeded = gained('succeeded');
    if (succeeded === 0) return;
    own.succeeded += succeeded;
    for (const dependant of dependants.get(step.id) ?? []) {
      const missing = own.missing.get(dependant.id) ?? 0;
      own.missing = own.missing.set(dependant.id, missing - succeeded, this.#edit);
      // Once it has been tried, its attempts alone tell where it stands.
      if (!this.#state.attempts.has(dependant.id)) this.#due.add(dependant.id);
    }
  }
}

/** What was found last of a plan, to go on from: the progress of a state never depends on what was asked before. */
const found = new WeakMap<AdmittedPlan, StepsProgress>();

/** Costs what has changed since the plan was last asked about; a first time, or of another history, all of it. Pure. */
export function stepsOf(state: PlanState, plan: AdmittedPlan): StepsProgress {
  const last = found.get(plan);
  const from =
    last?.submittedAt === state.submittedAt && last !== undefined ? last : beginning(plan, state.submittedAt);
  const changed = new Set<string>();
  for (const { now, before } of state.executions.changesSince(from.executions)) {
    for (const execution of [now, before]) if (execution !== undefined) changed.add(execution.stepId);
  }
  const next = changed.size === 0 ? from : new Following(plan, state, from, changed).result();
  found.set(plan, next);
  return next;
}
