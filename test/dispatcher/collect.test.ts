import * as assert from 'uvu/assert';
import { collectOutputs, storeLog } from '../../services/dispatcher/collect.ts';
import type { Collected } from '../../services/dispatcher/decide.ts';
import { scrubOf } from '../../services/dispatcher/scrub.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, failed, scheduled, started, succeeded, written } from '../ledger/plan-history.ts';
import { processor, step } from '../plan/admitted-plan.ts';
import { type FileStoreUnderTest, makeFileStore } from '../world/file-store.ts';

const test = suite('what a run left');

const PATH = '/artifacts/outputs/plan/train/out.json';
const JSON_TYPE = 'application/json';
const ID = 'plan.train.2';

async function withStore(use: (under: FileStoreUnderTest) => Promise<void>): Promise<void> {
  const under = await makeFileStore();
  try {
    await use(under);
  } finally {
    await under.dispose();
  }
}

/** The second attempt of a step, running. */
const second = (chain = admittedChain('plan')): PlanState =>
  chain
    .append('dispatcher', scheduled('plan', 'train', 1, 0))
    .append('dispatcher', [started('plan.train.1')])
    .append('dispatcher', [failed('plan.train.1', 5)])
    .append('dispatcher', scheduled('plan', 'train', 2, 0))
    .append('dispatcher', [started(ID)]).state;

const scrub = scrubOf({ values: {}, handles: [] });

function collect({ store }: FileStoreUnderTest, state: PlanState, prefix?: string): Promise<Collected> {
  const one = step('train', prefix === undefined ? {} : { write_prefix: prefix });
  return collectOutputs({ store, state, step: one, processor: processor(), executionId: ID, scrub });
}

async function upload({ store }: FileStoreUnderTest, content: string, worldPath = PATH): Promise<void> {
  const request = { uploadId: ID, worldPath, contentType: JSON_TYPE, maxBytes: 1_000, ttlS: 60 };
  const url = await store.presignPut(request);
  const response = await fetch(url, { method: 'PUT', body: content, headers: { 'content-type': JSON_TYPE } });
  assert.ok(response.ok, String(response.status));
}

const put = ({ store }: FileStoreUnderTest, content: string, worldPath = PATH) =>
  store.putBytes({ worldPath, data: Buffer.from(content), contentType: JSON_TYPE });

const codeOf = (collected: Collected): string => (collected.ok ? 'collected' : collected.why.code);

test('an upload becomes the artifact that its event names', () =>
  withStore(async (under) => {
    await upload(under, '{"a":1}');
    const collected = await collect(under, second());
    const [draft] = collected.ok ? collected.artifacts : [];
    assert.equal(draft?.kind === 'artifact.written' && [draft.data.path, draft.data.cid], [PATH, cidOf('{"a":1}')]);
    assert.is((await under.store.stat(PATH))?.cid, cidOf('{"a":1}'));
  }));

test('what an earlier attempt promoted and nobody named gives way to what this one made', () =>
  withStore(async (under) => {
    await put(under, 'of the attempt that was killed');
    await upload(under, '{"a":2}');
    assert.is(codeOf(await collect(under, second())), 'collected');
    assert.is((await under.store.stat(PATH))?.cid, cidOf('{"a":2}'));
  }));

test('an object that the ledger names is never replaced: the run fails and the object stays', () =>
  withStore(async (under) => {
    const named = admittedChain('plan')
      .append('dispatcher', scheduled('plan', 'early', 1, 0))
      .append('dispatcher', [started('plan.early.1')])
      .append('dispatcher', [
        written('plan', 'train', 'out.json', 'plan.early.1', 'named'),
        succeeded('plan.early.1', 5),
      ]);
    await put(under, 'named');
    await upload(under, '{"a":3}');
    assert.is(codeOf(await collect(under, second(named))), 'ERR_IMMUTABLE');
    assert.is((await under.store.stat(PATH))?.cid, cidOf('named'));
  }));

test('an object outside the step’s own prefix is never replaced: it may be anybody’s', () =>
  withStore(async (under) => {
    const prefix = '/artifacts/shared/';
    await put(under, 'of another plan', `${prefix}out.json`);
    await upload(under, '{"a":4}', `${prefix}out.json`);
    assert.is(codeOf(await collect(under, second(), prefix)), 'ERR_IMMUTABLE');
    assert.is((await under.store.stat(`${prefix}out.json`))?.cid, cidOf('of another plan'));
  }));

test('a required output that is not there fails the run', () =>
  withStore(async (under) => {
    assert.is(codeOf(await collect(under, second())), 'ERR_OUTPUT_MISSING');
  }));

test('a log that was stored before a crash stays as it is, and is named as it is', () =>
  withStore(async ({ store }) => {
    const [first] = await storeLog(store, 'plan', ID, 'before the crash\n');
    const [again] = await storeLog(store, 'plan', ID, 'after it\n');
    assert.equal(again, first);
    assert.equal(await storeLog(store, 'plan', 'plan.train.3', ''), []);
  }));

test.run();
