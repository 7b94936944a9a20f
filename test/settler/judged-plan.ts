import { decideSettle, type Settle } from '../../services/settler/decide.ts';
import type { SettleExecution } from '../../services/settler/settlement.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import type { PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import { given } from '../ledger/given.ts';
import {
  admittedChain,
  type Chain,
  scheduled,
  settledExecution,
  started,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';

export const RESERVE = 400;
export const ID = 'plan.train.1';
export const OUT = '/artifacts/outputs/plan/train/out.json';

export const settler = (chain: Chain) => given(chain, 'settler');

export function callOf(use: string, more: Readonly<Record<string, unknown>> = {}): PredicateCall {
  const call = { use, path: OUT, ...more };
  return call;
}

export const withPredicates = (count: number): AdmittedPlan =>
  planOf([step('train')], {
    predicates: Array.from({ length: count }, (_, index) => ({
      pointer: `/predicates/${index}`,
      call: callOf('artifact.exists@1'),
    })),
  });

export const startedChain = (predicates = 0, steps = 1): Chain =>
  admittedChain('plan', 10_000, { steps, predicates })
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
    .append('dispatcher', [started(ID)]);

export const endedChain = (predicates = 0, steps = 1): Chain =>
  startedChain(predicates, steps).append('dispatcher', [
    written('plan', 'train', 'out.json', ID, '{"ok":true}'),
    succeeded(ID, 1_500),
  ]);

/** Every step succeeded, and is settled. */
export const finishedChain = (predicates = 0, steps = 1): Chain =>
  endedChain(predicates, steps).append('settler', settledExecution('plan', ID, RESERVE, 115));

export const NONE: Settle['checked'] = { from: 0, results: [] };
export const held = (count: number): PredicateResult[] =>
  Array.from({ length: count }, () => ({ ok: true, found: 'it' }));

// Executions.

export const RECEIPT: SettleExecution['receipt'] = {
  path: `/artifacts/executions/plan/${ID}/determinism.json`,
  bytes: new Uint8Array(),
  memoKey: cidOf('memo'),
  cid: cidOf('receipt'),
};
export const STORED = { sha256: 'ab'.repeat(32), size: 700 };
/** Of a plan that does not end with it: nobody has looked at its predicate. */
export const settle = (): Settle => ({
  plan: withPredicates(1),
  settling: [{ executionId: ID, receipt: RECEIPT, stored: STORED }],
  checked: NONE,
});

/** The end of a plan whose executions are settled. */
export const decideSettlePlan = (state: PlanState, command: Omit<Settle, 'settling'>) =>
  decideSettle(state, { ...command, settling: [] });
