import * as assert from 'uvu/assert';
import {
  decideSettleExecution,
  decideSettlePlan,
  duePredicates,
  isEvidence,
  type SettlePlan,
  type StoredReceipt,
  unsettled,
} from '../../services/settler/decide.ts';
import { checkPredicates } from '../../services/settler/evidence.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { Judge } from '../../shared/judge/judge.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import type { PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import { suite } from '../harness/suite.ts';
import { dataOf, given } from '../ledger/given.ts';
import {
  admittedChain,
  type Chain,
  cancelRequested,
  failed,
  lost,
  scheduled,
  settled,
  settledExecution,
  started,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from '../plan/admitted-plan.ts';
import { makeFileStore } from '../world/file-store.ts';

const test = suite('what a settler decides');

const RESERVE = 400;
const ID = 'plan.train.1';
const OUT = '/artifacts/outputs/plan/train/out.json';

const settler = (chain: Chain) => given(chain, 'settler');

function callOf(use: string, more: Readonly<Record<string, unknown>> = {}): PredicateCall {
  const call = { use, path: OUT, ...more };
  return call;
}

const withPredicates = (count: number): AdmittedPlan =>
  planOf([step('train')], {
    predicates: Array.from({ length: count }, (_, index) => ({
      pointer: `/predicates/${index}`,
      call: callOf('artifact.exists@1'),
    })),
  });

const startedChain = (predicates = 0, steps = 1): Chain =>
  admittedChain('plan', 10_000, { steps, predicates })
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
    .append('dispatcher', [started(ID)]);

const endedChain = (predicates = 0): Chain =>
  startedChain(predicates).append('dispatcher', [
    written('plan', 'train', 'out.json', ID, '{"ok":true}'),
    succeeded(ID, 1_500),
  ]);

/** Every step succeeded, and is settled. */
const finishedChain = (predicates = 0): Chain =>
  endedChain(predicates).append('settler', settledExecution('plan', ID, RESERVE, 115));

const NONE: SettlePlan['checked'] = { from: 0, results: [] };
const held = (count: number): PredicateResult[] => Array.from({ length: count }, () => ({ ok: true, found: 'it' }));

// Executions.

const RECEIPT: StoredReceipt = {
  path: `/artifacts/executions/plan/${ID}/determinism.json`,
  bytes: new Uint8Array(),
  memoKey: cidOf('memo'),
  cid: cidOf('receipt'),
  sha256: 'ab'.repeat(32),
  size: 700,
};
const settle = { plan: planOf([step('train')]), executionId: ID, receipt: RECEIPT };

test('an ended execution gets its receipt and its budget settled, in one commit, once', () => {
  const chain = endedChain();
  assert.equal(
    unsettled(chain.state).map(({ executionId }) => executionId),
    [ID],
  );
  const { decision, kinds, state } = settler(chain).when(decideSettleExecution, settle);
  assert.equal(kinds, ['artifact.written', 'budget.settled', 'execution.settled']);
  assert.equal(state.budget, { limit: 10_000, held: 0, spent: 115 }, '100 + 10 a second × 1.5 s');
  const { receipt_path, receipt_cid, memo_key } = dataOf(decision.drafts, 'execution.settled');
  assert.equal([receipt_path, receipt_cid, memo_key], [RECEIPT.path, RECEIPT.cid, RECEIPT.memoKey]);
  const again = chain.append('settler', decision.drafts);
  assert.equal(settler(again).when(decideSettleExecution, settle).kinds, []);
  assert.equal(unsettled(again.state), []);
});

test('an execution that never started costs nothing, one that ran over costs its reserve', () => {
  const spent = (chain: Chain) => settler(chain).when(decideSettleExecution, settle).state.budget.spent;
  assert.is(
    spent(
      admittedChain('plan')
        .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
        .append('dispatcher', [failed(ID, 700)]),
    ),
    0,
  );
  assert.is(spent(startedChain().append('dispatcher', [failed(ID, 9_999_999)])), RESERVE);
  assert.is(spent(startedChain().append('dispatcher', [lost(ID, 1_000)])), 110);
  assert.is(spent(startedChain().append('dispatcher', [lost(ID, null)])), RESERVE, 'unknown is the reserve');
});

test('what has not ended, or is of no plan, is not settled', () => {
  for (const chain of [startedChain(), admittedChain('plan')]) {
    assert.equal(settler(chain).when(decideSettleExecution, settle).kinds, []);
    assert.equal(unsettled(chain.state), []);
  }
});

// Predicates.

test('predicates are due when every step has succeeded and is settled, and not before', () => {
  const plan = withPredicates(2);
  for (const chain of [admittedChain('plan'), startedChain(), endedChain()]) {
    assert.equal(duePredicates(chain.state, plan), []);
    assert.equal(settler(chain).when(decideSettlePlan, { plan, checked: NONE }).kinds, []);
  }
  assert.equal(duePredicates(finishedChain().state, plan), plan.predicates);
  const over = finishedChain().append('settler', [settled('succeeded', 115)]);
  assert.equal(duePredicates(over.state, plan), []);
  const failedPlan = startedChain()
    .append('dispatcher', [failed(ID, 5, { retryable: false })])
    .append('settler', settledExecution('plan', ID, RESERVE, 100));
  assert.equal(duePredicates(failedPlan.state, plan), []);
});

/** Checks and settles as a settler does, until nothing is left to decide; `resultsOf` says what became of what is due. */
function settleAll(chain: Chain, plan: AdmittedPlan, resultsOf = held): number[] {
  const commits: number[] = [];
  for (;;) {
    const results = resultsOf(duePredicates(chain.state, plan).length);
    const { drafts } = decideSettlePlan(chain.state, {
      plan,
      checked: { from: chain.state.predicates.length, results },
    });
    if (drafts.length === 0) return commits;
    commits.push(drafts.filter(({ kind }) => kind === 'predicate.checked').length);
    chain.append('settler', drafts);
  }
}

test('predicates beyond the first hundred are checked too, each once and in order, before the plan ends', () => {
  const chain = finishedChain(250);
  assert.equal(settleAll(chain, withPredicates(250)), [100, 100, 50]);
  assert.equal(
    chain.state.predicates.map(({ pointer }) => pointer),
    Array.from({ length: 250 }, (_, index) => `/predicates/${index}`),
  );
  assert.is(chain.state.settled?.status, 'succeeded');
});

test('one predicate that does not hold fails the plan, wherever it stands', () => {
  for (const bad of [0, 99, 100, 149]) {
    const chain = finishedChain(150);
    const resultsOf = (count: number): PredicateResult[] => {
      const from = chain.state.predicates.length;
      return held(count).map((result, index) => (from + index === bad ? { ok: false, found: 'nothing' } : result));
    };
    settleAll(chain, withPredicates(150), resultsOf);
    const { status, faults } = chain.state.settled ?? {};
    assert.equal([status, faults?.length], ['failed', 1], String(bad));
    assert.equal([faults?.[0]?.code, faults?.[0]?.pointer], ['ERR_PREDICATE', `/predicates/${bad}`]);
  }
});

test('a settler whose evidence is older than the ledger writes nothing: the next commit brings it back', () => {
  const plan = withPredicates(150);
  const chain = finishedChain(150);
  const stale: SettlePlan = { plan, checked: { from: 0, results: held(100) } };
  const { decision } = settler(chain).when(decideSettlePlan, stale);
  chain.append('settler', decision.drafts);
  assert.equal(settler(chain).when(decideSettlePlan, stale).kinds, []);
  // It read before the predicates were due.
  assert.equal(settler(finishedChain()).when(decideSettlePlan, { plan, checked: NONE }).kinds, []);
  assert.equal(
    settler(finishedChain()).when(decideSettlePlan, { plan, checked: { from: 0, results: held(99) } }).kinds,
    [],
  );
});

test('what a predicate found is told, clipped', () => {
  const results = [{ ok: true, found: 'x'.repeat(5_000) }];
  const { decision } = settler(finishedChain(1)).when(decideSettlePlan, {
    plan: withPredicates(1),
    checked: { from: 0, results },
  });
  const { predicate, ok, found } = dataOf(decision.drafts, 'predicate.checked');
  assert.equal([predicate, ok], ['artifact.exists@1', true]);
  assert.ok(found.length <= 501 && found.startsWith('xxx'));
});

test('an object counts as evidence unless the ledger names it with another CID', () => {
  const { state } = finishedChain();
  assert.is(isEvidence(state, { path: OUT, cid: cidOf('{"ok":true}') }), true);
  assert.is(isEvidence(state, { path: OUT, cid: cidOf('{"ok":false}') }), false);
  assert.is(isEvidence(state, { path: '/artifacts/inputs/raw.json', cid: cidOf('anything') }), true);
});

test('a predicate does not judge bytes that the ledger names otherwise: they are as good as absent', async () => {
  const { store, dispose } = await makeFileStore();
  const judge = new Judge();
  try {
    await store.putBytes({ worldPath: OUT, data: Buffer.from('{"ok":"forged"}'), contentType: 'application/json' });
    const plan = planOf([step('train')], {
      predicates: [
        { pointer: '/predicates/0', call: callOf('artifact.exists@1') },
        { pointer: '/predicates/1', call: callOf('artifact.jmespath_ok@1', { expression: 'ok' }) },
      ],
    });
    const check = (state: PlanState) => checkPredicates({ store, judge, state }, plan.predicates);
    const named = await check(finishedChain().state);
    assert.equal(
      named.map(({ ok }) => ok),
      [false, false],
    );
    // The same object is evidence where the ledger names nothing.
    const unnamed = await check(startedChain().append('dispatcher', [succeeded(ID, 5)]).state);
    assert.is(unnamed[0]?.ok, true);
  } finally {
    await judge.close();
    await dispose();
  }
});

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
  const { decision } = settler(finishedChain()).when(decideSettlePlan, { plan, checked: NONE });
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
