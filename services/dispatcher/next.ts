import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Journal } from '../../shared/journal/journal.ts';
import { commitOf } from '../../shared/journal/snapshot.ts';
import type { EventData } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { Disposition } from '../../shared/nats/disposition.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { COMMITTED_EXECUTIONS, planOfSubject, storedSubject } from '../../shared/wire/ledger.ts';
import type { Alarms } from '../common/alarms.ts';
import { LedgerRoom } from '../common/ledger-room.ts';
import { beginningToWait, decideNext } from './decide.ts';
import type { PlacesByRuntime } from './queue-places.ts';
import { WaitingByPrincipal } from './waiting-by-principal.ts';

export interface NextDeps {
  readonly connection: NatsConnection;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly journal: Journal;
  readonly alarms: Alarms;
}

/** A plan waits here for so long, in the order in which they asked; then its commit is handed back, so that others of its principal have the handler. */
const WAIT_MS = 500;
const AGAIN_MS = 500;

/** Schedules what plans ask for, of each and of each principal only so much as may wait for slots at once (ADR 129). */
export class Next {
  readonly #deps: NextDeps;
  readonly #room: LedgerRoom;
  readonly #waiting = new WaitingByPrincipal(() => performance.now());

  constructor(deps: NextDeps) {
    this.#deps = deps;
    this.#room = new LedgerRoom(deps.connection);
  }

  /** Hears what has started or ended, whichever dispatcher did it. */
  listen(): Subscription {
    return this.#deps.connection.subscribe(COMMITTED_EXECUTIONS, {
      callback: (error, { subject, data }) => {
        if (error === null) this.#hear(subject, data);
        else this.#deps.log.warn({ err: error }, 'what starts is not heard: fewer executions of a principal may wait');
      },
    });
  }

  /**
   * Schedules what the plan asks for as soon as its principal has places.
   * @throws ERR_LEDGER_FULL, which passes, while a retry waits for room
   * @returns when to ask again, if he has none for long
   */
  async inTurn(state: PlanState, plan: AdmittedPlan): Promise<Disposition | undefined> {
    const principal = principalOf(state);
    for (let last = state; ; ) {
      const { behind, state: next } = await this.now(last, plan);
      if (behind === undefined) return undefined;
      if (!(await this.#waiting.freed(principal, behind, WAIT_MS))) return { kind: 'later', delayMs: AGAIN_MS };
      last = next;
    }
  }

  /**
   * Schedules what the plan asks for and its principal has places for.
   * @throws ERR_LEDGER_FULL, which passes, while a retry waits for room
   * @returns `behind`: a runtime that it has nothing scheduled for, because he has no place there
   */
  async now(state: PlanState, plan: AdmittedPlan): Promise<{ readonly behind?: string; readonly state: PlanState }> {
    const { journal, nowMs } = this.#deps;
    const { planId } = state;
    const full = await this.#room.full();
    const now = { nowMs: nowMs(), hasRoom: full === undefined };
    const wanted = countsOf(beginningToWait(decideNext(state, plan, now).drafts, now.nowMs));
    const principal = principalOf(state);
    const places = this.#waiting.take(principal, wanted);
    try {
      const rule = (one: PlanState) => decideNext(one, plan, { ...now, places });
      const { decision, events, state: next } = await journal.append(planId, rule);
      for (const { adapter, execution_id } of beginningToWait(decision.drafts, now.nowMs)) {
        this.#waiting.scheduled(principal, adapter, planId, execution_id);
      }
      if (decision.lookAtMs !== undefined) await this.#deps.alarms.set(planId, decision.lookAtMs);
      // What asked for it is handed back until there is room, or the plan ends.
      if (decision.isWaiting === true && full !== undefined) throw full;
      // What was scheduled is a commit, which has the plan looked at again.
      const behind = events.length > 0 ? undefined : withoutPlace(wanted, places);
      return behind === undefined ? { state: next } : { behind, state: next };
    } finally {
      this.#waiting.giveBack(principal, places);
    }
  }

  #hear(subject: string, data: Uint8Array): void {
    const planId = planOfSubject(subject);
    if (planId === undefined || !this.#waiting.has(planId)) return;
    const commit = commitOf(planId, { subject: storedSubject(subject), data, seq: 0, storedAt: '' });
    // It is none of the chain: whoever follows the ledger tells of it.
    if (commit instanceof IsomorphError) return;
    for (const raw of commit) {
      const { execution_id: id } = raw.data as { readonly execution_id?: unknown };
      if (raw.kind !== 'execution.scheduled' && raw.kind !== 'budget.reserved' && typeof id === 'string') {
        this.#waiting.left(id);
      }
    }
  }
}

const principalOf = ({ submitted }: PlanState): string => submitted?.principal ?? '';

function countsOf(scheduled: readonly EventData<'execution.scheduled'>[]): PlacesByRuntime {
  const counts = new Map<string, number>();
  for (const { adapter } of scheduled) counts.set(adapter, (counts.get(adapter) ?? 0) + 1);
  return counts;
}

const withoutPlace = (wanted: PlacesByRuntime, places: PlacesByRuntime): string | undefined =>
  [...wanted.keys()].find((adapter) => places.get(adapter) === 0);
