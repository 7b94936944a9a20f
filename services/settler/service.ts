import { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Snapshot } from '../../shared/journal/snapshot.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { followLedger } from '../common/follow-ledger.ts';
import { decideSettleExecution, decideSettlePlan, duePredicates, unsettled } from './decide.ts';
import { checkPredicates } from './evidence.ts';
import { receiptOf } from './receipt.ts';

export interface SettlerDeps extends ServiceDeps {
  readonly store: ArtifactStore;
  readonly judge: Judge;
}

class Settler {
  readonly #deps: SettlerDeps;
  readonly #journal: Journal;
  readonly #plans: AdmittedPlans;

  constructor(deps: SettlerDeps, journal: Journal) {
    this.#deps = deps;
    this.#journal = journal;
    this.#plans = new AdmittedPlans(deps.store);
  }

  async react({ state }: Snapshot): Promise<void> {
    if (state.phase !== 'admitted') return;
    const plan = await this.#plans.of(state);
    let current = state;
    for (const { executionId } of unsettled(state)) current = await this.#settleExecution(current, plan, executionId);
    await this.#settlePlan(current, plan);
  }

  async #settleExecution(state: PlanState, plan: AdmittedPlan, executionId: string): Promise<PlanState> {
    const execution = state.executions.get(executionId);
    if (execution?.end === undefined || execution.settled !== undefined) return state;
    const receipt = receiptOf(state, plan, execution);
    const stored = await this.#deps.store.putBytes({
      worldPath: receipt.path,
      data: receipt.bytes,
      contentType: 'application/json',
    });
    const command = { plan, executionId, receipt: { ...receipt, ...stored } };
    const appended = await this.#journal.append(state.planId, decideSettleExecution, command);
    return appended.state;
  }

  async #settlePlan(state: PlanState, plan: AdmittedPlan): Promise<void> {
    const { store, judge } = this.#deps;
    const results = await checkPredicates({ store, judge, state }, duePredicates(state, plan));
    const command = { plan, checked: { from: state.predicates.length, results } };
    const { decision } = await this.#journal.append(state.planId, decideSettlePlan, command);
    const { status } = decision;
    if (status !== undefined) this.#deps.log.info({ plan_id: state.planId, status }, 'settled');
  }
}

/** Writes receipts, settles budgets, checks predicates and ends plans. */
export function startSettler(deps: SettlerDeps): Promise<Consumption> {
  const journal = new Journal({ ...deps, by: 'settler' });
  const settler = new Settler(deps, journal);
  return followLedger({ deps, consumer: CONSUMERS.settler, journal, react: (_, snapshot) => settler.react(snapshot) });
}
