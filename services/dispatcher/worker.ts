import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { SHUTTING_DOWN, whenAborted } from '../../shared/async/when-aborted.ts';
import { type Fault, fault, IsomorphError, unreachable } from '../../shared/errors/isomorph-error.ts';
import type { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { checkStanding } from '../../shared/journal/check-standing.ts';
import type { Journal } from '../../shared/journal/journal.ts';
import type { EventData } from '../../shared/ledger/events.ts';
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import { type Disposition, DONE, giveUp } from '../../shared/nats/disposition.ts';
import { type AdmittedPlan, type AdmittedStep, processorOf } from '../../shared/plan/admitted.ts';
import { leftBy } from '../../shared/plan/left.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { RUNTIME_CAPABILITIES } from '../../shared/runtime/capabilities.ts';
import type { Report } from '../../shared/runtime/contract.ts';
import type { RunHandle, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { type ResolvedSecrets, resolveSecrets } from '../../shared/secrets/resolve.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { clip } from '../../shared/text/clip.ts';
import { progressSubject } from '../../shared/wire/progress.ts';
import type { Work } from '../../shared/wire/work.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { documentUnlessItMustEnd, unlessItMustEnd } from '../common/must-end.ts';
import type { Showing } from '../common/showing.ts';
import { NOT_COLLECTED, sealLog, sealOutputs } from './collect.ts';
import {
  type Collected,
  decideEnd,
  decideStart,
  type End,
  type FoundAtStart,
  isOverdue,
  type StartDecision,
  untilMs,
} from './decide.ts';
import { buildJob, type ScratchAccess } from './job.ts';
import { type Failure, failure, failureOf } from './outcome.ts';
import { isTimed, type Scrub, scrubbed, scrubbedError, scrubOf, type TimedResult, WITHHOLDING } from './scrub.ts';
import { UnderWay } from './under-way.ts';

export interface WorkerDeps {
  readonly connection: NatsConnection;
  readonly journal: Journal;
  readonly store: ArtifactStore;
  readonly showing: Showing;
  readonly secrets: SecretResolver;
  readonly plans: AdmittedPlans;
  readonly scratch: ScratchAccess | undefined;
  readonly runtime: RuntimeAdapter;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Names this process in `execution.started`. */
  readonly instance: string;
}

type Claim = Extract<StartDecision, { kind: 'started' }>;

/** One execution with everything that is known of it. */
interface Task {
  readonly planId: string;
  readonly executionId: string;
  readonly plan: AdmittedPlan;
  readonly step: AdmittedStep;
  readonly processor: Processor;
  readonly execution: Execution;
}

const NO_SECRETS: ResolvedSecrets = { values: {}, handles: [] };

/** A claim that another dispatcher took is looked at again: by then the ledger tells what became of it. */
const TAKEN_DELAY_MS = 50;

/** For watchers, on one line. */
const MAX_PROGRESS_MESSAGE = 500;

/** Takes scheduled executions to their end. Every path through it may be cut by a kill and taken again. */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #underWay = new UnderWay();

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  async handle(work: Work, signal: AbortSignal): Promise<Disposition> {
    const { state, standing } = await this.#deps.journal.read(work.plan_id, work.ledger_seq);
    const execution = state.executions.get(work.execution_id);
    if (standing.kind === 'quarantined') await this.#endOverdue(execution);
    checkStanding(work.plan_id, standing);
    if (execution === undefined) return giveUp(unknownExecution(work), work.plan_id);
    if (execution.end !== undefined) return this.#finish(state, execution);
    const waitMs = untilMs(execution.scheduled.not_before, this.#deps.nowMs());
    if (waitMs > 0) return { kind: 'later', delayMs: waitMs };
    const task = await unlessItMustEnd(
      state.cancelRequested !== undefined,
      () => this.#task(state, execution),
      (why) => why,
    );
    if ('code' in task) return this.#endUnread(state.planId, execution.executionId, task);
    return this.#underWay.during(task.planId, task.executionId, () =>
      execution.started === undefined
        ? this.#start(task, state, signal)
        : this.#resume(task, state, execution.started, signal),
    );
  }

  /** A run of a quarantined plan gets no end in the ledger, but it ends. */
  async #endOverdue(execution: Execution | undefined): Promise<void> {
    if (execution === undefined || !isOverdue(execution, this.#deps.nowMs())) return;
    await this.#deps.runtime.kill(execution.executionId);
  }

  /** The plan has to end, and nobody can read what its run was to leave: it is ended. */
  async #endUnread(planId: string, executionId: string, why: Fault): Promise<Disposition> {
    await this.#deps.runtime.kill(executionId);
    const reason = `the admitted plan cannot be read: ${why.message}`;
    return this.#end({ kind: 'lost', executionId, reason, durationMs: null }, { planId, executionId });
  }

  /** Ends what runs here of a plan; the runs then end as cancelled. */
  async cancel(planId: string): Promise<void> {
    await Promise.all(this.#underWay.cancel(planId).map((id) => this.#deps.runtime.kill(id)));
  }

  async #task(state: PlanState, execution: Execution): Promise<Task> {
    const plan = await this.#deps.plans.of(state);
    const step = plan.steps.find((one) => one.id === execution.stepId);
    if (step === undefined) throw new IsomorphError('ERR_INTERNAL', `${state.planId} has no step ${execution.stepId}`);
    const processor = processorOf(plan, step);
    return { planId: state.planId, executionId: execution.executionId, plan, step, processor, execution };
  }

  async #start(task: Task, state: PlanState, signal: AbortSignal): Promise<Disposition> {
    const { journal, instance, nowMs } = this.#deps;
    // A cancelled plan ends whatever its stores do: it asks them nothing.
    const found =
      state.cancelRequested === undefined ? await this.#find(task, state) : { inputs: {}, secrets: NO_SECRETS };
    const command = { ...task, found, worker: instance, nowMs: nowMs() };
    const { decision } = await journal.append(task.planId, decideStart, command);
    switch (decision.kind) {
      case 'taken':
        return { kind: 'later', delayMs: TAKEN_DELAY_MS };
      case 'refused':
        return this.#tidy(task.executionId);
      case 'started': {
        const scrub = scrubOf(found.secrets);
        const run = this.#run(task, found.secrets, decision, scrub);
        const handle = await run.catch((error: unknown) => Promise.reject(scrubbedError(error, scrub)));
        return this.#follow(task, handle, scrub, signal);
      }
      default:
        return unreachable(decision);
    }
  }

  /** The execution was started by a process that is no more, or that lost its lease on the message. */
  async #resume(
    task: Task,
    state: PlanState,
    started: EventData<'execution.started'>,
    signal: AbortSignal,
  ): Promise<Disposition> {
    if (state.cancelRequested !== undefined) await this.cancel(task.planId);
    // In an outage the run is still held to its deadline; its end waits for the secrets then.
    const scrub = await this.#scrub(task).catch(() => undefined);
    const reporter = this.#reporter(task, scrub ?? WITHHOLDING);
    const handle = await this.#deps.runtime.find({ ...task, deadlineMs: Date.parse(started.deadline) }, reporter);
    if (handle !== undefined) return this.#follow(task, handle, scrub, signal);
    const reason = `its runtime does not know it; ${started.worker} had started it`;
    return this.#end({ kind: 'lost', executionId: task.executionId, reason, durationMs: null }, task);
  }

  /** Asks the secrets and the World for what the execution needs. */
  async #find(task: Task, state: PlanState): Promise<FoundAtStart & { readonly secrets: ResolvedSecrets }> {
    const secrets = await this.#secrets(task);
    if ('code' in secrets) return { inputs: {}, fault: secrets, secrets: NO_SECRETS };
    const looked = Object.entries(task.step.inputs).map(
      async ([name, path]) => [name, await this.#deps.showing.stat(state, path)] as const,
    );
    return { inputs: Object.fromEntries(await Promise.all(looked)), secrets };
  }

  async #secrets({ processor }: Task): Promise<ResolvedSecrets | Failure> {
    const { secrets, runtime } = this.#deps;
    // It has its own, and takes them out of what it says.
    if (!RUNTIME_CAPABILITIES[runtime.adapter].takesSecrets) return NO_SECRETS;
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

  async #run(task: Task, secrets: ResolvedSecrets, claim: Claim, scrub: Scrub): Promise<RunHandle> {
    const { store, scratch, runtime } = this.#deps;
    const { executionId, processor } = task;
    const { inputs, deadlineMs } = claim;
    const job = await buildJob({ ...task, inputs, store, scratch, deadlineMs });
    const { values, handles } = secrets;
    const assignment = { executionId, processor, job, secrets: values, secretHandles: handles, deadlineMs };
    return runtime.run(assignment, this.#reporter(task, scrub));
  }

  /** Progress is live data: best effort, on the plan's own stream subject, never in the way of the work. */
  #reporter({ planId, execution }: Task, scrub: Scrub): (report: Report) => void {
    const subject = progressSubject(planId);
    return (report) => {
      if (report.isomorph !== 'progress' || this.#deps.connection.isClosed()) return;
      const { isomorph, fraction, message } = report;
      const text = message === undefined ? undefined : clip(scrub.said(message), MAX_PROGRESS_MESSAGE);
      const told = { isomorph, fraction, message: text, step_id: execution.stepId };
      this.#deps.connection.publish(subject, JSON.stringify(told));
    };
  }

  /** Waits for a run and takes it to its end, unless this process is asked to stop before. */
  async #follow(task: Task, handle: RunHandle, known: Scrub | undefined, signal: AbortSignal): Promise<Disposition> {
    const { planId, executionId } = task;
    const shutdown = whenAborted(signal);
    // The cancellation may have come while the run was being started, when there was nothing to end yet.
    if (this.#underWay.isCancelled(planId)) await this.#deps.runtime.kill(executionId);
    const raw = await Promise.race([handle.wait(), shutdown.promise]).finally(() => shutdown.forget());
    // The run goes on without us; whoever gets the message next takes it up.
    if (raw === SHUTTING_DOWN) return { kind: 'later', delayMs: 0 };
    const scrub = known ?? (await this.#scrub(task));
    const result = scrubbed(raw, scrub);
    if (result.outcome.kind === 'lost') {
      return this.#end(
        { kind: 'lost', executionId, reason: result.outcome.reason, durationMs: result.durationMs },
        task,
      );
    }
    if (!isTimed(result)) throw new IsomorphError('ERR_INTERNAL', `${executionId} ended without a duration`);
    return this.#end(await this.#collect(task, result, scrub), task);
  }

  /** Seals what an ended run left. */
  async #collect(task: Task, result: TimedResult, scrub: Scrub): Promise<End> {
    const { store, journal, runtime, log } = this.#deps;
    const { planId, executionId, processor, step } = task;
    const { state } = await journal.load(planId);
    const cancelled = this.#underWay.isCancelled(planId) || state.cancelRequested !== undefined;
    const environment = { ...(await runtime.environment(processor, processor.secrets.required)), ...result.ranBy };
    const without = <T>(fault: Fault, left: T): T => {
      log.warn({ execution_id: executionId, fault }, 'an execution of a cancelled plan ends without what it left');
      return left;
    };
    const sealedLog = await unlessItMustEnd(
      cancelled,
      () => sealLog(store, planId, executionId, result.text),
      (fault) => without(fault, []),
    );
    const outputs =
      failureOf(result, cancelled) === undefined
        ? await unlessItMustEnd(
            cancelled,
            () => sealOutputs({ store, planId, step, processor, executionId, scrub }),
            (fault): Collected => without(fault, { ok: false, why: failure(fault.code, scrub.own(fault.message)) }),
          )
        : NOT_COLLECTED;
    return { kind: 'ended', executionId, result, outputs, log: sealedLog, environment, cancelled };
  }

  async #end(end: End, { planId, executionId }: Pick<Task, 'planId' | 'executionId'>): Promise<Disposition> {
    const { decision, state } = await this.#deps.journal.append(planId, decideEnd, end);
    this.#deps.log.info({ execution_id: executionId, outcome: decision.outcome ?? 'known already' }, 'execution ended');
    const execution = state.executions.get(executionId);
    return execution === undefined ? this.#tidy(executionId) : this.#finish(state, execution);
  }

  /** The commit that ends an execution names what it left: now that is shown. Taken again, it does no more. */
  async #finish(state: PlanState, execution: Execution): Promise<Disposition> {
    const { plans, showing } = this.#deps;
    if (state.artifacts.size > 0) {
      await showing.show(leftBy(state, await documentUnlessItMustEnd(plans, state), execution));
    }
    return this.#tidy(execution.executionId);
  }

  /** What is kept of an ended execution outside the World goes, once its end is in the ledger and what it left is shown. */
  async #tidy(executionId: string): Promise<Disposition> {
    await Promise.all([this.#deps.runtime.forget(executionId), this.#deps.store.dropUploads(executionId)]);
    return DONE;
  }
}

const unknownExecution = (work: Work): Fault =>
  fault('ERR_NOT_FOUND', `the ledger of ${work.plan_id} has no execution ${work.execution_id}`, {
    pointer: '/execution_id',
  });
