import { ByteRoom } from '../../shared/async/byte-room.ts';
import { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Snapshot } from '../../shared/journal/snapshot.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { type Artifact, isOver, type PlanState } from '../../shared/ledger/state.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { leftBy } from '../../shared/plan/left.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { isCancellation, planOfSubject } from '../../shared/wire/ledger.ts';
import type { ArtifactStore, PutResult } from '../../shared/world/artifact-store.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { followLedger } from '../common/follow-ledger.ts';
import { PlanQuestions, unlessItMustEnd } from '../common/must-end.ts';
import { Showing } from '../common/showing.ts';
import { decideSettle, duePredicates, type Settle, type SettlePlanDecision } from './decide.ts';
import { checkPredicates, EVIDENCE_BYTES } from './evidence.ts';
import { type ReceiptDocument, receiptOf } from './receipt.ts';
import {
  asSettled,
  type DocumentOrFault,
  isRunning,
  isUnread,
  type OwedReceipt,
  owedReceipts,
  SETTLED_PER_COMMIT,
  type SettleExecution,
  unsettled,
} from './settlement.ts';

export interface SettlerDeps extends ServiceDeps {
  readonly store: ArtifactStore;
  readonly judge: Judge;
}

/** Of the plans that are settled at once those that wait for a costly predicate, however many principals there are. */
export const MOST_SLOW = 48;

class Settler {
  readonly #deps: SettlerDeps;
  readonly #journal: Journal;
  readonly #plans: AdmittedPlans;
  readonly #room = new ByteRoom(EVIDENCE_BYTES);
  readonly #showing: Showing;
  /** Of the plans that are settled just now. */
  readonly #endings = new Map<string, PlanQuestions>();

  constructor(deps: SettlerDeps, journal: Journal) {
    this.#deps = deps;
    this.#journal = journal;
    this.#plans = new AdmittedPlans(deps.store);
    this.#showing = new Showing(deps.store);
  }

  /** A plan that is cancelled while somebody waits for a store or a judge has to end all the same. */
  heard(subject: string): void {
    const planId = planOfSubject(subject);
    if (planId !== undefined && isCancellation(subject)) this.#endings.get(planId)?.tell();
  }

  async react(events: readonly LedgerEvent[], { state }: Snapshot): Promise<void> {
    if (state.phase === 'admitted') await this.#settleHearing(state);
    // Last: it may wait for long.
    await this.#storeOwed(owedReceipts(events, this.#deps.nowMs()), state);
    if (isOver(state)) this.#plans.forget(state);
  }

