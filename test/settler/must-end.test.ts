import * as assert from 'uvu/assert';
import {
  decideEndWithoutDocument,
  decideSettleExecution,
  decideSettlePlan,
  duePredicates,
  owedReceipts,
} from '../../services/settler/decide.ts';
import { checkPredicates } from '../../services/settler/evidence.ts';
import { ByteRoom } from '../../shared/async/byte-room.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { admittedChain, type Chain, cancelRequested, settledExecution } from '../ledger/plan-history.ts';
import {
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
  const { drafts } = decideSettleExecution(chain.state, { ...settle, stored: undefined });
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
  // What is open has a price and a receipt that only the document tells; who succeeded may have predicates.
  for (const chain of [startedChain(), endedChain(), finishedChain(1)]) assert.equal(end(cancelled(chain)).drafts, []);
});

test('until then the store is waited for', async () => {
  assert.is(await check(finishedChain(1)).catch((error: unknown) => error), denied);
});

test.run();
