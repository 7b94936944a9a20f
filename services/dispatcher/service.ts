import type { Msg, Subscription } from '@nats-io/transport-node';
import { fault } from '../../shared/errors/isomorph-error.ts';
import { isPlanId, planOfExecution } from '../../shared/ids/ids.ts';
import { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Snapshot } from '../../shared/journal/snapshot.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { isOver } from '../../shared/ledger/state.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { type Disposition, giveUp } from '../../shared/nats/disposition.ts';
import { publish } from '../../shared/nats/publish.ts';
import { leftBy } from '../../shared/plan/left.ts';
import type { RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import type { Validated } from '../../shared/schema/validate.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { jsonIn } from '../../shared/text/json-in.ts';
import { CONSUMERS, workConsumer } from '../../shared/wire/consumers.ts';
import { COMMITTED_CANCELLATIONS, planOfSubject } from '../../shared/wire/ledger.ts';
import { parseWork, planOfWork } from '../../shared/wire/work.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { Alarms } from '../common/alarms.ts';
import { consumeFor } from '../common/consume.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { followLedger } from '../common/follow-ledger.ts';
import { documentUnlessItMustEnd } from '../common/must-end.ts';
import { Showing } from '../common/showing.ts';
import { AlarmClock, type AlarmClockDeps } from './alarm-clock.ts';
import { answerPins } from './answer-pins.ts';
import { decideRevokes } from './decide.ts';
import { type Effect, effectOf } from './effects.ts';
import type { ScratchAccess } from './job.ts';
import { Next } from './next.ts';
import { Worker } from './worker.ts';

export interface DispatcherDeps extends ServiceDeps, Pick<AlarmClockDeps, 'scratchStores' | 'scratchRetentionS'> {
  readonly store: ArtifactStore;
  readonly secrets: SecretResolver;
  readonly runtimes: readonly RuntimeAdapter[];
  /** Where processors find KV and queues. */
  readonly scratch: ScratchAccess | undefined;
  /** Executions at once, per runtime. */
  readonly slots: number;
  readonly instance: string;
}

/** Longer than any execution may run and its plan may wait: what is older belongs to nobody. */
const UPLOADS_KEPT_S = 3 * 86_400;
const SWEEP_EVERY_MS = 3_600_000;

class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #journal: Journal;
  readonly #plans: AdmittedPlans;
  readonly #showing: Showing;
  readonly #workers: readonly Worker[];
  readonly #next: Next;
  readonly #alarmClock: AlarmClock;
  readonly #consumptions: Consumption[] = [];
  readonly #subscriptions: Subscription[] = [];
  #sweeper: NodeJS.Timeout | undefined;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#journal = new Journal({ ...deps, by: 'dispatcher' });
    this.#plans = new AdmittedPlans(deps.store);
    this.#showing = new Showing(deps.store);
    const shared = { ...deps, journal: this.#journal, plans: this.#plans, showing: this.#showing };
    this.#workers = deps.runtimes.map((runtime) => new Worker({ ...shared, runtime }));
    const alarms = new Alarms(deps.connection);
    this.#next = new Next({ ...shared, alarms });
    this.#alarmClock = new AlarmClock({ ...shared, alarms, next: (state, plan) => this.#next.now(state, plan) });
  }

  async start(): Promise<void> {
    const { connection, log, runtimes, slots } = this.#deps;
    this.#sweep();
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY_MS);
    // Every dispatcher must hear of a cancellation, whichever of them took the commit from the shared consumer.
    const cancellations = connection.subscribe(COMMITTED_CANCELLATIONS, {
      callback: (error, message) => {
        const heard = error === null ? this.#cancel(message) : Promise.reject(error);
        heard.catch((reason: unknown) => log.warn({ err: reason }, 'cancelling failed'));
      },
    });
    this.#subscriptions.push(cancellations, this.#next.listen());
    this.#consumptions.push(
      await followLedger({
        deps: this.#deps,
        consumer: CONSUMERS.dispatcher,
        journal: this.#journal,
        react: (events, snapshot, seq) => this.#react(events, snapshot, seq),
      }),
    );
    for (const [index, runtime] of runtimes.entries()) {
      const worker = this.#workers[index];
      if (worker === undefined) continue;
      const { adapter } = runtime;
      const unknown = (error: unknown) => log.warn({ err: error, adapter }, 'an image is not known');
      this.#subscriptions.push(answerPins(connection, runtime, unknown));
      const consumption = await consumeFor(this.#deps, {
        consumer: workConsumer(adapter),
        keepQuarantined: true,
        concurrency: slots,
        prefetch: slots,
        keyOf: (message) => String(message.seq),
        ...this.#filedAs(),
        handle: reading(parseWork, (work, signal) => worker.handle(work, signal)),
      });
      this.#consumptions.push(consumption);
    }
    await this.#alarmClock.start();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await Promise.all([this.#alarmClock, ...this.#consumptions].map((one) => one.stop()));
  }

  /** Where a message of WORK is told of when it is given up. */
  #filedAs() {
    return {
      planOf: ({ data }: { readonly data: Uint8Array }) => planOfWork(jsonIn(data)),
      principalOf: (_: unknown, planId: string | undefined) => this.#journal.principalOf(planId),
    };
  }

  /** Uploads of killed executions, and those that came after the end of theirs. */
  #sweep(): void {
    const { store, log } = this.#deps;
    const isNeeded = (executionId: string): Promise<boolean> =>
      this.#isNeeded(executionId).catch((error: unknown) => {
        log.warn({ err: error, execution_id: executionId }, 'what an execution left is kept: it cannot be shown');
        return true;
      });
    store.sweepUploads({ olderThanS: UPLOADS_KEPT_S, isNeeded }).then(
      (removed) => (removed > 0 ? log.info({ removed }, 'abandoned uploads were swept') : undefined),
      (error: unknown) => log.warn({ err: error }, 'sweeping uploads failed'),
    );
  }

  /** What is named and not shown, because a store refused it for long, is shown now, or kept. */
  async #isNeeded(executionId: string): Promise<boolean> {
    const planId = planOfExecution(executionId);
    if (!isPlanId(planId)) return false;
    // Up to its end: in a chain that is read in part an execution may seem to be nobody's.
    const { state } = await this.#journal.load(planId, Number.POSITIVE_INFINITY);
    const execution = state.executions.get(executionId);
    if (execution === undefined) return false;
    if (execution.end === undefined) return state.phase === 'admitted';
    await this.#showing.show(leftBy(state, await this.#plans.of(state), execution));
    return false;
  }

  /** Anyone in the account can say that a plan is to be cancelled; its chain says whether it is. */
  async #cancel({ subject, headers }: Msg): Promise<void> {
    const planId = planOfSubject(subject);
    if (planId === undefined) return;
    const { state } = await this.#journal.read(planId, Number(headers?.get('Nats-Sequence') || 0));
    if (state.cancelRequested === undefined) return;
    await Promise.all(this.#workers.map((worker) => worker.cancel(planId)));
  }

  /** Events first cause what they ask for, then the plan is looked at as a whole. */
  async #react(events: readonly LedgerEvent[], { state }: Snapshot, seq: number): Promise<Disposition | undefined> {
    await Promise.all(events.map((event) => this.#send(effectOf(event, seq))));
    if (events.some(({ kind }) => kind === 'plan.settled')) await this.#alarmClock.onSettled(state);
    if (isOver(state)) this.#plans.forget(state);
    if (state.phase !== 'admitted') return undefined;
    const plan = await documentUnlessItMustEnd(this.#plans, state);
    if (plan !== undefined) return this.#next.inTurn(state, plan);
    await this.#journal.append(state.planId, decideRevokes);
    return undefined;
  }

  async #send(effect: Effect | undefined): Promise<void> {
    if (effect === undefined) return;
    const { subject, msgId, body } = effect;
    await publish(this.#deps.connection, subject, JSON.stringify(body), { msgID: msgId });
  }
}

/** A handler of the documents that a parser takes; what it refuses is dead. */
const reading =
  <T>(parse: (value: unknown) => Validated<T>, handle: (value: T, signal: AbortSignal) => Promise<Disposition>) =>
  async ({ data }: { readonly data: Uint8Array }, signal: AbortSignal): Promise<Disposition> => {
    const parsed = parse(jsonIn(data));
    if (!parsed.ok) return giveUp(parsed.faults[0] ?? fault('ERR_SCHEMA', 'the message is not usable'));
    return handle(parsed.value, signal);
  };

/** Schedules ready steps, runs what is scheduled, and looks at plans whose alarm has rung. */
export async function startDispatcher(deps: DispatcherDeps): Promise<Consumption> {
  const dispatcher = new Dispatcher(deps);
  try {
    await dispatcher.start();
  } catch (error) {
    // It may be started again: what of it runs already must not run beside that.
    await dispatcher.stop();
    throw error;
  }
  return dispatcher;
}
