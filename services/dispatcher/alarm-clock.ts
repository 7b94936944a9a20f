import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import type { Journal } from '../../shared/journal/journal.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { type Disposition, DONE, giveUp } from '../../shared/nats/disposition.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { nextLookAt } from '../../shared/plan/due.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import { planOfAlarm } from '../../shared/wire/alarms.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { type Alarms, plansWithoutAlarm } from '../common/alarms.ts';
import { consumeFor } from '../common/consume.ts';
import { decideDue, missed } from './due.ts';
import { purgeAt } from './effects.ts';
import { WaitingWork } from './waiting-work.ts';

export interface AlarmClockDeps {
  readonly connection: NatsConnection;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly journal: Journal;
  readonly plans: AdmittedPlans;
  readonly alarms: Alarms;
  /** Starts what a plan asks for now. @throws ERR_LEDGER_FULL, which passes, while a retry waits for room */
  next(state: PlanState, plan: AdmittedPlan): Promise<unknown>;
  /** What holds the scratch of plans, for its end. */
  readonly scratchStores: readonly Pick<Kv | Queue, 'purgePlan'>[];
  /** How long the scratch of a settled plan is kept. */
  readonly scratchRetentionS: number;
}

const LOOKS_AT_ONCE = 8;
const SWEEP_EVERY_MS = 3_600_000;

/** Looks at plans whose alarm has rung, and sees that every open plan has one. */
export class AlarmClock {
  readonly #deps: AlarmClockDeps;
  readonly #work: WaitingWork;
  #consumption: Consumption | undefined;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(deps: AlarmClockDeps) {
    this.#deps = deps;
    this.#work = new WaitingWork(deps.connection, deps.nowMs);
  }

  async start(): Promise<void> {
    const { connection, journal } = this.#deps;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const sweep = (): void => void this.#sweep(manager);
    this.#consumption = await consumeFor(this.#deps, {
      consumer: CONSUMERS.alarms,
      keepQuarantined: true,
      concurrency: LOOKS_AT_ONCE,
      keyOf: ({ subject }) => subject,
      planOf: ({ subject }) => planOfAlarm(subject),
      principalOf: (_, planId) => journal.principalOf(planId),
      // With the stream the alarms were gone too.
      reopened: sweep,
      handle: ({ subject }) => this.#onRing(planOfAlarm(subject), subject),
    });
    sweep();
    this.#sweeper = setInterval(sweep, SWEEP_EVERY_MS);
    this.#afterOutages(sweep).catch((error: unknown) =>
      this.#deps.log.error({ err: error }, 'nobody sweeps after an outage'),
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#consumption?.stop();
  }

  /** A commit tells that the plan has ended: what it left in scratch has its time, and nothing else wakes it. */
  async onSettled(state: PlanState): Promise<void> {
    const purgeMs = await this.#purgeAt(state);
    if (purgeMs === undefined) this.#deps.alarms.cancel(state.planId);
    else await this.#deps.alarms.set(state.planId, purgeMs);
  }

  async #onRing(planId: string | undefined, subject: string): Promise<Disposition> {
    if (planId === undefined) return giveUp(fault('ERR_PLAN_ID', `${subject} names no plan`));
    // As it is now: an alarm rings once.
    const { state } = await this.#deps.journal.load(planId, Number.POSITIVE_INFINITY);
    if (state.phase === 'admitted') await this.#look(state);
    if (state.phase === 'settled') await this.#purge(state);
    return DONE;
  }

  /** The next alarm is set before anything is written: whatever becomes of this process, the plan is looked at again. */
  async #look(state: PlanState): Promise<void> {
    const { journal, alarms, nowMs, next } = this.#deps;
    const { planId } = state;
    const plan = await this.#documentOf(state);
    const lookMs = nextLookAt(state, plan, nowMs());
    if (lookMs !== undefined) await alarms.set(planId, lookMs);
    const gone = await this.#work.gone(missed(state, nowMs()));
    let looked = state;
    let isDone = false;
    while (!isDone) {
      const { events, state: now } = await journal.append(planId, decideDue, { plan, gone, nowMs: nowMs() });
      looked = now;
      isDone = events.length === 0;
    }
    if (plan !== undefined) await next(looked, plan);
  }

  /** Undefined while the store does not give it: what ends a plan waits for no store. */
  async #documentOf(state: PlanState): Promise<AdmittedPlan | undefined> {
    try {
      return await this.#deps.plans.of(state);
    } catch (error) {
      if (!(error instanceof IsomorphError)) throw error;
      this.#deps.log.warn({ plan_id: state.planId, err: error }, 'a plan is looked at without its admitted document');
      return undefined;
    }
  }

  async #purgeAt(state: PlanState): Promise<number | undefined> {
    const { scratchStores, scratchRetentionS } = this.#deps;
    if (scratchStores.length === 0 || state.admitted === undefined) return undefined;
    return purgeAt(state, await this.#documentOf(state), scratchRetentionS);
  }

  async #purge(state: PlanState): Promise<void> {
    const { scratchStores, alarms, log, nowMs } = this.#deps;
    const { planId } = state;
    const dueMs = await this.#purgeAt(state);
    if (dueMs === undefined) return;
    if (dueMs > nowMs()) return alarms.set(planId, dueMs);
    await Promise.all(scratchStores.map((store) => store.purgePlan({ planId })));
    log.info({ plan_id: planId }, 'scratch was purged');
  }

  /** Plans without an alarm are looked at now, and the look sets one. */
  async #sweep(manager: JetStreamManager): Promise<void> {
    const { connection, alarms, log } = this.#deps;
    try {
      const found = await plansWithoutAlarm(connection, manager);
      for (const planId of found) await alarms.ring(planId);
      if (found.length > 0) log.warn({ plans: found.length }, 'open plans had no alarm: they are looked at now');
    } catch (error) {
      if (!connection.isClosed()) log.warn({ err: error }, 'open plans without an alarm are not known');
    }
  }

  /** Who was away may have missed that the server lost something. */
  async #afterOutages(sweep: () => void): Promise<void> {
    for await (const { type } of this.#deps.connection.status()) if (type === 'reconnect') sweep();
  }
}
