import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { type Fault, fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import type { Journal } from '../../shared/journal/journal.ts';
import type { Draft, DraftData, EventData } from '../../shared/ledger/events.ts';
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import { type Disposition, DONE, dead } from '../../shared/nats/consume.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from '../../shared/plan/admitted.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import type { Report } from '../../shared/runtime/contract.ts';
import type { RunHandle, RunResult, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { type ResolvedSecrets, resolveSecrets } from '../../shared/secrets/resolve.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { progressSubject } from '../../shared/wire/progress.ts';
import type { Work } from '../../shared/wire/work.ts';
import type { ArtifactStat, ArtifactStore } from '../../shared/world/artifact-store.ts';
import { collectOutputs, storeLog } from './collect.ts';
import { decideEnd, decideStart } from './decide.ts';
import { buildJob, type ScratchAccess } from './job.ts';
import { type Failure, failedDraft, failure, failureOf, tailOf } from './outcome.ts';
import { type Scrub, scrubbed, scrubbedError, scrubOf, WITHHOLDING } from './scrub.ts';

export interface WorkerDeps {
  readonly connection: NatsConnection;
  readonly journal: Journal;
  readonly store: ArtifactStore;
  readonly secrets: SecretResolver;
  readonly plans: AdmittedPlans;
  readonly scratch: ScratchAccess | undefined;
  readonly runtime: RuntimeAdapter;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Names this process in `execution.started`. */
  readonly instance: string;
}

/** One execution with everything that is known of it. */
interface Task {
  readonly planId: string;
  readonly executionId: string;
  readonly plan: AdmittedPlan;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly execution: Execution;
}

/** What an execution needs and what it must not start without. */
interface Prepared {
  readonly inputs: Readonly<Record<string, ArtifactStat>>;
  readonly secrets: ResolvedSecrets;
}

/** What a cancellation must end: runs that are there, and those about to be. */
interface UnderWay {
  readonly executions: Set<string>;
  cancelled: boolean;
}

const SHUTTING_DOWN = Symbol('shutting down');

/** Takes scheduled executions to their end. Every path through it may be cut by a kill and taken again. */
export class Worker {
  readonly #deps: WorkerDeps;
  /** Executions under way here, by plan. */
  readonly #running = new Map<string, UnderWay>();

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  async handle(work: Work, signal: AbortSignal): Promise<Disposition> {
    const waitMs = Date.parse(work.not_before) - this.#deps.nowMs();
    if (waitMs > 0) return { kind: 'later', delayMs: waitMs };
    const { state } = await this.#deps.journal.load(work.plan_id, work.ledger_seq);
    const execution = state.executions.get(work.execution_id);
    if (execution === undefined) return dead(unknownExecution(work), work.plan_id);
    if (execution.end !== undefined) return this.#tidy(work.execution_id);
    const task = await this.#task(state, execution);
    this.#track(task, true);
    try {
      return execution.started === undefined
        ? await this.#start(task, state, signal)
        : await this.#resume(task, state, execution.started, signal);
    } finally {
      this.#track(task, false);
    }
  }

  /** Ends what runs here of a plan; the runs then end as cancelled. */
  async cancel(planId: string): Promise<void> {
    const underWay = this.#running.get(planId);
    if (underWay === undefined) return;
    underWay.cancelled = true;
    await Promise.all([...underWay.executions].map((id) => this.#deps.runtime.kill(id)));
  }

  async #task(state: PlanState, execution: Execution): Promise<Task> {
    const plan = await this.#deps.plans.of(state);
    const step = plan.steps.find((one) => one.id === execution.stepId);
    if (step === undefined) throw new IsomorphError('ERR_INTERNAL', `${state.planId} has no step ${execution.stepId}`);
    const processor = processorOf(plan, step);
    return { planId: state.planId, executionId: execution.executionId, plan, step, processor, execution };
  }

  #track({ planId, executionId }: Task, running: boolean): void {
    const underWay = this.#running.get(planId) ?? { executions: new Set(), cancelled: false };
    if (running) underWay.executions.add(executionId);
    else underWay.executions.delete(executionId);
    if (underWay.executions.size === 0) this.#running.delete(planId);
    else this.#running.set(planId, underWay);
  }

  async #start(task: Task, state: PlanState, signal: AbortSignal): Promise<Disposition> {
    if (state.cancelRequested !== undefined)
      return this.#fail(task, failure('ERR_CANCELLED', 'the plan was cancelled'));
    const prepared = await this.#prepare(task, state);
    if ('code' in prepared) return this.#fail(task, prepared);
    const deadlineMs = this.#deps.nowMs() + task.processor.runtime.timeout_s * 1000;
    const started: DraftData<'execution.started'> = {
      execution_id: task.executionId,
      worker: this.#deps.instance,
      session: this.#deps.instance,
      deadline: new Date(deadlineMs).toISOString(),
      params_cid: cidOf(canonicalBytes(task.step.params)),
      inputs: Object.fromEntries(Object.entries(prepared.inputs).map(([name, { path, cid }]) => [name, { path, cid }])),
    };
    const { events } = await this.#deps.journal.append(task.planId, (now) => decideStart(now, started));
    // Another word came first: the next delivery will see what it was.
    if (events.length === 0) return { kind: 'later', delayMs: 50 };
    const { store, scratch } = this.#deps;
    const job = await buildJob({ ...task, ...prepared, store, scratch, deadlineMs });
    const { executionId, processor } = task;
    const { values, handles } = prepared.secrets;
    const assignment = { executionId, processor, job, secrets: values, secretHandles: handles, deadlineMs };
    const scrub = scrubOf(prepared.secrets);
    const running = this.#deps.runtime.run(assignment, this.#reporter(task, scrub));
    const handle = await running.catch((error: unknown) => Promise.reject(scrubbedError(error, scrub)));
    return this.#finish(task, handle, scrub, signal);
  }

  /** The execution was started by a process that is no more, or that lost its lease on the message. */
  async #resume(
    task: Task,
    state: PlanState,
    started: EventData<'execution.started'>,
    signal: AbortSignal,
  ): Promise<Disposition> {
    if (state.cancelRequested !== undefined) await this.cancel(task.planId);
    const deadlineMs = Date.parse(started.deadline);
    // In an outage the run is still held to its deadline; its end waits for the secrets then.
    const scrub = await this.#scrub(task).catch(() => undefined);
    const reporter = this.#reporter(task, scrub ?? WITHHOLDING);
    const handle = await this.#deps.runtime.find(task.executionId, deadlineMs, reporter);
    if (handle === undefined) return this.#lost(task, `its runtime does not know it; ${started.worker} had started it`);
    return this.#finish(task, handle, scrub, signal);
  }

  async #prepare(task: Task, state: PlanState): Promise<Prepared | Failure> {
    const secrets = await this.#secrets(task);
    if ('code' in secrets) return secrets;
    const inputs: Record<string, ArtifactStat> = {};
    for (const [name, path] of Object.entries(task.step.inputs)) {
      const stat = await this.#deps.store.stat(path);
      if (stat === undefined) return failure('ERR_INPUT_MISSING', `input ${name}: nothing at ${path}`);
      const named = state.artifacts.get(path);
      if (named !== undefined && named.cid !== stat.cid) {
        return failure('ERR_CID_MISMATCH', `input ${name}: ${path} has ${stat.cid}, the ledger says ${named.cid}`);
      }
      inputs[name] = stat;
    }
    return { inputs, secrets };
  }

  async #secrets({ processor }: Task): Promise<ResolvedSecrets | Failure> {
    const { secrets, runtime } = this.#deps;
    try {
      return await resolveSecrets(secrets, processor.secrets.required, runtime.adapter);
    } catch (error) {
      // What may pass is tried again with the message.
      if (!(error instanceof IsomorphError) || error.retryable) throw error;
      return failure(error.code, error.message);
    }
  }

  /** For a run that another process started. Fails while its secrets cannot be asked for. */
  async #scrub(task: Task): Promise<Scrub> {
    const secrets = await this.#secrets(task);
    return 'code' in secrets ? WITHHOLDING : scrubOf(secrets);
  }

  /** Progress is live data: best effort, on the plan's own stream subject, never in the way of the work. */
  #reporter({ planId, execution }: Task, scrub: Scrub): (report: Report) => void {
    const subject = progressSubject(planId);
    return (report) => {
      if (report.isomorph !== 'progress' || this.#deps.connection.isClosed()) return;
      const { isomorph, fraction, message } = report;
      const text = message === undefined ? undefined : scrub.said(message);
      const told = { isomorph, fraction, message: text, step_id: execution.stepId };
      this.#deps.connection.publish(subject, JSON.stringify(told));
    };
  }

  async #finish(task: Task, handle: RunHandle, known: Scrub | undefined, signal: AbortSignal): Promise<Disposition> {
    const shutdown = whenAborted(signal);
    // The cancellation may have come while the run was being started, when there was nothing to end yet.
    if (this.#running.get(task.planId)?.cancelled === true) await this.#deps.runtime.kill(task.executionId);
    const result = await Promise.race([handle.wait(), shutdown.promise]).finally(() => shutdown.forget());
    // The run goes on without us; whoever gets the message next takes it up.
    if (result === SHUTTING_DOWN) return { kind: 'later', delayMs: 0 };
    const scrub = known ?? (await this.#scrub(task));
    if (result.outcome.kind === 'lost') return this.#lost(task, scrub.own(result.outcome.reason), result.durationMs);
    return this.#end(task, result, scrub);
  }

  async #end(task: Task, raw: RunResult, scrub: Scrub): Promise<Disposition> {
    const { store, journal, runtime } = this.#deps;
    const { planId, executionId, processor, step } = task;
    const { state } = await journal.load(planId);
    const result = scrubbed(raw, scrub);
    const environment = await runtime.environment(processor, processor.secrets.required);
    const logged = await storeLog(store, planId, executionId, result.text);
    const { durationMs } = result;
    const cancelled = state.cancelRequested !== undefined || this.#running.get(planId)?.cancelled === true;
    let why = failureOf(result, cancelled);
    let artifacts: readonly Draft[] = [];
    if (why === undefined) {
      const collected = await collectOutputs({ store, state, step, processor, executionId });
      if (collected.ok) artifacts = collected.artifacts;
      else why = collected.why;
    }
    const clean = why === undefined ? undefined : { ...why, message: scrub.own(why.message) };
    const end: Draft =
      clean === undefined
        ? { kind: 'execution.succeeded', data: { execution_id: executionId, duration_ms: durationMs, environment } }
        : failedDraft(clean, { executionId, durationMs, environment, logTail: tailOf(result.text) });
    await journal.append(planId, (now) => decideEnd(now, { executionId, drafts: [...artifacts, ...logged, end] }));
    this.#deps.log.info({ execution_id: executionId, outcome: why?.code ?? 'succeeded' }, 'execution ended');
    return this.#tidy(executionId);
  }

  async #fail(task: Task, why: Failure): Promise<Disposition> {
    const options = { executionId: task.executionId, durationMs: 0, environment: undefined, logTail: '' };
    return this.#append(task, failedDraft(why, options));
  }

  async #lost(task: Task, reason: string, durationMs: number | null = null): Promise<Disposition> {
    const data = { execution_id: task.executionId, reason, duration_ms: durationMs };
    return this.#append(task, { kind: 'execution.lost', data });
  }

  async #append(task: Task, end: Draft): Promise<Disposition> {
    const { planId, executionId } = task;
    await this.#deps.journal.append(planId, (now) => decideEnd(now, { executionId, drafts: [end] }));
    return this.#tidy(executionId);
  }

  /** What is kept of an ended execution outside the World goes, once its end is in the ledger. */
  async #tidy(executionId: string): Promise<Disposition> {
    await Promise.all([this.#deps.runtime.forget(executionId), this.#deps.store.dropUploads(executionId)]);
    return DONE;
  }
}

/** A signal as a promise that can be let go of: one signal lives as long as the service. */
function whenAborted(signal: AbortSignal): { promise: Promise<typeof SHUTTING_DOWN>; forget: () => void } {
  let onAbort = (): void => undefined;
  const promise = new Promise<typeof SHUTTING_DOWN>((resolve) => {
    onAbort = () => resolve(SHUTTING_DOWN);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

const unknownExecution = (work: Work): Fault =>
  fault('ERR_NOT_FOUND', `the ledger of ${work.plan_id} has no execution ${work.execution_id}`, {
    pointer: '/execution_id',
  });
