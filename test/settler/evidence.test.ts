import * as assert from 'uvu/assert';
import { checkPredicates, EVIDENCE_BYTES } from '../../services/settler/evidence.ts';
import { ByteRoom } from '../../shared/async/byte-room.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';
import { callOf } from './judged-plan.ts';

const test = suite('evidence that waits for a judge');

const MIB = 1024 * 1024;

/** Documents of so many bytes, and a judge that is slow: what is read and not yet judged is counted. */
function slowJudge(sizeOf: (planId: string) => number) {
  const held = { now: 0, most: 0 };
  const store = {
    stat: async (path: string) => ({ path, cid: path, size: sizeOf(path) }),
    getBytes: async ({ worldPath }: { readonly worldPath: string }) => {
      held.now += sizeOf(worldPath);
      held.most = Math.max(held.most, held.now);
      return new Uint8Array();
    },
  } as unknown as ArtifactStore;
  const waiting: (() => void)[] = [];
  const judge: Pick<Judge, 'predicate'> = {
    predicate: async (_asker, _call, { artifacts }) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      for (const [path] of artifacts) held.now -= sizeOf(path);
      return { ok: true, found: 'true', isTooCostly: false };
    },
  };
  const room = new ByteRoom(EVIDENCE_BYTES);
  const check = (planId: string) =>
    checkPredicates({ store, judge, room, state: emptyState(planId) }, [
      { pointer: '/predicates/0', call: callOf('artifact.jmespath_ok@1', { path: planId, expression: 'a' }) },
    ]);
  return { held, waiting, check };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('of 64 plans with the largest evidence a few hold theirs, each comes to its turn, and small evidence waits for none', async () => {
  const { held, waiting, check } = slowJudge((path) => (path === 'small' ? 1_000 : 16 * MIB));
  const results = Array.from({ length: 64 }, (_, index) => check(`plan-${index}`));
  await turn();
  assert.is(held.now, EVIDENCE_BYTES);
  const small = check('small');
  await turn();
  const smalls = waiting.splice(EVIDENCE_BYTES / (16 * MIB));
  assert.is(smalls.length, 1, 'it is asked beside those that are large');
  for (const answer of smalls) answer();
  assert.is((await small)[0]?.ok, true);
  let judged = 0;
  for (let answer = waiting.shift(); answer !== undefined; answer = waiting.shift()) {
    answer();
    judged += 1;
    await turn();
  }
  await Promise.all(results);
  assert.equal([judged, held.now], [64, 0]);
  assert.ok(held.most <= EVIDENCE_BYTES + 1_000, `${held.most} bytes at once`);
});

test('the judge is asked for the principal: plans of one do not take turns of others', async () => {
  const askers: string[] = [];
  const judge: Pick<Judge, 'predicate'> = {
    predicate: async (asker) => {
      askers.push(asker);
      return { ok: true, found: 'true', isTooCostly: false };
    },
  };
  const store = { stat: async () => undefined } as unknown as ArtifactStore;
  const room = new ByteRoom(EVIDENCE_BYTES);
  const call = callOf('artifact.jmespath_ok@1', { path: '/artifacts/inputs/x.json', expression: 'a' });
  for (const planId of ['one', 'two']) {
    const submitted = { principal: 'ana' } as NonNullable<PlanState['submitted']>;
    const state = { ...emptyState(planId), submitted };
    await checkPredicates({ store, judge, room, state }, [{ pointer: '/predicates/0', call }]);
  }
  assert.equal(askers, ['ana', 'ana']);
});

test.run();
