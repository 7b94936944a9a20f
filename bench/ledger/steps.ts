/** What the pure part of a step costs, by the size of its plan: deciding what is next and folding in what was decided. */
import { decideNext } from '../../services/dispatcher/decide.ts';
import { MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import { decideSettle } from '../../services/settler/decide.ts';
import { unsettled } from '../../services/settler/settlement.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { scheduled } from '../../test/ledger/plan-history.ts';
import { planOf, processor, step } from '../../test/plan/admitted-plan.ts';
import { type BenchResult, median } from '../harness.ts';
import { lifeOf, runStep, stepId } from './lives.ts';

const SIZES = [100, 1_000, 10_000] as const;
const STEPS_A_ROUND = 80;
/** Later than anything here waits. */
const NOW = { nowMs: Date.parse('2100-01-01T00:00:00.000Z'), hasRoom: true };
const ROUNDS = 9;

/** They wait for slots, as many as may, so that none of their runtime is next. */
const WAITING = Array.from({ length: MOST_WAITING }, (_, n) => `w${n}`);

/** Half of them need the other half, one each; one of another runtime is ready. */
function planOfSize(size: number): AdmittedPlan {
  const steps = Array.from({ length: size }, (_, n) =>
    step(stepId(n), { needs: n < size / 2 ? [] : [stepId(n - size / 2)] }),
  );
  const elsewhere = step('elsewhere', { adapter: 'local' });
  const reader = processor({ read_only: true });
  return planOf([...steps, ...WAITING.map((id) => step(id)), elsewhere], {
    plan_id: 'plan',
    processors: { 'test/probe@1': reader },
  });
}

/** Microseconds a step, in the middle of the life of a plan. */
function costOf(size: number): number {
  const plan = planOfSize(size);
  const from = Math.floor(size / 10);
  const chain = lifeOf('plan', size, from);
  for (const id of WAITING) chain.append('dispatcher', scheduled('plan', id, 1, 0));
  const results = { plan, settling: [], checked: { from: 0, results: [] } };
  const startNs = process.hrtime.bigint();
  for (let n = 0; n < STEPS_A_ROUND; n++) {
    runStep(chain, from + n);
    if (decideNext(chain.state, plan, NOW).drafts.length !== 1) throw new Error('not one is next');
    if (unsettled(chain.state).length > 0) throw new Error('something is unsettled');
    decideSettle(chain.state, results);
  }
  return Number(process.hrtime.bigint() - startNs) / 1_000 / STEPS_A_ROUND;
}

export function steps(): BenchResult {
  const costs = new Map<number, number[]>(SIZES.map((size) => [size, []]));
  for (let round = -2; round < ROUNDS; round++) {
    for (const size of SIZES) {
      const us = costOf(size);
      if (round >= 0) costs.get(size)?.push(us);
    }
  }
  const small = costs.get(SIZES[0]) ?? [];
  const over = (size: number): number =>
    median((costs.get(size) ?? []).map((us, round) => us / (small[round] ?? Number.NaN)));
  return {
    ratios: { step_pure_1000_over_100: over(1_000), step_pure_10000_over_100: over(10_000) },
    figures: Object.fromEntries(SIZES.map((size) => [`step_pure_${size}_us`, median(costs.get(size) ?? [])])),
    notes: ['step_pure: time over time, goal at most 1.15'],
  };
}
