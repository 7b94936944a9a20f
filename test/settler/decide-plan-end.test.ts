import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import {
  admittedChain,
  type Chain,
  cancelRequested,
  failed,
  scheduled,
  settled,
  settledExecution,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from '../plan/admitted-plan.ts';
import {
  decideSettlePlan,
  finishedChain,
  ID,
  NONE,
  RESERVE,
  settler,
  startedChain,
  withPredicates,
} from './judged-plan.ts';

const test = suite('how a settler ends a plan');

// How a plan ends.

test('a plan without predicates ends as its steps did', () => {
  const plan = planOf([step('train')]);
  const { decision, kinds, state } = settler(finishedChain()).when(decideSettlePlan, { plan, checked: NONE });
  assert.equal([decision.status, kinds], ['succeeded', ['plan.settled']]);
  assert.equal(state.settled, { status: 'succeeded', spent_usd_micro: 115, faults: [] });
});

test('a plan whose steps all succeeded ends by its predicates, though a client cancelled it', () => {
  const plan = withPredicates(1);
  for (const [ok, status] of [
    [true, 'succeeded'],
    [false, 'failed'],
  ] as const) {
    const chain = finishedChain(1).append('admission', [cancelRequested('client')]);
    const checkedNow = { from: 0, results: [{ ok, found: '' }] };
    assert.is(settler(chain).when(decideSettlePlan, { plan, checked: checkedNow }).decision.status, status);
  }
});

test('a plan whose step failed for good fails with its reason; what was revoked with it is not a reason', () => {
  const plan = planOf([step('train'), step('judge')], { predicates: withPredicates(1).predicates });
  const judge = 'plan.judge.1';
  const chain = startedChain(1, 2)
    .append('dispatcher', scheduled('plan', 'judge', 1, RESERVE))
    .append('dispatcher', [failed(ID, 5, { retryable: false })])
    .append('dispatcher', [failed(judge, 0, { code: 'ERR_CANCELLED', retryable: false })]);
  assert.equal(settler(chain).when(decideSettlePlan, { plan, checked: NONE }).kinds, [], 'not before both are settled');
  chain
    .append('settler', settledExecution('plan', ID, RESERVE, 100))
    .append('settler', settledExecution('plan', judge, RESERVE, 0));
  const { decision, kinds } = settler(chain).when(decideSettlePlan, { plan, checked: NONE });
  assert.equal([decision.status, kinds], ['failed', ['plan.settled']]);
  const { faults } = dataOf(decision.drafts, 'plan.settled');
  assert.equal(
    faults.map(({ code, pointer }) => [code, pointer]),
    [['ERR_EXIT', '/steps/train']],
  );
});

test('a plan that cannot be paid any more fails and says so', () => {
  const plan = planOf([step('train'), step('judge', { processor: 'test/dear@1' })], {
    processors: {
      'test/probe@1': processor(),
      'test/dear@1': processor({ ref: 'test/dear@1', cost: { usd_micro_fixed: 9_900, usd_micro_per_s: 0 } }),
    },
  });
  const { decision } = settler(finishedChain(0, 2)).when(decideSettlePlan, { plan, checked: NONE });
  const { faults } = dataOf(decision.drafts, 'plan.settled');
  assert.equal(
    [decision.status, ...faults.map(({ code, pointer }) => [code, pointer])],
    ['failed', ['ERR_BUDGET_EXHAUSTED', '/steps/judge']],
  );
});

/** Cancelled before it could start, and settled. */
const revoked = (reason: 'client' | 'deadline'): Chain =>
  admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
    .append(reason === 'client' ? 'admission' : 'dispatcher', [cancelRequested(reason)])
    .append('dispatcher', [failed(ID, 0, { code: 'ERR_CANCELLED', retryable: false })])
    .append('settler', settledExecution('plan', ID, RESERVE, 0));

test('a plan that its client cancelled ends as cancelled, one that its deadline ended as failed with ERR_TIMEOUT', () => {
  const plan = planOf([step('train')]);
  const endOf = (chain: Chain) => {
    const { decision } = settler(chain).when(decideSettlePlan, { plan, checked: NONE });
    const { status, faults } = dataOf(decision.drafts, 'plan.settled');
    return [status, faults.map(({ code }) => code)];
  };
  assert.equal(endOf(revoked('client')), ['cancelled', []]);
  assert.equal(endOf(revoked('deadline')), ['failed', ['ERR_TIMEOUT']]);
  // Too late to change anything: every step had succeeded.
  const late = finishedChain().append('admission', [cancelRequested('client')]);
  assert.equal(endOf(late), ['succeeded', []]);
});

test('a plan that is over is left alone', () => {
  const plan = planOf([step('train')]);
  const over = finishedChain().append('settler', [settled('succeeded', 115)]);
  assert.equal(settler(over).when(decideSettlePlan, { plan, checked: NONE }).decision, { drafts: [] });
});

test.run();
