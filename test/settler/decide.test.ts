import * as assert from 'uvu/assert';
import { decideSettle, duePredicates, isEvidence, type Settle } from '../../services/settler/decide.ts';
import { checkPredicates, EVIDENCE_BYTES } from '../../services/settler/evidence.ts';
import { asSettled, unsettled } from '../../services/settler/settlement.ts';
import { ByteRoom } from '../../shared/async/byte-room.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { Judge } from '../../shared/judge/judge.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import type { PredicateResult } from '../../shared/plan/predicates/predicate.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import {
  admittedChain,
  type Chain,
  failed,
  lost,
  scheduled,
  settled,
  settledExecution,
  succeeded,
} from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import { makeFileStore } from '../world/file-store.ts';
import {
  callOf,
  decideSettlePlan,
  endedChain,
  finishedChain,
  held,
  ID,
  NONE,
  OUT,
  RECEIPT,
  RESERVE,
  settle,
  settler,
  startedChain,
  withPredicates,
} from './judged-plan.ts';

const test = suite('what a settler decides');

test('an ended execution gets its receipt and its budget settled, in one commit, once', () => {
  const chain = endedChain();
  assert.equal(
    unsettled(chain.state).map(({ executionId }) => executionId),
    [ID],
  );
  const { decision, kinds, state } = settler(chain).when(decideSettle, settle());
  assert.equal(kinds, ['artifact.written', 'budget.settled', 'execution.settled']);
  assert.equal(state.budget, { limit: 10_000, held: 0, spent: 115 }, '100 + 10 a second × 1.5 s');
  const { receipt_path, receipt_cid, memo_key } = dataOf(decision.drafts, 'execution.settled');
  assert.equal([receipt_path, receipt_cid, memo_key], [RECEIPT.path, RECEIPT.cid, RECEIPT.memoKey]);
  const again = chain.append('settler', decision.drafts);
  assert.equal(settler(again).when(decideSettle, settle()).kinds, []);
  assert.equal(unsettled(again.state), []);
});

test('an execution that never started costs nothing, one that ran over costs its reserve', () => {
  const spent = (chain: Chain) => settler(chain).when(decideSettle, settle()).state.budget.spent;
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
    assert.equal(settler(chain).when(decideSettle, settle()).kinds, []);
    assert.equal(unsettled(chain.state), []);
  }
});

test('receipt, budget, predicates and the end of a plan are one commit where nothing is open then', () => {
  const command: Settle = { ...settle(), checked: { from: 0, results: held(1) } };
  const { decision, kinds, state } = settler(endedChain(1)).when(decideSettle, command);
  const receipt = ['artifact.written', 'budget.settled', 'execution.settled'];
  assert.equal(kinds, [...receipt, 'predicate.checked', 'plan.settled']);
  assert.equal([decision.status, state.settled?.spent_usd_micro, state.budget.held], ['succeeded', 115, 0]);
  assert.is(asSettled(endedChain(1).state, command.plan, command.settling)?.unsettled.size, 0);
  assert.is(asSettled(endedChain(1).state, command.plan, []), undefined, 'its receipt is not written');
});

test('beside a step that is open only the receipt is written', () => {
  const plan = { ...withPredicates(1), steps: [step('train'), step('judge')] };
  const chain = endedChain(1, 2).append('dispatcher', scheduled('plan', 'judge', 1, RESERVE));
  const { kinds } = settler(chain).when(decideSettle, { ...settle(), plan, checked: { from: 0, results: held(1) } });
  assert.equal(kinds, ['artifact.written', 'budget.settled', 'execution.settled']);
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
  const stale: Omit<Settle, 'settling'> = { plan, checked: { from: 0, results: held(100) } };
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
  const room = new ByteRoom(EVIDENCE_BYTES);
  try {
    await store.putBytes({ worldPath: OUT, data: Buffer.from('{"ok":"forged"}'), contentType: 'application/json' });
    const plan = planOf([step('train')], {
      predicates: [
        { pointer: '/predicates/0', call: callOf('artifact.exists@1') },
        { pointer: '/predicates/1', call: callOf('artifact.jmespath_ok@1', { expression: 'ok' }) },
      ],
    });
    const check = (state: PlanState) => checkPredicates({ store, judge, room, state }, plan.predicates);
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

test('costly predicates count by plan, also those of commits before', async () => {
  const { state } = finishedChain();
  const found = 'too costly to judge: more than 2 s of computing';
  const checked = Array.from({ length: 5 }, (_, at) => ({
    pointer: `/predicates/${at}`,
    predicate: 'artifact.jmespath_ok@1',
    ok: false,
    found,
  }));
  const asked: string[] = [];
  const judge = {
    predicate: async (asker: string) => {
      asked.push(asker);
      return { ok: false, found, isTooCostly: true };
    },
  };
  const store = { stat: async () => undefined } as unknown as ArtifactStore;
  const room = new ByteRoom(EVIDENCE_BYTES);
  const due = [{ pointer: '/predicates/5', call: callOf('artifact.jmespath_ok@1', { expression: 'ok' }) }];
  const results = await checkPredicates({ store, judge, room, state: { ...state, predicates: checked } }, due);
  assert.equal(asked, []);
  assert.match(results[0]?.found ?? '', /^too costly to judge: 5 predicates before it/);
});

test.run();