  /** Commits of a plan are reacted to one after another. */
  async #settleHearing(state: PlanState): Promise<void> {
    const ending = new PlanQuestions(state.cancelRequested !== undefined);
    this.#endings.set(state.planId, ending);
    try {
      await this.#settle(state, ending);
    } finally {
      this.#endings.delete(state.planId);
    }
  }

  async #settle(state: PlanState, ending: PlanQuestions): Promise<void> {
    if (isRunning(state)) return;
    const plan = await unlessItMustEnd(
      ending,
      () => this.#plans.of(state),
      (why) => why,
    );
    await this.#settleWhole(state, plan, ending);
  }

  /** As much as is decided together in one commit, and all of it in as many as that takes. */
  async #settleWhole(state: PlanState, plan: DocumentOrFault, ending: PlanQuestions): Promise<void> {
    for (let current = state; ; ) {
      const settling = await this.#receipts(current, plan, ending);
      const checked = await this.#check(asSettled(current, plan, settling), plan, ending);
      const settled = await this.#journal.append(state.planId, decideSettle, { plan, settling, checked });
      this.#tell(state.planId, plan, settled.decision);
      // Where nothing was written, somebody else's commit brings us back.
      if (settled.events.length === 0 || settled.state.phase !== 'admitted' || isRunning(settled.state)) return;
      current = settled.state;
    }
  }

  #tell(planId: string, plan: DocumentOrFault, { status }: SettlePlanDecision): void {
    if (status === undefined) return;
    if (isUnread(plan)) {
      this.#deps.log.warn({ plan_id: planId, status, why: plan }, 'settled without its admitted document');
    } else this.#deps.log.info({ plan_id: planId, status }, 'settled');
  }

  /** Receipts of what has ended, each stored together with what its execution left. */
  async #receipts(state: PlanState, plan: DocumentOrFault, ending: PlanQuestions): Promise<SettleExecution[]> {
    const document = isUnread(plan) ? undefined : plan;
    const settling: SettleExecution[] = [];
    let isTaking = true;
    for (const execution of unsettled(state).slice(0, SETTLED_PER_COMMIT)) {
      const receipt = receiptOf(state, document, execution);
      // A store that did not take one is not asked to take the next: each may cost as long as a server lets one wait.
      const left = leftBy(state, document, execution);
      const stored: PutResult | undefined = isTaking
        ? await this.#storedUnlessItMustEnd(state.planId, receipt, left, ending)
        : undefined;
      isTaking = stored !== undefined;
      settling.push({ executionId: execution.executionId, receipt, stored });
    }
    return settling;
  }

  /** @param settled the plan once its receipts are written; undefined while something of it is open */
  async #check(
    settled: PlanState | undefined,
    plan: DocumentOrFault,
    ending: PlanQuestions,
  ): Promise<Settle['checked']> {
    if (settled === undefined || isUnread(plan)) return { from: 0, results: [] };
    const { store, judge } = this.#deps;
    const sight = { store, judge, room: this.#room, state: settled, ending };
    const results = await checkPredicates(sight, duePredicates(settled, plan));
    return { from: settled.predicates.length, results };
  }

  #storedUnlessItMustEnd(
    planId: string,
    receipt: ReceiptDocument,
    left: readonly Artifact[],
    ending: PlanQuestions,
  ): Promise<PutResult | undefined> {
    return unlessItMustEnd(
      ending,
      () => this.#store(receipt, left),
      (fault) => {
        this.#deps.log.warn({ plan_id: planId, path: receipt.path, fault }, 'a plan ends without a receipt');
        return undefined;
      },
    );
  }

  /** What an execution left is there before the event that settles it, and so before predicates and the end of the plan. */
  async #store({ path, bytes }: ReceiptDocument, left: readonly Artifact[]): Promise<PutResult> {
    const storing = this.#deps.store.putBytes({ worldPath: path, data: bytes, contentType: 'application/json' });
    const [stored] = await Promise.all([storing, this.#showing.ensureShown(left)]);
    return stored;
  }

  /** The commit that tells of a receipt that was not stored is handed back until the store takes it. */
  async #storeOwed(owed: readonly OwedReceipt[], state: PlanState): Promise<void> {
    for (const { execution_id: id, receipt_cid: cid } of owed) {
      const execution = state.executions.get(id);
      if (execution === undefined) continue;
      // As it is made where the document cannot be read, and else with that.
      const told = receiptOf(state, undefined, execution);
      const plan = told.cid === cid ? undefined : await this.#plans.of(state);
      const receipt = plan === undefined ? told : receiptOf(state, plan, execution);
      if (receipt.cid === cid) await this.#store(receipt, leftBy(state, plan, execution));
      else this.#deps.log.error({ execution_id: id, cid }, 'this version makes another receipt: it is not stored');
    }
  }
}

/** Writes receipts, settles budgets, checks predicates and ends plans. */
export function startSettler(deps: SettlerDeps): Promise<Consumption> {
  const journal = new Journal({ ...deps, by: 'settler' });
  const settler = new Settler(deps, journal);
  return followLedger({
    deps,
    consumer: CONSUMERS.settler,
    journal,
    react: async (events, snapshot) => {
      await settler.react(events, snapshot);
      return undefined;
    },
    heard: (subject) => settler.heard(subject),
  });
}
