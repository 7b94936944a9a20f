import * as assert from 'uvu/assert';
import { Chains } from '../../cli/chains.ts';
import type { RawEvent } from '../../shared/ledger/envelope.ts';
import { suite } from '../harness/suite.ts';
import { admitted, Chain, submitted } from '../ledger/plan-history.ts';

const test = suite('the chains that a command line reads');

const PLANS = Array.from({ length: 1_500 }, (_, index) => `plan-${index}`);

test('a plan that goes on when a thousand others have come is read again, and only such a one', async () => {
  const chains = PLANS.map((planId) =>
    new Chain(planId).append('admission', [submitted(planId)]).append('admission', [admitted(planId, 5)]),
  );
  const read: string[] = [];
  const its = new Chains({
    isWhole: true,
    async *before(planId) {
      read.push(planId);
      yield (chains[PLANS.indexOf(planId)]?.commits[0] ?? []) as readonly RawEvent[];
    },
  });
  const take = (index: number, commit: number) =>
    its.take((chains[index]?.commits[commit] ?? []) as readonly RawEvent[], PLANS[index] ?? '', 1);
  for (const index of PLANS.keys()) assert.is((await take(index, 0)).kind, 'linked');
  assert.equal(read, []);
  assert.is((await take(1_499, 1)).kind, 'linked');
  assert.is((await take(0, 1)).kind, 'linked');
  // Its first commit once more is none of its chain, though nobody holds its chain any more.
  assert.is((await take(1, 0)).kind, 'foreign');
  assert.equal(read, ['plan-0', 'plan-1']);
});

test.run();
