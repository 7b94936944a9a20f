import * as assert from 'uvu/assert';
import { decideRevokes } from '../../services/dispatcher/decide.ts';
import { decideEndWithoutDocument, decideSettle, duePredicates, type Settle } from '../../services/settler/decide.ts';
import { checkPredicates } from '../../services/settler/evidence.ts';
import { type ReceiptDocument, receiptOf } from '../../services/settler/receipt.ts';
import { owedReceipts } from '../../services/settler/settlement.ts';
import { ByteRoom } from '../../shared/async/byte-room.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { admittedChain, type Chain, cancelRequested, scheduled, settledExecution } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import {
  decideSettlePlan,
  endedChain,
  finishedChain,
  ID,
  NONE,
  RECEIPT,
  RESERVE,
  settle,
  startedChain,
  withPredicates,
} from './judged-plan.ts';

const test = suite('plans that have to end');

const denied = new IsomorphError('ERR_REFUSED', 'AccessDenied');
/** One object of it may not be read: S3 says 403 for it for ever. */
const store = { stat: () => Promise.reject(denied) } as unknown as ArtifactStore;
const judge = { predicate: () => Promise.reject(new Error('there is no evidence to judge')) };

const check = (chain: Chain) => {
  const { state } = chain;
  return checkPredicates({ store, judge, room: new ByteRoom(1), state }, duePredicates(state, withPredicates(1)));
};

for (const [reason, by] of [
  ['client', 'admission'],
  ['deadline', 'dispatcher'],
] as const) {
  test(`a predicate whose evidence the store refuses keeps no plan open: ${reason}`, async () => {
    const chain = finishedChain(1).append(by, [cancelRequested(reason)]);
    const checked = { from: 0, results: await check(chain) };
    const { drafts } = decideSettlePlan(chain.state, { plan: withPredicates(1), checked });
    const { status, faults } = dataOf(drafts, 'plan.settled');
    assert.is(status, 'failed');
    assert.equal(faults, [
      {
        code: 'ERR_PREDICATE',
        message: 'artifact.exists@1: could not be judged before the plan had to end: ERR_REFUSED: AccessDenied',
        pointer: '/predicates/0',
      },
    ]);
  });
}

test('a receipt that the store did not take keeps no plan open: no event names it, and the end says so', () => {
  const chain = endedChain().append('dispatcher', [cancelRequested('deadline')]);
  const { drafts } = decideSettle(chain.state, {
    ...settle(),
    settling: settle().settling.map((one) => ({ ...one, stored: undefined })),
  });
  assert.equal(
    drafts.map(({ kind }) => kind),
    ['budget.settled', 'execution.settled'],
  );
  const { receipt_cid: cid, receipt_stored: isStored } = dataOf(drafts, 'execution.settled');
  assert.equal([cid, isStored], [RECEIPT.cid, false]);
  const { state } = chain.append('settler', drafts);
  const end = decideSettlePlan(state, { plan: withPredicates(0), checked: NONE });
  assert.equal(dataOf(end.drafts, 'plan.settled'), {
    status: 'succeeded',
    spent_usd_micro: 115,
    faults: [
      {
        code: 'ERR_UNAVAILABLE',
        message: 'the receipt of plan.train.1 could not be stored before the plan had to end',
        pointer: '/steps/train',
      },
    ],
  });
});

test('a receipt that is owed is stored from the event that tells of it, for four days', () => {
  const chain = endedChain().append('dispatcher', [cancelRequested('deadline')]);
  const { events } = chain.append('settler', settledExecution('plan', ID, RESERVE, 115, false));
  const last = events.at(-1);
  const toldMs = Date.parse(last?.ts ?? '');
  assert.equal(owedReceipts(events, toldMs + 4 * 86_400_000), [last?.data]);
  assert.equal(owedReceipts(events, toldMs + 4 * 86_400_000 + 1), []);
  assert.equal(owedReceipts(finishedChain().events, toldMs), [], 'it is stored');
});

