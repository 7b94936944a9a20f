/** What services keep of plans between two messages of theirs. */
import * as assert from 'uvu/assert';
import { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { PlanCache } from '../../shared/journal/plan-cache.ts';
import { emptyState, type Phase, type PlanState } from '../../shared/ledger/state.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what is kept of plans');

const stateIn = (planId: string, phase: Phase): PlanState => ({ ...emptyState(planId), phase });

const cacheOf = (max: number): PlanCache<PlanState> =>
  new PlanCache({ max, maxSize: 10_000, sizeOf: () => 1, stateOf: (state) => state });

const ids = Array.from({ length: 1_000 }, (_, n) => `plan-${n}`);

const keptOf = (cache: PlanCache<PlanState>): string[] => ids.filter((id) => cache.get(id) !== undefined);

for (const phase of ['settled', 'rejected'] as const) {
  test(`of a thousand plans that are ${phase} the last twenty are kept, and those that go on are pushed out by none`, () => {
    const cache = cacheOf(50);
    cache.set('going-on', stateIn('going-on', 'admitted'));
    for (const id of ids) {
      cache.set(id, stateIn(id, 'admitted'));
      cache.set(id, stateIn(id, phase));
    }
    assert.equal(keptOf(cache), ids.slice(-20));
    assert.is(cache.get('going-on')?.phase, 'admitted');
  });
}

test('a plan whose rejected id is used again goes on, and is what it was set to last', () => {
  const cache = cacheOf(50);
  for (const phase of ['rejected', 'admitted', 'settled'] as const) {
    cache.set('plan-1', stateIn('plan-1', phase));
    assert.is(cache.get('plan-1')?.phase, phase);
  }
});

test('of plans that go on as many are kept as was asked for, those that were used last', () => {
  const cache = cacheOf(50);
  for (const id of ids) cache.set(id, stateIn(id, 'admitted'));
  assert.equal(keptOf(cache), ids.slice(-50));
});

const documentOf = (planId: string) => ({
  planId,
  admitted: { admitted_path: `/plans/${planId}.json`, admitted_cid: `cid of ${planId}` },
});

/** A store of documents of so many bytes, and how often each was read. */
function storeOf(bytes: number) {
  const reads = new Map<string, number>();
  const getBytes: ArtifactStore['getBytes'] = async ({ worldPath }) => {
    reads.set(worldPath, (reads.get(worldPath) ?? 0) + 1);
    return new TextEncoder().encode(JSON.stringify({ steps: [], pad: 'x'.repeat(bytes) }));
  };
  const plans = new AdmittedPlans({ getBytes } as unknown as ArtifactStore);
  const readsOf = (planId: string) => reads.get(documentOf(planId).admitted.admitted_path) ?? 0;
  return { plans, readsOf };
}

test('a document is read once however many ask, and again when its plan was over', async () => {
  const { plans, readsOf } = storeOf(10);
  await Promise.all([1, 2, 3].map(() => plans.of(documentOf('plan-1'))));
  await plans.of(documentOf('plan-1'));
  assert.is(readsOf('plan-1'), 1);
  plans.forget(documentOf('plan-1'));
  await plans.of(documentOf('plan-1'));
  assert.is(readsOf('plan-1'), 2);
});

test('whoever waits for a document gets it, though its plan was over meanwhile', async () => {
  const { plans } = storeOf(10);
  const asked = plans.of(documentOf('plan-1'));
  plans.forget(documentOf('plan-1'));
  assert.equal((await asked).steps, []);
});

test('of large documents as many are kept as fit into 8 MiB, not a number of them', async () => {
  const { plans, readsOf } = storeOf(1024 * 1024);
  for (const id of ids.slice(0, 12)) await plans.of(documentOf(id));
  await plans.of(documentOf('plan-11'));
  await plans.of(documentOf('plan-0'));
  assert.equal([readsOf('plan-11'), readsOf('plan-0')], [1, 2]);
});

test('a document that cannot be read is asked for again', async () => {
  let isAway = true;
  const plans = new AdmittedPlans({
    getBytes: async () => {
      if (isAway) throw new Error('away');
      return new TextEncoder().encode('{"steps":[]}');
    },
  } as unknown as ArtifactStore);
  await plans.of(documentOf('plan-1')).then(
    () => assert.unreachable('it was read'),
    (error: Error) => assert.is(error.message, 'away'),
  );
  isAway = false;
  assert.equal((await plans.of(documentOf('plan-1'))).steps, []);
});

test.run();
