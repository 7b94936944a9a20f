import * as assert from 'uvu/assert';
import { decideSettlePlan, duePredicates } from '../../services/settler/decide.ts';
import { checkPredicates } from '../../services/settler/evidence.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { dataOf } from '../ledger/given.ts';
import { type Chain, cancelRequested } from '../ledger/plan-history.ts';
import { finishedChain, withPredicates } from './judged-plan.ts';

const test = suite('plans that have to end');

const denied = new IsomorphError('ERR_REFUSED', 'AccessDenied');
/** One object of it may not be read: S3 says 403 for it for ever. */
const store = { stat: () => Promise.reject(denied) } as unknown as ArtifactStore;
const judge = { predicate: () => Promise.reject(new Error('there is no evidence to judge')) };

const check = (chain: Chain) => {
  const { state } = chain;
  return checkPredicates({ store, judge, state }, duePredicates(state, withPredicates(1)));
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

test('until then the store is waited for', async () => {
  assert.is(await check(finishedChain(1)).catch((error: unknown) => error), denied);
});

test.run();