test('a plan that has to end and whose document cannot be read ends as its chain tells', () => {
  const why = denied.toFault();
  const end = (chain: Chain) => decideEndWithoutDocument(chain.state, why);
  const cancelled = (chain: Chain, reason: 'client' | 'deadline' = 'client') =>
    chain.append(reason === 'client' ? 'admission' : 'dispatcher', [cancelRequested(reason)]);
  assert.equal(end(admittedChain('plan')).drafts, [], 'it is waited for until then');
  const unread = { code: 'ERR_REFUSED', message: 'the admitted plan cannot be read: AccessDenied' };
  const told = dataOf(end(cancelled(admittedChain('plan'))).drafts, 'plan.settled');
  assert.equal([told.status, told.spent_usd_micro, told.faults], ['cancelled', 0, [unread]]);
  const late = cancelled(admittedChain('plan'), 'deadline');
  const { drafts } = end(late);
  const { status, faults } = dataOf(drafts, 'plan.settled');
  assert.equal([status, faults.map(({ code }) => code)], ['failed', ['ERR_TIMEOUT', 'ERR_REFUSED']]);
  assert.equal(end(late.append('settler', drafts)).drafts, [], 'once');
  for (const chain of [startedChain(), endedChain()]) assert.equal(end(cancelled(chain)).drafts, [], 'it is open');
});

test('where every step succeeded, predicates that nobody can read do not hold; a plan without any has succeeded', () => {
  const why = denied.toFault();
  const cancelled = (chain: Chain) => chain.append('admission', [cancelRequested('client')]);
  const judged = cancelled(finishedChain(2));
  const { drafts } = decideEndWithoutDocument(judged.state, why);
  const found = 'the admitted plan cannot be read: AccessDenied';
  assert.equal(dataOf(drafts, 'predicate.checked'), { pointer: '', predicate: 'unread', ok: false, found });
  const { status, faults, spent_usd_micro: spent } = dataOf(drafts, 'plan.settled');
  assert.equal([status, faults, spent], ['failed', [{ code: 'ERR_REFUSED', message: found }], 115]);
  assert.is(judged.append('settler', drafts).state.phase, 'settled', 'it is legal');
  const plain = cancelled(finishedChain(0));
  const end = decideEndWithoutDocument(plain.state, why);
  assert.equal(
    [dataOf(end.drafts, 'plan.settled').status, dataOf(end.drafts, 'plan.settled').faults],
    ['succeeded', []],
  );
  assert.is(plain.append('settler', end.drafts).state.phase, 'settled');
});

const unread = (receipt: ReceiptDocument): Settle => ({
  plan: denied.toFault(),
  settling: [{ executionId: ID, receipt, stored: undefined }],
  checked: NONE,
});

test('without the document an execution costs its reserve, and its receipt is made of the chain: the same bytes where it started', () => {
  const chain = endedChain().append('dispatcher', [cancelRequested('deadline')]);
  const execution = chain.state.executions.get(ID);
  if (execution === undefined) throw new Error('it is not there');
  const receipt = receiptOf(chain.state, undefined, execution);
  assert.equal(receipt, receiptOf(chain.state, planOf([step('train', { params: {} })]), execution));
  const { drafts } = decideSettle(chain.state, unread(receipt));
  const { actual_usd_micro: actual, reserved_usd_micro: reserved } = dataOf(drafts, 'budget.settled');
  assert.equal([actual, reserved], [RESERVE, RESERVE]);
  assert.equal(dataOf(drafts, 'plan.settled').spent_usd_micro, RESERVE, 'the plan ends in the same commit');
  assert.is(chain.append('settler', drafts).state.phase, 'settled');
});

test('what never started costs nothing, and its receipt names no params', () => {
  const chain = admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'train', 1, RESERVE))
    .append('admission', [cancelRequested('client')]);
  chain.append('dispatcher', decideRevokes(chain.state).drafts);
  const execution = chain.state.executions.get(ID);
  if (execution === undefined) throw new Error('it is not there');
  const receipt = receiptOf(chain.state, undefined, execution);
  assert.is(JSON.parse(new TextDecoder().decode(receipt.bytes)).params_cid, null);
  const { drafts } = decideSettle(chain.state, unread(receipt));
  assert.is(dataOf(drafts, 'budget.settled').actual_usd_micro, 0);
});

test('until then the store is waited for', async () => {
  assert.is(await check(finishedChain(1)).catch((error: unknown) => error), denied);
});

test.run();
